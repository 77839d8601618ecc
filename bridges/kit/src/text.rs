//! What the bridge says to agents, in three languages: what happened, and what to do next.

use crate::ladder::{Failure, FailureKind};
use kontor_model::Language;

/// The button that tries again.
pub(crate) const AGAIN: &str = "🔁";
/// The button that says that it arrived.
pub(crate) const ARRIVED: &str = "✅";

fn pick(language: Language, en: &str, pl: &str, uk: &str) -> String {
    match language {
        Language::English => en,
        Language::Polish => pl,
        Language::Ukrainian => uk,
    }
    .to_owned()
}

/// A message did not arrive.
pub(crate) fn failed(language: Language, failure: &Failure) -> String {
    let text = match failure.kind {
        FailureKind::Expired => pick(
            language,
            "Not delivered: it waited too long to be sent. Send it again or use another channel.",
            "Nie dostarczono: wiadomość zbyt długo czekała na wysłanie. Wyślij ponownie albo użyj innego kanału.",
            "Не доставлено: повідомлення занадто довго чекало на надсилання. Надішліть ще раз або скористайтеся іншим каналом.",
        ),
        FailureKind::Policy => pick(
            language,
            "Not delivered: the network does not allow an answer now. Wait for the customer to write, or choose a template.",
            "Nie dostarczono: okno na odpowiedź minęło. Poczekaj na wiadomość klienta albo wybierz szablon.",
            "Не доставлено: час на відповідь минув. Зачекайте на повідомлення клієнта або виберіть шаблон.",
        ),
        FailureKind::Unreachable => pick(
            language,
            "Not delivered: the customer cannot be reached this way any more. Call or send an SMS.",
            "Nie dostarczono: klient jest tą drogą nieosiągalny. Zadzwoń albo wyślij SMS.",
            "Не доставлено: клієнт більше недосяжний цим шляхом. Зателефонуйте або надішліть SMS.",
        ),
        FailureKind::Rejected => pick(
            language,
            "Not delivered: the network refused this message. Change it and send it again.",
            "Nie dostarczono: sieć odrzuciła tę wiadomość. Zmień ją i wyślij ponownie.",
            "Не доставлено: мережа відхилила це повідомлення. Змініть його й надішліть ще раз.",
        ),
        FailureKind::Credentials => pick(
            language,
            "Not delivered: the channel is disconnected. An administrator has been told.",
            "Nie dostarczono: kanał jest rozłączony. Administrator został powiadomiony.",
            "Не доставлено: канал від'єднано. Адміністратора повідомлено.",
        ),
        FailureKind::Unsupported => pick(
            language,
            "The network cannot do this: the customer still sees the message as it was.",
            "Ta sieć tego nie potrafi: klient nadal widzi wiadomość bez zmian.",
            "Ця мережа цього не вміє: клієнт і далі бачить повідомлення без змін.",
        ),
        FailureKind::Withdrawn => pick(
            language,
            "Taken back before it was sent.",
            "Wycofano przed wysłaniem.",
            "Відкликано до надсилання.",
        ),
    };
    if failure.text.is_empty() { text } else { format!("{text} ({})", failure.text) }
}

/// Nobody knows whether a message arrived.
pub(crate) fn uncertain(language: Language) -> String {
    pick(
        language,
        "It is not known whether the customer got this message. React with 🔁 to send it again, or with ✅ if it arrived.",
        "Nie wiadomo, czy klient dostał tę wiadomość. Zareaguj 🔁, aby wysłać ponownie, albo ✅, jeśli dotarła.",
        "Невідомо, чи клієнт отримав це повідомлення. Відреагуйте 🔁, щоб надіслати ще раз, або ✅, якщо воно дійшло.",
    )
}

/// A message waits.
pub(crate) fn waiting(language: Language) -> String {
    pick(
        language,
        "The network does not take messages at the moment. This one waits and is sent as soon as possible.",
        "Sieć chwilowo nie przyjmuje wiadomości. Ta czeka w kolejce i zostanie wysłana, gdy tylko to możliwe.",
        "Мережа тимчасово не приймає повідомлень. Це чекає в черзі й буде надіслане, щойно це стане можливим.",
    )
}

/// Something that the customer sent cannot be read.
pub(crate) fn dead(language: Language, id: i64) -> String {
    let text = pick(
        language,
        "Something the customer sent could not be read. It is kept; an administrator can look at number",
        "Nie udało się odczytać czegoś, co przysłał klient. Zachowano to; administrator może obejrzeć numer",
        "Не вдалося прочитати щось, що надіслав клієнт. Це збережено; адміністратор може переглянути номер",
    );
    let again = pick(
        language,
        "React with 🔁 to try again.",
        "Zareaguj 🔁, aby spróbować ponownie.",
        "Відреагуйте 🔁, щоб спробувати ще раз.",
    );
    format!("{text} {id}. {again}")
}

/// The network told of something that has no form here.
pub(crate) fn unsupported(language: Language, what: &str) -> String {
    let text = pick(
        language,
        "The customer sent something that cannot be shown here",
        "Klient przysłał coś, czego nie można tu pokazać",
        "Клієнт надіслав щось, чого тут не можна показати",
    );
    format!("{text}: {what}")
}

/// It was written a while before it came.
pub(crate) fn late(language: Language) -> String {
    pick(language, "Delivered with a delay.", "Dostarczono z opóźnieniem.", "Доставлено із запізненням.")
}

/// A file that is being fetched.
pub(crate) fn loading(name: &str) -> String {
    format!("📎 {name} …")
}

/// A file that could not be fetched.
pub(crate) fn lost(language: Language, name: &str) -> String {
    let text = pick(
        language,
        "the file could not be fetched. Ask the customer to send it again",
        "nie udało się pobrać pliku. Poproś klienta o ponowne przesłanie",
        "не вдалося завантажити файл. Попросіть клієнта надіслати його ще раз",
    );
    format!("📎 {name}: {text}.")
}

/// Somebody of the company wrote in the network's own application.
pub(crate) fn by_company(language: Language, name: Option<&str>) -> String {
    name.map_or_else(|| pick(language, "The company", "Firma", "Компанія"), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_is_told_in_every_language() {
        let kinds = [
            FailureKind::Expired,
            FailureKind::Policy,
            FailureKind::Unreachable,
            FailureKind::Rejected,
            FailureKind::Credentials,
            FailureKind::Unsupported,
            FailureKind::Withdrawn,
        ];
        let mut all = std::collections::HashSet::new();
        for language in [Language::English, Language::Polish, Language::Ukrainian] {
            for kind in kinds {
                assert!(all.insert(failed(language, &Failure::new(kind, ""))));
            }
            for text in [uncertain(language), dead(language, 7)] {
                assert!(text.contains(AGAIN), "{text}");
            }
            assert!(uncertain(language).contains(ARRIVED));
        }
    }
}
