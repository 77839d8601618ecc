//! How one event becomes one line, for people or as JSON. A line reads alone: it carries the
//! fields of the event and of every span around it under their dotted names.

use crate::config::LogFormat;
use serde_json::Value;
use std::fmt::{self, Write as _};
use tracing::field::{Field, Visit};
use tracing::{Level, Metadata};

/// Name of the field in which `tracing` puts the sentence itself.
const MESSAGE: &str = "message";

/// Fields of a span or an event in the order in which they were given.
#[derive(Debug, Clone, Default)]
pub struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    /// Adds the fields of another; a name that is already there keeps its value, because the
    /// inner place knows better.
    pub fn inherit(&mut self, outer: &Self) {
        for (name, value) in &outer.0 {
            if !self.0.iter().any(|(known, _)| known == name) {
                self.0.push((name, value.clone()));
            }
        }
    }

    fn set(&mut self, field: &Field, value: Value) {
        let name = field.name();
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, Value::String(format!("{value:?}")));
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, Value::String(value.to_owned()));
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, Value::Bool(value));
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value.into());
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value.into());
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value.into());
    }
    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(inner) = cause {
            let _ = write!(text, ": {inner}");
            cause = inner.source();
        }
        self.set(field, Value::String(text));
    }
}

/// The line, with the newline at its end.
pub fn line(format: LogFormat, time: &str, about: &Metadata<'_>, fields: &Fields) -> String {
    let message = fields.0.iter().find(|(name, _)| *name == MESSAGE).map(|(_, value)| plain(value));
    let message = message.unwrap_or_default();
    let rest = fields.0.iter().filter(|(name, _)| *name != MESSAGE);
    match format {
        LogFormat::Json => {
            let level = about.level().as_str().to_lowercase();
            let mut out =
                format!("{{\"ts\":\"{time}\",\"level\":\"{level}\",\"message\":{}", quoted(&message));
            for (name, value) in rest {
                let _ = write!(out, ",{}:{value}", quoted(name));
            }
            let _ = writeln!(out, ",\"target\":{}}}", quoted(about.target()));
            out
        }
        LogFormat::Human => {
            let mut out = format!("{time} {:5} {}", about.level().as_str(), one_line(&message));
            for (name, value) in rest {
                let _ = write!(out, "  {name}={}", shown(value));
            }
            if *about.level() >= Level::DEBUG {
                let _ = write!(out, "  ({})", about.target());
            }
            out.push('\n');
            out
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// A value for people: quoted only when it would otherwise be read wrongly.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text)
            if !text.is_empty()
                && !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '"') =>
        {
            text.clone()
        }
        other => other.to_string(),
    }
}

/// The text without line breaks and other control characters, so that no value can forge a line.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
