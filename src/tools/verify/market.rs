//! `sentinel verify market`: what EODHD answers to the daemon's own questions, how late it is, and what the quota
//! carries. `provider` asks; `age`, `lag` and `quota` work out what it means.

mod age;
mod lag;
mod provider;
mod quota;

use super::{Report, SettingsArgs, block_on};
use crate::{
    process::exit::refuse,
    settings::{Settings, VerifyMarket},
};
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream};
use lag::Newest;
use provider::{NoProvider, Provider, Refusal, Reply, unanswered};
use sentinel_actors::{
    adapters::eodhd::{first_from, intraday_url, parse},
    domain::{
        features::{BARS_MIN, SEQUENCE_BARS},
        instrument::Instrument,
        order::check_stops,
        window::{BarFault, BarWindow, clean},
    },
    fetcher::{MarketClock, OnGap},
};
use std::process::ExitCode;

/// Settings that have EODHD's key.
type Resolved = crate::settings::Resolved<VerifyMarket>;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn main(args: &Args) -> ExitCode {
    let settings = match Settings::load_for(&args.settings.beside()) {
        Ok(settings) => settings,
        Err(error) => return refuse(&error),
    };
    if !args.json {
        let (data, calendar) = (&settings.data, &settings.calendar_name);
        println!("Market {}, {} bars, calendar {calendar}\n", data.base_url, data.interval.as_str());
    }
    block_on(verify(&settings)).conclude(args.json)
}

/// What came of one symbol's request.
struct Asked<'a> {
    instrument: &'a Instrument,
    reply: Option<Reply>,
    /// When the newest of its bars closed, and the time of the question.
    newest: Option<(Newest, i64)>,
}

async fn verify(settings: &Resolved) -> Report {
    let mut report = Report::new("market", ["The market data can be decided on.", "Not ready for decisions."]);
    let provider = match Provider::new(settings) {
        Ok(provider) => provider,
        Err(NoProvider::Key(error)) => {
            report.failed("key", error, "set EODHD_API_TOKEN, or EODHD_API_TOKEN_FILE to a file that holds it");
            return report;
        }
        Err(NoProvider::Client(error)) => {
            report.failed("address", error, "install ca-certificates, or set SSL_CERT_FILE");
            return report;
        }
    };
    let interval = settings.data.interval;
    if let Some(edges) = interval.edges(&settings.calendar) {
        let (made, finer) = (interval.as_str(), interval.source().as_str());
        report.note("interval", format!("{made} bars are made of EODHD's {finer} bars and close {edges}"));
    }
    let instruments = &settings.instruments;
    let Some((first, others)) = instruments.split_first() else { return report };
    // Alone, so that a key that is refused is refused once.
    let question = Question { provider: &provider, settings };
    let (first, is_for_all) = question.ask(first, &mut report).await;
    let mut asked = vec![first];
    if is_for_all && !others.is_empty() {
        report.note("bars", format!("{} more symbols were not asked for: the answer would be the same", others.len()));
    } else {
        let replies = stream::iter(others).map(|instrument| question.reply(instrument));
        let replies: Vec<_> = replies.buffered(settings.data.concurrency.max(1)).collect().await;
        for (instrument, (reply, now)) in others.iter().zip(replies) {
            asked.push(question.read(instrument, reply, now, &mut report).0);
        }
    }
    age::report(&asked, settings, &mut report);
    let newest = asked.iter().rev().find_map(|asked| asked.reply.as_ref());
    if newest.is_some_and(|reply| reply.status == 200) {
        quota::report(&provider, newest, settings, &mut report).await;
    }
    report
}

struct Question<'a> {
    provider: &'a Provider,
    settings: &'a Resolved,
}

impl Question<'_> {
    async fn ask<'i>(&self, instrument: &'i Instrument, report: &mut Report) -> (Asked<'i>, bool) {
        let (reply, now) = self.reply(instrument).await;
        self.read(instrument, reply, now, report)
    }

    /// The daemon's first question of this symbol, and when it was asked.
    async fn reply(&self, instrument: &Instrument) -> (Result<Reply, Refusal>, i64) {
        let data = &self.settings.data;
        let now = Utc::now().timestamp();
        if self.settings.market_clock == MarketClock::System {
            return (self.get(instrument, Some((self.first_from(now), now))).await, now);
        }
        let unasked = self.get(instrument, None).await;
        let newest =
            unasked.as_ref().ok().and_then(|reply| parse(&reply.body).ok()?.iter().map(|row| row.open_time).max());
        match newest {
            // The daemon asks again: the bars that are sent unasked may be too few, and now it knows what time it is.
            Some(newest) if data.interval.is_made() => {
                (self.get(instrument, Some((self.first_from(newest), now))).await, now)
            }
            _ => (unasked, now),
        }
    }

    fn first_from(&self, now: i64) -> i64 {
        let Resolved { data, calendar, .. } = self.settings;
        first_from(data.lookback_bars, data.interval, calendar, now)
    }

    async fn get(&self, instrument: &Instrument, range: Option<(i64, i64)>) -> Result<Reply, Refusal> {
        let data = &self.settings.data;
        let url = intraday_url(&data.base_url, &instrument.ticker, data.interval, range);
        self.provider.get(&url).await.map_err(|error| unanswered(&error, data))
    }

    /// Says what an answer holds, and whether another symbol's would say the same.
    fn read<'i>(
        &self,
        instrument: &'i Instrument,
        reply: Result<Reply, Refusal>,
        now: i64,
        report: &mut Report,
    ) -> (Asked<'i>, bool) {
        let mut asked = Asked { instrument, reply: None, newest: None };
        let refusal = match reply {
            Err(refusal) => refusal,
            Ok(reply) => {
                let newest = match reply.status {
                    200 => self.bars(instrument, &reply, now, report),
                    _ => Err(self.provider.explain(&reply)),
                };
                asked.reply = Some(reply);
                match newest {
                    Ok(newest) => {
                        asked.newest = Some((newest, now));
                        return (asked, false);
                    }
                    Err(refusal) => refusal,
                }
            }
        };
        report.failed("bars", format!("{}: {}", instrument.symbol, refusal.found), refusal.way_out);
        (asked, refusal.is_for_all)
    }

    /// The bars of a 200, of which the daemon would decide on the newest: when that one closed.
    fn bars(&self, instrument: &Instrument, reply: &Reply, now: i64, report: &mut Report) -> Result<Newest, Refusal> {
        let Resolved { data, calendar, market_clock, .. } = self.settings;
        let symbol = &instrument.symbol;
        let refusal = |found: String, way_out: &str| Refusal { found, way_out: way_out.into(), is_for_all: false };
        let rows = parse(&reply.body).map_err(|error| {
            let found = format!("status 200, but {}", self.provider.clean(&error.to_string()));
            refusal(found, "is data.base_url EODHD's, and no proxy or login page in between?")
        })?;
        let closed_by = (*market_clock == MarketClock::System).then_some(now);
        let cleaned = clean(&rows, data.interval, calendar, closed_by);
        let refused = cleaned.rejected.counted();
        if !refused.is_empty() {
            let reasons: Vec<_> =
                refused.iter().map(|(reason, count)| format!("{count} {}", reason.as_str())).collect();
            report.note("refused", format!("{symbol}: of {} rows: {}", rows.len(), reasons.join(", ")));
        }
        if let Some(open_time) = cleaned.ahead {
            let found = format!("{symbol}: bars lie ahead of the clock, the furthest opens {}", at(open_time));
            let hint = "is this machine's time right (chronyc tracking)? If it is, tell EODHD's support";
            report.note("ahead", format!("{found}; it is {} here\n{hint}", at(now)));
        }
        if let Some(fault) = cleaned.fault {
            return Err(refusal(fault.to_string(), way_out(&fault)));
        }
        let hold = |length_max: usize| {
            let mut window = BarWindow::new(length_max, data.interval, calendar.clone());
            window
                .merge(&cleaned.bars, closed_by)
                .map(|()| window)
                .map_err(|fault| refusal(fault.to_string(), way_out(&fault)))
        };
        let (mut all, kept) = (hold(rows.len())?, hold(data.lookback_bars)?);
        if let Some(fault) = kept.jump(data.jump_max) {
            return Err(refusal(fault.to_string(), way_out(&fault)));
        }
        let bars = all.share();
        let (Some(first), Some(last), Some(close_time), Some(source)) =
            (bars.first(), bars.last(), all.newest_close_time(), all.newest_source_close())
        else {
            let found = format!("status 200, but no closed bar among {} rows", rows.len());
            return Err(refusal(
                found,
                "is this symbol's `ticker` one that EODHD has intraday bars of? (for a replay: --clock bars)",
            ));
        };
        let count = bars.len();
        let made_of = if data.interval.is_made() {
            format!(
                " of {}, made of {} of {},",
                data.interval.as_str(),
                cleaned.bars.len(),
                data.interval.source().as_str()
            )
        } else {
            String::new()
        };
        let found = format!(
            "{symbol}: {count} closed bars{made_of} in {:.2} s, the first opened {}, the last closed {}",
            reply.took.as_secs_f64(),
            at(first.open_time),
            at(close_time)
        );
        if count < BARS_MIN {
            let way_out = format!("the features need {BARS_MIN}: another ticker, or data.interval, with more history");
            return Err(refusal(found, &way_out));
        }
        report.ok("bars", found);
        if let Err(bad_stop) = check_stops(instrument, last.close) {
            let way_out = "such an order is not built (bad_stop): give the symbol a [[symbols]] table with its own digits, \
                           stop_loss and take_profit";
            report.failed("stops", format!("{symbol}: {bad_stop}"), way_out);
        }
        if count < data.lookback_bars {
            let found = format!("{symbol}: less than data.lookback_bars, {}: averages begin later", data.lookback_bars);
            report.note("bars", found);
        }
        self.gaps(instrument, &kept, count, report);
        Ok(Newest { bar: close_time, source })
    }

    /// What is missing among the bars that the daemon would keep.
    fn gaps(&self, instrument: &Instrument, kept: &BarWindow, count: usize, report: &mut Report) {
        let Resolved { data, calendar_name, .. } = self.settings;
        let found: Vec<_> = kept.gaps().collect();
        let Some(newest) = found.last() else { return };
        let text = format!(
            "{}: {} among {} bars that calendar {calendar_name} does not explain, the newest from {} to {}",
            instrument.symbol,
            found.len(),
            count.min(data.lookback_bars),
            at(newest.from),
            at(newest.to)
        );
        let stops = data.on_gap == OnGap::Stop && kept.gap_among(SEQUENCE_BARS).is_some();
        if stops {
            let way_out = "with data.on_gap = \"stop\" there is no decision until it is out of the model's 60 bars; if \
                           these are weekends, market.calendar = \"fx\"";
            report.failed("gaps", text, way_out);
        } else {
            let hint = if calendar_name == "always" { "\nweekends? Then market.calendar = \"fx\"" } else { "" };
            report.note("gaps", format!("{text}{hint}"));
        }
    }
}

/// What to do about bars that the daemon makes no decision on.
const fn way_out(fault: &BarFault) -> &'static str {
    match fault {
        BarFault::NotOfInterval { .. } => {
            "the daemon makes no decision on it. Does the market close and open again in between? Then market.calendar \
             has to name its hours; if not, tell EODHD's support"
        }
        BarFault::AcrossEdge { .. } => {
            "the daemon makes no decision on it. data.interval = \"1h\" takes these bars as they are, and \"1d\" may have its \
             edge elsewhere"
        }
        BarFault::Jump { .. } => {
            "the daemon makes no decision while it is among its bars. Is the price right (a split, a revaluation)? Then \
             data.jump_max, until it is over; if not, tell EODHD's support"
        }
        BarFault::Conflict { .. } | BarFault::NewestInvalid { .. } => {
            "the daemon makes no decision on it; if it stays so for hours, tell EODHD's support"
        }
    }
}

fn at(time: i64) -> String {
    DateTime::from_timestamp(time, 0).map_or_else(|| time.to_string(), |at| at.format("%F %H:%M UTC").to_string())
}
