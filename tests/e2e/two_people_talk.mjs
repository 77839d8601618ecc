// Two people talk through matrix-js-sdk: everything that a day of work needs, a restart of the
// server in the middle, and a fresh client that finds it all again.
//
//   node two_people_talk.mjs URL SHARED_SECRET
//
// When it prints RESTART, whoever drives it restarts the server and writes a line to its
// standard input. Exit code 0 and a last line "done" mean that everything held.

import { createInterface } from "node:readline";
import { ClientEvent, EventType, MsgType, RelationType, RoomEvent, RoomMemberEvent } from "matrix-js-sdk";
import { check, register, seen, signIn, step, until } from "./lib/people.mjs";
import { png, size } from "./lib/picture.mjs";

const [baseUrl, secret] = process.argv.slice(2);
// Of a long poll of 20 s that is waiting; generous, since other tests use the same two cores.
const atOnceMs = 5_000;
const picture = png(480);

async function meet(alice, bob) {
    step("alice makes a room and invites bob; bob joins");
    const { room_id: roomId } = await alice.createRoom({ name: "Purchasing", invite: [bob.getUserId()] });
    const invited = () => bob.getRoom(roomId)?.getMyMembership() === "invite";
    await until("bob sees the invitation", bob, [ClientEvent.Room, RoomEvent.MyMembership], invited);
    await bob.joinRoom(roomId);
    const joined = () => alice.getRoom(roomId)?.getMember(bob.getUserId())?.membership === "join";
    await until("alice sees bob join", alice, [RoomMemberEvent.Membership], joined);
    check(bob.getRoom(roomId).name === "Purchasing", "bob knows the room's name");
    return roomId;
}

async function say(from, to, roomId, body) {
    const begun = Date.now();
    const { event_id: id } = await from.sendTextMessage(roomId, body);
    const event = await seen(to, roomId, id, body);
    check(event.getContent().body === body, `${body} arrives as it was sent`);
    check(Date.now() - begun < atOnceMs, `${body} arrives at once, not after ${Date.now() - begun} ms`);
    return id;
}

async function talk(alice, bob, roomId) {
    step("they talk: message, edit, reply, reaction, redaction");
    const room = bob.getRoom(roomId);
    const first = await say(alice, bob, roomId, "the chairs cost 120");
    const edit = await alice.sendMessage(roomId, {
        "msgtype": MsgType.Text,
        "body": "* the chairs cost 110",
        "m.new_content": { msgtype: MsgType.Text, body: "the chairs cost 110" },
        "m.relates_to": { rel_type: RelationType.Replace, event_id: first },
    });
    await seen(bob, roomId, edit.event_id, "the edit");
    const edited = () => room.findEventById(first).getContent().body === "the chairs cost 110";
    await until("bob sees the edited text", bob, [RoomEvent.Timeline], edited);

    const { event_id: reply } = await bob.sendMessage(roomId, {
        "msgtype": MsgType.Text,
        "body": "too much",
        "m.relates_to": { "m.in_reply_to": { event_id: first } },
    });
    const answered = await seen(alice, roomId, reply, "the reply");
    check(answered.replyEventId === first, "the reply says what it answers");

    const { event_id: reaction } = await alice.sendEvent(roomId, EventType.Reaction, {
        "m.relates_to": { rel_type: RelationType.Annotation, event_id: reply, key: "👍" },
    });
    await seen(bob, roomId, reaction, "the reaction");
    check(reactions(room, reply).length === 1, "bob's client counts the reaction");

    const mistake = await say(bob, alice, roomId, "wrong window");
    await bob.redactEvent(roomId, mistake);
    const gone = () => alice.getRoom(roomId).findEventById(mistake).isRedacted();
    await until("alice sees the redaction", alice, [RoomEvent.Redaction], gone);
    return { first, edit: edit.event_id, reply, reaction, mistake };
}

function reactions(room, eventId) {
    const relations = room.relations.getChildEventsForEvent(eventId, RelationType.Annotation, EventType.Reaction);
    return relations?.getRelations() ?? [];
}

async function notice(alice, bob, roomId) {
    step("unread counts, read receipts, typing");
    const last = await say(alice, bob, roomId, "are you there?");
    const room = bob.getRoom(roomId);
    const unread = () => room.getUnreadNotificationCount() > 0;
    await until("bob has something unread", bob, [RoomEvent.UnreadNotifications], unread);
    await bob.sendReadReceipt(await seen(bob, roomId, last));
    const read = () => room.getUnreadNotificationCount() === 0;
    await until("nothing is unread", bob, [RoomEvent.UnreadNotifications], read);
    const received = () => alice.getRoom(roomId).hasUserReadEvent(bob.getUserId(), last);
    await until("alice sees that bob read it", alice, [RoomEvent.Receipt], received);

    const typing = () => alice.getRoom(roomId).getMember(bob.getUserId()).typing;
    await bob.sendTyping(roomId, true, 20_000);
    await until("alice sees bob type", alice, [RoomMemberEvent.Typing], typing);
    await bob.sendTyping(roomId, false, 0);
    await until("alice sees bob stop", alice, [RoomMemberEvent.Typing], () => !typing());
    return last;
}

async function sendPicture(alice, bob, roomId) {
    step("alice sends a picture");
    const { content_uri: mxc } = await alice.uploadContent(picture, { type: "image/png", name: "chair.png" });
    const { event_id: id } = await alice.sendImageMessage(roomId, mxc, { mimetype: "image/png" }, "chair.png");
    await lookAtPicture(bob, roomId, id);
    return id;
}

async function lookAtPicture(client, roomId, id) {
    const mxc = (await seen(client, roomId, id, "the picture")).getContent().url;
    const whole = await download(client, client.mxcUrlToHttp(mxc, undefined, undefined, undefined, false, true, true));
    check(picture.equals(whole), "the picture arrives as it was sent");
    const small = await download(client, client.mxcUrlToHttp(mxc, 320, 240, "scale", false, true, true));
    const { width, height } = size(small);
    check(width === height && width >= 240 && width < 480, `a smaller picture, not ${width}x${height}`);
}

async function download(client, url) {
    check(url.includes("/_matrix/client/v1/media/"), `${url} is an authenticated path`);
    const stranger = await fetch(url);
    check(stranger.status === 401, `without a token ${url} answers ${stranger.status}, not 401`);
    const answer = await fetch(url, { headers: { authorization: `Bearer ${client.getAccessToken()}` } });
    check(answer.ok, `${url} answers ${answer.status}`);
    return Buffer.from(await answer.arrayBuffer());
}

async function findAgain(client, roomId, ids) {
    step("a fresh client finds everything");
    const room = client.getRoom(roomId);
    check(room?.name === "Purchasing", "the room has its name");
    while (!room.findEventById(ids.first)) {
        check(room.oldState.paginationToken, "the history reaches the first message");
        await client.scrollback(room, 20);
    }
    const text = (id) => room.findEventById(id)?.getContent().body;
    check(text(ids.first) === "the chairs cost 110", `the edit holds, not ${text(ids.first)}`);
    check(room.findEventById(ids.reply)?.replyEventId === ids.first, "the reply is a reply");
    check(reactions(room, ids.reply).length === 1, "the reaction is there");
    const redacted = room.findEventById(ids.mistake);
    check(redacted.isRedacted() && !redacted.getContent().body, "the redacted text is gone");
    check(text(ids.last) === "are you there?", "the last message is there");
    check(text(ids.after) === "still there?", "the message after the restart is there");
    check(room.getJoinedMemberCount() === 2, "both are members");
    await lookAtPicture(client, roomId, ids.image);
}

async function restart() {
    step("the server restarts");
    const input = createInterface({ input: process.stdin });
    const line = new Promise((resolve) => input.once("line", resolve));
    console.log("RESTART");
    await line;
    input.close();
}

async function main() {
    const [aliceName, bobName] = [await register(baseUrl, secret, "alice"), await register(baseUrl, secret, "bob")];
    const [alice, bob] = [await signIn(baseUrl, aliceName), await signIn(baseUrl, bobName)];
    const roomId = await meet(alice, bob);
    const ids = await talk(alice, bob, roomId);
    ids.image = await sendPicture(alice, bob, roomId);
    ids.last = await notice(alice, bob, roomId);
    await restart();
    step("the clients that were signed in go on");
    const { event_id: after } = await alice.sendTextMessage(roomId, "still there?");
    await seen(bob, roomId, after, "the message after the restart");
    const fresh = await signIn(baseUrl, bobName);
    await findAgain(fresh, roomId, { ...ids, after });
    for (const client of [alice, bob, fresh]) client.stopClient();
    console.log("done");
}

await main().catch((error) => {
    console.error(error);
    process.exit(1);
});
process.exit(0);
