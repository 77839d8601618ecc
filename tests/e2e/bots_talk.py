"""Two bots talk through matrix-nio: rooms, history, receipts, typing, files, an encrypted room.

    python bots_talk.py URL SHARED_SECRET

Exit code 0 and a last line "done" mean that everything held.
"""

import asyncio
import hashlib
import hmac
import io
import json
import os
import sys
import tempfile
import time
import urllib.request

import nio

URL, SECRET = sys.argv[1:3]
PASSWORD = "correct horse battery staple"
DEADLINE_SECONDS = 30


def check(truth, what):
    if not truth:
        raise AssertionError(f"not so: {what}")


def step(text):
    print(f"- {text}", flush=True)


def good(answer, what):
    """The answer itself, unless it is an error."""
    check(not isinstance(answer, nio.ErrorResponse), f"{what}: {answer}")
    return answer


def ask(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL + path, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=DEADLINE_SECONDS) as answer:
        return json.load(answer)


def register(name):
    """Makes a user by shared-secret registration; gives the user id."""
    path = "/_synapse/admin/v1/register"
    nonce = ask(path)["nonce"]
    name = f"{name}-{time.time_ns():x}-{os.getpid()}"
    parts = "\0".join([nonce, name, PASSWORD, "notadmin"]).encode()
    mac = hmac.new(SECRET.encode(), parts, hashlib.sha1).hexdigest()
    made = ask(path, {"nonce": nonce, "username": name, "password": PASSWORD, "admin": False, "mac": mac})
    return made["user_id"]


class Bot:
    """A signed-in client that remembers what it saw."""

    def __init__(self, user_id, folder):
        config = nio.AsyncClientConfig(encryption_enabled=True, store_sync_tokens=True)
        self.client = nio.AsyncClient(URL, user_id, store_path=folder, config=config)
        self.user_id, self.seen, self.told, self.polling = user_id, [], [], None
        self.client.add_event_callback(lambda room, event: self.seen.append((room.room_id, event)), nio.Event)
        for kind in (nio.ReceiptEvent, nio.TypingNoticeEvent):
            self.client.add_ephemeral_callback(lambda room, event: self.told.append((room.room_id, event)), kind)

    async def start(self):
        good(await self.client.login(PASSWORD, device_name="Bot"), "login")
        good(await self.client.sync(full_state=True), "first sync")
        self.polling = asyncio.create_task(self.client.sync_forever(timeout=10_000))

    async def until(self, what, look):
        end = time.monotonic() + DEADLINE_SECONDS
        while not (found := look()):
            check(time.monotonic() < end, f"{self.user_id}: {what}")
            check(not self.polling.done(), f"{self.user_id} goes on to sync: {self.polling}")
            await asyncio.sleep(0.05)
        return found

    async def event(self, event_id):
        found = lambda: [event for _, event in self.seen if event.event_id == event_id]
        return (await self.until(f"sees {event_id}", found))[0]

    async def say(self, room_id, body):
        content = {"msgtype": "m.text", "body": body}
        sent = await self.client.room_send(room_id, "m.room.message", content, ignore_unverified_devices=True)
        return good(sent, body).event_id

    async def stop(self):
        if self.polling:
            self.polling.cancel()
        await self.client.close()


async def meet(alice, bob, **room):
    room_id = good(await alice.client.room_create(invite=[bob.user_id], **room), "a room").room_id
    await bob.until("is invited", lambda: room_id in bob.client.invited_rooms)
    good(await bob.client.join(room_id), "joining")
    await bob.until("joined", lambda: room_id in bob.client.rooms)
    await alice.until("sees bob join", lambda: bob.user_id in alice.client.rooms[room_id].users)
    return room_id


async def talk(alice, bob, room_id):
    first = await alice.say(room_id, "the chairs cost 120")
    event = await bob.event(first)
    check(isinstance(event, nio.RoomMessageText) and event.body == "the chairs cost 120", f"the text arrives: {event}")
    check(bob.client.rooms[room_id].display_name == "Purchasing", "the room has its name")
    answer = await bob.say(room_id, "too much")
    await alice.event(answer)
    good(await bob.client.room_typing(room_id, True, 20_000), "typing")
    typing = lambda: [e for _, e in alice.told if isinstance(e, nio.TypingNoticeEvent) and bob.user_id in e.users]
    await alice.until("sees bob type", typing)
    good(await bob.client.room_typing(room_id, False), "no more typing")
    good(await bob.client.room_read_markers(room_id, first, first), "read markers")
    receipts = lambda: [
        receipt for _, e in alice.told if isinstance(e, nio.ReceiptEvent) for receipt in e.receipts
        if (receipt.user_id, receipt.event_id) == (bob.user_id, first)
    ]
    await alice.until("sees that bob read it", receipts)
    good(await alice.client.room_redact(room_id, first, "wrong"), "redaction")
    redactions = lambda: [e for _, e in bob.seen if isinstance(e, nio.RedactionEvent) and e.redacts == first]
    await bob.until("sees the redaction", redactions)
    return first, answer


async def look_back(bob, room_id, first, answer):
    page = good(await bob.client.room_messages(room_id, limit=50), "history")
    by_id = {event.event_id: event for event in page.chunk}
    check(isinstance(by_id[first], nio.RedactedEvent), f"the redacted text is gone: {by_id[first]}")
    check(by_id[answer].body == "too much", "the answer is in the history")
    good(await bob.client.room_context(room_id, answer), "context")
    members = good(await bob.client.joined_members(room_id), "members")
    check(len(members.members) == 2, f"two members, not {members}")
    check(good(await bob.client.joined_rooms(), "rooms").rooms == [room_id], "one room")


async def share_file(alice, bob, room_id):
    data = os.urandom(300_000)
    sent, _ = await alice.client.upload(
        lambda *_: io.BytesIO(data), "application/octet-stream", "prices.bin", filesize=len(data)
    )
    mxc = good(sent, "upload").content_uri
    content = {"msgtype": "m.file", "body": "prices.bin", "url": mxc}
    file_id = good(await alice.client.room_send(room_id, "m.room.message", content), "file").event_id
    event = await bob.event(file_id)
    check(event.url == mxc, "the file's address arrives")
    got = good(await bob.client.download(mxc), "download")
    check(got.body == data and got.filename == "prices.bin", f"the file arrives as it was sent: {got.filename}")


async def profile(alice, bob, room_id):
    good(await alice.client.set_displayname("Alice Bot"), "display name")
    named = lambda: bob.client.rooms[room_id].users[alice.user_id].display_name == "Alice Bot"
    await bob.until("sees the new name", named)
    check(good(await bob.client.get_displayname(alice.user_id), "name").displayname == "Alice Bot", "the profile")


async def whisper(alice, bob):
    encryption = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
    room_id = await meet(alice, bob, initial_state=[encryption])
    for one in (alice, bob):
        await one.until("knows that the room is encrypted", lambda: one.client.rooms[room_id].encrypted)
        await one.until("knows all devices", lambda: not one.client.should_query_keys)
    for one, other, body in [(alice, bob, "nobody else may know"), (bob, alice, "nobody will")]:
        event = await other.event(await one.say(room_id, body))
        check(isinstance(event, nio.RoomMessageText), f"{body} is decrypted: {event}")
        check(event.decrypted and event.body == body, f"{body} was encrypted")


async def main():
    with tempfile.TemporaryDirectory() as folder:
        bots = []
        try:
            for name in ("alice", "bob"):
                os.mkdir(f"{folder}/{name}")
                bots.append(Bot(register(name), f"{folder}/{name}"))
                await bots[-1].start()
            alice, bob = bots
            step("alice makes a room, bob joins, they talk")
            room_id = await meet(alice, bob, name="Purchasing")
            ids = await talk(alice, bob, room_id)
            step("bob looks back")
            await look_back(bob, room_id, *ids)
            step("a file, a new name")
            await share_file(alice, bob, room_id)
            await profile(alice, bob, room_id)
            step("they talk in an encrypted room")
            await whisper(alice, bob)
            step("bob leaves and logs out")
            good(await bob.client.room_leave(room_id), "leaving")
            await alice.until("sees bob leave", lambda: bob.user_id not in alice.client.rooms[room_id].users)
            bob.polling.cancel()
            good(await bob.client.logout(), "logout")
        finally:
            for bot in bots:
                await bot.stop()
    print("done", flush=True)


asyncio.run(main())
