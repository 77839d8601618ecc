//! What the bridge tells employees in the room, in their language.

use kontor_bridge_kit::{Consent, Failure, FailureKind, Profile};
use kontor_model::Language;

fn pick(language: Language, en: &str, pl: &str, uk: &str) -> String {
    match language {
        Language::English => en,
        Language::Polish => pl,
        Language::Ukrainian => uk,
    }
    .to_owned()
}

/// A form was filled in.
pub fn lead(language: Language, form: &str, from: &Profile, consents: &[Consent]) -> String {
    let head = pick(
        language,
        "Contact form (unverified data)",
        "Formularz kontaktowy (dane niezweryfikowane)",
        "Контактна форма (неперевірені дані)",
    );
    let mut lines = vec![format!("{head}: {form}")];
    let claims = from.claims.iter().map(|claim| format!("{}: {}", kind(language, &claim.kind), claim.value));
    lines.extend(claims);
    if let Some(page) = from.context.get("page").and_then(|page| page.as_str()) {
        lines.push(format!("{}: {page}", pick(language, "Page", "Strona", "Сторінка")));
    }
    let agreed = pick(language, "Agreed to", "Zgoda", "Згода");
    lines.extend(
        consents.iter().map(|consent| format!("{agreed}: {} ({})", consent.purpose, consent.text_version)),
    );
    lines.join("\n")
}

fn kind(language: Language, kind: &str) -> String {
    match kind {
        "name" => pick(language, "Name", "Imię i nazwisko", "Ім'я"),
        "email" => pick(language, "E-mail", "E-mail", "Електронна пошта"),
        "phone" => pick(language, "Phone", "Telefon", "Телефон"),
        other => other.to_owned(),
    }
}

/// How the customer liked it.
pub fn rating(language: Language, score: u8, comment: &str) -> String {
    let head = pick(
        language,
        "The customer rated the conversation",
        "Klient ocenił rozmowę",
        "Клієнт оцінив розмову",
    );
    let stars = "★".repeat(usize::from(score.min(5))) + &"☆".repeat(usize::from(5 - score.min(5)));
    let line = format!("{head}: {stars} ({score}/5)");
    if comment.is_empty() { line } else { format!("{line}\n„{comment}”") }
}

/// The customer ended the conversation.
pub fn ended(language: Language) -> String {
    pick(
        language,
        "The customer ended the conversation. If they write again, it goes on here.",
        "Klient zakończył rozmowę. Jeśli napisze ponownie, będzie ona kontynuowana tutaj.",
        "Клієнт завершив розмову. Якщо він напише знову, вона продовжиться тут.",
    )
}

/// The customer wants to be forgotten.
pub fn erasure(language: Language) -> String {
    pick(
        language,
        "The customer asks that their data be erased. The website has forgotten them; what is stored here has to be decided by whoever handles such requests.",
        "Klient prosi o usunięcie swoich danych. Strona już go zapomniała; o tym, co jest zapisane tutaj, musi zdecydować osoba obsługująca takie wnioski.",
        "Клієнт просить видалити свої дані. Сайт його вже забув; щодо збереженого тут має вирішити той, хто обробляє такі запити.",
    )
}

/// There is no window to answer in: a form has none.
pub fn no_window(language: Language) -> Failure {
    let text = pick(
        language,
        "This came from a form; there is no chat window. Answer by e-mail or phone.",
        "To przyszło z formularza, nie ma okna czatu. Odpowiedz e-mailem lub telefonicznie.",
        "Це надійшло з форми, вікна чату немає. Відповідайте поштою або телефоном.",
    );
    Failure::new(FailureKind::Unreachable, text)
}

/// The visitor is not known any more.
pub fn gone(language: Language) -> Failure {
    let text = pick(
        language,
        "The visitor's chat was erased or is over.",
        "Czat tego klienta został usunięty lub wygasł.",
        "Чат цього клієнта видалено або він завершився.",
    );
    Failure::new(FailureKind::Unreachable, text)
}
