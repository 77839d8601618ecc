//! What the process itself costs: memory, processor time, open files. Read from `/proc` when
//! somebody asks; where there is no `/proc`, the values are simply absent.

use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use std::fs;

/// Registers the measurements of the process.
pub fn observe(provider: &SdkMeterProvider) {
    let meter = provider.meter("kontor");
    meter
        .u64_observable_gauge("kontor_process_resident_bytes")
        .with_description("Memory of the process that is in RAM")
        .with_callback(|observer| {
            if let Some(bytes) = resident_bytes() {
                observer.observe(bytes, &[]);
            }
        })
        .build();
    meter
        .f64_observable_counter("kontor_process_cpu_seconds")
        .with_description("Processor time that the process has used")
        .with_callback(|observer| {
            if let Some(seconds) = cpu_seconds() {
                observer.observe(seconds, &[]);
            }
        })
        .build();
    meter
        .u64_observable_gauge("kontor_process_open_files")
        .with_description("Open files and connections of the process")
        .with_callback(|observer| {
            if let Ok(entries) = fs::read_dir("/proc/self/fd") {
                observer.observe(u64::try_from(entries.count()).unwrap_or_default(), &[]);
            }
        })
        .build();
}

fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Ticks of `/proc/self/stat` in a second; Linux promises 100 to programs.
const TICKS_PER_SECOND: f64 = 100.0;

fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is a name in brackets that may hold spaces; user and system time are
    // fields 14 and 15, so 12 and 13 after it.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_process_has_memory_and_uses_time() {
        assert!(resident_bytes().is_some_and(|bytes| bytes > 100_000));
        assert!(cpu_seconds().is_some());
    }
}
