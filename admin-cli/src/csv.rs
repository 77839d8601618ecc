//! Comma-separated values, as RFC 4180 has them.

use std::collections::HashMap;

/// A line, by the names of its columns.
pub type Row = HashMap<String, String>;

/// Reads a table whose first line names the columns; lines that lack some are left out.
pub fn rows(text: &str) -> Vec<Row> {
    let mut lines = records(text).into_iter();
    let head = lines.next().unwrap_or_default();
    let row = |cells: Vec<String>| head.iter().cloned().zip(cells).collect();
    lines.filter(|cells| cells.len() >= head.len()).map(row).collect()
}

fn records(text: &str) -> Vec<Vec<String>> {
    let (mut all, mut cells, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut signs = text.trim_start_matches('\u{feff}').chars().peekable();
    while let Some(sign) = signs.next() {
        match sign {
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
            sign => cell.push(sign),
        }
    }
    if !cell.is_empty() || !cells.is_empty() {
        cells.push(cell);
        all.push(cells);
    }
    all
}

/// A line of cells.
pub fn line(cells: &[&str]) -> String {
    let quote = |cell: &&str| match cell.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => (*cell).to_owned(),
    };
    format!("{}\n", cells.iter().map(quote).collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let text = [line(&["a", "b"]), line(&["x, \"y\"", "z\nz"]), line(&["", "1"])].concat();
        let rows = rows(&text);
        assert_eq!((rows[0]["a"].as_str(), rows[0]["b"].as_str()), ("x, \"y\"", "z\nz"));
        assert_eq!((rows.len(), rows[1]["a"].as_str()), (2, ""));
    }
}
