// Accounts, signed-in clients and waiting, for the scripts beside this folder.
// What a script checks does not belong here.

import { createHmac } from "node:crypto";
import * as sdk from "matrix-js-sdk";

// What the library reports would bury what these scripts say.
const nothing = () => {};
const silent = { trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing, getChild: () => silent };
for (const level of ["debug", "info"]) console[level] = nothing;

const password = "correct horse battery staple";
const deadlineMs = 30_000;

/** Fails with `what` unless `truth` holds. */
export function check(truth, what) {
    if (!truth) throw new Error(`not so: ${what}`);
}

/** Waits until `look()` gives something: now, or after one of `emitter`'s `events`. */
export function until(what, emitter, events, look) {
    return new Promise((resolve, reject) => {
        const timer = setTimeout(() => finish(reject, new Error(`did not happen: ${what}`)), deadlineMs);
        // Not everything that can be looked at has an event of its own.
        const ticker = setInterval(attempt, 100);
        function finish(settle, value) {
            clearTimeout(timer);
            clearInterval(ticker);
            for (const event of events) emitter.off(event, attempt);
            settle(value);
        }
        function attempt() {
            let found;
            try {
                found = look();
            } catch (error) {
                return finish(reject, error);
            }
            if (found) finish(resolve, found);
        }
        for (const event of events) emitter.on(event, attempt);
        attempt();
    });
}

/** Makes a user by shared-secret registration; gives the localpart. */
export async function register(baseUrl, secret, name) {
    const username = `${name}-${Date.now().toString(36)}-${process.pid}`;
    const url = `${baseUrl}/_synapse/admin/v1/register`;
    const { nonce } = await (await fetch(url)).json();
    const mac = createHmac("sha1", secret).update([nonce, username, password, "notadmin"].join("\0"));
    const body = JSON.stringify({ nonce, username, password, admin: false, mac: mac.digest("hex") });
    const answer = await fetch(url, { method: "POST", body, headers: { "content-type": "application/json" } });
    check(answer.ok, `registration of ${username}: ${answer.status}`);
    return username;
}

/**
 * Logs in on a new device and starts to sync. `options` are further ones of the client; `prepare`
 * gets the client before it starts and may return further options of the start.
 */
export async function signIn(baseUrl, username, { options = {}, prepare = nothing } = {}) {
    const login = await sdk.createClient({ baseUrl, logger: silent }).loginRequest({
        type: "m.login.password",
        identifier: { type: "m.id.user", user: username },
        password,
    });
    const client = sdk.createClient({
        baseUrl,
        accessToken: login.access_token,
        userId: login.user_id,
        deviceId: login.device_id,
        logger: silent,
        timelineSupport: true,
        ...options,
    });
    const further = await prepare(client);
    await client.startClient({ initialSyncLimit: 50, pollTimeout: 20_000, ...further });
    await until(`${username} has synced`, client, [sdk.ClientEvent.Sync], () => client.isInitialSyncComplete());
    return client;
}

/** The event with this id as `client` knows it from its sync, once it does. */
export function seen(client, roomId, eventId, what = eventId) {
    const events = [sdk.RoomEvent.Timeline];
    return until(`${client.getUserId()} sees ${what}`, client, events, () =>
        client.getRoom(roomId)?.findEventById(eventId),
    );
}

/** Says what comes next, for the log of a failed test. */
export function step(text) {
    console.log(`- ${text}`);
}
