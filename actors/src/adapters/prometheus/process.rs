//! The kernel's values for this process, as the standard `process_*` families. The `prometheus` crate's own collector counts
//! CPU time in whole seconds, but an idle daemon uses only a few seconds per day.

use super::Metrics;
use procfs::{
    ProcResult,
    process::{LimitValue, Process},
};
use std::time::{Duration, Instant};

/// Shortest time between two reads of `/proc`, so that many scrapers cost no more than one.
const READ_INTERVAL: Duration = Duration::from_secs(1);

/// Reads `/proc/self`, at most once a second.
#[derive(Debug, Default)]
pub struct ProcessReader {
    read_at: Option<Instant>,
    /// Kept from the first read. The kernel's boot time changes when the clock is set, and a changed start time would look
    /// like a restart.
    started: Option<f64>,
}

impl ProcessReader {
    /// Updates the `process_*` families if a second has passed. If `/proc` cannot be read, they keep their last values.
    pub fn refresh(&mut self, metrics: &Metrics) {
        if self.read_at.is_some_and(|at| at.elapsed() < READ_INTERVAL) {
            return;
        }
        self.read_at = Some(Instant::now());
        // Not logged: on a host without /proc it would be logged every second, and nothing depends on it.
        let _ = self.read(metrics, procfs::boot_time_secs);
    }

    fn read(&mut self, metrics: &Metrics, boot_time_s: impl FnOnce() -> ProcResult<u64>) -> ProcResult<()> {
        let process = Process::myself()?;
        let stat = process.stat()?;
        let ticks_per_second = procfs::ticks_per_second() as f64;
        // Set directly: a sum of differences would collect rounding errors.
        metrics.process_cpu_seconds_total.reset();
        metrics.process_cpu_seconds_total.inc_by((stat.utime + stat.stime) as f64 / ticks_per_second);
        metrics.process_virtual_memory_bytes.set(stat.vsize as f64);
        metrics.process_resident_memory_bytes.set(stat.rss as f64 * procfs::page_size() as f64);
        metrics.process_threads.set(stat.num_threads as f64);
        let started = match self.started {
            Some(started) => started,
            None => boot_time_s()? as f64 + stat.starttime as f64 / ticks_per_second,
        };
        self.started = Some(started);
        metrics.process_start_time_seconds.set(started);
        metrics.process_max_fds.set(match process.limits()?.max_open_files.soft_limit {
            LimitValue::Value(limit) => limit as f64,
            LimitValue::Unlimited => f64::INFINITY,
        });
        metrics.process_open_fds.set(process.fd_count()? as f64);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::prometheus::Given;
    use procfs::ProcError;

    #[test]
    fn a_clock_that_is_set_does_not_move_the_start() {
        let given = Given {
            symbols: Vec::new(),
            build: crate::domain::build_info::BuildInfo {
                version: "0.1.0".into(),
                revision: "abc1234".into(),
                rustc: "1.95.0".into(),
            },
            now: Duration::ZERO,
        };
        let metrics = Metrics::new(&given).unwrap();
        let mut reader = ProcessReader::default();
        assert!(reader.read(&metrics, || Err(ProcError::Other("not yet".into()))).is_err());
        reader.read(&metrics, || Ok(1_700_000_000)).unwrap();
        let started = metrics.process_start_time_seconds.get();
        assert!(started >= 1.7e9, "{started}");
        reader.read(&metrics, || Ok(1_700_003_600)).unwrap();
        assert_eq!(metrics.process_start_time_seconds.get(), started);
    }
}
