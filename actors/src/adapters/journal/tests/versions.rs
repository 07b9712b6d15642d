//! What a decision is kept with: its versions, digests and odds; and journals of every earlier schema.

use super::*;
use crate::domain::{
    bar::Bar,
    features::{TimeColumns, build},
    journal::Version,
};
use std::sync::Arc;

pub(super) fn window() -> Arc<[Bar]> {
    let bar = |row: i64| {
        let price = 1.1 + (row % 7) as f64 * 1e-4;
        Bar {
            open_time: BAR + 3_600 * row,
            open: price,
            high: price + 1e-4,
            low: price,
            close: price,
            volume: row as f64,
        }
    };
    (0..120).map(bar).collect()
}

pub(super) fn decided(window: &Arc<[Bar]>, odds: [f64; 3]) -> DecisionRecord {
    DecisionRecord {
        symbol: Symbol::new("EURUSD"),
        market_now: Some(BAR),
        bar_close_time: window.last().map(|bar| bar.open_time + 3_600),
        window: Some(window.clone()),
        features: Some(Arc::new(build(window, TimeColumns::Utc).unwrap().0)),
        prediction: Some(Prediction::parse(odds).unwrap()),
        threshold: 0.6,
        action: None,
        reason: None,
        stopped: None,
        failure_detail: None,
        judged_at: Some(NOW),
        client_order_id: None,
        close_ids: Vec::new(),
    }
}

pub(super) fn version(model: &str) -> Arc<Version> {
    Arc::new(Version {
        config_hash: (1 << 48) - 1,
        model_fingerprint: model.into(),
        app_version: "0.1.0".into(),
        settings: "{}".into(),
    })
}

fn record(store: &mut Store, cycle_id: u64, version: &Arc<Version>, decisions: &[DecisionRecord]) {
    let cycle = CycleRecord {
        cycle_id,
        model: "baseline",
        version: Some(version),
        decisions,
        due: &[],
        reported: None,
        paper: None,
    };
    store.record_cycle(&cycle).unwrap();
}

#[test]
fn odds_are_read_back_bit_for_bit() {
    let disk = Disk::new();
    let mut store = disk.open();
    let (window, mut cycle_id) = (window(), 0);
    let tiny = f64::from_bits(1);
    let cases = [
        [0.1, 0.2, 0.7],
        [0.1 + 0.2, 0.3, 0.4],
        [1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0],
        [tiny, 1.0, tiny],
        [f64::EPSILON, 1.0 - f64::EPSILON, 0.0],
        [1.0_f64.next_down(), 0.0, 1e-300],
    ];
    for odds in cases {
        cycle_id += 1;
        let kept = Prediction::parse(odds).unwrap().probabilities();
        store.record_decisions(cycle_id, "baseline", &[decided(&window, odds)]).unwrap();
        let rows = store.decisions(Pick::Last(1), None).unwrap();
        assert_eq!(rows[0].probabilities.unwrap().map(f64::to_bits), kept.map(f64::to_bits), "{odds:?}");
    }
}

#[test]
fn a_version_is_written_once_and_each_decision_names_its_own() {
    let disk = Disk::new();
    let (window, first, second) = (window(), version("a@http://hub:5001"), version("b@http://hub:5001"));
    let mut store = disk.open();
    for (cycle_id, version) in [(1, &first), (2, &first), (3, &second), (4, &first)] {
        record(&mut store, cycle_id, version, &[decided(&window, [0.1, 0.2, 0.7])]);
    }
    drop(store);
    let mut store = disk.open();
    record(&mut store, 5, &version("a@http://hub:5001"), &[decided(&window, [0.1, 0.2, 0.7])]);
    let rows = |sql: &str| -> Vec<(i64, String)> {
        let mut select = store.connection.prepare(sql).unwrap();
        select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
    };
    let models = rows(
        "SELECT cycle_id, model_fingerprint FROM decisions JOIN versions ON versions.id = version_id ORDER BY cycle_id",
    );
    let models: Vec<_> = models.iter().map(|(_, model)| model.split('@').next().unwrap()).collect();
    assert_eq!(models, ["a", "a", "b", "a", "a"]);
    assert_eq!(rows("SELECT config_hash, settings FROM versions").len(), 2, "a restart makes no other one");
}

#[test]
fn a_decision_has_the_digest_of_its_sequence_as_it_is_sent() {
    use sha2::{Digest, Sha256};
    let disk = Disk::new();
    let mut store = disk.open();
    let window = window();
    let record = decided(&window, [0.1, 0.2, 0.7]);
    let mut bytes = Vec::new();
    for number in record.features.as_ref().unwrap().sequence.as_flattened() {
        bytes.extend(number.to_le_bytes());
    }
    assert_eq!(bytes.len(), 60 * 23 * 4);
    store.record_decisions(1, "baseline", &[record]).unwrap();
    let (digest, bars, judged_at): (Vec<u8>, i64, i64) = store
        .connection
        .query_row("SELECT sequence_sha256, bars, judged_at_ms FROM decisions", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .unwrap();
    assert_eq!(digest, Sha256::digest(&bytes).to_vec());
    assert_eq!((bars, judged_at), (120, 1_763_812_800_000));
}

/// A journal as a daemon of this schema version made it.
fn old_journal(disk: &Disk, version: usize) {
    let old = Connection::open(disk.path()).unwrap();
    for migration in &schema::MIGRATIONS[..version] {
        old.execute_batch(migration).unwrap();
    }
    old.execute_batch(
        "INSERT INTO decisions (cycle_id, symbol, bar_close_time, close, bars_sha256, p_sell, p_hold, p_buy, threshold, action)
         VALUES (1763812800000, 'EURUSD', 1500000000, 1.1, x'00', 0.1, 0.2, 0.7, 0.6, 'BUY');
         INSERT INTO orders (id, account, symbol, gateway_name, model, bar_close_time, side, volume, stop_loss, take_profit,
                             confidence, state, created_at_ms, updated_at_ms)
         VALUES ('00000000-0000-0000-0000-000000000001', 'demo', 'EURUSD', 'EURUSD', 'baseline', 1500000000, 'BUY', 0.01, 0, 0,
                 0.7, 'filled', 1763812800000, 1763812800000);",
    )
    .unwrap();
    old.pragma_update(None, "application_id", schema::APPLICATION_ID).unwrap();
    old.pragma_update(None, "user_version", i64::try_from(version).unwrap()).unwrap();
}

#[test]
fn journals_of_all_earlier_versions_are_brought_up_to_date() {
    for found in 1..schema::MIGRATIONS.len() {
        let disk = Disk::new();
        old_journal(&disk, found);
        let mut store = disk.open();
        let now: i64 = store.connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!(now, schema::VERSION);
        record(&mut store, 1_763_812_860_000, &version("a"), &[decided(&window(), [0.1, 0.2, 0.7])]);
        let rows = store.decisions(Pick::Last(2), None).unwrap();
        assert_eq!(rows.len(), 2, "version {found}");
        assert_eq!(rows[0].probabilities, Some([0.1, 0.2, 0.7]));
        let unknown: (Option<i64>, Option<Vec<u8>>, Option<i64>) = store
            .connection
            .query_row("SELECT version_id, sequence_sha256, bars FROM decisions ORDER BY id LIMIT 1", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .unwrap();
        assert_eq!(unknown, (None, None, None), "of what was decided before, nobody knows");
        assert_eq!(store.orders(false).unwrap().len(), 1);
        assert_eq!(store.outcomes("baseline", "EURUSD"), Ok(Vec::new()));
        let paper = "SELECT (SELECT count(*) FROM paper_orders) + (SELECT count(*) FROM paper_equity)
                     + (SELECT count(paper_order_id) + count(paper_suppressed) FROM decisions)";
        assert_eq!(store.connection.query_row(paper, [], |row| row.get::<_, i64>(0)).unwrap(), 0, "nothing is made up");
        drop(store);
        assert!(Store::open_read_only(&disk.path()).is_ok());
    }
}

#[test]
fn first_decisions_of_earlier_versions_stay_as_they_were() {
    let disk = Disk::new();
    old_journal(&disk, 8);
    let old = Connection::open(disk.path()).unwrap();
    let insert = "INSERT INTO confidences VALUES ('baseline', ?1, ?2, ?3, ?4)";
    for (symbol, bar, confidence, cycle_id) in [("EURUSD", 2, 0.7, 20), ("EURUSD", 1, 0.6, 10), ("AUDUSD", 2, 0.5, 21)]
    {
        old.execute(insert, (symbol, bar, confidence, cycle_id)).unwrap();
    }
    drop(old);
    let store = disk.open();
    let symbols = [Symbol::new("EURUSD"), Symbol::new("AUDUSD")];
    let kept = store.confidences("baseline", &symbols, 9).unwrap();
    let kept: Vec<_> = kept.iter().map(|it| (it.symbol.as_str(), it.bar_close_time, it.confidence)).collect();
    assert_eq!(kept, [("EURUSD", 1, 0.6), ("AUDUSD", 2, 0.5), ("EURUSD", 2, 0.7)]);
    let again = "INSERT OR IGNORE INTO confidences VALUES ('baseline', 'EURUSD', 1, 0.9, 99)";
    assert_eq!(
        store.connection.execute(again, []).unwrap(),
        0,
        "the first of a bar stays, also for a daemon that still runs"
    );
}

#[test]
fn trades_on_paper_of_a_version_before_ended_when_they_changed_last() {
    let disk = Disk::new();
    old_journal(&disk, 7);
    let old = Connection::open(disk.path()).unwrap();
    let row = |id: i64, exit_at: &str, closes: &str| trade_of_version_7(&old, id, exit_at, closes);
    row(1, "1", "NULL");
    row(2, "NULL", "NULL");
    row(3, "NULL", "1");
    drop(old);
    assert_eq!(ends(&disk.open()), [Some(2_000), None, None]);
}

#[test]
fn trades_that_a_daemon_of_before_still_ends_are_not_lost() {
    let disk = Disk::new();
    drop(disk.open());
    let old = Connection::open(disk.path()).unwrap();
    for (id, exit_at, closes) in [(1, "1", "NULL"), (2, "NULL", "NULL"), (3, "NULL", "1"), (4, "1", "NULL")] {
        trade_of_version_7(&old, id, exit_at, closes);
    }
    old.execute_batch("UPDATE paper_orders SET ended_at_ms = 1500, net_points = 5, profit = 2.5 WHERE id = '4'")
        .unwrap();
    assert_eq!(ends(&Store::open_read_only(&disk.path()).unwrap())[0], None, "who may only read it changes nothing");
    drop(old);
    let store = disk.open();
    assert_eq!(ends(&store), [Some(2_000), None, None, Some(1_500)]);
    assert_eq!(store.paper_profit("demo", 0..3_000).unwrap()[0].trades, 2);
    let sql = format!("EXPLAIN QUERY PLAN SELECT 1 FROM paper_orders WHERE {}", schema::UNNOTICED);
    let plan: String = store.connection.query_row(&sql, [], |row| row.get(3)).unwrap();
    assert!(plan.contains("paper_orders_unnoticed"), "{plan}");
}

#[test]
fn a_journal_without_its_trades_on_paper_still_opens() {
    let disk = Disk::new();
    disk.open().connection.execute_batch("DROP TABLE paper_orders").unwrap();
    let mut store = disk.open();
    steps(&mut store, &order("EURUSD", BAR), None, NOW);
    assert_eq!(store.orders(false).unwrap().len(), 1, "live orders are written");
}

fn ends(store: &Store) -> Vec<Option<i64>> {
    let mut select = store.connection.prepare("SELECT ended_at_ms FROM paper_orders ORDER BY ticket").unwrap();
    select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// A row with the columns that version 7 knows.
fn trade_of_version_7(old: &Connection, id: i64, exit_at: &str, closes: &str) {
    old.execute_batch(
        &format!(
            "INSERT INTO paper_orders (id, account, symbol, gateway_name, model, bar_close_time, side, volume, stop_loss, take_profit,
                confidence, close, digits, ticket, seen_to, bars_seen, mark_price, is_ambiguous, created_at_ms, updated_at_ms,
                exit_at, closes)
             VALUES ('{id}', 'demo', 'EURUSD', 'EURUSD', 'baseline', 0, 'BUY', 0.1, 0, 0, 0.7, 1.1, 5, {id}, 0, 0, 1.1, 0, 1, 2000,
                {exit_at}, {closes})"
        ))
        .unwrap();
}

#[test]
fn odds_from_before_models_were_named_come_first() {
    let disk = Disk::new();
    let mut store = disk.open();
    let window = window();
    let (before, after) = ([0.1, 0.2, 0.7], [0.6, 0.3, 0.1]);
    store.record_decisions(1, "baseline", &[decided(&window, before)]).unwrap();
    // As the version before it left its decisions.
    store.connection.execute_batch("DELETE FROM confidences").unwrap();
    store.record_decisions(2, "baseline", &[decided(&window, after)]).unwrap();
    let later: Arc<[Bar]> = window.iter().map(|bar| Bar { open_time: bar.open_time + 3_600, ..*bar }).collect();
    store.record_decisions(3, "baseline", &[decided(&later, after)]).unwrap();
    let found = store.first_odds("baseline", "EURUSD").unwrap();
    assert_eq!(found.first.iter().map(|first| first.odds).collect::<Vec<_>>(), [before, after]);
    assert_eq!((found.without_model, found.decisions, found.models), (1, 3, vec!["baseline".to_owned()]));
}

#[test]
fn pruning_says_from_when_on_orders_may_be_missing() {
    let disk = Disk::new();
    let mut store = disk.open();
    let forgotten = |store: &Store| -> Option<i64> {
        store.connection.query_row("SELECT max(before_ms) FROM forgotten", [], |row| row.get(0)).unwrap()
    };
    for bar in [BAR, BAR + 3_600] {
        let order = order("EURUSD", bar);
        steps(&mut store, &order, Some(Outcome::Rejected { reason: "no".into() }), NOW);
    }
    store.prune(NOW, alike(DAY)).unwrap();
    assert_eq!(forgotten(&store), None, "nothing went");
    store.prune(NOW + 3 * DAY, alike(DAY)).unwrap();
    assert_eq!(forgotten(&store), Some(1_763_812_800_000 + 2 * 86_400_000));
}
