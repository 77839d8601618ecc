//! What the server tells about itself: log lines, traces, metrics. Other crates only speak
//! `tracing`; where that goes is decided here. Nothing here may carry a secret or a message body:
//! those are never given to `tracing` at all.
//!
//! Metrics are events of the target [`METRICS`] whose fields are named after the instrument
//! (`histogram.kontor_http_request_duration_seconds = 0.01`); without a configured reader such an
//! event costs one load.

mod line;
mod log;
mod otlp;
mod process;

use crate::config::{Config, LogFormat, Serve};
use crate::serve::Exposition;
use log::LogLayer;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{Aggregation, Instrument, InstrumentKind, SdkMeterProvider, Stream};
use opentelemetry_sdk::trace::SdkTracerProvider;
use prometheus::{Encoder as _, Registry, TextEncoder};
use std::fs::OpenOptions;
use std::sync::Arc;
use tracing_opentelemetry::MetricsLayer;
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

/// Target of the events that are measurements and not lines.
pub const METRICS: &str = "kontor::metrics";

/// Upper bounds, in seconds, of the buckets of every duration.
const DURATION_BUCKETS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Upper bounds of the buckets of everything that is counted.
const COUNT_BUCKETS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// Running telemetry; [`Telemetry::stop`] hands over what is still to be sent.
#[derive(Debug, Default)]
pub struct Telemetry {
    tracer: Option<SdkTracerProvider>,
    meter: Option<SdkMeterProvider>,
    registry: Option<Registry>,
}

impl Telemetry {
    /// Starts the log, and traces and metrics where configured. Must be called in the runtime,
    /// and once in a process.
    ///
    /// # Errors
    /// A sentence when the log file cannot be opened or the collector's address is not usable.
    pub fn start(config: &Config, format: LogFormat) -> Result<Self, String> {
        let mut telemetry = Self::default();
        let file =
            match &config.log.file {
                None => None,
                Some(path) => {
                    Some(OpenOptions::new().create(true).append(true).open(path).map_err(|error| {
                        format!("The log file {} cannot be opened: {error}.", path.display())
                    })?)
                }
            };
        let wanted =
            EnvFilter::builder().parse(directives(&config.log.level)).map_err(|error| error.to_string())?;
        let mute = format!("{METRICS}=off").parse().map_err(|_| "bad directive")?;
        let log = LogLayer::new(format, file).with_filter(wanted.add_directive(mute).or(LevelFilter::ERROR));

        let client = otlp::client(config)?;
        telemetry.tracer = otlp::tracer(config, client.clone(), resource(config))?;
        telemetry.start_metrics(config, client)?;
        let traces = telemetry.tracer.as_ref().map(|provider| {
            tracing_opentelemetry::layer().with_tracer(provider.tracer("kontor")).with_filter(
                Targets::new()
                    .with_target("kontor", LevelFilter::INFO)
                    .with_target(METRICS, LevelFilter::OFF),
            )
        });
        let metrics = telemetry.meter.as_ref().map(|provider| {
            MetricsLayer::new(provider.clone())
                .with_filter(Targets::new().with_target(METRICS, LevelFilter::TRACE))
        });
        tracing_subscriber::registry()
            .with(log)
            .with(traces)
            .with(metrics)
            .try_init()
            .map_err(|error| error.to_string())?;
        log_panics();
        Ok(telemetry)
    }

    fn start_metrics(&mut self, config: &Config, client: Option<otlp::Client>) -> Result<(), String> {
        let scraped = config.listener.iter().any(|listener| listener.serves(Serve::Metrics));
        if !scraped && client.is_none() {
            return Ok(());
        }
        let mut builder = SdkMeterProvider::builder().with_resource(resource(config)).with_view(buckets);
        if let Some(reader) = otlp::metric_reader(config, client)? {
            builder = builder.with_reader(reader);
        }
        if scraped {
            let registry = Registry::new();
            let exporter = opentelemetry_prometheus::exporter()
                .with_registry(registry.clone())
                .scope_info_enabled(false)
                .build()
                .map_err(|error| error.to_string())?;
            builder = builder.with_reader(exporter);
            self.registry = Some(registry);
        }
        let provider = builder.build();
        process::observe(&provider);
        self.meter = Some(provider);
        Ok(())
    }

    /// The metrics as Prometheus text; none unless a listener serves them.
    pub fn exposition(&self) -> Option<Exposition> {
        let registry = self.registry.clone()?;
        Some(Arc::new(move || {
            let mut text = Vec::new();
            // Families that cannot be encoded are left out; the rest is still worth having.
            let _ = TextEncoder::new().encode(&registry.gather(), &mut text);
            String::from_utf8(text).unwrap_or_default()
        }))
    }

    /// Sends what is still waiting. Blocks for some seconds at most when the collector is away.
    pub fn stop(self) {
        if let Some(tracer) = self.tracer {
            let _ = tracer.shutdown_with_timeout(STOP_TIMEOUT);
        }
        if let Some(meter) = self.meter {
            let _ = meter.shutdown_with_timeout(STOP_TIMEOUT);
        }
    }
}

/// What `log.level` means: a bare level is for Kontor itself. The libraries under it stay at
/// warnings unless named, because their finer lines may quote what must not be in a log.
fn directives(level: &str) -> String {
    let given = level.split(',').map(str::trim).filter(|part| !part.is_empty());
    let named =
        given.map(|part| if part.contains(['=', '[']) { part.to_owned() } else { format!("kontor={part}") });
    std::iter::once("warn".to_owned()).chain(named).collect::<Vec<_>>().join(",")
}

/// How long the end of the server waits for the collector.
const STOP_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(3);

fn resource(config: &Config) -> Resource {
    Resource::builder()
        .with_service_name("kontor")
        .with_attribute(opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attribute(opentelemetry::KeyValue::new("server.address", config.top.server_name.clone()))
        .build()
}

/// Gives histograms buckets that fit; the library's own are meant for milliseconds.
fn buckets(instrument: &Instrument) -> Option<Stream> {
    if instrument.kind() != InstrumentKind::Histogram {
        return None;
    }
    let seconds = instrument.name().ends_with("_seconds");
    let boundaries = if seconds { DURATION_BUCKETS.to_vec() } else { COUNT_BUCKETS.to_vec() };
    let aggregation = Aggregation::ExplicitBucketHistogram { boundaries, record_min_max: false };
    Stream::builder().with_aggregation(aggregation).build().ok()
}

/// Makes a panic an error line, with its place, in place of the default text.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, ToString::to_string);
        let said = panic
            .payload()
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.payload().downcast_ref::<String>().cloned())
            .unwrap_or_default();
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        tracing::error!(
            panic.place = %place,
            panic.message = %said,
            thread.name = %thread,
            "A part of the server panicked. This is a mistake in Kontor: please report it with this line."
        );
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_level_is_for_kontor_and_not_for_its_libraries() {
        assert_eq!(directives("trace"), "warn,kontor=trace");
        assert_eq!(directives("info, kontor_store=debug"), "warn,kontor=info,kontor_store=debug");
        assert_eq!(directives("debug,sqlx=info"), "warn,kontor=debug,sqlx=info");
        assert_eq!(directives(""), "warn");
    }
}
