//! Sending traces and metrics to an OpenTelemetry collector: OTLP over HTTP with protobuf. The
//! exporters run on threads of their own; their requests are carried out in the server's runtime
//! with the server's certificate authorities.

use crate::config::Config;
use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{
    MetricExporter, Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::PeriodicReader;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::runtime::Handle;

/// How long one delivery to the collector may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The HTTP client of the exporters.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    runtime: Handle,
    /// Whether the last delivery failed, so that an outage is logged once and not every minute.
    failing: Arc<AtomicBool>,
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let http = self.http.clone();
        let result = self.runtime.spawn(async move { http.send_bytes(request).await }).await?;
        let problem = match &result {
            Err(error) => Some(error.to_string()),
            Ok(response) if !response.status().is_success() => Some(response.status().to_string()),
            Ok(_) => None,
        };
        let failed_before = self.failing.swap(problem.is_some(), Ordering::Relaxed);
        match problem {
            Some(error) if !failed_before => {
                tracing::warn!(error, "The OpenTelemetry collector takes nothing; trying on.");
            }
            None if failed_before => tracing::info!("The OpenTelemetry collector takes deliveries again."),
            _ => {}
        }
        result
    }
}

/// The client, when a collector is configured.
pub fn client(config: &Config) -> Result<Option<Client>, String> {
    if config.telemetry.otlp_endpoint.is_none() {
        return Ok(None);
    }
    let extra = kontor_wire::Authorities::read(&config.outbound.extra_ca_files)?;
    let builder = extra.trusted_by(reqwest::Client::builder().timeout(TIMEOUT));
    let http = builder.build().map_err(|error| format!("Telemetry cannot be sent: {error}."))?;
    Ok(Some(Client { http, runtime: Handle::current(), failing: Arc::default() }))
}

fn endpoint(config: &Config, path: &str) -> Option<String> {
    let base = config.telemetry.otlp_endpoint.as_ref()?;
    Some(format!("{}{path}", base.trim_end_matches('/')))
}

/// The source of traces, when a collector is configured.
pub fn tracer(
    config: &Config,
    client: Option<Client>,
    resource: Resource,
) -> Result<Option<SdkTracerProvider>, String> {
    let (Some(client), Some(endpoint)) = (client, endpoint(config, "/v1/traces")) else { return Ok(None) };
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_endpoint(endpoint)
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(TIMEOUT)
        .build()
        .map_err(|error| format!("Traces cannot be sent: {error}."))?;
    Ok(Some(SdkTracerProvider::builder().with_resource(resource).with_batch_exporter(exporter).build()))
}

/// What sends metrics once a minute, when a collector is configured.
pub fn metric_reader(
    config: &Config,
    client: Option<Client>,
) -> Result<Option<PeriodicReader<MetricExporter>>, String> {
    let (Some(client), Some(endpoint)) = (client, endpoint(config, "/v1/metrics")) else { return Ok(None) };
    let exporter = MetricExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_endpoint(endpoint)
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(TIMEOUT)
        .build()
        .map_err(|error| format!("Metrics cannot be sent: {error}."))?;
    Ok(Some(PeriodicReader::builder(exporter).build()))
}
