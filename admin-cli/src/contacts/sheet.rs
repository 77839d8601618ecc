//! Files as spreadsheets leave them: in which signs they are written, and what stands between their cells.

use crate::csv;
use encoding_rs::{Encoding, UTF_8, WINDOWS_1250};

/// Signs that stand between cells.
const DELIMITERS: [char; 3] = [';', ',', '\t'];

/// A table, as it was read.
#[derive(Debug)]
pub struct Sheet {
    /// The names of its columns.
    pub head: Vec<String>,
    /// Its lines, each with its number in the file.
    pub lines: Vec<(i64, Vec<String>)>,
    /// What stands between its cells.
    pub delimiter: char,
}

/// The text of a file: UTF-8 and UTF-16 as their marks say, UTF-8 where it is that, else the signs of Central Europe,
/// in which Excel writes there. `named`: by what the mapping calls it.
pub fn text(bytes: &[u8], named: Option<&'static Encoding>) -> String {
    let guessed = || if std::str::from_utf8(bytes).is_ok() { UTF_8 } else { WINDOWS_1250 };
    // A mark at the beginning decides before everything else.
    named.unwrap_or_else(guessed).decode(bytes).0.into_owned()
}

/// Reads a table.
pub fn read(text: &str, delimiter: Option<char>) -> Sheet {
    // Excel may be told in the first line what stands between cells.
    let told = text.lines().next().and_then(|line| line.trim().strip_prefix("sep="));
    let told = told.and_then(|rest| rest.chars().next());
    let delimiter = delimiter.or(told).unwrap_or_else(|| likeliest(text));
    let mut records = csv::records(text, delimiter).into_iter().zip(1_i64..);
    if told.is_some() {
        records.next();
    }
    let head = records.next().map(|(head, _)| head).unwrap_or_default();
    let full = |cells: &Vec<String>| cells.iter().any(|cell| !cell.trim().is_empty());
    let lines = records.filter(|(cells, _)| full(cells)).map(|(cells, number)| (number, cells)).collect();
    Sheet { head, lines, delimiter }
}

/// What stands between the cells of the first line, most probably.
fn likeliest(text: &str) -> char {
    // What stands in quotation marks stands in a cell.
    let outside = text.lines().next().unwrap_or_default().split('"').step_by(2).collect::<String>();
    let cells = |delimiter: &char| outside.matches(*delimiter).count();
    // Of equals the first.
    DELIMITERS.into_iter().rev().max_by_key(cells).unwrap_or(',')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signs_of_a_file_are_found_out() {
        let polish = "Imię;Telefon\nŻółć;1";
        let (cp1250, _, _) = WINDOWS_1250.encode(polish);
        let utf16: Vec<u8> =
            [0xff, 0xfe].into_iter().chain(polish.encode_utf16().flat_map(u16::to_le_bytes)).collect();
        let marked = [&[0xef, 0xbb, 0xbf], polish.as_bytes()].concat();
        for bytes in [polish.as_bytes(), &cp1250, &utf16, &marked] {
            let sheet = read(&text(bytes, None), None);
            assert_eq!((sheet.head[0].as_str(), sheet.lines[0].1[0].as_str()), ("Imię", "Żółć"));
            assert_eq!((sheet.delimiter, sheet.lines[0].0), (';', 2));
        }
    }

    #[test]
    fn what_stands_between_cells_is_found_out() {
        for (text, delimiter) in [("a,b;c,d\n", ','), ("a;\"b,c,d\"\n", ';'), ("a\tb", '\t'), ("a", ';')] {
            assert_eq!(read(text, None).delimiter, delimiter, "{text}");
        }
        let sheet = read("sep=,\na,b\n1,2\n\n ,\n3,4", None);
        assert_eq!((sheet.head.len(), sheet.lines.len(), sheet.lines[1].0), (2, 2, 6));
    }
}
