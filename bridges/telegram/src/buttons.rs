//! Buttons below a message of an employee: a last line of words in double brackets, such as `[[Tak]] [[Nie]]`. Clients know
//! no buttons that one could type, so this is how they are written; the customer sees buttons and not the line.

use crate::markup::Marked;
use serde_json::{Value, json};

/// Buttons of one message.
const MOST: usize = 8;
/// Buttons beside one another.
const IN_ROW: usize = 3;
/// Telegram keeps so many bytes with a button.
const LONGEST: usize = 64;

/// The words of a line that is nothing but buttons.
fn labels(line: &str) -> Option<Vec<&str>> {
    let mut rest = line.trim();
    let mut labels = Vec::new();
    while !rest.is_empty() {
        let (label, after) = rest.strip_prefix("[[")?.split_once("]]")?;
        let label = label.trim();
        if label.is_empty() || label.len() > LONGEST || label.contains(['[', ']']) {
            return None;
        }
        labels.push(label);
        rest = after.trim_start();
    }
    (1..=MOST).contains(&labels.len()).then_some(labels)
}

/// Takes the line of buttons off a text; gives Telegram's keyboard. A message that is nothing else stays as it is.
pub fn take(marked: &mut Marked) -> Option<Value> {
    let text = marked.text.trim_end();
    let (words, line) = text.rsplit_once('\n')?;
    let words = words.trim_end();
    let labels = labels(line)?;
    if words.is_empty() {
        return None;
    }
    let rows: Vec<Value> = labels
        .chunks(IN_ROW)
        .map(|row| row.iter().map(|label| json!({ "text": label, "callback_data": label })).collect())
        .collect();
    let length = words.encode_utf16().count();
    marked.text = words.to_owned();
    marked.marks.retain(|mark| mark.offset + mark.length <= length);
    Some(json!({ "inline_keyboard": rows }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(text: &str) -> (String, Option<Value>) {
        let mut marked = Marked::plain(text);
        let keyboard = take(&mut marked);
        (marked.text, keyboard)
    }

    #[test]
    fn a_last_line_of_words_in_brackets_is_buttons() {
        let (text, keyboard) = taken("Czy pasuje jutro?\n\n[[Tak]] [[ Nie, później ]]\n");
        assert_eq!(text, "Czy pasuje jutro?");
        let keyboard = keyboard.unwrap();
        assert_eq!(keyboard["inline_keyboard"][0][1]["text"], "Nie, później");
        let (_, four) = taken("x\n[[1]][[2]][[3]][[4]]");
        assert_eq!(four.unwrap()["inline_keyboard"][1][0]["callback_data"], "4");
    }

    #[test]
    fn what_is_no_such_line_stays_as_it_is() {
        let long = format!("x\n[[{}]]", "a".repeat(65));
        for text in [
            "[[Tak]]",
            "x [[Tak]]",
            "x\n[[Tak]] i nie",
            "x\n[[]]",
            "x\n[Tak]",
            "x\n[[Tak]]\ny",
            long.as_str(),
        ] {
            assert_eq!(taken(text), (text.to_owned(), None), "{text}");
        }
    }
}
