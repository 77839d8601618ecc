"""A bridge on mautrix talks: its users, its namespaces, acting as them, an outage, a restart.

    python appservice_talks.py URL SHARED_SECRET

Exit code 0 and a last line "done" mean that everything held. When it prints RESTART, the server is
restarted, and a line on standard input says when it is back.
"""

import asyncio
import hashlib
import hmac
import json
import os
import socket
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

from mautrix.appservice import AppService
from mautrix.appservice.state_store import FileASStateStore
from mautrix.errors import MExclusive, MForbidden
from mautrix.types import EventType, MessageType, TextMessageEventContent

URL, SECRET = sys.argv[1:3]
PASSWORD = "correct horse battery staple"
DEADLINE_SECONDS = 30
WORD = f"net{time.time_ns():x}"


def check(truth, what):
    if not truth:
        raise AssertionError(f"not so: {what}")


def step(text):
    print(f"- {text}", flush=True)


def ask(method, path, body=None, token=None):
    """Status and body of an answer."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    request = urllib.request.Request(URL + path, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE_SECONDS) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


def good(answer):
    status, body = answer
    check(status in (200, 201), f"a success: {status} {body}")
    return body


def register(name, admin=False):
    """A person with a session, made by shared-secret registration."""
    path = "/_synapse/admin/v1/register"
    nonce = good(ask("GET", path))["nonce"]
    name, role = f"{name}-{WORD}", "admin" if admin else "notadmin"
    mac = hmac.new(SECRET.encode(), "\0".join([nonce, name, PASSWORD, role]).encode(), hashlib.sha1)
    body = {"nonce": nonce, "username": name, "password": PASSWORD, "admin": admin, "mac": mac.hexdigest()}
    return good(ask("POST", path, body))


class Person:
    """Somebody on the Matrix side, with as little client as is needed."""

    def __init__(self, session):
        self.user_id, self.token, self.count = session["user_id"], session["access_token"], 0

    def call(self, method, path, body=None):
        return ask(method, "/_matrix/client/v3" + path, body, self.token)

    def room(self, **wish):
        return good(self.call("POST", "/createRoom", {"preset": "private_chat", **wish}))["room_id"]

    def say(self, room_id, text):
        self.count += 1
        room = urllib.parse.quote(room_id)
        path = f"/rooms/{room}/send/m.room.message/{WORD}{self.count}"
        return good(self.call("PUT", path, {"msgtype": "m.text", "body": text}))["event_id"]

    def event(self, room_id, event_id):
        room, event = urllib.parse.quote(room_id), urllib.parse.quote(event_id)
        return good(self.call("GET", f"/rooms/{room}/event/{event}"))


class Bridge:
    """The bridge: what mautrix makes of the transactions, in the order in which it was told."""

    def __init__(self, made, domain, port, folder):
        self.made, self.domain, self.port, self.folder = made, domain, port, folder
        self.seen, self.passing, self.born, self.service = [], [], [], None

    async def start(self):
        """A process of its own each time: nothing of the last one is remembered but its file."""
        self.service = AppService(
            server=URL, domain=self.domain, as_token=self.made["as_token"], hs_token=self.made["hs_token"],
            bot_localpart=f"{WORD}bot", id=WORD, state_store=FileASStateStore(f"{self.folder}/state.json", binary=False),
            query_user=self.query_user, ephemeral_events=True, encryption_events=True,
        )
        self.service.synchronous_handlers = True
        self.service.matrix_event_handler(self.handle)
        await self.service.start("127.0.0.1", self.port)

    async def stop(self):
        await self.service.stop()

    async def handle(self, event):
        if getattr(event, "event_id", None):
            self.seen.append(event)
        else:
            self.passing.append(event)

    async def query_user(self, user_id):
        if not user_id.startswith(f"@{WORD}_born"):
            return None
        await self.ghost(user_id).ensure_registered()
        self.born.append(user_id)
        return {"made": True}

    def ghost(self, user_id):
        return self.service.intent.user(user_id)

    def ids(self):
        ids = [event.event_id for event in self.seen]
        check(len(ids) == len(set(ids)), "no event is told twice")
        return ids

    async def until(self, what, look):
        end = time.monotonic() + DEADLINE_SECONDS
        while not (found := look()):
            check(time.monotonic() < end, what)
            await asyncio.sleep(0.05)
        return found

    async def sees(self, event_id):
        return await self.until(f"the bridge sees {event_id}", lambda: event_id in self.ids())


def text(body):
    return TextMessageEventContent(msgtype=MessageType.TEXT, body=body)


async def talk(bridge, alice, ghost_id):
    ghost = bridge.ghost(ghost_id)
    await ghost.set_displayname("Ghost of the network")
    room_id = await asyncio.to_thread(alice.room, invite=[ghost_id], name="Chairs")
    invited = lambda: [e for e in bridge.seen if e.type == EventType.ROOM_MEMBER and e.state_key == ghost_id]
    await bridge.until("the invitation is told", invited)
    await ghost.ensure_joined(room_id)
    sent = [await asyncio.to_thread(alice.say, room_id, f"chair {n}") for n in range(5)]
    answer = await ghost.send_message_event(room_id, EventType.ROOM_MESSAGE, text("sold"), timestamp=1_600_000_000_000)
    await bridge.sees(answer)
    event = await asyncio.to_thread(alice.event, room_id, answer)
    check(event["sender"] == ghost_id and event["origin_server_ts"] == 1_600_000_000_000, f"who and when: {event}")
    messages = [event_id for event_id in bridge.ids() if event_id in sent]
    check(messages == sent, "messages come in order")
    await ghost.mark_read(room_id, sent[-1])
    room, user = urllib.parse.quote(room_id), urllib.parse.quote(alice.user_id)
    await asyncio.to_thread(alice.call, "PUT", f"/rooms/{room}/typing/{user}", {"typing": True, "timeout": 20000})
    typing = lambda: [e for e in bridge.passing if e.type == EventType.TYPING and alice.user_id in e.content.user_ids]
    await bridge.until("typing is told", typing)
    return room_id


async def keep_to_namespaces(bridge, alice):
    taken = {"username": f"{WORD}_taken", "password": PASSWORD, "auth": {"type": "m.login.dummy"}}
    status, refused = await asyncio.to_thread(ask, "POST", "/_matrix/client/v3/register", taken)
    check((status, refused["errcode"]) == (400, "M_EXCLUSIVE"), f"people keep out: {refused}")
    try:
        await bridge.ghost(f"@elsewhere-{WORD}:{bridge.domain}").ensure_registered()
        check(False, "a user outside the namespace is refused")
    except MExclusive:
        pass
    try:
        await bridge.ghost(alice.user_id).whoami()
        check(False, "nobody acts as alice")
    except (MForbidden, MExclusive):
        pass


async def survive(bridge, alice, room_id):
    before = len(bridge.seen)
    await bridge.stop()
    sent = [await asyncio.to_thread(alice.say, room_id, f"while away {n}") for n in range(3)]
    print("RESTART", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    sent += [await asyncio.to_thread(alice.say, room_id, f"after the restart {n}") for n in range(3)]
    await bridge.start()
    check(await bridge.service.ping_self("are you there") >= 0, "the ping is answered")
    await bridge.sees(sent[-1])
    later = [event_id for event_id in bridge.ids()[before:] if event_id in sent]
    check(later == sent, f"all of it, once, in order: {later} of {sent}")


async def main():
    admin, alice = Person(register("admin", admin=True)), Person(register("alice"))
    domain = alice.user_id.split(":", 1)[1]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    wish = {
        "id": WORD, "url": f"http://127.0.0.1:{port}", "sender_localpart": f"{WORD}bot", "receive_ephemeral": True,
        "device_lists": True, "namespaces": {"users": [{"exclusive": True, "regex": f"@{WORD}_.*"}]},
    }
    made = good(ask("POST", "/_kontor/admin/v1/application_services", wish, admin.token))
    with tempfile.TemporaryDirectory() as folder:
        bridge = Bridge(made, domain, port, folder)
        await bridge.start()
        step("the bridge is set up and pings")
        check(await bridge.service.ping_self("hello") >= 0, "the ping is answered")
        check((await bridge.service.intent.whoami()).user_id == f"@{WORD}bot:{domain}", "it is its own user")
        step("a user of the network talks with alice")
        room_id = await talk(bridge, alice, f"@{WORD}_ghost:{domain}")
        step("namespaces hold")
        await keep_to_namespaces(bridge, alice)
        step("a user who is invited is made by the bridge")
        born = f"@{WORD}_born:{domain}"
        await asyncio.to_thread(alice.room, invite=[born])
        check(bridge.born == [born], f"asked once: {bridge.born}")
        step("nothing is lost or doubled when both were away")
        await survive(bridge, alice, room_id)
        await bridge.stop()
    good(ask("DELETE", f"/_kontor/admin/v1/application_services/{WORD}", None, admin.token))
    print("done", flush=True)


asyncio.run(main())
