// Two people talk in an encrypted room through matrix-js-sdk and its Rust crypto: cross-signing, emoji
// verification between people and between devices, secret storage, key backup, a dehydrated device.
//
//   node encryption.mjs URL SHARED_SECRET
//
// Exit code 0 and a last line "done" mean that everything held.

import { ClientEvent, EventType, RoomEvent, RoomMemberEvent } from "matrix-js-sdk";
import { CryptoEvent } from "matrix-js-sdk/lib/crypto-api/index.js";
import { check, register, step, until } from "./lib/people.mjs";
import { Person, asked, compare, read } from "./lib/secrets.mjs";

const [baseUrl, secret] = process.argv.slice(2);
const algorithm = "m.megolm.v1.aes-sha2";

async function setUp(client) {
    const crypto = client.getCrypto();
    // The first upload needs no proof: the server does not ask for one.
    await crypto.bootstrapCrossSigning({ authUploadDeviceSigningKeys: (upload) => upload(null) });
    const createSecretStorageKey = () => crypto.createRecoveryKeyFromPassphrase();
    await crypto.bootstrapSecretStorage({ createSecretStorageKey, setupNewSecretStorage: true, setupNewKeyBackup: true });
    check(await crypto.isCrossSigningReady(), "cross-signing is ready");
    check(await crypto.isSecretStorageReady(), "secret storage is ready");
    const version = await crypto.getActiveSessionBackupVersion();
    check(version === "1", `the first key backup is in use, not ${version}`);
    const status = await crypto.getDeviceVerificationStatus(client.getUserId(), client.getDeviceId());
    check(status.crossSigningVerified, "the own device is signed");
}

async function meet(alice, bob) {
    const { room_id: roomId } = await alice.createRoom({
        preset: "trusted_private_chat",
        is_direct: true,
        invite: [bob.getUserId()],
        initial_state: [{ type: EventType.RoomEncryption, state_key: "", content: { algorithm } }],
    });
    await until("bob is invited", bob, [ClientEvent.Room, RoomEvent.MyMembership], () => bob.getRoom(roomId));
    await bob.joinRoom(roomId);
    const joined = () => alice.getRoom(roomId)?.getMember(bob.getUserId())?.membership === "join";
    await until("alice sees bob join", alice, [RoomMemberEvent.Membership], joined);
    await eventually("bob knows that the room is encrypted", () => bob.getCrypto().isEncryptionEnabledInRoom(roomId));
    return roomId;
}

async function say(from, to, roomId, body) {
    const { event_id: id } = await from.sendTextMessage(roomId, body);
    for (const client of to) {
        const event = await read(client, roomId, id, body);
        check(event.getContent().body === body, `${body} is read as it was written`);
    }
    const raw = await from.fetchRoomEvent(roomId, id);
    check(raw.type === EventType.RoomMessageEncrypted && !raw.content.body, `the server does not know ${body}`);
    return id;
}

async function verifyEachOther(alice, bob, roomId) {
    const incoming = asked(bob);
    const request = await alice.getCrypto().requestVerificationDM(bob.getUserId(), roomId);
    await compare(request, await incoming);
    for (const [one, other] of [[alice, bob], [bob, alice]]) {
        const status = () => one.getCrypto().getUserVerificationStatus(other.getUserId());
        const verified = async () => (await status()).isCrossSigningVerified();
        await eventually(`${one.getUserId()} trusts ${other.getUserId()}`, verified);
    }
}

async function secondDevice(person, first, roomId, known) {
    const device = await person.signIn();
    const id = device.getDeviceId();
    const incoming = asked(first);
    const request = await device.getCrypto().requestOwnUserVerification();
    await compare(request, await incoming);
    const signed = async (client) =>
        (await client.getCrypto().getDeviceVerificationStatus(first.getUserId(), id))?.crossSigningVerified;
    await eventually("the first device trusts the second", () => signed(first));
    await eventually("the second device has the keys to sign", () => device.getCrypto().isCrossSigningReady());
    const backup = () => device.getCrypto().getActiveSessionBackupVersion();
    await eventually("the second device uses the key backup", backup);
    await read(device, roomId, known, "what was said before, from the backup");
    return device;
}

async function freshDevice(person, roomId, known) {
    const device = await person.signIn();
    const crypto = device.getCrypto();
    // Secrets are taken in once their public halves are known.
    await eventually("own keys are known", () => crypto.userHasCrossSigningKeys(device.getUserId(), true));
    await crypto.bootstrapCrossSigning({});
    await crypto.loadSessionBackupPrivateKeyFromSecretStorage();
    await crypto.checkKeyBackupAndEnable();
    const { total, imported } = await crypto.restoreKeyBackup();
    check(total > 0 && imported === total, `all keys of the backup are restored: ${imported} of ${total}`);
    await read(device, roomId, known, "what was said before, after the restore");
    return device;
}

/** Asks the server: the library remembers what it was told at the beginning. */
async function backedUp(client, least) {
    const info = await client.http.authedRequest("GET", "/room_keys/version");
    return info.count >= least;
}

/** Nobody is there when bob speaks: only the dehydrated device gets the key. */
async function whileAway(person, devices, bob, roomId) {
    const first = devices[0].getCrypto();
    check(await first.isDehydrationSupported(), "the server keeps dehydrated devices");
    await first.startDehydration();
    for (const device of devices) device.stopClient();
    const theirs = async () => (await bob.getCrypto().getUserDeviceInfo([devices[0].getUserId()])).values().next().value;
    const dehydrated = async () => [...(await theirs()).values()].some((device) => device.dehydrated);
    await eventually("bob knows the dehydrated device", dehydrated);
    await bob.getCrypto().forceDiscardSession(roomId);
    const { event_id: id } = await bob.sendTextMessage(roomId, "are you away?");
    const device = await person.signIn();
    const crypto = device.getCrypto();
    // Secrets are taken in once their public halves are known.
    await eventually("own keys are known", () => crypto.userHasCrossSigningKeys(device.getUserId(), true));
    await crypto.bootstrapCrossSigning({});
    const completed = new Promise((resolve) => device.once(CryptoEvent.RehydrationCompleted, resolve));
    await crypto.startDehydration();
    await completed;
    await read(device, roomId, id, "what was said while nobody was there");
    return device;
}

/** As `until`, for questions whose answers take a moment. */
async function eventually(what, look) {
    const end = Date.now() + 30_000;
    while (!(await look())) {
        check(Date.now() < end, what);
        await new Promise((resolve) => setTimeout(resolve, 200));
    }
}

async function main() {
    const people = [];
    for (const name of ["alice", "bob"]) people.push(new Person(baseUrl, await register(baseUrl, secret, name)));
    const [aliceSelf, bobSelf] = people;
    const [alice, bob] = [await aliceSelf.signIn(), await bobSelf.signIn()];
    step("both set up cross-signing, secret storage and a key backup");
    for (const client of [alice, bob]) await setUp(client);
    step("they talk in an encrypted room, both ways");
    const roomId = await meet(alice, bob);
    await say(alice, [bob], roomId, "the offer is 4,200");
    const known = await say(bob, [alice], roomId, "and not a cent more");
    step("they verify each other by emoji");
    await verifyEachOther(alice, bob, roomId);
    await eventually("alice's keys are backed up", () => backedUp(alice, 2));
    step("alice verifies a second device and gets her secrets from the first");
    const second = await secondDevice(aliceSelf, alice, roomId, known);
    await say(bob, [alice, second], roomId, "both of your devices read this");
    await say(second, [bob, alice], roomId, "and I speak from the second");
    step("a fresh device restores everything with the key of secret storage alone");
    const third = await freshDevice(aliceSelf, roomId, known);
    await say(bob, [alice, second, third], roomId, "welcome back");
    step("a dehydrated device takes keys while nobody is there");
    const fourth = await whileAway(aliceSelf, [alice, second, third], bob, roomId);
    await say(bob, [fourth], roomId, "there you are");
    for (const client of [bob, fourth]) client.stopClient();
    console.log("done");
}

await main().catch((error) => {
    console.error(error);
    process.exit(1);
});
process.exit(0);
