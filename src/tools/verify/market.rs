//! `sentinel verify market`: EODHD's answers to the daemon's requests, how late its bars are, and for how many symbols the quota is
//! enough. `provider` sends the requests; `age`, `lag` and `quota` judge the answers.

mod age;
mod bars;
mod lag;
mod provider;
mod quota;

use super::{Report, SettingsArgs, block_on};
use crate::{
    net,
    process::{exit::refuse, output::say},
    settings::{Settings, VerifyMarket},
};
use chrono::Utc;
use futures_util::{StreamExt, stream};
use lag::Newest;
use provider::{MarketRefusal, NoProvider, Provider, Reply, unanswered};
use sentinel_actors::{
    adapters::eodhd::{first_from, intraday_url, parse},
    domain::instrument::Instrument,
    fetcher::MarketClock,
};
use std::process::ExitCode;

/// Settings with EODHD's key.
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
        say(&format!("Market {}, {} bars, calendar {calendar}\n", data.base_url, data.interval.as_str()));
    }
    block_on(verify(&settings)).conclude(args.json)
}

/// The result of one symbol's request.
struct Asked<'a> {
    instrument: &'a Instrument,
    reply: Option<Reply>,
    /// When the newest bars closed, and the time of the request.
    newest: Option<(Newest, i64)>,
}

async fn verify(settings: &Resolved) -> Report {
    let mut report = Report::new("market", ["The market data is usable.", "Not ready for decisions."]);
    let provider = match Provider::new(settings) {
        Ok(provider) => provider,
        Err(NoProvider::Key(error)) => {
            report.failed("key", error, "set EODHD_API_TOKEN, or EODHD_API_TOKEN_FILE to a file that contains it");
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
    let instruments: Vec<_> = settings.instruments().collect();
    let Some((&first, others)) = instruments.split_first() else { return report };
    // Alone, so that an invalid key is reported once.
    let requests = Requests { provider: &provider, settings };
    let (first, is_for_all) = requests.check(first, &mut report).await;
    let mut asked = vec![first];
    if is_for_all && !others.is_empty() {
        report.note("bars", format!("{} more symbols were not requested: the answer would be the same", others.len()));
    } else {
        let replies = stream::iter(others).map(|&instrument| requests.reply(instrument));
        let replies: Vec<_> = replies.buffered(settings.data.concurrency.max(1)).collect().await;
        for (&instrument, (reply, now)) in others.iter().zip(replies) {
            asked.push(requests.read(instrument, reply, now, &mut report).0);
        }
    }
    age::report(&asked, settings, &mut report);
    let newest = asked.iter().rev().find_map(|asked| asked.reply.as_ref());
    if newest.is_some_and(|reply| reply.status == 200) {
        quota::report(&provider, newest, settings, &mut report).await;
    }
    report
}

/// Sends the daemon's requests, and reads the answers.
struct Requests<'a> {
    provider: &'a Provider,
    settings: &'a Resolved,
}

impl Requests<'_> {
    async fn check<'i>(&self, instrument: &'i Instrument, report: &mut Report) -> (Asked<'i>, bool) {
        let (reply, now) = self.reply(instrument).await;
        self.read(instrument, reply, now, report)
    }

    /// The answer to the daemon's first request for this symbol, and when it was sent.
    async fn reply(&self, instrument: &Instrument) -> (Result<Reply, MarketRefusal>, i64) {
        let data = &self.settings.data;
        let now = Utc::now().timestamp();
        if self.settings.market_clock == MarketClock::System {
            return (self.get(instrument, Some((self.first_from(now), now))).await, now);
        }
        let default_range = self.get(instrument, None).await;
        let newest = default_range
            .as_ref()
            .ok()
            .and_then(|reply| parse(&reply.body).ok()?.iter().map(|row| row.open_time).max());
        match newest {
            // As the daemon does: the default range may be too short, and the time is known now.
            Some(newest) if data.interval.is_made() => {
                (self.get(instrument, Some((self.first_from(newest), now))).await, now)
            }
            _ => (default_range, now),
        }
    }

    fn first_from(&self, now: i64) -> i64 {
        let Resolved { data, calendar, .. } = self.settings;
        first_from(data.lookback_bars, data.interval, calendar, now)
    }

    async fn get(&self, instrument: &Instrument, range: Option<(i64, i64)>) -> Result<Reply, MarketRefusal> {
        let data = &self.settings.data;
        let url = intraday_url(net::base_url(&data.base_url), &instrument.ticker, data.interval, range);
        self.provider.get(&url).await.map_err(|error| unanswered(&error, data))
    }

    /// Reports an answer; returns whether another symbol's would be the same.
    fn read<'i>(
        &self,
        instrument: &'i Instrument,
        reply: Result<Reply, MarketRefusal>,
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
        report.failed("bars", format!("{}: {}", instrument.symbol, refusal.found), refusal.advice);
        (asked, refusal.is_for_all)
    }
}
