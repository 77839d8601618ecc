// Clients with encryption: what a person keeps in mind (the key of secret storage), and the steps of
// a verification. What a script checks does not belong here.

import { CryptoEvent, VerificationPhase, VerificationRequestEvent, VerifierEvent } from "matrix-js-sdk/lib/crypto-api/index.js";
import { MatrixEventEvent } from "matrix-js-sdk";
import { check, seen, signIn, until } from "./people.mjs";

// Devices begin without keys: that they cannot read yet is not worth a line.
for (const level of ["warn", "error"]) {
    const said = console[level].bind(console);
    console[level] = (...words) => String(words[0]).startsWith("Error decrypting event") || said(...words);
}

/** What a person knows and no server does. */
export class Person {
    /** Keys of secret storage by their ids. */
    keys = new Map();

    constructor(baseUrl, username) {
        Object.assign(this, { baseUrl, username });
    }

    /**
     * Signs in on a new device with an empty memory. `further` gets the client and gives further
     * options of its start.
     */
    signIn(further = () => ({})) {
        const cryptoCallbacks = {
            getSecretStorageKey: async ({ keys }) => {
                const id = Object.keys(keys).find((id) => this.keys.has(id));
                return id ? [id, this.keys.get(id)] : null;
            },
            cacheSecretStorageKey: (id, info, key) => this.keys.set(id, key),
        };
        const prepare = async (client) => {
            await client.initRustCrypto({ useIndexedDB: false });
            return further(client);
        };
        return signIn(this.baseUrl, this.username, { options: { cryptoCallbacks }, prepare });
    }
}

/** The event with this id in plain text, once `client` can read it. */
export async function read(client, roomId, eventId, what) {
    const event = await seen(client, roomId, eventId, what);
    check(event.isEncrypted(), `${what} was encrypted`);
    const readable = () => !event.isBeingDecrypted() && !event.isDecryptionFailure() && event.getClearContent();
    await until(`${client.getUserId()} reads ${what}`, event, [MatrixEventEvent.Decrypted], readable);
    return event;
}

/** The next verification that somebody asks `client` for. */
export function asked(client) {
    return new Promise((resolve) => client.once(CryptoEvent.VerificationRequestReceived, resolve));
}

/** Both compare emoji and agree: `request` is the asking side's, `incoming` the other's. */
export async function compare(request, incoming) {
    const change = [VerificationRequestEvent.Change];
    await incoming.accept();
    await until("the request is accepted", request, change, () => request.phase === VerificationPhase.Ready);
    const first = await request.startVerification("m.sas.v1");
    const second = await until("the other side starts", incoming, change, () => incoming.verifier);
    const [ours, theirs] = [first, second].map((verifier) => {
        const shown = new Promise((resolve) => verifier.once(VerifierEvent.ShowSas, resolve));
        return { shown, done: verifier.verify() };
    });
    const [here, there] = await Promise.all([
        until("emoji are shown to the one who asked", first, [], () => first.getShowSasCallbacks()),
        until("emoji are shown to the other", second, [], () => second.getShowSasCallbacks()),
    ]);
    const names = (sas) => sas.sas.emoji.map(([, name]) => name).join(" ");
    check(names(here).split(" ").length >= 7 && names(here) === names(there), `both see ${names(here)}`);
    await Promise.all([here.confirm(), there.confirm()]);
    await Promise.all([ours.done, theirs.done]);
    for (const side of [request, incoming]) {
        await until("the verification is done", side, change, () => side.phase === VerificationPhase.Done);
    }
}
