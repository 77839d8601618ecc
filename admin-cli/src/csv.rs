//! Comma-separated values, as RFC 4180 has them, and as spreadsheets of countries have them where the comma stands in
//! numbers.

use std::collections::HashMap;

/// A line, by the names of its columns.
pub type Row = HashMap<String, String>;

/// Reads a table whose first line names the columns; lines that lack some are left out.
pub fn rows(text: &str) -> Vec<Row> {
    let mut lines = records(text, ',').into_iter();
    let head = lines.next().unwrap_or_default();
    let row = |cells: Vec<String>| head.iter().cloned().zip(cells).collect();
    lines.filter(|cells| cells.len() >= head.len()).map(row).collect()
}

/// Reads the lines of a table. A quotation mark opens a cell only at its beginning; anywhere else it is a sign.
pub fn records(text: &str, delimiter: char) -> Vec<Vec<String>> {
    let (mut all, mut cells, mut cell) = (Vec::new(), Vec::new(), String::new());
    let (mut quoted, mut begun) = (false, false);
    let mut signs = text.trim_start_matches('\u{feff}').chars().peekable();
    while let Some(sign) = signs.next() {
        match sign {
            '"' if quoted && signs.peek() == Some(&'"') => {
                signs.next();
                cell.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if cell.is_empty() && !begun => (quoted, begun) = (true, true),
            sign if sign == delimiter && !quoted => {
                cells.push(std::mem::take(&mut cell));
                begun = false;
            }
            '\r' if !quoted && signs.peek() == Some(&'\n') => {}
            '\n' | '\r' if !quoted => {
                cells.push(std::mem::take(&mut cell));
                all.push(std::mem::take(&mut cells));
                begun = false;
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
    line_with(cells, ',')
}

/// A line of cells with another sign between them.
pub fn line_with(cells: &[&str], delimiter: char) -> String {
    let quote = |cell: &&str| match cell.contains([delimiter, '"', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => (*cell).to_owned(),
    };
    format!("{}\n", cells.iter().map(quote).collect::<Vec<_>>().join(&delimiter.to_string()))
}

/// Signs with which spreadsheets let formulas begin.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// A cell that no spreadsheet takes for a formula.
pub fn harmless(cell: &str) -> String {
    if cell.starts_with(FORMULA) { format!("'{cell}") } else { cell.to_owned() }
}

/// What a harmless cell stands for.
pub fn meant(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|rest| rest.starts_with(FORMULA)).unwrap_or(cell)
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
        let text = line_with(&["a;b", "c,d", "\"", "'"], ';');
        assert_eq!(records(&text, ';'), [["a;b", "c,d", "\"", "'"]]);
        assert_eq!(records("a 5\" b,c\r\nd,\"e\"\"\r\n\"\r", ','), [["a 5\" b", "c"], ["d", "e\"\r\n"]]);
    }

    #[test]
    fn no_cell_is_a_formula_and_each_is_read_as_it_was() {
        for cell in ["=1+1", "+48512342152", "-1", "@SUM(A1)", "Jan", "'Jan'", "'s", "", "\tx"] {
            let safe = harmless(cell);
            assert!(!safe.starts_with(FORMULA), "{cell}");
            assert_eq!(meant(&safe), cell);
        }
    }
}
