//! What the bridge tells employees, in their language: what happened, and what to do next.

use kontor_bridge_kit::{Failure, FailureKind};
use kontor_model::Language;

fn pick(language: Language, en: &str, pl: &str, uk: &str) -> String {
    match language {
        Language::English => en,
        Language::Polish => pl,
        Language::Ukrainian => uk,
    }
    .to_owned()
}

/// The window for answers by the company's account is closed.
pub fn window(language: Language) -> Failure {
    let text = pick(
        language,
        "on the company's Telegram account answers are possible for 24 hours after the customer wrote; Telegram has no templates, so call or send an SMS",
        "na koncie Telegram firmy można odpowiadać przez 24 godziny od wiadomości klienta; Telegram nie ma szablonów, więc zadzwoń albo wyślij SMS",
        "з акаунта Telegram компанії можна відповідати протягом 24 годин від повідомлення клієнта; Telegram не має шаблонів, тож зателефонуйте або надішліть SMS",
    );
    Failure { code: "window".to_owned(), ..Failure::new(FailureKind::Policy, text) }
}

/// The customer blocked the bot.
pub fn blocked(language: Language) -> Failure {
    let text =
        pick(language, "the customer blocked the bot", "klient zablokował bota", "клієнт заблокував бота");
    Failure { code: "blocked".to_owned(), ..Failure::new(FailureKind::Unreachable, text) }
}

/// The account is gone, or there was never a conversation.
pub fn unreachable(language: Language, code: &str) -> Failure {
    let text = match code {
        "deactivated" => pick(
            language,
            "the customer's Telegram account no longer exists",
            "konto klienta w Telegramie już nie istnieje",
            "акаунт клієнта в Telegram більше не існує",
        ),
        "not_started" => pick(
            language,
            "a bot cannot write first: the customer has to press Start",
            "bot nie może napisać pierwszy: klient musi nacisnąć Start",
            "бот не може написати першим: клієнт має натиснути Start",
        ),
        "left_group" => pick(
            language,
            "the bot is no longer in this group",
            "bota nie ma już w tej grupie",
            "бота вже немає в цій групі",
        ),
        _ => pick(
            language,
            "Telegram does not know this chat any more",
            "Telegram nie zna już tego czatu",
            "Telegram більше не знає цього чату",
        ),
    };
    Failure { code: code.to_owned(), ..Failure::new(FailureKind::Unreachable, text) }
}

/// The company's account is not connected (any more).
pub fn disconnected(language: Language) -> Failure {
    let text = pick(
        language,
        "the bot was disconnected from the company's Telegram account; connect it again in Telegram: Settings, Telegram Business, Chatbots",
        "bot został odłączony od konta Telegram firmy; podłącz go ponownie w Telegramie: Ustawienia, Telegram Business, Chatboty",
        "бота від'єднано від акаунта Telegram компанії; під'єднайте його знову в Telegram: Налаштування, Telegram Business, Чатботи",
    );
    Failure { code: "disconnected".to_owned(), ..Failure::new(FailureKind::Credentials, text) }
}

/// The company's account may be read only.
pub fn read_only(language: Language) -> Failure {
    let text = pick(
        language,
        "the bot may not write on the company's Telegram account; allow it in Telegram: Settings, Telegram Business, Chatbots",
        "bot nie ma prawa pisać z konta Telegram firmy; zezwól na to w Telegramie: Ustawienia, Telegram Business, Chatboty",
        "бот не має права писати з акаунта Telegram компанії; дозвольте це в Telegram: Налаштування, Telegram Business, Чатботи",
    );
    Failure { code: "read_only".to_owned(), ..Failure::new(FailureKind::Credentials, text) }
}

/// A file that Telegram does not take.
pub fn file_too_large(language: Language) -> Failure {
    let text = pick(
        language,
        "the file is too large for Telegram (limit 50 MB)",
        "plik jest za duży dla Telegrama (limit 50 MB)",
        "файл завеликий для Telegram (ліміт 50 МБ)",
    );
    Failure { code: "too_large".to_owned(), ..Failure::new(FailureKind::Rejected, text) }
}

/// A message that Telegram refuses.
pub fn rejected(language: Language, code: u16, description: &str) -> Failure {
    let text = match () {
        () if description.contains("too long") || description.contains("TOO_LONG") => {
            pick(language, "it is too long", "jest za długa", "воно задовге")
        }
        () if description.contains("is empty") => pick(language, "it is empty", "jest pusta", "воно порожнє"),
        () if description.contains("can't be deleted") => pick(
            language,
            "Telegram lets messages be deleted for 48 hours only",
            "Telegram pozwala usuwać wiadomości tylko przez 48 godzin",
            "Telegram дозволяє видаляти повідомлення лише протягом 48 годин",
        ),
        () if description.contains("REACTION_INVALID") => pick(
            language,
            "Telegram does not have this reaction; the customer does not see it",
            "Telegram nie ma takiej reakcji; klient jej nie widzi",
            "Telegram не має такої реакції; клієнт її не бачить",
        ),
        () if description.contains("can't be edited") => pick(
            language,
            "Telegram does not let this message be changed any more",
            "Telegram nie pozwala już zmienić tej wiadomości",
            "Telegram більше не дозволяє змінити це повідомлення",
        ),
        () => format!("Telegram: {description}"),
    };
    Failure { code: code.to_string(), ..Failure::new(FailureKind::Rejected, text) }
}

/// Something that exists in the bot's own chats only.
pub fn only_bot(language: Language) -> Failure {
    let text = pick(
        language,
        "Telegram allows this in chats with the bot only, not on the company's account",
        "Telegram pozwala na to tylko w rozmowach z botem, nie na koncie firmy",
        "Telegram дозволяє це лише в розмовах із ботом, не в акаунті компанії",
    );
    Failure { code: "only_bot".to_owned(), ..Failure::new(FailureKind::Rejected, text) }
}

/// A file of the customer that bots are not given.
pub fn too_large(language: Language, name: &str, bytes: u64, limit_mb: u32) -> String {
    let megabytes = bytes.div_ceil(1 << 20);
    let text = pick(
        language,
        "too large: a bot may fetch files of at most",
        "za duży: bot może pobrać pliki do",
        "завеликий: бот може завантажити файли до",
    );
    let next = pick(
        language,
        "Ask the customer to send it another way.",
        "Poproś klienta o przesłanie inną drogą.",
        "Попросіть клієнта надіслати його іншим шляхом.",
    );
    format!("📎 {name} ({megabytes} MB): {text} {limit_mb} MB. {next}")
}

/// The customer shared a phone number.
pub fn own_phone(language: Language, phone: &str) -> String {
    let text = pick(
        language,
        "shared their phone number (confirmed by Telegram)",
        "udostępnia swój numer telefonu (potwierdzony przez Telegram)",
        "надає свій номер телефону (підтверджений Telegram)",
    );
    format!("📱 {phone}: {text}")
}

/// A button was pressed.
pub fn pressed(language: Language, label: &str) -> String {
    format!("[{}: {label}]", pick(language, "pressed", "wciśnięto", "натиснуто"))
}

/// It was written by somebody else before.
pub fn forwarded(language: Language, from: &str) -> String {
    format!("↪ {}: {from}", pick(language, "forwarded from", "przekazane od", "переслано від"))
}

/// The customer blocked or unblocked the bot.
pub fn block(language: Language, blocked: bool, group: bool) -> String {
    match (blocked, group) {
        (true, false) => pick(
            language,
            "The customer blocked the bot: answers do not arrive here any more. Call or send an SMS.",
            "Klient zablokował bota: odpowiedzi już tu nie docierają. Zadzwoń albo wyślij SMS.",
            "Клієнт заблокував бота: відповіді сюди більше не доходять. Зателефонуйте або надішліть SMS.",
        ),
        (false, false) => pick(
            language,
            "The customer unblocked the bot: answers arrive again.",
            "Klient odblokował bota: odpowiedzi znów docierają.",
            "Клієнт розблокував бота: відповіді знову доходять.",
        ),
        (true, true) => pick(
            language,
            "The bot was removed from the group: answers do not arrive here any more.",
            "Bot został usunięty z grupy: odpowiedzi już tu nie docierają.",
            "Бота вилучено з групи: відповіді сюди більше не доходять.",
        ),
        (false, true) => {
            pick(language, "The bot is in the group again.", "Bot jest znowu w grupie.", "Бот знову в групі.")
        }
    }
}

/// What the company's account answered by itself.
pub fn automatic(language: Language, text: &str) -> String {
    format!(
        "🤖 {}: {text}",
        pick(language, "automatic answer", "automatyczna odpowiedź", "автоматична відповідь")
    )
}

/// What the customer is asked before the phone number.
pub fn ask_phone(language: Language) -> String {
    pick(
        language,
        "Please share your phone number with the button below.",
        "Prosimy o udostępnienie numeru telefonu przyciskiem poniżej.",
        "Будь ласка, поділіться номером телефону кнопкою нижче.",
    )
}

/// The button that shares it.
pub fn phone_button(language: Language) -> String {
    pick(language, "Share my number", "Udostępnij mój numer", "Поділитися моїм номером")
}

/// What a kind of content is called.
pub fn content(language: Language, kind: &str) -> String {
    match kind {
        "poll" => pick(language, "a poll", "ankieta", "опитування"),
        "story" => pick(language, "a story", "relacja", "історія"),
        "checklist" => pick(language, "a checklist", "lista zadań", "список завдань"),
        "game" => pick(language, "a game", "gra", "гра"),
        "paid_media" => pick(language, "paid media", "płatne multimedia", "платний вміст"),
        "sticker" => pick(language, "a sticker", "naklejka", "наліпка"),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_said_in_every_language() {
        let languages = [Language::English, Language::Polish, Language::Ukrainian];
        type Say = fn(Language) -> String;
        let all: [Say; 12] = [
            |l| window(l).text,
            |l| blocked(l).text,
            |l| unreachable(l, "deactivated").text,
            |l| unreachable(l, "not_started").text,
            |l| unreachable(l, "chat").text,
            |l| disconnected(l).text,
            |l| read_only(l).text,
            |l| file_too_large(l).text,
            |l| rejected(l, 400, "message is too long").text,
            |l| own_phone(l, "+48"),
            |l| block(l, true, false),
            ask_phone,
        ];
        for say in all {
            let said: std::collections::HashSet<String> = languages.into_iter().map(say).collect();
            assert_eq!(said.len(), 3, "{said:?}");
        }
    }
}
