//! Values as both databases take them: whole numbers, texts, blobs, each possibly absent.

use kontor_model::{Error, Result};
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::{Arguments, Row as _};
use std::sync::Arc;

/// One value of a row or of a statement's parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// BIGINT, or NULL of that type.
    Int(Option<i64>),
    /// TEXT, or NULL of that type.
    Text(Option<Arc<str>>),
    /// BYTEA or BLOB, or NULL of that type.
    Blob(Option<Arc<Vec<u8>>>),
    /// The n-th position that the change takes; the writer puts the number in.
    Pos(usize),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}
impl From<Option<i64>> for Value {
    fn from(value: Option<i64>) -> Self {
        Self::Int(value)
    }
}
impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Int(Some(i64::from(value)))
    }
}
impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(Some(value.into()))
    }
}
impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(Some(value.into()))
    }
}
impl From<Arc<str>> for Value {
    fn from(value: Arc<str>) -> Self {
        Self::Text(Some(value))
    }
}
impl From<Option<&str>> for Value {
    fn from(value: Option<&str>) -> Self {
        Self::Text(value.map(Into::into))
    }
}
impl From<Option<String>> for Value {
    fn from(value: Option<String>) -> Self {
        Self::Text(value.map(Into::into))
    }
}
impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Blob(Some(Arc::new(value)))
    }
}
impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Self {
        Self::Blob(Some(Arc::new(value.to_vec())))
    }
}
impl From<Option<Vec<u8>>> for Value {
    fn from(value: Option<Vec<u8>>) -> Self {
        Self::Blob(value.map(Arc::new))
    }
}

/// A set of numeric ids as one JSON text, to be opened by `ID_SET`.
pub fn id_set(ids: impl IntoIterator<Item = i64>) -> Value {
    let mut text = String::from("[");
    for (index, id) in ids.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&id.to_string());
    }
    text.push(']');
    text.into()
}

/// A set of triples of numbers as one JSON text, to be opened by `TRIPLE_SET`.
pub fn triple_set(triples: impl IntoIterator<Item = (i64, i64, i64)>) -> Value {
    let list: Vec<String> = triples.into_iter().map(|(a, b, c)| format!("[{a},{b},{c}]")).collect();
    format!("[{}]", list.join(",")).into()
}

/// Devices, as numeric user id and device id, as one JSON text, to be opened by `DEVICE_SET`.
pub fn device_set<'a>(devices: impl IntoIterator<Item = (i64, &'a str)>) -> Value {
    let list: Vec<_> = devices.into_iter().map(|(user, device)| serde_json::json!([user, device])).collect();
    serde_json::Value::from(list).to_string().into()
}

/// A set of texts as one JSON text, to be opened by `TEXT_SET`.
pub fn text_set<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Value {
    let list: Vec<_> = texts.into_iter().map(|text| serde_json::Value::from(text.as_ref())).collect();
    serde_json::Value::from(list).to_string().into()
}

/// Parameters in the order of `$1, $2, …`. Positions must have been put in before.
pub(crate) fn arguments<'a>(values: impl IntoIterator<Item = &'a Value>) -> Result<AnyArguments> {
    let mut arguments = AnyArguments::default();
    for value in values {
        match value {
            Value::Int(value) => arguments.add(*value),
            Value::Text(value) => arguments.add(value.as_deref().map(str::to_owned)),
            Value::Blob(value) => arguments.add(value.as_deref().cloned()),
            Value::Pos(_) => Err("a position that was never taken".into()),
        }
        .map_err(Error::internal)?;
    }
    Ok(arguments)
}

/// Between the fields of a packed row. Texts from outside cannot hold these three characters:
/// [`kontor_model::ids::storable_key`] refuses them, and JSON escapes them.
const FIELD: char = '\u{1f}';
/// Between packed rows.
const ROW: char = '\u{1e}';
/// A field that is NULL.
const NULL: &str = "\u{1d}";

/// The statement that gives all rows of `sql` packed into one text. Its columns must be named
/// `c1` to `cN`.
///
/// What costs in reading many small rows is handing each of them over between threads or over a
/// socket, not finding them.
pub(crate) fn packing(sql: &str, columns: usize) -> String {
    let column = |n| format!("coalesce(CAST(c{n} AS TEXT), '{NULL}')");
    let columns: Vec<_> = (1..=columns).map(column).collect();
    format!("SELECT string_agg(concat_ws('{FIELD}', {}), '{ROW}') FROM ({sql}) packed", columns.join(", "))
}

/// Takes a packed answer apart.
pub(crate) fn unpack(text: &str) -> Vec<Row> {
    let text: Arc<str> = text.into();
    let mut rows = Vec::new();
    let mut start = 0;
    for row in text.split(ROW) {
        let mut cells = Vec::with_capacity(20);
        let mut at = start;
        for cell in row.split(FIELD) {
            cells.push(at..at + cell.len());
            at += cell.len() + FIELD.len_utf8();
        }
        start += row.len() + ROW.len_utf8();
        rows.push(Row(Cells::Packed { text: Arc::clone(&text), cells }));
    }
    rows
}

/// One row of an answer, read by column number.
pub struct Row(pub(crate) Cells);

pub(crate) enum Cells {
    Database(AnyRow),
    Packed { text: Arc<str>, cells: Vec<std::ops::Range<usize>> },
}

fn no_such_column() -> Error {
    Error::internal("a column that the statement does not give")
}

impl Row {
    /// A column of a packed row; `None` when NULL.
    fn cell<'a>(text: &'a str, cells: &[std::ops::Range<usize>], column: usize) -> Result<Option<&'a str>> {
        let range = cells.get(column).ok_or_else(no_such_column)?;
        let cell = text.get(range.clone()).ok_or_else(no_such_column)?;
        Ok((cell != NULL).then_some(cell))
    }

    /// A BIGINT column.
    ///
    /// # Errors
    /// `Internal` when the column is of another type, which would be a defect of the query.
    pub fn int(&self, column: usize) -> Result<i64> {
        self.int_opt(column)?.ok_or_else(no_such_column)
    }
    /// A BIGINT column that may be NULL.
    ///
    /// # Errors
    /// As [`Row::int`].
    pub fn int_opt(&self, column: usize) -> Result<Option<i64>> {
        match &self.0 {
            Cells::Database(row) => row.try_get(column).map_err(Error::internal),
            Cells::Packed { text, cells } => {
                let cell = Self::cell(text, cells, column)?;
                cell.map(|cell| cell.parse().map_err(Error::internal)).transpose()
            }
        }
    }
    /// A BIGINT column that holds 0 or 1.
    ///
    /// # Errors
    /// As [`Row::int`].
    pub fn bool(&self, column: usize) -> Result<bool> {
        Ok(self.int(column)? != 0)
    }
    /// A TEXT column.
    ///
    /// # Errors
    /// As [`Row::int`].
    pub fn text(&self, column: usize) -> Result<String> {
        self.text_opt(column)?.ok_or_else(no_such_column)
    }
    /// A TEXT column that may be NULL.
    ///
    /// # Errors
    /// As [`Row::int`].
    pub fn text_opt(&self, column: usize) -> Result<Option<String>> {
        match &self.0 {
            Cells::Database(row) => row.try_get(column).map_err(Error::internal),
            Cells::Packed { text, cells } => Ok(Self::cell(text, cells, column)?.map(str::to_owned)),
        }
    }
    /// A blob column; rows with such columns cannot be packed.
    ///
    /// # Errors
    /// As [`Row::int`].
    pub fn blob(&self, column: usize) -> Result<Vec<u8>> {
        self.blob_opt(column)?.ok_or_else(no_such_column)
    }
    /// A blob column that may be NULL.
    ///
    /// # Errors
    /// As [`Row::int`].
    pub fn blob_opt(&self, column: usize) -> Result<Option<Vec<u8>>> {
        match &self.0 {
            Cells::Database(row) => row.try_get(column).map_err(Error::internal),
            Cells::Packed { .. } => Err(no_such_column()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_rows_are_read_like_others() {
        let rows = unpack("1\u{1f}żółw\u{1f}\u{1d}\u{1e}-2\u{1f}\u{1f}3");
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].int(0).unwrap(), rows[0].text(1).unwrap()), (1, "żółw".to_owned()));
        assert_eq!(rows[0].int_opt(2).unwrap(), None);
        assert_eq!((rows[1].int(0).unwrap(), rows[1].text(1).unwrap()), (-2, String::new()));
        assert_eq!(rows[1].int_opt(2).unwrap(), Some(3));
        assert!(rows[1].text(3).is_err());
    }
}
