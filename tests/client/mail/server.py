"""A real mail server on a free loopback port, for the tests.

Prints "PORT n" once it listens, and then every mail it took as one line of JSON. Recipients whose
address begins with "busy-N" are told N times to come back later, and those whose address begins
with "nobody" that they do not exist. With a certificate and a key as arguments it speaks only after
STARTTLS, and only with the user "kontor" whose password is "letters".
"""

import asyncio
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    def __init__(self):
        self.refused = {}

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody"):
            return "550 5.1.1 no such person"
        if address.startswith("busy-"):
            times = int(address.split("-")[1])
            before = self.refused.get(address, 0)
            if before < times:
                self.refused[address] = before + 1
                return "451 4.7.1 come back later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        plain, html = message.get_body(("plain",)), message.get_body(("html",))
        said = {
            "to": envelope.rcpt_tos,
            "from": envelope.mail_from,
            "subject": message["subject"],
            "headers": {name.lower(): str(value) for name, value in message.items()},
            "text": plain.get_content() if plain else None,
            "html": html.get_content() if html else None,
            "encrypted": session.ssl is not None,
            "user": session.auth_data.decode() if session.auth_data else None,
        }
        print(json.dumps(said), flush=True)
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    right = data.login == b"kontor" and data.password == b"letters"
    return AuthResult(success=right, auth_data=data.login)


async def main():
    options = {}
    if len(sys.argv) > 2:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(sys.argv[1], sys.argv[2])
        options = {
            "tls_context": context,
            "require_starttls": True,
            "auth_required": True,
            "authenticator": authenticate,
        }
    handler = Handler()
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(lambda: SMTP(handler, **options), "127.0.0.1", 0)
    print("PORT", listener.sockets[0].getsockname()[1], flush=True)
    await listener.serve_forever()


asyncio.run(main())
