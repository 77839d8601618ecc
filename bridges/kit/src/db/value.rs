//! Values and rows as both databases take them.

use kontor_model::{Error, Result};
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::{Arguments as _, Row as _};

/// One parameter of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Int(Option<i64>),
    Text(Option<String>),
    Blob(Option<Vec<u8>>),
}

macro_rules! from {
    ($($kind:ty => $value:ident $make:expr;)*) => {
        $(impl From<$kind> for Value {
            fn from($value: $kind) -> Self {
                $make
            }
        })*
    };
}

from! {
    i64 => value Self::Int(Some(value));
    Option<i64> => value Self::Int(value);
    bool => value Self::Int(Some(i64::from(value)));
    &str => value Self::Text(Some(value.to_owned()));
    &String => value Self::Text(Some(value.clone()));
    String => value Self::Text(Some(value));
    Option<String> => value Self::Text(value);
    Option<&str> => value Self::Text(value.map(str::to_owned));
    Vec<u8> => value Self::Blob(Some(value));
    Option<Vec<u8>> => value Self::Blob(value);
}

/// Texts as one JSON text, to be opened by `TEXT_SET`.
pub(crate) fn text_set<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Value {
    let list: Vec<_> = texts.into_iter().map(|text| serde_json::Value::from(text.as_ref())).collect();
    serde_json::Value::from(list).to_string().into()
}

pub(crate) fn arguments(values: &[Value]) -> Result<AnyArguments> {
    let mut arguments = AnyArguments::default();
    for value in values {
        match value.clone() {
            Value::Int(value) => arguments.add(value),
            Value::Text(value) => arguments.add(value),
            Value::Blob(value) => arguments.add(value),
        }
        .map_err(Error::internal)?;
    }
    Ok(arguments)
}

/// One row of an answer, read by column number.
pub(crate) struct Row(pub AnyRow);

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Row")
    }
}

impl Row {
    pub fn int(&self, column: usize) -> Result<i64> {
        self.0.try_get(column).map_err(Error::internal)
    }
    pub fn int_opt(&self, column: usize) -> Result<Option<i64>> {
        self.0.try_get(column).map_err(Error::internal)
    }
    pub fn bool(&self, column: usize) -> Result<bool> {
        Ok(self.int(column)? != 0)
    }
    pub fn text(&self, column: usize) -> Result<String> {
        self.0.try_get(column).map_err(Error::internal)
    }
    pub fn text_opt(&self, column: usize) -> Result<Option<String>> {
        self.0.try_get(column).map_err(Error::internal)
    }
    pub fn blob_opt(&self, column: usize) -> Result<Option<Vec<u8>>> {
        self.0.try_get(column).map_err(Error::internal)
    }
    pub fn blob(&self, column: usize) -> Result<Vec<u8>> {
        self.0.try_get(column).map_err(Error::internal)
    }
}
