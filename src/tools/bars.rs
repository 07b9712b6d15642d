//! `sentinel bars`: history from EODHD into a file, asked for and looked at as the daemon does. `date_range` is
//! what is wanted and in which requests, `eodhd_request` one request with the daemon's manners, `partial_file` what has come so
//! far, `csv_output` the file of it.

mod csv_output;
mod date_range;
mod eodhd_request;
mod partial_file;

use super::progress::{Progress, amount, at};
use crate::{
    bar_files::{NewPlace, abandon},
    process::{
        exit::{answer, refuse, refuse_flags},
        on_system,
        unix_signals::end_by,
    },
    settings::{BarsArgs, Resolved, Settings, VerifyMarket},
};
use anyhow::Context;
use chrono::{NaiveDate, NaiveTime, Utc};
use date_range::Question;
use eodhd_request::{Asking, Ended};
use partial_file::Part;
use sentinel_actors::domain::{
    bar::Bar,
    window::{BarFault, BarRejection, RawBar, clean},
};
use std::{path::PathBuf, process::ExitCode};

/// Refused bars that are named one by one.
const NAMED_MAX: u64 = 20;
/// Bars that are so old do not come late, seconds: EODHD adds and repairs bars for some hours.
const SETTLED_S: i64 = 7 * 86_400;
/// What a request takes of the day's calls.
const CALLS_PER_REQUEST: usize = 5;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// First day, UTC: bars that open on it or later
    #[arg(long, value_name = "DATE")]
    from: NaiveDate,
    /// End, UTC: only bars that open before this day; a future day means until now
    #[arg(long, value_name = "DATE")]
    to: NaiveDate,
    /// CSV file to write; with several symbols, a folder with SYMBOL.csv for each. Existing files are never overwritten
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    settings: BarsArgs,
}

pub(crate) fn main(args: &Args) -> ExitCode {
    let settings = match Settings::load_for::<VerifyMarket>(&args.settings.beside()) {
        Ok(settings) => settings,
        Err(error) => return refuse(&error),
    };
    let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc().timestamp();
    let (from, to, now) = (midnight(args.from), midnight(args.to), Utc::now().timestamp());
    if from >= to || from >= now {
        return refuse_flags(&format!("--from {} is not before --to {} and before today", args.from, args.to));
    }
    let question = Question::new(&settings, from, to);
    answer(on_system(fetch(args, &settings, &question, now)))
}

/// Asks for what is not there yet, and makes the file. Answers what is in it, for a person.
async fn fetch(
    args: &Args,
    settings: &Resolved<VerifyMarket>,
    question: &Question,
    now: i64,
) -> anyhow::Result<String> {
    NewPlace::refuse_existing(&args.out)?;
    let mut part = Part::open(&args.out, question)?;
    let path = part.path().to_owned();
    end_by(move || {
        abandon();
        Part::left(&path)
    })
    .context("signals")?;
    let mut asking = Asking::new(settings);
    let mut fetching = Fetching { settings, question, now, progress: Progress::default(), refused: 0 };
    fetching.say_what_is_to_come(&part);
    for (symbol, ticker) in &question.symbols {
        fetching.symbol(symbol, ticker, &mut part, &mut asking).await.map_err(|error| {
            fetching.progress.end();
            anyhow::anyhow!("{symbol}: {error:#}\n{}", Part::left(part.path()))
        })?;
    }
    fetching.progress.end();
    csv_output::finish(&args.out, part, settings, question, now)
}

/// What the symbols of one run share.
struct Fetching<'a> {
    settings: &'a Resolved<VerifyMarket>,
    question: &'a Question,
    /// Unix seconds; bars that have not closed by then are not asked for.
    now: i64,
    progress: Progress,
    refused: u64,
}

impl Fetching<'_> {
    fn say_what_is_to_come(&mut self, part: &Part) {
        let left = |symbol: &str| self.question.requests(part.done(symbol), self.now);
        let requests: usize = self.question.symbols.iter().map(|(symbol, _)| left(symbol)).sum();
        let goes_on = if part.has_bars() { format!("{} goes on: ", part.shown()) } else { String::new() };
        let calls = requests * CALLS_PER_REQUEST;
        let (requests, take) = (amount(requests, "request"), if requests == 1 { "takes" } else { "take" });
        self.progress.note(&format!("{goes_on}{requests} to EODHD, which {take} {calls} of the day's calls"));
    }

    async fn symbol(
        &mut self,
        symbol: &str,
        ticker: &str,
        part: &mut Part,
        asking: &mut Asking<'_>,
    ) -> anyhow::Result<()> {
        let (mut range_s, mut asked_to) = (self.question.range_s, part.done(symbol));
        while let Some((from, to)) = self.question.next(asked_to, range_s, self.now) {
            self.progress.show(|| format!("{symbol}: bars from {} ...", at(from)));
            match asking.rows(ticker, from, to, &mut self.progress).await {
                Ok(rows) => {
                    let bars = self.bars(symbol, rows, from, to)?;
                    if let Some(done_to) = done_to(&bars, to, self.question.source_s(), self.now) {
                        part.add(symbol, done_to, &bars)?;
                    }
                    asked_to = Some(to);
                }
                Err(Ended::TooLong) if range_s > 2 * self.question.source_s() => range_s /= 2,
                Err(Ended::TooLong) => anyhow::bail!("an answer is longer than data.body_bytes_max allows: raise it"),
                Err(Ended::Error(error)) => return Err(error),
            }
        }
        Ok(())
    }

    /// The bars of an answer, by the daemon's rules. Those that are refused one by one are named.
    fn bars(&mut self, symbol: &str, mut rows: Vec<RawBar>, from: i64, to: i64) -> anyhow::Result<Vec<Bar>> {
        rows.retain(|row| (from..to).contains(&row.open_time));
        let Resolved { data, calendar, .. } = self.settings;
        let cleaned = clean(&rows, data.interval, calendar, Some(self.now));
        if let Some(fault) = cleaned.fault.filter(|fault| fault.refuses_answer().is_some()) {
            anyhow::bail!(words(&fault));
        }
        for row in &rows {
            let Err(reason) = row.check() else { continue };
            // Hours without trades come without prices: there is nothing wrong with them, and nothing in them.
            if reason == BarRejection::Null {
                continue;
            }
            self.refused += 1;
            if self.refused <= NAMED_MAX {
                let (time, reason) = (at(row.open_time), reason.as_str());
                self.progress.note(&format!("{symbol}: the bar that opens {time} is left out: {reason}"));
            } else if self.refused == NAMED_MAX + 1 {
                self.progress.note("more bars are left out; no more of them are named");
            }
        }
        Ok(cleaned.bars)
    }
}

/// Up to when a request that reached up to `to` need not be made again: of the last days only up to the close of the newest bar that
/// came, because later ones may still come. `None` if none came.
fn done_to(bars: &[Bar], to: i64, source_s: i64, now: i64) -> Option<i64> {
    if to <= now.saturating_sub(SETTLED_S) {
        return Some(to);
    }
    bars.last().map(|newest| newest.open_time + source_s)
}

/// A fault among the bars, and what to do about it.
fn words(fault: &BarFault) -> String {
    let way = match fault {
        BarFault::NotOfInterval { .. } => {
            "does the market close and open again in between? Then market.calendar has to name its hours"
        }
        BarFault::AcrossEdge { .. } => "--interval 1h takes these bars as they are",
        BarFault::Conflict { .. } | BarFault::NewestInvalid { .. } | BarFault::Jump { .. } => {
            "try again later; if it stays so, tell EODHD's support"
        }
    };
    format!("{fault}. The daemon would decide on none of these bars; {way}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_came_is_done_while_bars_may_come_late() {
        let bar = |open_time| Bar { open_time, open: 1.1, high: 1.1, low: 1.1, close: 1.1, volume: 0.0 };
        let now = 100 * 86_400;
        assert_eq!(done_to(&[bar(0)], now - SETTLED_S, 3_600, now), Some(now - SETTLED_S));
        assert_eq!(done_to(&[], now - SETTLED_S, 3_600, now), Some(now - SETTLED_S), "a week without bars is done");
        assert_eq!(done_to(&[bar(now - 10_800)], now, 3_600, now), Some(now - 7_200));
        assert_eq!(done_to(&[], now, 3_600, now), None);
    }
}
