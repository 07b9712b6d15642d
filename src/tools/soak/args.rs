//! The flags of `sentinel soak`, its thresholds among them.

use crate::tools::probe::Credentials;
use serde::Serialize;
use std::path::PathBuf;

/// Thirty-one days.
const MINUTES_MAX: f64 = 44_640.0;
const SECONDS_MAX: f64 = 86_400.0;
/// Scrapes of one run, for example one every 6 s for a week; the report stays within a few megabytes.
const SCRAPES_MAX: f64 = 100_000.0;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// How long to watch; fractions allowed
    #[arg(long, value_name = "N", value_parser = minutes)]
    pub(super) minutes: f64,
    /// The daemon's address, with or without /metrics
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8000")]
    pub(super) url: String,
    #[command(flatten)]
    pub(super) credentials: Credentials,
    /// Folder for soak.json and soak.html; it is created if it does not exist
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(super) out: PathBuf,
    /// Overwrite a report in this folder
    #[arg(long)]
    pub(super) force: bool,
    /// Pause between two scrapes; fractions allowed
    #[arg(long, value_name = "SECONDS", default_value = "15", value_parser = seconds)]
    pub(super) period: f64,
    /// Time between two due cycles [default: the period in the daemon's /health]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(super) cycle_seconds: Option<f64>,
    #[command(flatten)]
    pub(super) limits: Limits,
}

impl Args {
    /// Checks flags against each other.
    ///
    /// # Errors
    /// When there would be more scrapes than a report can hold.
    pub(super) fn validate(&self) -> anyhow::Result<()> {
        let period_s_min = self.minutes * 60.0 / SCRAPES_MAX;
        anyhow::ensure!(
            self.period >= period_s_min,
            "--minutes {} with a scrape every {} s are more than {SCRAPES_MAX} scrapes: use --period {} or more",
            self.minutes,
            self.period,
            period_s_min.ceil()
        );
        Ok(())
    }
}

/// The thresholds of HEALTHY. Set before the run, so that they cannot be adapted to its result.
#[derive(Debug, Clone, PartialEq, clap::Args, Serialize)]
#[command(next_help_heading = "HEALTHY needs")]
pub(super) struct Limits {
    /// Cycles done, of those due by the clock; one may be in progress at the end
    #[arg(long, value_name = "PERCENT", default_value = "99", value_parser = limit)]
    pub(super) cycles_done_min: f64,
    /// Ticks the scheduler missed
    #[arg(long, value_name = "N", default_value = "0", value_parser = limit)]
    pub(super) missed_ticks_max: f64,
    /// Failed cycles, of those done
    #[arg(long, value_name = "PERCENT", default_value = "1", value_parser = limit)]
    pub(super) failed_cycles_max: f64,
    /// Process restarts
    #[arg(long, value_name = "N", default_value = "0", value_parser = limit)]
    pub(super) restarts_max: f64,
    /// Scheduler lag, 99th percentile of the run
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = limit)]
    pub(super) lag_p99_max: f64,
    /// Duration of a whole cycle, 99th percentile of the run
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = limit)]
    pub(super) cycle_p99_max: f64,
    /// Growth of resident memory
    #[arg(long, value_name = "MIB_PER_HOUR", default_value = "1", value_parser = limit)]
    pub(super) memory_slope_max: f64,
    /// Growth of open files
    #[arg(long, value_name = "PER_HOUR", default_value = "1", value_parser = limit)]
    pub(super) files_slope_max: f64,
    /// Minutes after the warm-up (the first quarter) from which both growths are judged
    #[arg(long, value_name = "MINUTES", default_value = "30", value_parser = limit)]
    pub(super) slope_minutes_min: f64,
    /// Orders of unknown outcome at any one time
    #[arg(long, value_name = "N", default_value = "0", value_parser = limit)]
    pub(super) unresolved_max: f64,
    /// Failed journal writes
    #[arg(long, value_name = "N", default_value = "0", value_parser = limit)]
    pub(super) journal_failures_max: f64,
    /// Failed scrapes, of all
    #[arg(long, value_name = "PERCENT", default_value = "1", value_parser = limit)]
    pub(super) failed_scrapes_max: f64,
}

fn minutes(text: &str) -> Result<f64, String> {
    within(text, 0.01, MINUTES_MAX, "minutes")
}

fn seconds(text: &str) -> Result<f64, String> {
    within(text, 0.1, SECONDS_MAX, "seconds")
}

fn limit(text: &str) -> Result<f64, String> {
    within(text, 0.0, 1e9, "")
}

fn within(text: &str, min: f64, max: f64, unit: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if (min..=max).contains(&number) => Ok(number),
        _ => Err(format!("must be a number from {min} to {max} {unit}").trim_end().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn parsed(flags: &[&str]) -> Result<Args, String> {
        Cli::try_parse_from([&["soak"], flags].concat()).map(|cli| cli.args).map_err(|error| error.to_string())
    }

    #[test]
    fn only_minutes_are_required() {
        let args = parsed(&["--minutes", "0.1"]).unwrap();
        assert_eq!((args.minutes, args.period, args.cycle_seconds), (0.1, 15.0, None));
        assert_eq!((args.limits.cycles_done_min, args.limits.missed_ticks_max), (99.0, 0.0));
        assert!(args.validate().is_ok());
        assert!(parsed(&[]).unwrap_err().contains("--minutes"));
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        for flag in ["--minutes=0", "--minutes=-1", "--minutes=NaN", "--minutes=44641"] {
            assert!(parsed(&[flag]).unwrap_err().contains("must be a number from 0.01 to 44640 minutes"), "{flag}");
        }
        for flag in ["--period=0", "--cycle-seconds=inf", "--restarts-max=-1", "--lag-p99-max=much"] {
            assert!(parsed(&["--minutes", "1", flag]).unwrap_err().contains("must be a number"), "{flag}");
        }
    }

    #[test]
    fn the_number_of_scrapes_is_limited() {
        let args = parsed(&["--minutes", "10080", "--period", "1"]).unwrap();
        assert!(args.validate().unwrap_err().to_string().contains("use --period 7 or more"));
    }
}
