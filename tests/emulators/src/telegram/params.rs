//! Parameters of a method, however they came: in the address, as a form, as JSON, or with files.

use super::Refused;
use super::state::refusal;
use crate::serve::Asked;
use bytes::Bytes;
use serde_json::{Map, Value};
use std::collections::HashMap;

/// A file that was sent along.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub name: String,
    pub media_type: String,
    pub bytes: Bytes,
}

/// What a method was called with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Params {
    pub values: Map<String, Value>,
    pub files: HashMap<String, Sent>,
}

impl Params {
    pub async fn read(asked: &Asked) -> Result<Self, Refused> {
        let mut params = Self::default();
        for (name, value) in &asked.query {
            params.values.insert(name.clone(), Value::String(value.clone()));
        }
        let media_type = asked.media_type.split(';').next().unwrap_or_default().trim();
        match media_type {
            "application/json" => match asked.json() {
                Value::Object(fields) => params.values.extend(fields),
                _ => return Err(refusal(400, "Bad Request: can't parse request")),
            },
            "application/x-www-form-urlencoded" => {
                for (name, value) in url::form_urlencoded::parse(&asked.body) {
                    params.values.insert(name.into_owned(), Value::String(value.into_owned()));
                }
            }
            "multipart/form-data" => params.multipart(asked).await?,
            _ => {}
        }
        Ok(params)
    }

    async fn multipart(&mut self, asked: &Asked) -> Result<(), Refused> {
        let bad = |error: multer::Error| refusal(400, &format!("Bad Request: can't parse request: {error}"));
        let boundary = multer::parse_boundary(&asked.media_type).map_err(bad)?;
        let body = asked.body.clone();
        let stream = futures_util::stream::once(async move { Ok::<_, std::io::Error>(body) });
        let mut form = multer::Multipart::new(stream, boundary);
        while let Some(field) = form.next_field().await.map_err(bad)? {
            let name = field.name().unwrap_or_default().to_owned();
            let file = field.file_name().map(str::to_owned);
            let media_type = field.content_type().map(ToString::to_string).unwrap_or_default();
            let bytes = field.bytes().await.map_err(bad)?;
            match file {
                Some(file) => {
                    self.files.insert(name, Sent { name: file, media_type, bytes });
                }
                None => {
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    self.values.insert(name, Value::String(text));
                }
            }
        }
        Ok(())
    }

    /// A number, as such or in words.
    pub fn int(&self, name: &str) -> Option<i64> {
        let value = self.values.get(name)?;
        value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
    }

    pub fn float(&self, name: &str) -> Option<f64> {
        let value = self.values.get(name)?;
        value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
    }

    pub fn text(&self, name: &str) -> &str {
        self.values.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    pub fn flag(&self, name: &str) -> bool {
        let value = self.values.get(name);
        value.is_some_and(|value| value == true || value == "true" || value == "True" || value == "1")
    }

    /// Something composed: forms carry it as JSON.
    pub fn json(&self, name: &str) -> Value {
        match self.values.get(name) {
            Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_default(),
            Some(value) => value.clone(),
            None => Value::Null,
        }
    }
}
