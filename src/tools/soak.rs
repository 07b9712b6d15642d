//! `sentinel soak`: watches a running daemon for some time and judges by thresholds whether it is healthy.

mod args;
mod check;
mod files;
mod findings;
mod json;
mod math;
mod page;
mod plot;
mod progress;
mod record;
mod schedule;
mod snapshot;
mod tables;
mod text;
mod verdict;

use crate::{
    net,
    process::{
        exit::{EXIT_USAGE, fail},
        on_system,
        output::{complain, say},
        unix_signals,
    },
    tools::{probe::Client, progress::Progress},
};
use anyhow::Context as _;
pub(crate) use args::Args;
use chrono::{DateTime, Utc};
use files::Files;
use findings::{Ended, Findings};
use record::Record;
use snapshot::{NoSnapshot, Snapshot};
use std::{
    pin::{Pin, pin},
    process::ExitCode,
    time::Duration,
};
use tokio::time::Instant;

/// Deadline of a scrape: the pause between two scrapes, within these limits.
const SCRAPE_MAX: Duration = Duration::from_secs(10);
const SCRAPE_MAX_LEAST: Duration = Duration::from_secs(2);
/// How long a daemon started together with the soak may take until its first answer.
const FIRST_ANSWER_MAX: Duration = Duration::from_secs(5);
const FIRST_ANSWER_RETRY: Duration = Duration::from_millis(250);
/// How often the report is written during the run.
const WRITE_EVERY: Duration = Duration::from_secs(60);

type Stop<'a> = Pin<&'a mut dyn Future<Output = ()>>;

pub(crate) fn main(args: &Args) -> ExitCode {
    match on_system(run(args)) {
        Ok(code) => code,
        Err(error) => fail(&error),
    }
}

async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut stop = pin!(unix_signals::stop()?);
    let url = net::without_metrics_path(&args.url);
    let period = Duration::from_secs_f64(args.period);
    let prepared = args.validate().and_then(|()| {
        let client =
            Client::new(url, &args.credentials, period.clamp(SCRAPE_MAX_LEAST, SCRAPE_MAX)).context("--url")?;
        Ok((client, Files::claim(&args.out, args.force)?))
    });
    let (client, files) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            complain(&format!("sentinel: {error:#}"));
            return Ok(ExitCode::from(EXIT_USAGE));
        }
    };
    let Some(first) = first_scrape(&client, stop.as_mut()).await? else {
        anyhow::bail!("stopped before the first scrape at {url}: there is nothing to report");
    };
    let cycle_s = match args.cycle_seconds {
        Some(seconds) => seconds,
        None => tokio::select! {
            () = stop.as_mut() => anyhow::bail!("stopped before the first scrape at {url}: there is nothing to report"),
            found = schedule::period_s(&client) => found?,
        },
    };
    let soak = Soak { args, cycle_s, client, files, began_at: Utc::now(), began: Instant::now() };
    let (record, ended) = soak.watch(first, stop.as_mut()).await;
    soak.conclude(&record, ended)
}

/// The first successful scrape; `None` if a signal comes before it.
async fn first_scrape(client: &Client, mut stop: Stop<'_>) -> anyhow::Result<Option<Snapshot>> {
    let deadline = Instant::now() + FIRST_ANSWER_MAX;
    loop {
        let found = tokio::select! {
            () = &mut stop => return Ok(None),
            found = snapshot::take(client) => found,
        };
        match found {
            Ok(first) => return Ok(Some(first)),
            Err(failure) if Instant::now() >= deadline || !is_temporary(&failure) => {
                let NoSnapshot { what, .. } = &failure;
                anyhow::bail!("{} cannot be watched: {what}\n  -> {}", client.base_url(), failure.advice());
            }
            Err(_) => tokio::select! {
                () = &mut stop => return Ok(None),
                () = tokio::time::sleep(FIRST_ANSWER_RETRY) => {}
            },
        }
    }
}

/// Whether waiting may help.
fn is_temporary(failure: &NoSnapshot) -> bool {
    matches!(failure.kind.as_str(), "connect" | "timeout" | "status 503")
}

/// A run in progress.
struct Soak<'a> {
    args: &'a Args,
    /// The schedule's period, seconds.
    cycle_s: f64,
    client: Client,
    files: Files,
    began_at: DateTime<Utc>,
    /// Elapsed time is monotonic, so that a clock step does not make cycles due.
    began: Instant,
}

impl Soak<'_> {
    /// Scrapes once per period and at the end, until the time is over or a signal comes.
    async fn watch(&self, first: Snapshot, mut stop: Stop<'_>) -> (Record, Ended) {
        let run = Duration::from_secs_f64(self.args.minutes * 60.0);
        let mut record = Record::begin(first, run.as_secs_f64(), self.args.period, self.cycle_s);
        let mut progress = Progress::default();
        let mut written = None;
        let ended = loop {
            progress.show(|| progress::line(&record, self.args.minutes));
            if written.is_none_or(|at: Instant| at.elapsed() >= WRITE_EVERY) {
                written = Some(Instant::now());
                if let Err(error) = self.write(&record, Ended::Running) {
                    complain(&format!("sentinel: {error:#}; the run continues"));
                }
            }
            let elapsed = self.began.elapsed();
            if elapsed >= run {
                break Ended::Complete;
            }
            let periods = (elapsed.as_secs_f64() / self.args.period).floor() + 1.0;
            let next = Duration::from_secs_f64(periods * self.args.period).min(run);
            tokio::select! {
                () = &mut stop => break Ended::Early,
                () = tokio::time::sleep_until(self.began + next) => {}
            }
            let at_s = self.began.elapsed().as_secs_f64();
            tokio::select! {
                () = &mut stop => break Ended::Early,
                found = snapshot::take(&self.client) => record.push(at_s, found),
            }
        };
        progress.end();
        (record, ended)
    }

    fn write(&self, record: &Record, ended: Ended) -> anyhow::Result<Findings> {
        let found = verdict::judged(record, self.args, self.began_at, ended);
        self.files.put(&json::report(&found, record, self.args)?, &page::report(&found, record))?;
        Ok(found)
    }

    fn conclude(&self, record: &Record, ended: Ended) -> anyhow::Result<ExitCode> {
        let found = verdict::judged(record, self.args, self.began_at, ended);
        say(&text::summary(&found));
        self.write(record, ended)?;
        say(&format!("\n{}", self.files.shown()));
        Ok(if found.is_healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
