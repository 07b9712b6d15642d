//! Recorded features of more decisions than a thread takes at a time, some of them changed.

use super::{super::recorded, *};
use sentinel_actors::{
    domain::{
        bar::Bar,
        calendar::Calendar,
        decision::{Action, Prediction},
        features::TimeColumns,
        instrument::Symbol,
        interval::Interval,
        journal::DecisionRecord,
    },
    fetcher::OnGap,
};
use std::path::Path;

const HOUR: i64 = 3_600;
const BARS: usize = 1_200;
const LOOKBACK: usize = 200;
/// The first bar that was decided on: nine decisions have no whole window.
const FIRST: usize = 190;

fn bars() -> Vec<Bar> {
    let bar = |at: usize| {
        let close = 1.1 + (at as f64 * 0.37).sin() * 0.01 + at as f64 * 1e-6;
        let (high, low, volume) = (close + 0.001, close - 0.001, 10.0 + (at % 7) as f64);
        Bar { open_time: HOUR * at as i64, open: close, high, low, close, volume }
    };
    (0..BARS).map(bar).collect()
}

fn odds() -> Prediction {
    Prediction::parse([0.3, 0.3, 0.4]).unwrap()
}

/// A journal of a daemon that decided on each bar; `change` has the last word on the features of the bar at a place.
fn journal(path: &Path, bars: &[Bar], change: impl Fn(usize, FeatureSet) -> Option<FeatureSet>) {
    let mut store = Store::open(path).unwrap();
    for at in FIRST..BARS {
        let whole = at.max(LOOKBACK - 1);
        let made = (Functions::OF_THE_DAEMON.features)(bars, whole, LOOKBACK, TimeColumns::Utc).unwrap();
        let record = DecisionRecord {
            symbol: Symbol::new("EURUSD"),
            market_now: None,
            bar_close_time: Some(bars[at].open_time + HOUR),
            // Its close is recorded from it.
            window: Some(Arc::from([bars[at]])),
            features: change(at, made).map(Arc::new),
            prediction: Some(odds()),
            threshold: 0.6,
            action: Some(Action::Hold),
            reason: None,
            stopped: None,
            failure_detail: None,
            judged_at: None,
            client_order_id: None,
            close_ids: Vec::new(),
        };
        store.record_decisions(at as u64, "baseline", &[record]).unwrap();
    }
}

fn checked(change: impl Fn(usize, FeatureSet) -> Option<FeatureSet>) -> LookAhead {
    let folder = tempfile::tempdir().unwrap();
    let (path, bars, calendar) = (folder.path().join("journal.db"), bars(), Calendar::always());
    journal(&path, &bars, change);
    let range = i64::MIN..i64::MAX;
    let recorded = recorded::read(&path, ("baseline", "EURUSD"), &range, Interval::OneHour).unwrap();
    let times: Vec<i64> = bars.iter().map(|bar| bar.open_time + HOUR).collect();
    let series = Series { bars: &bars, times: &times, finer: None };
    let decisions: Vec<Decision> = (FIRST as u32..BARS as u32).map(|bar| Decision { bar, odds: odds() }).collect();
    assert!(decisions.len() > 3 * BLOCK && decisions.len() == recorded.odds.len());
    let (time_columns, on_gap) = (TimeColumns::Utc, OnGap::Continue);
    let recipe = Recipe {
        interval: Interval::OneHour,
        calendar: &calendar,
        jump_max: 0.5,
        lookback_bars: LOOKBACK,
        time_columns,
        on_gap,
    };
    check(&recorded.rows, series, &decisions, &recipe).unwrap()
}

#[test]
fn decisions_with_the_same_features_are_equal_and_checked() {
    let found = checked(|_, made| Some(made));
    let equal = (BARS - LOOKBACK + 1) as u64;
    let wanted = Remade { decisions: equal + 9, equal, short: 9, ..Remade::default() };
    assert_eq!(found.recorded, Some(wanted));
    assert_eq!((found.is_checked, found.checked, found.unequal, found.first), (true, equal, 0, None));
}

#[test]
fn what_differs_is_counted_on_any_number_of_cores() {
    let change = |at: usize, mut made: FeatureSet| match at {
        // Of another block each.
        500 | 1_100 => {
            made.tabular[1] = f64::from_bits(made.tabular[1].to_bits() + 1);
            Some(made)
        }
        800 => {
            made.sequence[59][0] += 1.0;
            Some(made)
        }
        300 | 900 => None,
        _ => Some(made),
    };
    let found = checked(change);
    let remade = found.recorded.unwrap();
    let equal = (BARS - LOOKBACK + 1) as u64 - 5;
    let counts = (remade.equal, remade.other, remade.without_features, remade.short, remade.earlier);
    assert_eq!(counts, (equal, 3, 2, 9, 0));
    assert_eq!((found.checked, found.unequal), (equal, 0));
    let first = remade.first.unwrap();
    assert!(first.starts_with(&format!("bar {}, return_5: ", time(501 * HOUR))), "{first}");
}
