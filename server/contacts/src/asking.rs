//! Asking customers for what is not known of them: once a day, with a sentence that is prepared in their language. Also
//! the words of answers to the commands about orders and about other ways to reach a customer.

use crate::Contacts;
use crate::words::one;
use kontor_model::fold::fold;
use kontor_model::{Language, Ms, Result};
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};
use kontor_store::contacts::conversations::ConversationRow;
use kontor_store::contacts::tags::{self, NewQuestion};

/// For how long nobody is asked again.
pub const PAUSE: Ms = 24 * 3_600_000;

/// What customers are asked for, with the words for it.
const WANTED: &[(&str, &[&str])] = &[
    ("phone", &["phone", "telephone", "number", "telefon", "tel", "numer", "телефон", "номер"]),
    ("email", &["email", "e-mail", "mail", "poczta", "пошта", "пошту", "імейл", "мейл"]),
    ("name", &["name", "imie", "nazwisko", "nazwe", "nazwa", "ім’я", "ім'я", "прізвище"]),
    ("address", &["address", "adres", "адреса", "адресу"]),
    ("vat", &["vat", "nip", "єдрпоу", "іпн"]),
];

/// What a word asks for.
pub fn wanted(word: &str) -> Option<&'static str> {
    let plain = fold(word.trim().trim_end_matches(['.', ',', '!', '?']));
    let named = |words: &[&str]| words.iter().any(|known| fold(known) == plain);
    WANTED.iter().find(|(_, words)| named(words)).map(|(what, _)| *what)
}

/// What customers are asked, in their language.
pub fn question(what: &str, language: Language) -> &'static str {
    let words = match what {
        "phone" => [
            "Could you please send us your telephone number? It helps us to find your order and to call you back.",
            "Czy możemy prosić o Państwa numer telefonu? Ułatwi nam to odnalezienie zamówienia i kontakt.",
            "Надішліть нам, будь ласка, ваш номер телефону. Так нам легше знайти замовлення і зв’язатися з вами.",
        ],
        "email" => [
            "Could you please send us your e-mail address? It helps us to find your order and to write to you.",
            "Czy możemy prosić o Państwa adres e-mail? Ułatwi nam to odnalezienie zamówienia i kontakt.",
            "Надішліть нам, будь ласка, вашу адресу електронної пошти. Так нам легше знайти замовлення і написати вам.",
        ],
        "name" => [
            "Could you please tell us your first name and surname?",
            "Czy możemy prosić o Państwa imię i nazwisko?",
            "Напишіть нам, будь ласка, ваші ім’я та прізвище.",
        ],
        "address" => [
            "Could you please send us the address for the delivery?",
            "Czy możemy prosić o Państwa adres do wysyłki?",
            "Надішліть нам, будь ласка, адресу доставки.",
        ],
        _ => [
            "Could you please send us your VAT number for the invoice?",
            "Czy możemy prosić o NIP do faktury?",
            "Надішліть нам, будь ласка, податковий номер (ІПН або ЄДРПОУ) для рахунка.",
        ],
    };
    one(language, words)
}

/// Words of answers to commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// The customer is asked: `{question}`.
    Asked,
    /// Somebody asked already: `{who}`, `{when}`.
    AskedAlready,
    /// What can be asked for.
    AskHow,
    /// There are no orders.
    NoOrders,
    /// There is no order `{number}`.
    NoOrder,
    /// The customer has no other conversation.
    NoOther,
    /// The customer has no conversation there: `{channel}`.
    NotThere,
    /// Where the customer is reached besides.
    Others,
    /// The conversation to write in: `{channel}`.
    Via,
    /// Whose it is: `{who}`.
    Held,
}

/// The words of an answer.
pub fn said(said: Said, language: Language) -> &'static str {
    let words = match said {
        Said::Asked => [
            "The customer is asked: {question}",
            "Klient dostaje pytanie: {question}",
            "Клієнта запитано: {question}",
        ],
        Said::AskedAlready => [
            "{who} asked for this at {when}. Not again for a day.",
            "O to zapytał(a) już {who}: {when}. Ponownie najwcześniej po dobie.",
            "Про це вже питав(-ла) {who}: {when}. Знову — не раніше ніж за добу.",
        ],
        Said::AskHow => [
            "Ask for what? !ask phone, email, name, address or vat.",
            "O co poprosić? !popros telefon, email, imie, adres albo nip.",
            "Про що попросити? !попросити телефон, пошту, ім’я, адресу або ІПН.",
        ],
        Said::NoOrders => [
            "No orders of this customer are known.",
            "Nie znamy zamówień tego klienta.",
            "Замовлень цього клієнта не знаємо.",
        ],
        Said::NoOrder => [
            "This customer has no order {number}. !order lists what there is.",
            "Ten klient nie ma zamówienia {number}. !zamowienie pokazuje, jakie są.",
            "Цей клієнт не має замовлення {number}. !замовлення показує, які є.",
        ],
        Said::NoOther => [
            "This is the only conversation with this customer.",
            "To jedyna rozmowa z tym klientem.",
            "Це єдина розмова з цим клієнтом.",
        ],
        Said::NotThere => [
            "There is no conversation with this customer by {channel}. !via lists what there is.",
            "Z tym klientem nie ma rozmowy przez {channel}. !przez pokazuje, jakie są.",
            "Розмови з цим клієнтом через {channel} немає. !через показує, які є.",
        ],
        Said::Others => ["Other conversations", "Inne rozmowy", "Інші розмови"],
        Said::Via => [
            "To answer by {channel}, write here:",
            "Aby odpowiedzieć przez {channel}, napisz tutaj:",
            "Щоб відповісти через {channel}, пишіть тут:",
        ],
        Said::Held => [
            "It belongs to {who}; only they may write there.",
            "Prowadzi ją {who} i tylko ta osoba może tam pisać.",
            "Її веде {who}, і лише ця особа може там писати.",
        ],
    };
    one(language, words)
}

/// Whether what was typed behind `!przez` means a channel: its id, its kind, or the beginning of its name.
pub fn is_channel(typed: &str, id: &str, name: &str, kind: &str) -> bool {
    let typed = fold(typed.trim());
    !typed.is_empty() && (fold(id) == typed || fold(kind) == typed || fold(name).starts_with(&typed))
}

impl Contacts {
    /// Who asked a customer for something within the last day, and when.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn asked_lately(&self, contact: &str, what: &str) -> Result<Option<(Ms, String)>> {
        tags::asked(&mut self.store.reader(), contact, what, self.now() - PAUSE).await
    }

    /// Adds to a change that a customer is asked for something in a conversation. Submitting ends in `Conflict` when
    /// somebody else asked meanwhile.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn plan_question(
        &self,
        change: &mut Change,
        row: &ConversationRow,
        (what, body): (&str, &str),
        actor: Actor,
    ) -> Result<()> {
        let now = self.now();
        change.ask_contact(NewQuestion {
            contact: &row.contact,
            what,
            now,
            since: now - PAUSE,
            user: actor.user.unwrap_or_default(),
            conversation: &row.id,
            body,
        });
        let mut audit = Audit::done(Action::ContactAsk, actor, now).on("contact", row.contact.as_str());
        audit.detail = Some(serde_json::json!({ "what": what, "conversation_id": row.id }).to_string());
        change.audit(self.store.nid().await?, audit);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{self, Act};

    const ALL: [Language; 3] = [Language::English, Language::Polish, Language::Ukrainian];

    #[test]
    fn what_is_wanted_is_understood_in_every_language() {
        for (word, what) in [
            ("telefon", "phone"),
            ("Numer.", "phone"),
            ("e-mail", "email"),
            ("пошту", "email"),
            ("imię", "name"),
            ("ІПН", "vat"),
            ("address", "address"),
        ] {
            assert_eq!(wanted(word), Some(what), "{word}");
        }
        assert_eq!((wanted(""), wanted("money")), (None, None));
    }

    #[test]
    fn hints_name_commands_that_there_are() {
        let all = [(Said::AskHow, Act::Ask), (Said::NoOrder, Act::Order), (Said::NotThere, Act::Via)];
        for language in ALL {
            for (hint, act) in all {
                let words = said(hint, language);
                let at = words.find('!').unwrap();
                let word: String = words[at..].split([' ', ',']).next().unwrap().to_owned();
                assert_eq!(command::read(&word).and_then(|order| order.act), Some(act), "{words}");
                for word in words[at..].split([' ', ',', '.']).skip(1).filter(|_| hint == Said::AskHow) {
                    let glue = ["", "or", "albo", "або"];
                    assert!(glue.contains(&word) || wanted(word).is_some(), "{word}");
                }
            }
        }
    }

    #[test]
    fn a_channel_is_meant_by_its_id_kind_or_name() {
        let is = |typed| is_channel(typed, "tg1", "Telegram sklepu", "telegram");
        assert!(is("telegram") && is("TG1") && is("Telegram s"));
        assert!(!is("") && !is("sklepu") && !is("whatsapp"));
    }
}
