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

/// One row of an answer, read by column number.
pub struct Row(pub(crate) AnyRow);

impl Row {
    /// A BIGINT column.
    ///
    /// # Errors
    /// `Internal` when the column is of another type, which would be a defect of the query.
    pub fn int(&self, column: usize) -> Result<i64> {
        self.0.try_get(column).map_err(Error::internal)
    }
    /// A BIGINT column that may be NULL.
    ///
    /// # Errors
    /// As [`Row::int`].
    pub fn int_opt(&self, column: usize) -> Result<Option<i64>> {
        self.0.try_get(column).map_err(Error::internal)
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
        self.0.try_get(column).map_err(Error::internal)
    }
    /// A TEXT column that may be NULL.
    ///
    /// # Errors
    /// As [`Row::int`].
    pub fn text_opt(&self, column: usize) -> Result<Option<String>> {
        self.0.try_get(column).map_err(Error::internal)
    }
    /// A blob column.
    ///
    /// # Errors
    /// As [`Row::int`].
    pub fn blob(&self, column: usize) -> Result<Vec<u8>> {
        self.0.try_get(column).map_err(Error::internal)
    }
    /// A blob column that may be NULL.
    ///
    /// # Errors
    /// As [`Row::int`].
    pub fn blob_opt(&self, column: usize) -> Result<Option<Vec<u8>>> {
        self.0.try_get(column).map_err(Error::internal)
    }
}
