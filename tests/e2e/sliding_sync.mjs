// Two people talk, and one of them signs in by simplified sliding sync through matrix-js-sdk: the room
// list, history, live messages, unread counts, an encrypted room, a room that is new.
//
//   node sliding_sync.mjs URL SHARED_SECRET
//
// Exit code 0 and a last line "done" mean that everything held.

import { ClientEvent, EventType, RoomEvent, RoomMemberEvent } from "matrix-js-sdk";
import { SlidingSync } from "matrix-js-sdk/lib/sliding-sync.js";
import { check, register, seen, step, until } from "./lib/people.mjs";
import { Person, read } from "./lib/secrets.mjs";

const [baseUrl, secret] = process.argv.slice(2);
const wanted = { timeline_limit: 20, required_state: [["*", "*"]] };

/** Follows a list of 20 rooms instead of `/sync`. */
function sliding(client) {
    const lists = new Map([["rooms", { ranges: [[0, 19]], ...wanted }]]);
    return { slidingSync: new SlidingSync(baseUrl, lists, wanted, client, 20_000) };
}

async function main() {
    const names = [await register(baseUrl, secret, "alice"), await register(baseUrl, secret, "bob")];
    const [aliceSelf, bobSelf] = names.map((name) => new Person(baseUrl, name));
    const alice = await aliceSelf.signIn();
    const bobId = `@${names[1]}:${alice.getDomain()}`;
    const rooms = [];
    for (const name of ["Purchasing", "Sales", "Store"]) {
        const { room_id: id } = await alice.createRoom({ name, invite: [bobId], preset: "private_chat" });
        rooms.push(id);
    }

    step("bob signs in by sliding sync and finds the invitations");
    const bob = await bobSelf.signIn(sliding);
    for (const id of rooms) {
        const invited = () => bob.getRoom(id)?.getMyMembership() === "invite";
        await until("bob sees the invitation", bob, [ClientEvent.Room, RoomEvent.MyMembership], invited);
        await bob.joinRoom(id);
        const joined = () => bob.getRoom(id)?.getMyMembership() === "join";
        await until("bob sees that he joined", bob, [RoomEvent.MyMembership], joined);
    }
    check(bob.getRoom(rooms[0]).name === "Purchasing", `the room has its name, not ${bob.getRoom(rooms[0]).name}`);

    step("they talk, both ways");
    const first = await alice.sendTextMessage(rooms[0], "the chairs cost 120");
    await seen(bob, rooms[0], first.event_id, "alice's message");
    const room = bob.getRoom(rooms[0]);
    const unread = () => room.getUnreadNotificationCount() > 0;
    await until("bob has something unread", bob, [RoomEvent.UnreadNotifications], unread);
    const answer = await bob.sendTextMessage(rooms[0], "too much");
    await seen(alice, rooms[0], answer.event_id, "bob's answer");
    await bob.sendReadReceipt(room.findEventById(first.event_id));
    const received = () => alice.getRoom(rooms[0]).hasUserReadEvent(bobId, first.event_id);
    await until("alice sees that bob read it", alice, [RoomEvent.Receipt], received);
    await alice.sendTyping(rooms[0], true, 20_000);
    const typing = () => room.getMember(alice.getUserId())?.typing;
    await until("bob sees alice type", bob, [RoomMemberEvent.Typing], typing);

    step("they talk in an encrypted room that is new");
    const content = { algorithm: "m.megolm.v1.aes-sha2" };
    const initial_state = [{ type: EventType.RoomEncryption, state_key: "", content }];
    const { room_id: secretRoom } = await bob.createRoom({ name: "Board", invite: [alice.getUserId()], initial_state });
    const seesRoom = () => alice.getRoom(secretRoom);
    await until("alice sees the invitation", alice, [ClientEvent.Room, RoomEvent.MyMembership], seesRoom);
    await alice.joinRoom(secretRoom);
    const joined = () => bob.getRoom(secretRoom)?.getMember(alice.getUserId())?.membership === "join";
    await until("bob sees alice join", bob, [RoomMemberEvent.Membership], joined);
    const { event_id: secretId } = await bob.sendTextMessage(secretRoom, "nobody else may know");
    await read(alice, secretRoom, secretId, "the secret");
    const { event_id: backId } = await alice.sendTextMessage(secretRoom, "nobody will");
    await read(bob, secretRoom, backId, "the answer to the secret");

    step("a fresh client signs in by sliding sync and finds it all");
    const fresh = await bobSelf.signIn(sliding);
    for (const id of [...rooms, secretRoom]) {
        await until("the room is listed", fresh, [ClientEvent.Room], () => fresh.getRoom(id)?.getMyMembership() === "join");
    }
    await seen(fresh, rooms[0], answer.event_id, "the history");
    const live = await alice.sendTextMessage(rooms[1], "and you all");
    await seen(fresh, rooms[1], live.event_id, "what is said now");
    await seen(bob, rooms[1], live.event_id, "what is said now");
    for (const client of [alice, bob, fresh]) client.stopClient();
    console.log("done");
}

await main().catch((error) => {
    console.error(error);
    process.exit(1);
});
process.exit(0);
