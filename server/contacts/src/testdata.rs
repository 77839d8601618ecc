//! Data of tests: comma-separated tables, and cards.

use crate::card::{Card, chosen};
use kontor_store::contacts::cards::{ContactRow, FieldRow};
use std::collections::HashMap;

/// A card with a name.
pub fn card(id: &str, stage: &str, name: &str) -> Card {
    let field = FieldRow {
        contact: id.to_owned(),
        field: "display_name".to_owned(),
        source: "employee".to_owned(),
        value: name.to_owned(),
        trust: 3,
        ts: 1,
    };
    let contact = ContactRow {
        id: id.to_owned(),
        redirect_to: None,
        kind: "person".to_owned(),
        stage: stage.to_owned(),
        owner: None,
        owner_id: None,
        team: None,
        visibility: "all".to_owned(),
        language: None,
        version: 1,
        created_ts: 1,
        updated_ts: 1,
        own: None,
    };
    Card { contact, fields: chosen(vec![field]) }
}

/// A line, by the names of its columns.
pub type Row = HashMap<String, String>;

/// Reads a table whose first line names the columns.
pub fn rows(text: &str) -> Vec<Row> {
    let mut lines = records(text).into_iter();
    let head = lines.next().unwrap_or_default();
    let row = |cells: Vec<String>| head.iter().cloned().zip(cells).collect();
    lines.filter(|cells| cells.len() >= head.len()).map(row).collect()
}

fn records(text: &str) -> Vec<Vec<String>> {
    let (mut all, mut cells, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut signs = text.chars().peekable();
    while let Some(c) = signs.next() {
        match c {
            '"' if quoted && signs.peek() == Some(&'"') => {
                signs.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(std::mem::take(&mut cell)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                cells.push(std::mem::take(&mut cell));
                all.push(std::mem::take(&mut cells));
            }
            c => cell.push(c),
        }
    }
    if !cell.is_empty() || !cells.is_empty() {
        cells.push(cell);
        all.push(cells);
    }
    all
}
