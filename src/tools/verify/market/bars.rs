//! Checks the bars of an answer as the daemon would use them.

use super::{
    Requests, Resolved,
    lag::Newest,
    provider::{MarketRefusal, Reply},
};
use crate::tools::{progress::at, verify::Report};
use sentinel_actors::{
    adapters::eodhd::parse,
    domain::{
        bar::Bar,
        features::{BARS_MIN, SEQUENCE_BARS},
        instrument::Instrument,
        order::check_stops,
        window::{BarFault, BarWindow, clean},
    },
    fetcher::{MarketClock, OnGap},
};

impl Requests<'_> {
    /// Checks the bars of a 200; returns when the newest closed.
    pub(super) fn bars(
        &self,
        instrument: &Instrument,
        reply: &Reply,
        now: i64,
        report: &mut Report,
    ) -> Result<Newest, MarketRefusal> {
        let Resolved { data, calendar, .. } = self.settings;
        let symbol = &instrument.symbol;
        let (finer, rows, closed_by) = self.cleaned(instrument, reply, now, report)?;
        let hold = |length_max: usize| {
            let mut window = BarWindow::new(length_max, data.interval, calendar.clone());
            let merged = window.merge(&finer, closed_by);
            merged.map(|()| window).map_err(|fault| refusal(fault.to_string(), advice(&fault)))
        };
        let (mut all, kept) = (hold(rows)?, hold(data.lookback_bars)?);
        if let Some(fault) = kept.jump(data.jump_max) {
            return Err(refusal(fault.to_string(), advice(&fault)));
        }
        let bars = all.share();
        let (Some(first), Some(last), Some(close_time), Some(source)) =
            (bars.first(), bars.last(), all.newest_close_time(), all.newest_source_close())
        else {
            let found = format!("status 200, but no closed bar among {rows} rows");
            return Err(refusal(
                found,
                "does EODHD have intraday bars for this symbol's `ticker`? (for a replay: --clock bars)",
            ));
        };
        let count = bars.len();
        let made_of = if data.interval.is_made() {
            format!(" of {}, made of {} of {},", data.interval.as_str(), finer.len(), data.interval.source().as_str())
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
            let advice = format!("the features need {BARS_MIN}: use a ticker or a data.interval with more history");
            return Err(refusal(found, &advice));
        }
        report.ok("bars", found);
        self.settings_for(instrument, last.close, count, report);
        self.gaps(instrument, &kept, count, report);
        Ok(Newest { bar: close_time, source })
    }

    /// Checks the symbol's stops and `data.lookback_bars` against its bars.
    fn settings_for(&self, instrument: &Instrument, close: f64, count: usize, report: &mut Report) {
        let (symbol, lookback_bars) = (&instrument.symbol, self.settings.data.lookback_bars);
        if let Err(bad_stop) = check_stops(instrument, close) {
            let advice = "orders with these stops are not built (bad_stop): give the symbol a [[symbols]] table with its own \
                          digits, stop_loss and take_profit";
            report.failed("stops", format!("{symbol}: {bad_stop}"), advice);
        }
        if count < lookback_bars {
            let found = format!("{symbol}: fewer than data.lookback_bars, {lookback_bars}: averages begin later");
            report.note("bars", found);
        }
    }

    /// The closed and valid bars of a 200, the number of its rows, and, unless the clock follows the bars, by when its bars must have
    /// closed.
    fn cleaned(
        &self,
        instrument: &Instrument,
        reply: &Reply,
        now: i64,
        report: &mut Report,
    ) -> Result<(Vec<Bar>, usize, Option<i64>), MarketRefusal> {
        let Resolved { data, calendar, market_clock, .. } = self.settings;
        let symbol = &instrument.symbol;
        let rows = parse(&reply.body).map_err(|error| {
            let found = format!("status 200, but {}", self.provider.clean(&error.to_string()));
            refusal(found, "is data.base_url EODHD's, without a proxy or login page in between?")
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
            let found = format!("{symbol}: bars are ahead of the clock; the furthest opens {}", at(open_time));
            let hint = "is this machine's time right (chronyc tracking)? If it is, report it to EODHD's support";
            report.note("ahead", format!("{found}; it is {} here\n{hint}", at(now)));
        }
        match cleaned.fault {
            Some(fault) => Err(refusal(fault.to_string(), advice(&fault))),
            None => Ok((cleaned.bars, rows.len(), closed_by)),
        }
    }

    /// Reports gaps in the bars that the daemon would keep.
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
            let advice = "with data.on_gap = \"stop\" there is no decision until the gap is older than the model's 60 bars; if \
                          these are weekends, set market.calendar = \"fx\"";
            report.failed("gaps", text, advice);
        } else {
            let hint = if calendar_name == "always" { "\nweekends? Then set market.calendar = \"fx\"" } else { "" };
            report.note("gaps", format!("{text}{hint}"));
        }
    }
}

/// A refusal of one symbol.
fn refusal(found: String, advice: &str) -> MarketRefusal {
    MarketRefusal { found, advice: advice.into(), is_for_all: false }
}

/// What to do about bars on which the daemon does not decide.
const fn advice(fault: &BarFault) -> &'static str {
    match fault {
        BarFault::NotOfInterval { .. } => {
            "the daemon does not decide on it. Does the market close and open again in between? Then market.calendar must \
             contain its hours; if not, report it to EODHD's support"
        }
        BarFault::AcrossEdge { .. } => {
            "the daemon does not decide on it. data.interval = \"1h\" uses these bars as they are, and \"1d\" may begin at \
             another time"
        }
        BarFault::Jump { .. } => {
            "the daemon does not decide while it is among its bars. Is the price right (a split, a revaluation)? Then raise \
             data.jump_max until it is past; if not, report it to EODHD's support"
        }
        BarFault::Conflict { .. } | BarFault::NewestInvalid { .. } => {
            "the daemon does not decide on it; if this persists for hours, report it to EODHD's support"
        }
    }
}
