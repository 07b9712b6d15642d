//! `sentinel replay` on a recording of the real daemon: all of it is equal, and nothing that is wrong goes unseen: neither a
//! function that computes otherwise nor a file that was changed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

mod helpers;
#[path = "replay/mutants.rs"]
mod mutants;

use helpers::spawn_app;
use mutants::{HOLIDAY, SESSIONS, mutants, the_same};
use rusqlite::Connection;
use sentinel::tools::replay::{recompute::Functions, report::Report, run};
use sentinel_actors::adapters::archive::Archive;
use std::{fs, path::PathBuf};
use tempfile::TempDir;

const ALL: (i64, i64) = (i64::MIN, i64::MAX);
const CYCLES_MIN: u64 = 400;
const COOLDOWN_MS: i64 = 3_000;
/// On a machine with much else to do a recording may lack what depends on time.
const TRIES: usize = 8;

/// Journal and archive of a daemon that met closed hours, a cooldown and a limit on orders.
struct Recording {
    folder: TempDir,
    cycles: u64,
}

impl Recording {
    /// One that has all that the mutants are found by.
    async fn make() -> Self {
        let mut lacks = Vec::new();
        for _ in 0..TRIES {
            let recording = Self::record().await;
            match recording.lacks() {
                None => return recording,
                Some(what) => lacks.push(what),
            }
        }
        panic!("no recording has all: {lacks:?}");
    }

    /// What depends on how many cycles the machine made in a second: a signal in the cooldown of the first order, one in that of the
    /// second, when the limit is reached, too; and an archive that was never behind.
    fn lacks(&self) -> Option<&'static str> {
        let journal = Connection::open(self.path("journal.db")).unwrap();
        let has =
            |sql: &str| journal.query_row(&format!("SELECT EXISTS ({sql})"), [], |row| row.get::<_, bool>(0)).unwrap();
        let both = format!(
            "SELECT 1 FROM decisions WHERE suppressed = 'order_limit'
             AND judged_at_ms < (SELECT max(judged_at_ms) FROM decisions WHERE order_id IS NOT NULL) + {COOLDOWN_MS}"
        );
        if !has("SELECT 1 FROM decisions WHERE suppressed = 'cooldown'") {
            return Some("a cooldown");
        } else if !has(&both) {
            return Some("a limit in a cooldown");
        }
        let report = self.replay(&TRUE);
        (report.archived_late + report.lost() > 0).then_some("bars that were archived in time")
    }

    async fn record() -> Self {
        let folder = TempDir::new().unwrap();
        let calendar = folder.path().join("calendar.toml");
        fs::write(
            &calendar,
            format!("time_zone = \"Australia/Sydney\"\nsessions = {SESSIONS:?}\nclosed = [\"{HOLIDAY}\"]\n"),
        )
        .unwrap();
        let (journal, calendar_path) = (folder.path().join("journal.db"), calendar.display().to_string());
        let flags = [
            ("journal.path", journal.to_str().unwrap()),
            ("market.calendar", &calendar_path),
            ("trading.live", "true"),
            ("trading.threshold", "0.38"),
            ("guards.cooldown_s", "3"),
            ("guards.orders_per_hour_max", "2"),
            ("guards.positions_max", "0"),
            ("data.lookback_bars", "140"),
        ];
        let app = spawn_app(&flags, |mut plan| {
            plan.back_to_back = u64::MAX;
            plan
        });
        let app = app.await;
        app.wait_for("sentinel_trading_cycles_total", CYCLES_MIN as f64).await;
        app.wait_for("sentinel_signals_suppressed_total{reason=\"order_limit\"}", 1.0).await;
        app.stop().await;
        // The settings are in the journal: what becomes of the file is nothing to a replay.
        fs::remove_file(calendar).unwrap();
        let journal = Connection::open(&journal).unwrap();
        // The stop may have cut it short.
        journal.execute("DELETE FROM decisions WHERE id = (SELECT max(id) FROM decisions)", []).unwrap();
        let count: i64 = journal.query_row("SELECT count(*) FROM decisions", [], |row| row.get(0)).unwrap();
        Self { folder, cycles: count.unsigned_abs() }
    }

    /// A copy that can be changed.
    fn copy(&self) -> Self {
        let folder = TempDir::new().unwrap();
        for name in ["journal.db", "bars.db"] {
            fs::copy(self.folder.path().join(name), folder.path().join(name)).unwrap();
        }
        Self { folder, cycles: self.cycles }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn change(&self, name: &str, sql: &str) {
        let changed = Connection::open(self.path(name)).unwrap().execute(sql, []).unwrap();
        assert!(changed > 0, "nothing is changed by {sql}");
    }

    fn replay(&self, functions: &Functions) -> Report {
        run((&self.path("journal.db"), &self.path("bars.db")), ALL, None, functions).unwrap()
    }

    fn reasons(&self) -> Vec<String> {
        let journal = Connection::open(self.path("journal.db")).unwrap();
        let mut select = journal
            .prepare("SELECT DISTINCT suppressed FROM decisions WHERE suppressed IS NOT NULL ORDER BY 1")
            .unwrap();
        select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }
}

const TRUE: Functions = Functions::OF_THE_DAEMON;

#[actix_rt::test]
async fn a_recording_is_equal_and_every_mutant_and_every_change_is_found() {
    let recording = Recording::make().await;
    let cycles = recording.cycles;
    let reasons = recording.reasons();
    for reason in ["below_threshold", "cooldown", "market_closed", "order_limit"] {
        assert!(reasons.iter().any(|it| it == reason), "{reason} is not in the recording: {reasons:?}");
    }
    let report = recording.replay(&TRUE);
    assert_eq!((report.decisions, report.equal, report.exit_code()), (cycles, cycles, 0), "{report:#?}");
    assert_eq!((report.archived_late, report.not_replayable.len()), (0, 0), "{report:#?}");

    // Beside a daemon that has not written the newest bars yet; without it they are lost.
    let copy = recording.copy();
    copy.change("bars.db", "DELETE FROM bars WHERE open_time > (SELECT max(open_time) - 36000 FROM bars)");
    let writer = Archive::open(&copy.path("bars.db")).unwrap();
    let beside = copy.replay(&TRUE);
    let awaited = beside.not_replayable[0].count;
    assert!(awaited > 0, "{beside:#?}");
    assert_eq!((beside.exit_code(), beside.lost(), beside.equal), (0, 0, cycles - awaited), "{beside:#?}");
    assert_eq!(beside.not_replayable[0].reason, "its bars are not archived yet by the running daemon");
    // What is older would have been written.
    let shift = |by: &str| {
        copy.change("journal.db", &format!("UPDATE decisions SET cycle_id = cycle_id {by}"));
        copy.change("bars.db", &format!("UPDATE bars SET first_cycle_id = first_cycle_id {by}"));
    };
    shift("- 121000");
    assert_eq!((copy.replay(&TRUE).lost(), copy.replay(&TRUE).exit_code()), (awaited, 3));
    shift("+ 121000");
    drop(writer);
    assert_eq!((copy.replay(&TRUE).lost(), copy.replay(&TRUE).exit_code()), (awaited, 3));

    // A bar that is repaired after all cycles, and one that was judged when it was just old enough.
    let edged = recording.copy();
    edged.change(
        "bars.db",
        "INSERT INTO bars SELECT series, open_time, revision + 1, 9000000000000000, source, open, high, low, close * 1.001, volume
         FROM bars ORDER BY open_time DESC LIMIT 1 OFFSET 20",
    );
    edged.change(
        "journal.db",
        "UPDATE decisions SET market_now = bar_close_time + 10800 WHERE id = (SELECT id FROM decisions WHERE suppressed IN ('cooldown', 'order_limit')
         AND (bar_close_time + 10 * 3600) % 86400 BETWEEN 7 * 3600 AND 15 * 3600 LIMIT 1)",
    );
    let report = edged.replay(&TRUE);
    assert_eq!((report.equal, report.exit_code()), (cycles, 0), "{report:#?}");
    for (name, functions) in the_same() {
        let report = edged.replay(&functions);
        assert_eq!((report.equal, report.exit_code()), (cycles, 0), "{name}: {report:#?}");
    }
    let found = |functions: &Functions| {
        let report = edged.replay(functions);
        (report.exit_code(), report.first_difference.map(|it| it.field))
    };
    let wrong = mutants().into_iter().filter_map(|(name, field, functions)| {
        let found = found(&functions);
        (found != (1, Some(field.to_owned()))).then_some((name, field, found))
    });
    assert_eq!(wrong.collect::<Vec<_>>(), [], "found otherwise, or not at all");

    for (file, field, sql) in [
        (
            "journal.db",
            "action",
            "UPDATE decisions SET action = 'HOLD', suppressed = NULL, order_id = NULL WHERE id = (SELECT id FROM decisions WHERE suppressed = 'market_closed' LIMIT 1)",
        ),
        ("journal.db", "reason", "UPDATE decisions SET suppressed = NULL WHERE suppressed = 'market_closed'"),
        ("journal.db", "reason", "UPDATE decisions SET suppressed = 'cooldown' WHERE suppressed = 'order_limit'"),
        (
            "journal.db",
            "reason",
            "UPDATE decisions SET suppressed = 'halted' WHERE id = (SELECT id FROM decisions WHERE suppressed = 'below_threshold' LIMIT 1)",
        ),
        (
            "journal.db",
            "reason",
            "UPDATE decisions SET suppressed = NULL, failed_stage = 'send', failure = 'x' WHERE suppressed = 'market_closed'",
        ),
        ("journal.db", "features", "UPDATE decisions SET features = NULL WHERE id = 100"),
        ("journal.db", "action", "UPDATE decisions SET action = NULL, suppressed = NULL WHERE id = 100"),
        ("journal.db", "threshold", "UPDATE decisions SET threshold = 0.5 WHERE id = 100"),
        ("journal.db", "close", "UPDATE decisions SET close = close + 1e-9 WHERE id = 100"),
        ("journal.db", "sequence_sha256", "UPDATE decisions SET sequence_sha256 = x'00' WHERE id = 100"),
        ("journal.db", "return_1", "UPDATE decisions SET features = zeroblob(184) WHERE id = 100"),
        (
            "journal.db",
            "hour",
            "UPDATE versions SET settings = replace(settings, '\"time_columns\":\"utc\"', '\"time_columns\":\"legacy\"')",
        ),
        (
            "bars.db",
            "bars_sha256",
            "UPDATE bars SET high = high + 1e-5 WHERE open_time = (SELECT max(open_time) - 86400 FROM bars)",
        ),
        ("bars.db", "bars_sha256", "UPDATE bars SET volume = volume + 1"),
    ] {
        let copy = recording.copy();
        copy.change(file, sql);
        let report = copy.replay(&TRUE);
        let found = report.first_difference.as_ref().map(|it| it.field.as_str());
        assert_eq!((found, report.exit_code()), (Some(field), 1), "{sql}");
    }

    let copy = recording.copy();
    copy.change("bars.db", "DELETE FROM bars WHERE open_time > (SELECT max(open_time) - 36000 FROM bars)");
    let report = copy.replay(&TRUE);
    assert_eq!(report.exit_code(), 3, "what can be made again is equal, and bars are lost");
    assert_eq!((report.equal + report.lost(), report.unequal), (cycles, 0));
    assert!(report.not_replayable[0].reason.starts_with("its bars are lost"));
    // What the archive no longer keeps is not lost.
    let copy = recording.copy();
    copy.change("bars.db", "DELETE FROM bars WHERE open_time < (SELECT min(open_time) + 86400 * 3 FROM bars)");
    let report = copy.replay(&TRUE);
    assert_eq!((report.exit_code(), report.lost(), report.unequal), (0, 0, 0), "{report:#?}");
    assert!(report.equal > 0 && report.equal < cycles);
    assert_eq!(report.not_replayable[0].reason, "its bars are older than the archive");

    // Settings that this version cannot read matter to the decisions that were made by them.
    let copy = recording.copy();
    copy.change(
        "journal.db",
        "INSERT INTO versions SELECT max(id) + 1, config_hash, model_fingerprint, app_version || '-later', '{\"later\":1}' FROM versions",
    );
    let report = copy.replay(&TRUE);
    assert_eq!((report.equal, report.exit_code()), (cycles, 0));
    copy.change(
        "journal.db",
        "UPDATE decisions SET version_id = (SELECT max(id) FROM versions) WHERE id = (SELECT max(id) FROM decisions)",
    );
    let report = copy.replay(&TRUE);
    assert_eq!((report.equal, report.lost(), report.exit_code()), (cycles - 1, 1, 3), "{report:#?}");
    let copy = recording.copy();
    copy.change("journal.db", "UPDATE decisions SET version_id = NULL");
    let report = copy.replay(&TRUE);
    assert_eq!((report.equal, report.exit_code()), (0, 1), "nothing that is shown is no proof");

    // Bars that the archive got with the next cycle, because the daemon was killed in between or the queue was full.
    let copy = recording.copy();
    copy.change("bars.db", "UPDATE bars SET first_cycle_id = first_cycle_id + 1 WHERE open_time = (SELECT max(open_time) - 7200 FROM bars)");
    let report = copy.replay(&TRUE);
    assert_eq!((report.equal, report.archived_late, report.exit_code()), (cycles, 1, 0), "{report:#?}");
}
