"""An independent client of the Bot API (aiogram) talks to the emulated Telegram: what it is told has the form
that it knows, and what it sends is understood.

    python independent_client.py URL TOKEN UPDATES_JSON

Exit code 0 and a last line "done" mean that everything held.
"""

import asyncio
import json
import sys
import urllib.request

from aiogram import Bot, Dispatcher
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import (
    TelegramBadRequest,
    TelegramConflictError,
    TelegramForbiddenError,
    TelegramRetryAfter,
)
from aiogram.types import (
    BufferedInputFile,
    InputMediaPhoto,
    MessageEntity,
    ReactionTypeEmoji,
    ReplyParameters,
    Update,
)

URL, TOKEN, UPDATES = sys.argv[1:4]
DEADLINE_SECONDS = 20


def check(truth, what):
    if not truth:
        raise AssertionError(f"not so: {what}")


def step(text):
    print(f"- {text}", flush=True)


def emulator(what, body):
    request = urllib.request.Request(
        f"{URL}/_emu/{what}", json.dumps(body).encode(), {"content-type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=DEADLINE_SECONDS) as answer:
        return json.load(answer)


async def refused(call, kind, part):
    try:
        await call
    except kind as error:
        check(part in str(error), f"{part} in {error}")
        return
    raise AssertionError(f"not refused: {part}")


async def talks(bot):
    me = await bot.get_me()
    check(me.id == 6100100100 and me.can_connect_to_business, "the bot")
    step("updates come once, in order, until they are confirmed")
    emulator("inject", {"id": "m1", "box": "oksana", "type": "text", "text": "Dzień dobry 👉"})
    emulator("inject", {"id": "m2", "box": "oksana", "type": "text", "text": "Kiedy wysyłka?"})
    updates = await bot.get_updates(timeout=5)
    check([update.message.text for update in updates] == ["Dzień dobry 👉", "Kiedy wysyłka?"], "both")
    again = await bot.get_updates(timeout=0)
    check(len(again) == 2, "not confirmed yet")
    check(await bot.get_updates(offset=updates[-1].update_id + 1, timeout=0) == [], "confirmed")
    chat = updates[0].message.chat.id

    step("texts, answers, changes, reactions, deletions")
    bold = MessageEntity(type="bold", offset=0, length=4)
    sent = await bot.send_message(
        chat, "Jutro 👉", entities=[bold], reply_parameters=ReplyParameters(message_id=updates[0].message.message_id)
    )
    check(sent.text == "Jutro 👉" and sent.entities[0].length == 4, "as it was sent")
    check(sent.reply_to_message.text == "Dzień dobry 👉", "what it answers")
    edited = await bot.edit_message_text("Pojutrze", chat_id=chat, message_id=sent.message_id)
    check(edited.text == "Pojutrze", "as it was changed")
    await refused(
        bot.edit_message_text("Pojutrze", chat_id=chat, message_id=sent.message_id),
        TelegramBadRequest,
        "message is not modified",
    )
    check(await bot.set_message_reaction(chat, 1, [ReactionTypeEmoji(emoji="👍")]), "a reaction")
    check(await bot.send_chat_action(chat, "typing"), "typing")
    check(await bot.delete_message(chat, sent.message_id), "a deletion")

    step("files in both directions")
    photo = await bot.send_photo(chat, BufferedInputFile(b"\x89PNG", "x.png"), caption="Zdjęcie")
    check(photo.caption == "Zdjęcie" and photo.photo, "a picture")
    document = await bot.send_document(chat, BufferedInputFile(b"%PDF", "umowa.pdf"))
    check(document.document.file_name == "umowa.pdf", "a file")
    voice = await bot.send_voice(chat, BufferedInputFile(b"OggS", "v.ogg"))
    check(voice.voice, "a voice")
    album = await bot.send_media_group(
        chat,
        [InputMediaPhoto(media=BufferedInputFile(b"a", "a.png")), InputMediaPhoto(media=BufferedInputFile(b"b", "b.png"))],
    )
    check(len({one.media_group_id for one in album}) == 1 and len(album) == 2, "an album")
    file = await bot.get_file(document.document.file_id)
    check((await bot.download_file(file.file_path)).read() == b"%PDF", "the same bytes")
    place = await bot.send_location(chat, 52.2297, 21.0122)
    check(place.location.latitude == 52.2297, "a place")

    step("what is wrong is refused in the words that clients know")
    await refused(bot.send_message(chat, "x" * 4097), TelegramBadRequest, "message is too long")
    await refused(bot.send_message(chat, " "), TelegramBadRequest, "message text is empty")
    await refused(bot.send_message(5, "x"), TelegramBadRequest, "chat not found")
    emulator("inject", {"id": "b", "box": "oksana", "type": "block"})
    await refused(bot.send_message(chat, "x"), TelegramForbiddenError, "blocked by the user")
    emulator("inject", {"id": "u", "box": "oksana", "type": "unblock"})
    emulator("fault", {"op": "send", "kind": "status", "value": 429})
    await refused(bot.send_message(chat, "x"), TelegramRetryAfter, "retry after 1")
    await bot.set_webhook("https://shop.example/x", secret_token="abc")
    info = await bot.get_webhook_info()
    check(info.url == "https://shop.example/x", "a webhook")
    await refused(bot.get_updates(timeout=0), TelegramConflictError, "webhook is active")
    await bot.delete_webhook()
    first = asyncio.create_task(bot.get_updates(timeout=10, offset=10**6))
    await asyncio.sleep(0.5)
    second = asyncio.create_task(bot.get_updates(timeout=0, offset=10**6))
    await refused(first, TelegramConflictError, "terminated by other getUpdates")
    await second

    step("the company's account")
    connection = await bot.get_business_connection("bc_ABCdef123")
    check(connection.is_enabled and connection.rights.can_reply, "connected")
    emulator("inject", {"id": "k1", "box": "jan", "business": True, "type": "text", "text": "Czy jest 42?"})
    asked = (await bot.get_updates(timeout=5))[-1].business_message
    said = await bot.send_message(asked.chat.id, "Jest.", business_connection_id="bc_ABCdef123")
    check(said.sender_business_bot.id == me.id, "sent by the bot for the account")
    echo = (await bot.get_updates(timeout=5))[-1].business_message
    check(echo.message_id == said.message_id and echo.sender_business_bot.id == me.id, "its echo")
    check(await bot.read_business_message("bc_ABCdef123", asked.chat.id, asked.message_id), "read")
    check(await bot.delete_business_messages("bc_ABCdef123", [said.message_id]), "deleted")
    await refused(bot.send_message(asked.chat.id, "x"), TelegramForbiddenError, "can't initiate")


async def dispatched(bot):
    step("aiogram's own loop takes everything that Telegram was seen to tell")
    updates = sorted(json.load(open(UPDATES)).values(), key=lambda update: update["update_id"])
    for update in updates:
        emulator("inject", {"update": update})
    seen = []
    dispatcher = Dispatcher()

    async def note(handler, event: Update, data):
        check(not event.model_extra, f"unknown fields in {event}")
        seen.append(event.update_id)

    dispatcher.update.outer_middleware(note)
    polling = asyncio.create_task(
        dispatcher.start_polling(bot, polling_timeout=2, handle_signals=False, close_bot_session=False)
    )
    wanted = [update["update_id"] for update in updates]
    for _ in range(DEADLINE_SECONDS * 10):
        if set(wanted) <= set(seen):
            break
        await asyncio.sleep(0.1)
    await dispatcher.stop_polling()
    await polling
    check(sorted(id for id in seen if id in wanted) == wanted, f"each of them once: {seen}")


async def main():
    session = AiohttpSession(api=TelegramAPIServer.from_base(URL))
    bot = Bot(TOKEN, session=session)
    try:
        await talks(bot)
        await dispatched(bot)
    finally:
        await session.close()
    print("done")


asyncio.run(main())
