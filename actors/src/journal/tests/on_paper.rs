//! The account on paper, beside decisions and orders in the same file.

use super::*;
use crate::domain::{
    decision::Action,
    fill::{Costs, ExitReason, TripleDay},
    guard::{Limits, Suppression},
    instrument::Instrument,
    money::{Money, MoneyTerms},
    paper::{PaperEnd, PaperOrder, PaperTerms},
    position::{AccountMode, Opposite},
    profit::cents,
};

fn paper() -> Arc<PaperConfig> {
    let instrument = Instrument {
        symbol: Symbol::new("EURUSD"),
        ticker: "EURUSD.FOREX".into(),
        gateway_name: "EURUSD".into(),
        threshold: 0.6,
        volume: 0.1,
        digits: 5,
        stop_loss: Some(0.0005),
        take_profit: None,
    };
    let money = MoneyTerms {
        symbol: instrument.symbol.clone(),
        digits: 5,
        contract_size: 100_000.0,
        rate: Some("1".parse().unwrap()),
    };
    let costs = Costs { spread: 10.0, slippage: 1.0, commission_side: 2.0, swap_long: -3.0, swap_short: 1.0 };
    Arc::new(PaperConfig {
        instruments: vec![(instrument, Some(costs))],
        limits: Limits { positions_max: 1, ..Limits::default() },
        terms: PaperTerms {
            triple_day: TripleDay::Wed,
            horizon_bars: 0,
            start: 10_000.0,
            account_mode: AccountMode::Hedging,
            opposite: Opposite::Open,
        },
        money: Arc::new(Money::new(vec![money])),
    })
}

fn start(folder: TempDir) -> Harness {
    Harness::start_as(folder, "journal.db", None, Some(paper()))
}

/// The next daemon on this journal.
async fn again(harness: Harness, paper: Arc<PaperConfig>) -> Harness {
    harness.journal.send(Flush).await.unwrap();
    Harness::start_as(harness.folder, "journal.db", None, Some(paper))
}

/// A BUY on the newest of these bars.
fn bought(hours: &[i64]) -> DecisionRecord {
    let buy = Prediction::parse([0.1, 0.2, 0.7]).unwrap();
    DecisionRecord { action: Some(Action::Buy), prediction: Some(buy), ..decided_on(&bars(hours)) }
}

/// A SELL; if bars are ten hours apart, the price goes up by more than its stop from one to the next.
fn sold(hours: &[i64]) -> DecisionRecord {
    let sell = Prediction::parse([0.7, 0.2, 0.1]).unwrap();
    DecisionRecord { action: Some(Action::Sell), prediction: Some(sell), ..bought(hours) }
}

fn flat(hour: i64, price: f64) -> Bar {
    Bar { open_time: BAR + hour * 3_600, open: price, high: price, low: price, close: price, volume: 0.0 }
}

fn held(hours: &[i64]) -> DecisionRecord {
    DecisionRecord { action: Some(Action::Hold), ..decided_on(&bars(hours)) }
}

/// Cycles of now: those of long ago would be pruned.
async fn record(harness: &Harness, cycle: u64, decision: DecisionRecord) {
    let cycle_id = u64::try_from(SystemClock.now().as_millis()).unwrap() + cycle;
    harness.journal.send(RecordDecisions { cycle_id, decisions: vec![decision] }).await.unwrap();
}

fn said(path: &std::path::Path) -> Vec<(Option<String>, Option<String>)> {
    let other = Connection::open(path).unwrap();
    let mut select = other.prepare("SELECT paper_order_id, paper_suppressed FROM decisions ORDER BY id").unwrap();
    select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
}

#[actix::test]
async fn an_order_on_paper_is_written_with_its_decision_and_touches_no_live_one() {
    let harness = start(TempDir::new().unwrap());
    record(&harness, 1, bought(&[0, 1])).await;
    record(&harness, 2, bought(&[0, 1])).await;
    let stopped = DecisionRecord { stopped: Some(Suppression::MarketClosed), ..bought(&[0, 1, 2]) };
    record(&harness, 3, stopped).await;
    record(&harness, 4, bought(&[0, 1, 2])).await;
    record(&harness, 5, held(&[0, 1, 2])).await;
    let store = Store::open_read_only(&harness.path()).unwrap();
    let rows = store.paper_orders().unwrap();
    assert_eq!(rows.len(), 1, "{rows:?}");
    let order = &rows[0].order;
    assert_eq!((order.ticket, order.bars_seen, rows[0].account.as_str()), (1, 1, "demo"));
    assert!((order.entry.unwrap().price - (1.1002 + 0.00006)).abs() < 1e-9, "{order:?}");
    let reason = |word: &str| (None, Some(word.to_owned()));
    let expected = [
        (Some(order.id.to_string()), None),
        reason("already_ordered"),
        reason("market_closed"),
        reason("position_limit"),
        (None, None),
    ];
    assert_eq!(said(&harness.path()), expected);
    assert_eq!(store.orders(false).unwrap(), []);
    assert_eq!(store.fills(&identity(), &[]).unwrap(), []);
    assert_eq!(harness.told().await, (true, 0, 0, 0));
    let history = harness.journal.send(ReadHistory).await.unwrap().unwrap();
    assert!(history.newest_ordered.is_empty() && history.orders.is_empty() && history.newest_at.is_empty());
}

#[actix::test]
async fn the_next_daemon_goes_on_with_what_is_open_and_with_the_equity() {
    let harness = start(TempDir::new().unwrap());
    record(&harness, 1, bought(&[0, 1])).await;
    record(&harness, 2, held(&[0, 1, 2])).await;
    let harness = again(harness, paper()).await;
    record(&harness, 3, bought(&[1, 2])).await;
    let mut falls = bars(&[1, 2]).to_vec();
    falls.push(Bar { open_time: BAR + 3 * 3_600, open: 1.1, high: 1.1, low: 1.09, close: 1.1, volume: 0.0 });
    let fallen = DecisionRecord { action: Some(Action::Hold), ..decided_on(&falls.into()) };
    record(&harness, 4, fallen).await;
    let store = Store::open_read_only(&harness.path()).unwrap();
    let rows = store.paper_orders().unwrap();
    assert_eq!(rows.len(), 1, "no second order while it is open");
    assert_eq!(said(&harness.path())[2].1.as_deref(), Some("position_limit"));
    let exit = rows[0].order.exit.unwrap();
    assert_eq!(exit.reason, PaperEnd::Filled(ExitReason::StopLoss));
    let (account, equity) = store.paper_equities().unwrap().remove(0);
    let profit = exit.profit.unwrap();
    assert!((profit - exit.net_points.unwrap() / 10.0).abs() < 1e-9, "0.1 lots: a tenth of a dollar for a point");
    assert_eq!((account.as_str(), equity.unpriced, equity.equity), ("demo", 0, Some(10_000.0 + profit)));
    assert_eq!(Some(equity.points), exit.net_points);
}

#[actix::test]
async fn a_trade_that_is_only_followed_keeps_the_rest_of_its_row() {
    let harness = start(TempDir::new().unwrap());
    record(&harness, 1, bought(&[0, 1])).await;
    record(&harness, 2, held(&[0, 1, 2])).await;
    let only = || Store::open_read_only(&harness.path()).unwrap().paper_orders().unwrap().remove(0).order;
    let entered = only();
    let moved: Arc<[Bar]> = bars(&[0, 1, 2]).iter().copied().chain([flat(3, 1.1004), flat(4, 1.1003)]).collect();
    record(&harness, 3, DecisionRecord { action: Some(Action::Hold), ..decided_on(&moved) }).await;
    let followed = PaperOrder { seen_to: BAR + 4 * 3_600, bars_seen: 3, mark: 1.1003, ..entered.clone() };
    assert_eq!((entered.bars_seen, only()), (1, followed));
}

#[actix::test]
async fn a_position_of_a_removed_symbol_ends_at_the_start() {
    let harness = start(TempDir::new().unwrap());
    record(&harness, 1, bought(&[0, 1])).await;
    record(&harness, 2, held(&[0, 1, 2])).await;
    let mut other = (*paper()).clone();
    other.instruments[0].0.symbol = Symbol::new("GBPUSD");
    let harness = again(harness, Arc::new(other)).await;
    record(&harness, 3, DecisionRecord { symbol: Symbol::new("GBPUSD"), ..held(&[0, 1, 2]) }).await;
    let store = Store::open_read_only(&harness.path()).unwrap();
    let exit = store.paper_orders().unwrap()[0].order.exit.unwrap();
    assert_eq!((exit.reason, exit.net_points, exit.profit), (PaperEnd::Lost, None, None));
    let (_, equity) = store.paper_equities().unwrap().remove(0);
    assert_eq!((equity.equity, equity.unpriced), (Some(10_000.0), 1), "it is known again");
}

#[actix::test]
async fn what_the_metrics_are_told_of_the_day_is_what_the_journal_says() {
    let harness = start(TempDir::new().unwrap());
    for hour in (10_i64..60).step_by(10) {
        record(&harness, hour.unsigned_abs(), sold(&[hour - 10, hour])).await;
        harness.told().await;
        let told = harness.events.lock().unwrap().iter().rev().find_map(|event| match event {
            Event::PaperCounted(figures) => Some(figures.realised.clone()),
            _ => None,
        });
        let store = Store::open_read_only(&harness.path()).unwrap();
        let known = store.paper_figures("demo", SystemClock.now()).unwrap().realised;
        let rounded = |sums: &[(String, Option<f64>)]| sums.iter().map(|it| it.1.map(cents)).collect::<Vec<_>>();
        assert_eq!(rounded(&told.unwrap()), rounded(&known), "after {hour} hours");
    }
}

/// A clock that the test sets.
struct SetClock(Mutex<Duration>);

impl Clock for SetClock {
    fn now(&self) -> Duration {
        *self.0.lock().unwrap()
    }

    fn sleep(&self, _: Duration) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::pending())
    }
}

/// So many seconds after a moment, or before it.
fn clock_at(moment: Duration, seconds: i64) -> Duration {
    let apart = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { moment - apart } else { moment + apart }
}

#[actix::test]
async fn a_trade_of_yesterday_that_is_priced_today_is_none_of_today() {
    let folder = TempDir::new().unwrap();
    let events = Arc::new(Mutex::new(Vec::new()));
    let telemetry = Telemetry::from(Metrics(events.clone()).start().recipient());
    let midnight = Duration::from_secs((SystemClock.now().as_secs() / 86_400 + 1) * 86_400);
    let clock = Arc::new(SetClock(Mutex::new(midnight)));
    let mut in_pounds = (*paper()).clone();
    let terms = MoneyTerms {
        symbol: Symbol::new("EURUSD"),
        digits: 5,
        contract_size: 100_000.0,
        rate: Some("GBPUSD".parse().unwrap()),
    };
    in_pounds.money = Arc::new(Money::new(vec![terms]));
    let config = Config {
        paper: Some(Arc::new(in_pounds)),
        clock: clock.clone(),
        ..config(folder.path().join("journal.db"), telemetry.clone())
    };
    let opened = Opened::at(&config.path, &identity(), midnight).unwrap();
    let harness = Harness { folder, journal: Journal::start(config, opened), events, telemetry };
    let fallen = bars(&[1, 2]).iter().copied().chain([Bar { low: 1.09, ..flat(3, 1.1) }]).collect();
    let rate = DecisionRecord { symbol: Symbol::new("GBPUSD"), ..held(&[1, 2]) };
    let cycles = [
        (-180, bought(&[0, 1])),
        (-120, held(&[0, 1, 2])),
        (-60, DecisionRecord { action: Some(Action::Hold), ..decided_on(&fallen) }),
        (60, held(&[1, 2])),
        (180, rate),
    ];
    let mut said = Vec::new();
    for (seconds, decision) in cycles {
        *clock.0.lock().unwrap() = clock_at(midnight, seconds);
        record(&harness, u64::try_from(seconds + 180).unwrap(), decision).await;
        harness.told().await;
        let told = harness.events.lock().unwrap().iter().rev().find_map(|event| match event {
            Event::PaperCounted(figures) => Some(figures.realised.clone()),
            _ => None,
        });
        said.push(told.unwrap());
    }
    let store = Store::open_read_only(&harness.path()).unwrap();
    let profit = store.paper_orders().unwrap()[0].order.exit.unwrap().profit;
    assert!(profit.is_some_and(|profit| profit < 0.0), "priced");
    let known = [-60, 180].map(|seconds: i64| {
        let figures = store.paper_figures("demo", clock_at(midnight, seconds)).unwrap();
        figures.realised.len()
    });
    assert_eq!(known, [1, 0], "it is of yesterday");
    assert_eq!(said[2], [("EURUSD".to_owned(), None)], "ended without a figure");
    assert_eq!(said[3..], [vec![], vec![]], "and never of today");
}

#[actix::test]
async fn a_panic_on_paper_costs_nothing_but_paper() {
    let harness = start(TempDir::new().unwrap());
    let config = config(harness.folder.path().join("other.db"), harness.telemetry.clone());
    let opened = Opened::at(&config.path, &identity(), SystemClock.now()).unwrap();
    let mut journal = Journal::new(Config { paper: Some(paper()), ..config }, Some(opened));
    let (manager, answers) = journal.on_paper(&[bought(&[0, 1])], SystemClock.now()).unwrap();
    assert!(matches!(answers[..], [Some(Ok(_))]));
    journal.put_back(Some(manager), None);
    assert_eq!(journal.apart(|journal| Some(journal.paper.manager.is_some())), Some(true));
    let panics = |_: &mut Journal| -> Option<()> { panic!("a defect") };
    assert_eq!(journal.apart(panics), None);
    assert!(journal.paper.manager.is_none() && journal.is_writable == Some(true), "it is read again");
    assert_eq!(harness.dropped(), (0, 0, 1));
    assert!(journal.on_paper(&[bought(&[0, 1])], SystemClock.now()).is_some());
}

#[actix::test]
async fn a_fault_of_paper_costs_no_decision_and_is_counted() {
    let harness = start(TempDir::new().unwrap());
    record(&harness, 1, held(&[0, 1])).await;
    let other = Connection::open(harness.path()).unwrap();
    other.execute_batch("ALTER TABLE paper_orders RENAME TO gone").unwrap();
    record(&harness, 2, bought(&[0, 1])).await;
    record(&harness, 3, bought(&[0, 1])).await;
    assert_eq!(said(&harness.path()), vec![(None, None); 3], "decided, and nothing of it on paper");
    assert_eq!(harness.dropped(), (0, 0, 2));
    assert_eq!(harness.told().await, (true, 0, 0, 0), "the journal itself is well");
    harness.write(OrderStep::Intent { order: order(), tickets_before: None }).await.unwrap();
    other.execute_batch("ALTER TABLE gone RENAME TO paper_orders").unwrap();
    record(&harness, 4, bought(&[0, 1])).await;
    assert_eq!(Store::open_read_only(&harness.path()).unwrap().paper_orders().unwrap().len(), 1);
    assert_eq!(harness.dropped(), (0, 0, 2), "it works again");
}

#[actix::test]
async fn old_rows_that_cannot_be_deleted_stop_no_order() {
    // The account on paper cannot be read, either.
    for (table, column, faults) in
        [("paper_equity", "at_ms", 2), ("account_snapshots", "at_ms", 1), ("outcomes", "bar_close_time", 1)]
    {
        let harness = start(TempDir::new().unwrap());
        let other = Connection::open(harness.path()).unwrap();
        other.execute_batch(&format!("ALTER TABLE {table} RENAME COLUMN {column} TO gone")).unwrap();
        // The first cycle deletes what is old.
        let old = DecisionRecord { action: Some(Action::Hold), ..decided_on(&bars(&[0])) };
        harness.journal.send(RecordDecisions { cycle_id: 1, decisions: vec![old] }).await.unwrap();
        assert_eq!(harness.told().await, (true, 0, 0, 0), "{table}: orders may be sent");
        assert_eq!(harness.dropped(), (0, 0, faults), "{table}: it is counted");
        assert_eq!(said(&harness.path()), [], "{table}: the old decision went");
        harness.write(OrderStep::Intent { order: order(), tickets_before: None }).await.unwrap();
    }
}

#[actix::test]
async fn what_could_not_be_written_is_ordered_in_the_next_cycle() {
    let harness = start(TempDir::new().unwrap());
    record(&harness, 1, held(&[0, 1])).await;
    let other = Connection::open(harness.path()).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    record(&harness, 2, bought(&[0, 1])).await;
    other.execute_batch("ROLLBACK").unwrap();
    record(&harness, 3, bought(&[0, 1])).await;
    let rows = Store::open_read_only(&harness.path()).unwrap().paper_orders().unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(said(&harness.path()).len(), 2, "the cycle that could not be written is not there");
}

#[actix::test]
async fn old_trades_go_but_for_the_newest() {
    let harness = start(TempDir::new().unwrap());
    for hour in (10_i64..60).step_by(10) {
        record(&harness, hour.unsigned_abs(), sold(&[hour - 10, hour])).await;
    }
    let (now, hour) = (SystemClock.now(), Duration::from_secs(3_600));
    let keep = Keep { decisions: hour, books: hour };
    let mut store = Store::open_existing(&harness.path()).unwrap();
    let count = |store: &Store| store.paper_orders().unwrap().len();
    assert_eq!(count(&store), 5, "each ended one bar later");
    store.prune(now, keep).unwrap();
    assert_eq!(count(&store), 5, "all are of today");
    store.prune(now + 2 * hour, keep).unwrap();
    assert_eq!((count(&store), store.paper_equities().unwrap().len()), (1, 1));
}
