//! Commands that employees type backstage, such as `!karta`: their words in every language, and reading
//! them.

use kontor_model::Language;
use kontor_model::fold::fold;

/// What a command asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// The contact's card.
    Card,
    /// The conversation, for whoever asks.
    Mine,
    /// The conversation, for somebody else.
    Assign,
    /// Another status.
    Status,
    /// A note.
    Note,
    /// A decision.
    Decision,
    /// Something to be done, or a list of that.
    Task,
    /// Something was done.
    Done,
    /// The files of the conversation.
    Files,
    /// Messages with some words.
    Search,
    /// Who may be the same person, and making them one contact.
    Merge,
    /// Taking the last merge back.
    Undo,
    /// Whoever writes here is somebody else than their contact.
    Split,
    /// The customer's orders, or one of them.
    Order,
    /// A question to the customer.
    Ask,
    /// Another way to reach the customer.
    Via,
    /// What commands there are.
    Help,
}

const EN: Option<Language> = Some(Language::English);
const PL: Option<Language> = Some(Language::Polish);
const UK: Option<Language> = Some(Language::Ukrainian);

/// A word of a command, and the language that it belongs to.
type Word = (&'static str, Option<Language>);

/// The words of commands; those of one language alone tell which one the employee speaks.
const WORDS: &[(Act, &[Word])] = &[
    (Act::Card, &[("karta", PL), ("card", EN), ("картка", UK)]),
    (Act::Mine, &[("moje", PL), ("mine", EN), ("claim", EN), ("моє", UK), ("моя", UK)]),
    (Act::Assign, &[("przypisz", PL), ("assign", EN), ("призначити", UK), ("призначте", UK)]),
    (Act::Status, &[("status", None), ("статус", UK)]),
    (Act::Note, &[("notatka", PL), ("note", EN), ("нотатка", UK)]),
    (Act::Decision, &[("decyzja", PL), ("decision", EN), ("рішення", UK)]),
    (Act::Task, &[("zadanie", PL), ("zadania", PL), ("task", EN), ("tasks", EN), ("завдання", UK)]),
    (Act::Done, &[("zrobione", PL), ("done", EN), ("зроблено", UK)]),
    (Act::Files, &[("pliki", PL), ("files", EN), ("файли", UK)]),
    (Act::Search, &[("szukaj", PL), ("search", EN), ("find", EN), ("шукати", UK), ("пошук", UK)]),
    (Act::Merge, &[("scal", PL), ("merge", EN), ("об’єднати", UK), ("об'єднати", UK), ("обєднати", UK)]),
    (Act::Undo, &[("cofnij", PL), ("undo", EN), ("скасувати", UK)]),
    (Act::Split, &[("rozdziel", PL), ("split", EN), ("розділити", UK)]),
    (
        Act::Order,
        &[("zamowienie", PL), ("zamowienia", PL), ("order", EN), ("orders", EN), ("замовлення", UK)],
    ),
    (Act::Ask, &[("popros", PL), ("ask", EN), ("попросити", UK), ("попроси", UK)]),
    (Act::Via, &[("przez", PL), ("via", EN), ("через", UK)]),
    (Act::Help, &[("pomoc", PL), ("help", EN), ("допомога", UK)]),
];

/// Statuses, and the words for them.
const STATUSES: &[(&str, &[&str])] = &[
    ("open", &["open", "otwarta", "otwarte", "otworz", "відкрита", "відкрити"]),
    ("pending", &["pending", "oczekuje", "czeka", "очікує", "чекає"]),
    ("snoozed", &["snoozed", "snooze", "odloz", "odlozona", "drzemka", "відкласти", "відкладена"]),
    ("closed", &["closed", "close", "zamknieta", "zamkniete", "zamknij", "закрита", "закрити"]),
];

/// Words for nobody.
const NOBODY: &[&str] = &["-", "nikt", "nikogo", "nobody", "none", "ніхто", "нікому"];
/// Words for whoever speaks.
const SELF: &[&str] = &["ja", "mnie", "mi", "me", "self", "я", "мені", "мене"];

/// Words for yes and no.
const YES: &[&str] = &["tak", "yes", "так"];
const NO: &[&str] = &["nie", "no", "ні"];

/// A command as it was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order<'a> {
    /// What it asks for; `None` when no such command is known.
    pub act: Option<Act>,
    /// Its word, without the mark.
    pub word: &'a str,
    /// What follows.
    pub rest: &'a str,
    /// The language that its word belongs to, if it is one's alone.
    pub language: Option<Language>,
}

/// Whom a text names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// Nobody.
    Nobody,
    /// Whoever speaks.
    Speaker,
    /// Somebody by user id, or by its first part.
    Named(String),
}

/// What was said without the quotation of what it answers (client-server API, "Fallbacks for rich replies",
/// which older clients still send).
pub fn without_quotation(body: &str, answers: bool) -> &str {
    if !answers || !body.starts_with("> ") {
        return body;
    }
    let mut rest = body;
    while let Some(line) = rest.strip_prefix("> ") {
        rest = line.split_once('\n').map_or("", |(_, rest)| rest);
    }
    rest.trim_start_matches('\n')
}

/// Words by which employees ask a customer for the telephone number, in the customer's room: the bridge of a network
/// that can prove it makes a button of them.
const ASK_PHONE: [&str; 3] = ["phone", "telefon", "телефон"];
/// Networks that can.
const PROVE_PHONES: [&str; 1] = ["telegram"];

/// Whether an order is for the bridge of a network of this kind, and belongs into the customer's room.
pub fn is_for_bridge(order: &Order<'_>, kind: &str) -> bool {
    let word = fold(order.word.trim_end_matches([':', '.', ',']));
    PROVE_PHONES.contains(&kind) && ASK_PHONE.iter().any(|known| fold(known) == word)
}

/// Reads a command: a text that begins with `!` and a letter.
pub fn read(body: &str) -> Option<Order<'_>> {
    let said = body.trim().strip_prefix('!')?;
    let end = said.find(char::is_whitespace).unwrap_or(said.len());
    let (word, rest) = said.split_at_checked(end)?;
    word.chars().next().filter(|first| first.is_alphabetic())?;
    let plain = fold(word.trim_end_matches([':', '.', ',']));
    let known = WORDS.iter().find_map(|(act, words)| {
        words.iter().find(|(known, _)| fold(known) == plain).map(|(_, language)| (*act, *language))
    });
    let (act, language) = known.unzip();
    Some(Order { act, word, rest: rest.trim(), language: language.flatten() })
}

/// The status that a word names.
pub fn status(word: &str) -> Option<&'static str> {
    let plain = fold(word);
    let named = |words: &[&str]| words.iter().any(|known| fold(known) == plain);
    STATUSES.iter().find(|(_, words)| named(words)).map(|(status, _)| *status)
}

/// Whom a text names, if it names somebody.
pub fn whom(text: &str) -> Option<Whom> {
    let plain = fold(text.trim());
    if NOBODY.iter().any(|word| fold(word) == plain) {
        return Some(Whom::Nobody);
    }
    if SELF.iter().any(|word| fold(word) == plain) {
        return Some(Whom::Speaker);
    }
    person(text.trim()).map(Whom::Named)
}

/// The name of somebody that begins with `@`, without what a sentence puts after it.
fn person(word: &str) -> Option<String> {
    let name = word.strip_prefix('@')?.trim_end_matches([',', ';', '.', ':', '!', '?']);
    (!name.is_empty() && !name.contains(char::is_whitespace)).then(|| name.to_owned())
}

/// What somebody says about contacts that may be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merging<'a> {
    /// Who could it be?
    Whom,
    /// Somebody with these words in their name, or this number or address.
    Search(&'a str),
    /// The contact of this number is the same person; whose both are to be, without the `@`; whether it is so
    /// although somebody said otherwise.
    Same(i64, Option<String>, bool),
    /// The contact of this number is somebody else.
    Different(i64),
}

/// Reads what follows the command that merges.
pub fn merging(rest: &str) -> Merging<'_> {
    let mut words = rest.split_whitespace();
    let number = words.next().map(|word| word.trim_end_matches(['.', ':']));
    // Telephone numbers are longer.
    let number = number.filter(|word| word.len() <= 4).and_then(|word| word.parse().ok());
    let is = |known: &[&str], word: &str| known.iter().any(|known| fold(known) == fold(word));
    match (rest.is_empty(), number, words.next(), words.next()) {
        (true, ..) => Merging::Whom,
        (_, Some(number), None, _) => Merging::Same(number, None, false),
        (_, Some(number), Some(word), None) if is(NO, word) => Merging::Different(number),
        (_, Some(number), Some(word), None) if is(YES, word) => Merging::Same(number, None, true),
        (_, Some(number), Some(word), None) if word.starts_with('@') => {
            Merging::Same(number, person(word), false)
        }
        _ => Merging::Search(rest),
    }
}

/// Whether a reaction agrees, or disagrees; `None` when it is neither.
pub fn agrees(reaction: &str) -> Option<bool> {
    // Clients differ in whether they ask for the coloured form.
    match reaction.trim_end_matches('\u{fe0f}') {
        "✅" | "✔" | "☑" => Some(true),
        "❌" | "✖" | "❎" => Some(false),
        _ => None,
    }
}

/// What a task says: its words without whom it names and until when, those two as they were typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Task {
    /// What is to be done.
    pub text: String,
    /// Who is to do it, without the `@`.
    pub whom: Option<String>,
    /// Until when.
    pub until: Option<String>,
}

/// Reads a task: a person (`@name`) and a date may stand at its beginning or at its end.
pub fn task(rest: &str) -> Task {
    let mut words: Vec<&str> = rest.split_whitespace().collect();
    let mut task = Task::default();
    // The person and the date, in either order.
    for _ in 0..2 {
        take_person(&mut words, &mut task);
        take_date(&mut words, &mut task);
    }
    task.text = words.join(" ");
    task
}

fn take_person(words: &mut Vec<&str>, task: &mut Task) {
    if task.whom.is_some() || words.len() < 2 {
        return;
    }
    if let Some(name) = words.last().copied().and_then(person) {
        words.pop();
        task.whom = Some(name);
    } else if let Some(name) = words.first().copied().and_then(person) {
        words.remove(0);
        task.whom = Some(name);
    }
}

fn take_date(words: &mut Vec<&str>, task: &mut Task) {
    if task.until.is_some() {
        return;
    }
    for length in [2, 1] {
        let Some(at) = words.len().checked_sub(length).filter(|at| *at > 0) else { continue };
        let Some(last) = words.get(at..) else { continue };
        if crate::when::is_date(last) {
            task.until = Some(last.join(" "));
            words.truncate(at);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_read_in_every_language_and_spelling() {
        for (said, act, rest, language) in [
            ("!karta", Act::Card, "", PL),
            ("  !Card  ", Act::Card, "", EN),
            ("!КАРТКА", Act::Card, "", UK),
            ("!моё", Act::Mine, "", UK),
            ("!przypisz @bob", Act::Assign, "@bob", PL),
            ("!status closed", Act::Status, "closed", None),
            ("!notatka:  dzwonić po 15\nw piątki", Act::Note, "dzwonić po 15\nw piątki", PL),
            ("!РІШЕННЯ так", Act::Decision, "так", UK),
            ("!Done 2", Act::Done, "2", EN),
        ] {
            let order = read(said).unwrap();
            assert_eq!((order.act, order.rest, order.language), (Some(act), rest, language), "{said}");
        }
        assert_eq!(read("!kart abc").map(|order| (order.act, order.word)), Some((None, "kart")));
        for no in ["karta", "!", "! karta", "!!", "!1", "", "a !karta", "!!karta"] {
            assert_eq!(read(no), None, "{no}");
        }
    }

    #[test]
    fn what_is_said_about_merging_is_understood() {
        for (said, read) in [
            ("", Merging::Whom),
            ("2", Merging::Same(2, None, false)),
            ("2.", Merging::Same(2, None, false)),
            ("2 Nie", Merging::Different(2)),
            ("2 tak", Merging::Same(2, None, true)),
            ("2 @anna", Merging::Same(2, Some("anna".to_owned()), false)),
            ("Jan Kowalski", Merging::Search("Jan Kowalski")),
            ("512 342 152", Merging::Search("512 342 152")),
            ("512342152", Merging::Search("512342152")),
        ] {
            assert_eq!(merging(said), read, "{said}");
        }
        assert_eq!(
            (agrees("✅"), agrees("✔\u{fe0f}"), agrees("❌"), agrees("👍")),
            (Some(true), Some(true), Some(false), None)
        );
        assert_eq!(super::read("!об'єднати 1").unwrap().act, Some(Act::Merge));
    }

    #[test]
    fn quotations_are_no_commands() {
        let quoted = "> <@a:x> !karta\n> more\n\n!moje";
        assert_eq!(without_quotation(quoted, true), "!moje");
        assert_eq!(without_quotation(quoted, false), quoted);
        assert_eq!(without_quotation("> <@a:x> only this", true), "");
    }

    #[test]
    fn people_statuses_and_tasks_are_understood() {
        assert_eq!(whom("Nikt"), Some(Whom::Nobody));
        assert_eq!(whom("мені"), Some(Whom::Speaker));
        assert_eq!(whom("@bob:x.example,"), Some(Whom::Named("bob:x.example".to_owned())));
        assert_eq!((whom("bob"), whom("@"), whom("@a b")), (None, None, None));
        for (word, known) in [("Zamknięta", "closed"), ("odłóż", "snoozed"), ("відкрита", "open")]
        {
            assert_eq!(status(word), Some(known), "{word}");
        }
        assert_eq!(status("gone"), None);
        let read = |text: &str, whom: Option<&str>, until: Option<&str>| Task {
            text: text.to_owned(),
            whom: whom.map(str::to_owned),
            until: until.map(str::to_owned),
        };
        for (said, task_read) in [
            ("zadzwoń", read("zadzwoń", None, None)),
            ("wyślij ofertę @bob 2026-10-05", read("wyślij ofertę", Some("bob"), Some("2026-10-05"))),
            ("wyślij ofertę 05.10 @bob", read("wyślij ofertę", Some("bob"), Some("05.10"))),
            ("@bob call them tomorrow 14:30", read("call them", Some("bob"), Some("tomorrow 14:30"))),
            ("2026-10-05", read("2026-10-05", None, None)),
            ("@bob", read("@bob", None, None)),
            ("pay 3.50 for it", read("pay 3.50 for it", None, None)),
        ] {
            assert_eq!(task(said), task_read, "{said}");
        }
    }
}
