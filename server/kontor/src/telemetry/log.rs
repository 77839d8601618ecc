//! The log: a `tracing` layer that writes lines to standard error and, when configured, to a
//! file. Standard error always gets errors; without a file it gets everything.

use super::line::{Fields, line};
use crate::config::LogFormat;
use std::fs::File;
use std::io::Write as _;
use std::sync::Mutex;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// Where lines go.
#[derive(Debug)]
pub struct LogLayer {
    format: LogFormat,
    file: Option<Mutex<File>>,
}

impl LogLayer {
    /// A layer that writes to standard error, and to the file when there is one.
    pub fn new(format: LogFormat, file: Option<File>) -> Self {
        Self { format, file: file.map(Mutex::new) }
    }

    fn write(&self, level: Level, text: &str) {
        if let Some(file) = &self.file {
            // A line is written whole or, when the disk is full, lost: the log never stops the server.
            let mut file = file.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            let _ = file.write_all(text.as_bytes());
        }
        if self.file.is_none() || level == Level::ERROR {
            let _ = std::io::stderr().lock().write_all(text.as_bytes());
        }
    }
}

/// The present time as log lines carry it: RFC 3339, UTC.
fn now() -> String {
    let mut text = String::new();
    let _ = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}

impl<S> Layer<S> for LogLayer
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(outer) = span.extensions().get::<Fields>() {
                fields.inherit(outer);
            }
        }
        let text = line(self.format, &now(), event.metadata(), &fields);
        self.write(*event.metadata().level(), &text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;
    use tracing_subscriber::layer::SubscriberExt as _;

    /// Everything that the work logs, as lines.
    fn logged(format: LogFormat, work: impl FnOnce()) -> Vec<String> {
        static NUMBER: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("kontor-log-{}-{number}", std::process::id()));
        let layer = LogLayer::new(format, Some(File::create(&path).expect("temporary file")));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
        let mut text = String::new();
        File::open(&path).expect("written").read_to_string(&mut text).expect("text");
        std::fs::remove_file(&path).expect("removed");
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_json_line_carries_the_fields_of_its_spans_flat() {
        let lines = logged(LogFormat::Json, || {
            let outer = tracing::info_span!("request", request.id = "r1", user.id = tracing::field::Empty);
            outer.record("user.id", "@a:b");
            let _outer = outer.entered();
            let _inner = tracing::info_span!("step", room.id = "!r").entered();
            tracing::warn!(duration_ms = 5_u64, user.id = "@inner:b", "slow");
        });
        let value: serde_json::Value = serde_json::from_str(&lines[0]).expect("JSON");
        assert_eq!(value["message"], "slow");
        assert_eq!(value["level"], "warn");
        assert_eq!(value["request.id"], "r1");
        assert_eq!(value["room.id"], "!r");
        assert_eq!(value["user.id"], "@inner:b");
        assert_eq!(value["duration_ms"], 5);
        assert!(value["ts"].as_str().is_some_and(|ts| ts.ends_with('Z')), "{value}");
    }

    #[test]
    fn no_value_can_forge_a_line() {
        let work = || tracing::info!(path = "/a\nb c", empty = "", "one\ntwo");
        let human = logged(LogFormat::Human, work);
        assert_eq!(human.len(), 1, "{human:?}");
        assert!(human[0].ends_with(r#"INFO  one two  path="/a\nb c"  empty="""#), "{human:?}");
        assert_eq!(logged(LogFormat::Json, work).len(), 1);
    }
}
