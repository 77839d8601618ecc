//! vCards of versions 3.0 (RFC 2426) and 4.0 (RFC 6350): read strictly, written as 4.0. What a contact has no place for
//! (pictures, addresses, birthdays) is read over.

use super::consents::{self, Consents};
use serde_json::{Map, Value, json};

/// Bytes of a written line, after which it goes on in the next.
const FOLD: usize = 74;
/// Our own properties: the contact that a card is, and why it is taken although others stand in its way.
const CONTACT: &str = "X-KONTOR-CONTACT-ID";
const OVERRIDE: &str = "X-KONTOR-OVERRIDE-REASON";
/// What the person consents to, or took back; one for each.
const CONSENT: &str = "X-KONTOR-CONSENT";
/// Why a card was rejected.
pub const REASON: &str = "X-KONTOR-REASON";

/// A card of a file: its number, its text as it stood there, and what it says, or why that cannot be read.
#[derive(Debug)]
pub struct Card {
    /// 1, 2, 3, … in the file.
    pub number: i64,
    /// Its lines.
    pub text: String,
    /// As the server is told of it.
    pub row: Result<Value, Wrong>,
}

/// Why a card cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Neither 3.0 nor 4.0.
    Version,
    /// A line is no property, or the card has no end.
    Form,
}

/// A property of a card.
#[derive(Debug, PartialEq, Eq)]
struct Property {
    name: String,
    /// Names and values of its parameters, in large and small letters respectively.
    parameters: Vec<(String, String)>,
    /// As it is written, escapes included.
    value: String,
}

/// The cards of a file.
pub fn read(text: &str) -> Vec<Card> {
    let mut cards = Vec::new();
    let mut card: Option<Vec<&str>> = None;
    for line in text.trim_start_matches('\u{feff}').lines() {
        let mark = line.trim().to_ascii_uppercase();
        match (mark.as_str(), &mut card) {
            // One in another belongs to it; one without an end ends where the next begins.
            ("BEGIN:VCARD", open) => {
                cards.extend(open.take());
                *open = Some(vec![line]);
            }
            ("END:VCARD", Some(lines)) => {
                lines.push(line);
                cards.extend(card.take());
            }
            (_, Some(lines)) => lines.push(line),
            _ => {}
        }
    }
    cards.extend(card);
    let made = |(lines, number): (Vec<&str>, i64)| Card {
        number,
        row: row(number, &lines),
        text: lines.join("\r\n"),
    };
    cards.into_iter().zip(1..).map(made).collect()
}

/// A card as the server is told of it.
fn row(number: i64, lines: &[&str]) -> Result<Value, Wrong> {
    let ended = lines.last().is_some_and(|line| line.trim().eq_ignore_ascii_case("END:VCARD"));
    let inner = lines.get(1..lines.len().saturating_sub(1)).filter(|_| ended).ok_or(Wrong::Form)?;
    let properties: Vec<Property> =
        unfolded(inner).iter().map(|line| property(line)).collect::<Option<_>>().ok_or(Wrong::Form)?;
    let first = |name: &str| properties.iter().find(|property| property.name == name);
    match first("VERSION").map(|version| version.value.trim()) {
        Some("3.0" | "4.0") => {}
        _ => return Err(Wrong::Version),
    }
    let text =
        |name: &str| first(name).map(|property| plain(&property.value)).filter(|text| !text.is_empty());
    let mut row = Map::new();
    let name =
        text("FN").or_else(|| first("N").map(|name| called(&name.value))).filter(|name| !name.is_empty());
    let language =
        text("LANG").map(|tag| tag.chars().take_while(|c| c.is_ascii_alphabetic()).collect::<String>());
    let contact = text(CONTACT);
    let told = [
        ("display_name", name),
        ("company", first("ORG").map(|org| components(&org.value).into_iter().next().unwrap_or_default())),
        ("language", language.map(|tag| tag.to_ascii_lowercase())),
        // The id that another program gave; ours is the better one.
        ("external_id", text("UID").filter(|_| contact.is_none())),
        ("contact_id", contact),
        ("override_reason", text(OVERRIDE)),
        ("vat", text("X-KONTOR-VAT")),
        ("customer_no", text("X-KONTOR-CUSTOMER-NO")),
        ("owner", text("X-KONTOR-OWNER")),
        ("stage", text("X-KONTOR-STAGE")),
        ("kind", text("X-KONTOR-KIND")),
        ("visibility", text("X-KONTOR-VISIBILITY")),
    ];
    for (field, value) in told {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            row.insert(field.to_owned(), value.into());
        }
    }
    row.insert("row".to_owned(), number.into());
    row.insert("phones".to_owned(), json!(values(&properties, "TEL")));
    row.insert("emails".to_owned(), json!(values(&properties, "EMAIL")));
    let mut consents = Consents::default();
    for property in properties.iter().filter(|property| property.name == CONSENT) {
        consents.cell(&plain(&property.value));
    }
    let consents = consents.told();
    if !consents.is_empty() {
        row.insert("consents".to_owned(), consents.into());
    }
    Ok(Value::Object(row))
}

/// The values of a property that there may be several of, the preferred first.
fn values(properties: &[Property], name: &str) -> Vec<String> {
    let mut found: Vec<&Property> = properties.iter().filter(|property| property.name == name).collect();
    found.sort_by_key(|property| property.preference());
    let bare = |property: &Property| {
        let text = plain(&property.value);
        let lower = text.to_ascii_lowercase();
        let scheme =
            ["tel:", "mailto:"].into_iter().find(|scheme| lower.starts_with(scheme)).unwrap_or_default();
        text.get(scheme.len()..).unwrap_or_default().trim().to_owned()
    };
    found.into_iter().map(bare).filter(|value| !value.is_empty()).collect()
}

impl Property {
    fn preference(&self) -> u32 {
        let given =
            self.parameters.iter().find(|(name, _)| name == "PREF").and_then(|(_, value)| value.parse().ok());
        let typed =
            |(name, value): &(String, String)| name == "TYPE" && value.split(',').any(|word| word == "pref");
        given.unwrap_or(if self.parameters.iter().any(typed) { 1 } else { 100 })
    }
}

/// Lines of which one that begins with a space goes on with the one before.
fn unfolded(lines: &[&str]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for line in lines {
        match (line.strip_prefix([' ', '\t']), all.last_mut()) {
            (Some(rest), Some(last)) => last.push_str(rest),
            _ if line.trim().is_empty() => {}
            _ => all.push((*line).to_owned()),
        }
    }
    all
}

/// Reads `group.NAME;PARAMETER=value:value`.
fn property(line: &str) -> Option<Property> {
    let (mut quoted, mut colon, mut marks) = (false, None, Vec::new());
    for (at, sign) in line.char_indices() {
        match sign {
            '"' => quoted = !quoted,
            ';' if !quoted => marks.push(at),
            ':' if !quoted => {
                colon = Some(at);
                break;
            }
            _ => {}
        }
    }
    let colon = colon?;
    let ends: Vec<usize> = marks.iter().copied().chain([colon]).collect();
    let mut parts = Vec::new();
    let mut start = 0;
    for end in ends {
        parts.push(line.get(start..end)?);
        start = end + 1;
    }
    let mut parts = parts.into_iter();
    let name = parts.next()?.rsplit('.').next()?.trim().to_ascii_uppercase();
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let parameter = |part: &str| {
        // Version 2.1 left the name of the commonest one out, and others still do.
        let (name, value) = part.split_once('=').unwrap_or(("TYPE", part));
        (name.trim().to_ascii_uppercase(), value.trim_matches('"').to_lowercase())
    };
    let parameters = parts.map(parameter).collect();
    is_name.then(|| Property { name, parameters, value: line.get(start..).unwrap_or_default().to_owned() })
}

/// A value without its escapes, on one line.
fn plain(value: &str) -> String {
    components(value).join(";")
}

/// The parts of a value between semicolons, without escapes.
fn components(value: &str) -> Vec<String> {
    let (mut all, mut part) = (Vec::new(), String::new());
    let mut signs = value.chars();
    while let Some(sign) = signs.next() {
        match sign {
            '\\' => match signs.next() {
                Some('n' | 'N') => part.push(' '),
                Some(sign) => part.push(sign),
                None => {}
            },
            ';' => all.push(std::mem::take(&mut part).trim().to_owned()),
            sign if sign.is_control() => part.push(' '),
            sign => part.push(sign),
        }
    }
    all.push(part.trim().to_owned());
    all
}

/// The name of `family;given;further;before;after`.
fn called(value: &str) -> String {
    let parts = components(value);
    let part = |at: usize| parts.get(at).map(String::as_str).unwrap_or_default();
    [part(1), part(0)].join(" ").trim().to_owned()
}

/// A card of a contact as the server gives it.
pub fn write(contact: &Value) -> String {
    let text = |name: &str| contact.get(name).and_then(Value::as_str).unwrap_or_default();
    let list = |name: &str| contact.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut card = String::from("BEGIN:VCARD\r\nVERSION:4.0\r\n");
    // A card needs a name; of whom none is known it is empty.
    card.push_str(&line("FN", text("display_name")));
    for (name, values) in [("TEL", list("phones")), ("EMAIL", list("emails"))] {
        for value in values.iter().filter_map(Value::as_str) {
            card.push_str(&line(name, value));
        }
    }
    for (name, field) in [
        ("ORG", "company"),
        ("LANG", "language"),
        ("X-KONTOR-VAT", "vat"),
        ("X-KONTOR-CUSTOMER-NO", "customer_no"),
        ("X-KONTOR-KIND", "kind"),
        ("X-KONTOR-STAGE", "stage"),
        ("X-KONTOR-VISIBILITY", "visibility"),
        ("X-KONTOR-OWNER", "owner"),
        (CONTACT, "contact_id"),
    ] {
        if !text(field).is_empty() {
            card.push_str(&line(name, text(field)));
        }
    }
    for consent in &list("consents") {
        card.push_str(&line(CONSENT, &consents::text(consent)));
    }
    card.push_str("END:VCARD\r\n");
    card
}

/// A card with a property more, at its end.
pub fn with(card: &str, name: &str, value: &str) -> String {
    // What an earlier import said is over.
    let own = |line: &&str| !line.to_ascii_uppercase().starts_with(REASON);
    let lines: Vec<&str> = card.lines().filter(own).collect();
    let inner = lines.get(..lines.len().saturating_sub(1)).unwrap_or_default().join("\r\n");
    format!("{inner}\r\n{}END:VCARD\r\n", line(name, value))
}

/// A property, folded.
fn line(name: &str, value: &str) -> String {
    let mut escaped = String::new();
    for sign in value.chars() {
        match sign {
            '\\' | ',' | ';' => escaped.extend(['\\', sign]),
            '\n' => escaped.push_str("\\n"),
            sign if sign.is_control() => escaped.push(' '),
            sign => escaped.push(sign),
        }
    }
    let mut folded = String::new();
    let mut length = 0;
    for sign in format!("{name}:{escaped}").chars() {
        if length + sign.len_utf8() > FOLD {
            folded.push_str("\r\n ");
            length = 1;
        }
        folded.push(sign);
        length += sign.len_utf8();
    }
    format!("{folded}\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_of_both_versions_are_read() {
        let text = "\u{feff}BEGIN:VCARD\r\nVERSION:3.0\r\nN:Kowalski;Jan;;;\r\nTEL;TYPE=CELL:512 342 152\r\n\
                    TEL;TYPE=\"work,pref\":+48 22\r\n  123 45 67\r\nitem1.EMAIL;INTERNET:jan@firma.pl\r\n\
                    ORG:Firma\\; Spółka;Dział\r\nPHOTO;ENCODING=b:AAAA\r\n BBBB\r\nEND:VCARD\r\n\r\n\
                    begin:vcard\nversion:4.0\nFN:Ольга\\, пані\nTEL;VALUE=uri;PREF=1:tel:+380501234567\n\
                    LANG:uk-UA\nUID:urn:uuid:1\nEND:VCARD\n";
        let cards = read(text);
        let (first, second) = (cards[0].row.as_ref().unwrap(), cards[1].row.as_ref().unwrap());
        assert_eq!(first["display_name"], "Jan Kowalski");
        assert_eq!(first["phones"], json!(["+48 22 123 45 67", "512 342 152"]));
        assert_eq!(
            (&first["emails"], &first["company"]),
            (&json!(["jan@firma.pl"]), &json!("Firma; Spółka"))
        );
        assert_eq!(second["display_name"], "Ольга, пані");
        assert_eq!(second["phones"], json!(["+380501234567"]));
        assert_eq!((&second["language"], &second["external_id"]), (&json!("uk"), &json!("urn:uuid:1")));
        assert_eq!((second["row"].as_i64(), cards.len()), (Some(2), 2));
    }

    #[test]
    fn what_is_no_card_is_told() {
        let wrong = |text: &str| read(text).remove(0).row.unwrap_err();
        assert_eq!(wrong("BEGIN:VCARD\nVERSION:2.1\nFN:A\nEND:VCARD"), Wrong::Version);
        assert_eq!(wrong("BEGIN:VCARD\nFN:A\nEND:VCARD"), Wrong::Version);
        assert_eq!(wrong("BEGIN:VCARD\nVERSION:4.0\nFN:A\nBEGIN:VCARD\nVERSION:4.0\nEND:VCARD"), Wrong::Form);
        assert_eq!(wrong("BEGIN:VCARD\nVERSION:4.0\nnonsense\nEND:VCARD"), Wrong::Form);
        assert!(read("").is_empty() && read("END:VCARD\nFN:A").is_empty());
    }

    #[test]
    fn what_is_written_is_read_again() {
        let name = "Spółka \"Ą\", Źródło; i inni \\ ".repeat(6);
        let contact = json!({
            "contact_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "display_name": name.trim(), "phones": ["+48512342152"],
            "emails": ["a@b.pl", "c@d.pl"], "company": "A;B", "stage": "lead", "kind": "person",
            "visibility": "all", "language": "pl", "owner": null,
        });
        let text = write(&contact);
        assert!(text.lines().all(|line| line.len() <= 75), "{text}");
        let row = read(&text).remove(0).row.unwrap();
        for field in ["contact_id", "display_name", "phones", "emails", "company", "stage", "language"] {
            assert_eq!(row[field], contact[field], "{field}");
        }
        let again = with(&with(&text, REASON, "held"), REASON, "held again");
        assert_eq!(again.matches(REASON).count(), 1);
        assert_eq!(read(&again).remove(0).row.unwrap()["contact_id"], contact["contact_id"]);
    }

    #[test]
    fn no_text_whatever_ends_the_reader() {
        let seed =
            "BEGIN:VCARD\r\nVERSION:4.0\r\nFN;A=\"b:c\";X:Żółć\\;\\\r\n ä\r\nTEL:1\r\nN:;;\r\nEND:VCARD\r\n";
        let signs = ['"', ';', ':', '\\', '\n', ' ', 'Ż', '\u{0}', '.', '='];
        let mut state = 1_u64;
        for _ in 0..20_000 {
            let mut text: Vec<char> = seed.chars().collect();
            for _ in 0..4 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let at = usize::try_from(state >> 33).unwrap() % text.len();
                let sign = signs[usize::try_from(state >> 40).unwrap() % signs.len()];
                match state >> 62 {
                    0 => drop(text.remove(at)),
                    1 => text.insert(at, sign),
                    _ => text[at] = sign,
                }
            }
            for card in read(&text.into_iter().collect::<String>()) {
                drop(write(&card.row.unwrap_or_default()));
            }
        }
    }
}
