//! One decision again, by the functions that the actors use, and the first field that differs. Pure but for the archive.

use super::earlier::Earlier;
use crate::settings::Recorded;
use sentinel_actors::{
    adapters::{
        archive::Archive,
        journal::{ReplayRow, bars_sha256, sequence_sha256},
    },
    domain::{
        bar::Bar,
        calendar::Calendar,
        decision::{Decision, Prediction, decide},
        features::{FEATURE_NAMES, FeatureError, FeatureSet, InvalidValues, SEQUENCE_BARS, TimeColumns, build},
        guard::{Circumstances, Limits, Suppression, is_stale, objection, pace_objection},
        instrument::{Instrument, InstrumentKey},
        interval::Interval,
        order::{Order, Side, client_order_id},
        window::{gaps, jump, misfit},
    },
    fetcher::OnGap,
};
use std::{collections::HashMap, sync::Arc};

/// The reasons that follow from bars, settings and earlier orders. All others came from outside.
pub const FROM_DATA: [Suppression; 9] = [
    Suppression::BelowThreshold,
    Suppression::MarketClosed,
    Suppression::StaleBar,
    Suppression::VolumeLimit,
    Suppression::BadStop,
    Suppression::DryRun,
    Suppression::AlreadyOrdered,
    Suppression::OrderLimit,
    Suppression::Cooldown,
];

/// Later cycles that are looked at for a window that was not archived with its own: the first that writes writes it all.
const LATER_MAX: usize = 3;

/// Which bars a decision saw: symbol and interval, open time of the newest, cycle, and how many.
pub type Asked<'a> = ((&'a str, Interval), i64, i64, usize);

/// Features of a window.
type Features = fn(&[Bar], TimeColumns) -> Result<(FeatureSet, InvalidValues), FeatureError>;

/// What a decision is computed with. A test puts a wrong one in the place of each, and the replay has to find it.
#[derive(Debug, Clone, Copy)]
pub struct Functions {
    /// The window of a cycle.
    pub window: fn(&Archive, Asked<'_>) -> anyhow::Result<Vec<Bar>>,
    /// Its features.
    pub features: Features,
    /// When a bar closed.
    pub close_time: fn(&Bar, Interval, &Calendar) -> i64,
    /// Whether the market was open.
    pub is_open: fn(&Calendar, i64) -> bool,
    /// Whether a bar was too old.
    pub is_stale: fn(i64, i64, i64) -> bool,
    /// What the odds come to.
    pub decide: fn(&Prediction, f64) -> Decision,
}

impl Functions {
    /// The actors'.
    pub const OF_THE_DAEMON: Self = Self {
        window: |archive, (series, newest, cycle_id, count)| Ok(archive.window(series, newest, cycle_id, count)?),
        features: build,
        close_time: Bar::close_time,
        is_open: Calendar::is_open,
        is_stale,
        decide,
    };
}

/// A version's settings, ready to use.
#[derive(Debug)]
pub struct Terms {
    /// As they were recorded.
    pub recorded: Recorded,
    interval: Interval,
    calendar: Arc<Calendar>,
    instruments: HashMap<String, Instrument>,
    limits: Limits,
}

impl Terms {
    /// Of the JSON that was recorded.
    ///
    /// # Errors
    /// This version cannot read it.
    pub fn parse(json: &str) -> anyhow::Result<Self> {
        let recorded: Recorded = serde_json::from_str(json)?;
        let interval = recorded.interval().map_err(anyhow::Error::msg)?;
        let calendar =
            recorded.calendar().map_err(|problem| anyhow::anyhow!("{}: {}", problem.key, problem.message))?;
        let (instruments, limits) = (recorded.instruments(), recorded.limits());
        Ok(Self { recorded, interval, calendar: calendar.into(), instruments, limits })
    }
}

/// A field with a different result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// `bars_sha256`, a feature's name, `sequence_sha256`, `action`, `reason` and so on.
    pub field: String,
    /// As the journal has it.
    pub recorded: String,
    /// As it came out now.
    pub replayed: String,
}

/// The result for one decision.
#[derive(Debug, Clone, PartialEq)]
pub enum Replayed {
    /// Every field is the same. `is_late`: the archive got its bars with a later cycle; their digest proves them.
    Equal {
        /// See there.
        is_late: bool,
        /// What came from outside, and was taken from the record.
        outside: Option<Suppression>,
        /// The model's row, if there was one: what `--ask-model` sends.
        features: Option<Box<FeatureSet>>,
    },
    /// The first that is not.
    Differs(Difference),
    /// It cannot be made again, for this reason.
    NotReplayable(&'static str),
}

/// The reason for a decision without a version.
pub const NO_SETTINGS: &str = "recorded before journals kept the settings of a decision";
/// The reason for one that failed before it had bars.
pub const NO_BARS: &str = "the cycle had no usable bars for it";
/// The reason for one whose window was lost, or never written.
pub const NOT_ARCHIVED: &str = "its bars are not in the archive";

/// Makes a decision again.
///
/// # Errors
/// The archive cannot be read.
pub fn replay(
    row: &ReplayRow,
    terms: &Terms,
    (functions, archive): (&Functions, &Archive),
    earlier: &mut Earlier,
) -> anyhow::Result<Replayed> {
    let (Some(digest), Some(bar_close_time), Some(count)) = (&row.bars_sha256, row.bar_close_time, row.bars) else {
        return Ok(Replayed::NotReplayable(NO_BARS));
    };
    let series = (row.symbol.as_str(), terms.interval);
    let Some(instrument) = terms.instruments.get(&row.symbol) else {
        return differs("symbol", &row.symbol, "not among the recorded settings");
    };
    let count = usize::try_from(count).unwrap_or(0);
    if count > terms.recorded.lookback_bars {
        return differs("bars", count, format!("at most {}", terms.recorded.lookback_bars));
    }
    let found =
        find_window((functions, archive), (series, bar_close_time, row.cycle_id, count), (digest, &terms.calendar))?;
    let (bars, is_late) = match found {
        Found::Window { bars, is_late } => (bars, is_late),
        Found::Other(bars) => return differs("bars_sha256", hex(digest), hex(&bars_sha256(&bars))),
        Found::Missing => return Ok(Replayed::NotReplayable(NOT_ARCHIVED)),
    };
    if let Some(fault) = fault(&bars, terms) {
        return differs("window", "usable", fault);
    }
    let Some(newest) = bars.last() else { return Ok(Replayed::NotReplayable(NO_BARS)) };
    if row.close.map(f64::to_bits) != Some(newest.close.to_bits()) {
        return differs("close", number(row.close), newest.close);
    }
    let closed = (functions.close_time)(newest, terms.interval, &terms.calendar);
    if closed != bar_close_time {
        return differs("bar_close_time", bar_close_time, closed);
    }
    let features = match features(row, (functions.features)(&bars, terms.recorded.time_columns)) {
        Ok(features) => features,
        Err(difference) => return Ok(Replayed::Differs(difference)),
    };
    let outside = match decision(row, (instrument, newest.close, bar_close_time), terms, functions, earlier) {
        Ok(outside) => outside,
        Err(difference) => return Ok(Replayed::Differs(difference)),
    };
    Ok(Replayed::Equal { is_late, outside, features })
}

/// The bars of a window that the archive has.
enum Found {
    /// The same bars, bit for bit.
    Window { bars: Vec<Bar>, is_late: bool },
    /// The same number of bars up to the same close, but with other values.
    Other(Vec<Bar>),
    /// Too few bars, or no bar as new as the window's last.
    Missing,
}

/// Looks for the window of a cycle. The archive may have got it with a later cycle, if its queue was full or the daemon was
/// killed in between: the digest says whether it is the one.
fn find_window(
    (functions, archive): (&Functions, &Archive),
    (series, bar_close_time, cycle_id, count): Asked<'_>,
    (digest, calendar): (&[u8], &Calendar),
) -> anyhow::Result<Found> {
    // Bars that opened before the newest one closed: none other had closed by then.
    let newest = bar_close_time.saturating_sub(1);
    let as_of = |cycle_id| (functions.window)(archive, (series, newest, cycle_id, count));
    let first = as_of(cycle_id)?;
    if bars_sha256(&first) == digest {
        return Ok(Found::Window { bars: first, is_late: false });
    }
    let from = first.first().map_or(i64::MIN, |bar| bar.open_time);
    let mut later = cycle_id;
    for _ in 0..LATER_MAX {
        let Some(next) = archive.next_cycle(series, (from, newest), later)? else { break };
        let bars = as_of(next)?;
        if bars_sha256(&bars) == digest {
            return Ok(Found::Window { bars, is_late: true });
        }
        later = next;
    }
    // Whether the archive had such a window in that cycle, whatever a function makes of it: if it had not, the bars are lost.
    let had = archive.window(series, newest, cycle_id, count)?;
    let is_newest = had.last().is_some_and(|bar| bar.close_time(series.1, calendar) == bar_close_time);
    Ok(if is_newest && had.len() == count { Found::Other(first) } else { Found::Missing })
}

/// What the Fetcher would have refused the window for. Of bars that are made of finer ones it looks at those, which the archive
/// does not have: there a price may jump further than its parts.
fn fault(bars: &[Bar], terms: &Terms) -> Option<String> {
    let Terms { interval, calendar, recorded, .. } = terms;
    if interval.is_made() {
        return None;
    }
    let gap = || {
        let from = bars[bars.len().saturating_sub(SEQUENCE_BARS)..].first()?.open_time;
        let is_seen = gaps(bars, *interval, calendar).any(|gap| interval.is_due(gap.from.max(from), gap.to, calendar));
        (recorded.on_gap == OnGap::Stop && is_seen).then(|| "a gap".to_owned())
    };
    let fault = misfit(bars, *interval, calendar).or_else(|| jump(bars, recorded.jump_max));
    fault.map(|fault| fault.to_string()).or_else(gap)
}

/// Compares the features, bit for bit.
fn features(
    row: &ReplayRow,
    built: Result<(FeatureSet, InvalidValues), FeatureError>,
) -> Result<Option<Box<FeatureSet>>, Difference> {
    let (features, _) = match (built, &row.features) {
        (Ok(built), Some(_)) => built,
        (Ok(_), None) => match &row.failure {
            Some((stage, kind)) if stage == "features" => return Err(difference("features", kind, "built")),
            // A model that answered was asked with features.
            _ if row.odds.is_some() => return Err(difference("features", "none", "built")),
            // The stage before them was cut short by the end of the daemon, or by a panic.
            _ => return Ok(None),
        },
        (Err(error), None) => match &row.failure {
            Some((stage, kind)) if stage != "features" || kind == error.kind() => return Ok(None),
            other => {
                let recorded = other.as_ref().map_or("none", |(_, kind)| kind);
                return Err(difference("features", recorded, error.kind()));
            }
        },
        (Err(error), Some(_)) => return Err(difference("features", "built", error.kind())),
    };
    let recorded = row.features.as_deref().unwrap_or_default().as_chunks::<8>().0;
    if recorded.len() != FEATURE_NAMES.len() {
        return Err(difference("features", recorded.len(), FEATURE_NAMES.len()));
    }
    for ((name, recorded), replayed) in FEATURE_NAMES.iter().zip(recorded).zip(&features.tabular) {
        if *recorded != replayed.to_le_bytes() {
            return Err(difference(name, f64::from_le_bytes(*recorded), replayed));
        }
    }
    let (recorded, replayed) = (row.sequence_sha256.as_deref(), sequence_sha256(&features.sequence));
    if recorded != Some(&replayed) {
        return Err(difference("sequence_sha256", recorded.map_or_else(String::new, hex), hex(&replayed)));
    }
    Ok(Some(Box::new(features)))
}

/// Compares action and reason. Answers the reason that came from outside, if it did.
fn decision(
    row: &ReplayRow,
    (instrument, close, bar_close_time): (&Instrument, f64, i64),
    terms: &Terms,
    functions: &Functions,
    earlier: &mut Earlier,
) -> Result<Option<Suppression>, Difference> {
    if row.threshold.to_bits() != instrument.threshold.to_bits() {
        return Err(difference("threshold", row.threshold, instrument.threshold));
    }
    let Some(odds) = row.odds else {
        // No answer of the model, which comes from outside.
        return match &row.action {
            Some(action) => Err(difference("action", action, "none without odds")),
            None => Ok(None),
        };
    };
    let prediction = Prediction::parse(odds).map_err(|what| difference("odds", format!("{odds:?}"), what))?;
    let decided = (functions.decide)(&prediction, instrument.threshold);
    let action = match row.action.as_deref() {
        Some(action) => action,
        // The cycle was cut short after the model's answer.
        None if row.failure.is_some() => return Ok(None),
        None => return Err(difference("action", "none", decided.action.as_str())),
    };
    if action != decided.action.as_str() {
        return Err(difference("action", action, decided.action.as_str()));
    }
    let recorded = match row.suppressed.as_deref() {
        None => None,
        Some(text) => {
            let known = Suppression::ALL.iter().find(|reason| reason.as_str() == text);
            Some(*known.ok_or_else(|| difference("reason", text, "no reason of this version"))?)
        }
    };
    let expected = if decided.is_below_threshold() {
        Reasons::only(Some(Suppression::BelowThreshold))
    } else {
        match Side::from_action(decided.action) {
            None => Reasons::only(None),
            Some(side) => {
                let market_now = row.market_now.unwrap_or(bar_close_time);
                let around = Circumstances {
                    is_halted: false,
                    has_clock_stepped: false,
                    is_market_open: (functions.is_open)(&terms.calendar, market_now),
                    is_bar_stale: (functions.is_stale)(bar_close_time, market_now, terms.recorded.max_bar_age_s),
                    volume: instrument.volume,
                    volume_max: terms.recorded.volume_max,
                };
                match objection(&around) {
                    Some(reason) => Reasons::only(Some(reason)),
                    // The gateway's side failed, which comes from outside.
                    None if recorded.is_none() && row.failure.is_some() => return Ok(None),
                    None => order_reasons(row, (instrument, side, &decided, close, bar_close_time), terms, earlier),
                }
            }
        }
    };
    if expected.0.iter().any(|expected| explains(recorded, *expected)) {
        return Ok(recorded.filter(|reason| !FROM_DATA.contains(reason)));
    }
    let text = |reason: Option<Suppression>| reason.map_or("none", Suppression::as_str);
    Err(difference("reason", text(recorded), text(expected.0[0])))
}

/// The reasons that an order may have been stopped for: two where its time is known only to some milliseconds.
struct Reasons(Vec<Option<Suppression>>);

impl Reasons {
    fn only(reason: Option<Suppression>) -> Self {
        Self(vec![reason])
    }
}

/// What data say against the order of a signal that nothing before the gateway objects to.
fn order_reasons(
    row: &ReplayRow,
    (instrument, side, decided, close, bar_close_time): (&Instrument, Side, &Decision, f64, i64),
    terms: &Terms,
    earlier: &mut Earlier,
) -> Reasons {
    let Recorded { account, model, live, waits_for_new_bar, .. } = &terms.recorded;
    let id = client_order_id(account, &instrument.symbol, model, bar_close_time);
    if Order::new(id, instrument, side, decided.confidence, close, bar_close_time).is_err() {
        return Reasons::only(Some(Suppression::BadStop));
    }
    if !live {
        return Reasons::only(Some(Suppression::DryRun));
    }
    let Some(judged_at) = row.judged_at_ms else {
        // The journal was broken, and says so.
        return Reasons::only(None);
    };
    let keys = InstrumentKey::both(&instrument.gateway_name, instrument.symbol.as_str());
    let is_incomplete = earlier.is_incomplete_at(row.cycle_id);
    let mut reasons = Vec::new();
    for history in earlier.before(row.id, account, model) {
        let is_from_before = *waits_for_new_bar && history.is_from_before(bar_close_time);
        if is_from_before || history.has_ordered(&keys, bar_close_time) {
            reasons.push(Some(Suppression::AlreadyOrdered));
            continue;
        }
        let now = std::time::Duration::from_millis(u64::try_from(judged_at).unwrap_or(0));
        reasons.push(pace_objection(&history.pace(&keys, now, 0), &terms.limits));
    }
    if is_incomplete {
        // Orders that counted then may be forgotten now: what they say is taken from the record.
        reasons.extend([Suppression::AlreadyOrdered, Suppression::OrderLimit, Suppression::Cooldown].map(Some));
    }
    Reasons(reasons)
}

/// Whether the recorded reason is what it has to be if data alone say `expected`: the same, or one from outside that is asked
/// before it.
fn explains(recorded: Option<Suppression>, expected: Option<Suppression>) -> bool {
    let rank = |reason| Suppression::ALL.iter().position(|other| *other == reason);
    match (recorded, expected) {
        (recorded, expected) if recorded == expected => true,
        (Some(outside), None) => !FROM_DATA.contains(&outside),
        (Some(outside), Some(expected)) => !FROM_DATA.contains(&outside) && rank(outside) < rank(expected),
        (None, _) => false,
    }
}

fn difference(field: &str, recorded: impl ToString, replayed: impl ToString) -> Difference {
    Difference { field: field.into(), recorded: recorded.to_string(), replayed: replayed.to_string() }
}

#[allow(clippy::unnecessary_wraps)] // as `replay` answers
fn differs(field: &str, recorded: impl ToString, replayed: impl ToString) -> anyhow::Result<Replayed> {
    Ok(Replayed::Differs(difference(field, recorded, replayed)))
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "none".into(), |value| value.to_string())
}

fn hex(bytes: &[u8]) -> String {
    crate::bar_files::hex(bytes)
}
