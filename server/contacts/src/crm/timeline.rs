//! What a CRM is told of what employees did with a customer: a line for each act, in the language of the channel. Never
//! what the customer wrote.

use crate::Contacts;
use crate::notes::said_by;
use crate::view::room_link;
use crate::words;
use kontor_model::Language;
use kontor_store::contacts::crm_acts::ActRow;

impl Contacts {
    /// The line of an act: when, where, what, who, and where the conversation is. Nothing when what was noted was redacted.
    pub fn act_line(&self, row: &ActRow) -> Option<String> {
        let language = row.channel.as_ref().and_then(|(_, code)| Language::of(code)).unwrap_or_default();
        let words = words::of(language);
        let said = |is_task| row.content.as_deref().and_then(|content| said_by(content, is_task));
        let what = match row.kind.as_str() {
            "assigned" => words.assigned.replace("{who}", row.to.as_deref()?),
            "closed" => {
                let words = ["The conversation was closed.", "Rozmowę zamknięto.", "Розмову закрито."];
                words::one(language, words).to_owned()
            }
            "decision" => format!("{}: {}", words.decision, said(false)?),
            "note" => format!("{}: {}", words.note, said(false)?),
            _ => words.task_done.replace("{task}", &said(true)?),
        };
        let what = what.split_whitespace().collect::<Vec<_>>().join(" ");
        let channel = row.channel.as_ref().map(|(name, _)| name.clone());
        let parts = [
            Some(self.calendar.shown(row.ts)),
            channel,
            Some(what),
            row.by.clone(),
            Some(room_link(&row.room_id)),
        ];
        Some(parts.into_iter().flatten().collect::<Vec<_>>().join(" · "))
    }
}
