//! The files beside the journal: who may open them, what is kept there, and what a reader without them can do.

use super::*;
use rusqlite::Connection;
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn outcome(order: &Order, outcome: Option<Outcome>) -> OrderStep {
    OrderStep::Outcome(Box::new(order.clone()), outcome.unwrap())
}

impl Disk {
    fn beside(&self, suffix: &str) -> PathBuf {
        files::beside(&self.path(), suffix)
    }

    /// An order on its way whose daemon is gone.
    fn left_sending(&self) -> Order {
        let order = order("EURUSD", BAR);
        steps(&mut self.open(), &order, None, NOW);
        order
    }

    fn next_start(&self) -> OrderRow {
        let mut store = self.open();
        store.read_standing(&identity(), StandingQuestion::default(), NOW + DAY).unwrap();
        store.orders(false).unwrap().remove(0)
    }
}

#[test]
fn every_file_is_its_users_alone_and_older_ones_become_so() {
    let disk = Disk::new();
    let _lock = DaemonLock::acquire(&disk.path()).unwrap();
    let store = disk.open();
    let all = ["", "-wal", "-shm", ".lock"].map(|suffix| disk.beside(suffix));
    assert_eq!(all.each_ref().map(|path| mode(path)), [0o600; 4]);
    drop((store, _lock));
    Store::keep(&disk.path(), &outcome(&order("EURUSD", BAR), filled()), NOW).unwrap();
    assert_eq!(mode(&disk.beside(".unwritten")), 0o600);
    for suffix in ["", ".lock", ".unwritten"] {
        fs::set_permissions(disk.beside(suffix), Permissions::from_mode(0o644)).unwrap();
    }
    let _lock = DaemonLock::acquire(&disk.path()).unwrap();
    let _store = disk.open();
    assert_eq!(all.each_ref().map(|path| mode(path)), [0o600; 4]);
    assert_eq!(mode(&disk.beside(".unwritten")), 0o600);
}

#[test]
fn a_start_reads_kept_outcomes_before_it_judges_orders() {
    for (answer, state) in [
        (filled(), OrderState::Filled),
        (Some(Outcome::Rejected { reason: "no money".into() }), OrderState::Rejected),
        (Some(Outcome::NotSent { reason: "absent".into() }), OrderState::NotSent),
        (unknown(), OrderState::Unknown),
    ] {
        let disk = Disk::new();
        let order = disk.left_sending();
        let step = outcome(&order, answer);
        assert!(Store::keep(&disk.path(), &step, NOW).unwrap());
        // A second time, as after a kill between the journal and the removal.
        let copy = fs::read(disk.beside(".unwritten")).unwrap();
        let row = disk.next_start();
        assert_eq!(row.state, state);
        assert_eq!(row.updated_at_ms, millis(NOW), "when it became so, not when it was read");
        if state == OrderState::Filled {
            assert_eq!((row.ticket, row.price), (Some(7), Some(1.1)));
        }
        assert!(!disk.beside(".unwritten").exists());
        fs::write(disk.beside(".unwritten"), copy).unwrap();
        assert_eq!(disk.next_start(), row);
        let life = disk.open().order_life(order.client_order_id).unwrap();
        assert_eq!(life.steps.len(), 3, "and it is in its life once");
        assert!(!disk.beside(".unwritten").exists() && !disk.beside(".unwritten.refused").exists());
    }
}

#[test]
fn an_order_that_was_given_up_is_no_unknown_one_at_the_next_start() {
    let disk = Disk::new();
    let order = disk.left_sending();
    let step = |id| OrderStep::GivenUp(id, "shutdown");
    assert!(Store::keep(&disk.path(), &step(order.client_order_id), NOW).unwrap());
    assert!(Store::keep(&disk.path(), &step(Uuid::nil()), NOW).unwrap(), "its intent never got into the journal");
    assert_eq!(disk.next_start().state, OrderState::NotSent);
    assert!(!disk.beside(".unwritten.refused").exists());
}

#[test]
fn an_order_given_up_for_a_lost_account_is_no_failure_in_a_row() {
    for (reason, failures) in
        [("shutdown", 1), ("not_holder", 0), ("before_takeover", 0), ("ordered_elsewhere", 0), ("claim_late", 0)]
    {
        let disk = Disk::new();
        let order = disk.left_sending();
        Store::keep(&disk.path(), &OrderStep::GivenUp(order.client_order_id, reason), NOW).unwrap();
        let question = StandingQuestion { failures_max: 3, ..StandingQuestion::default() };
        let standing = disk.open().read_standing(&identity(), question, NOW).unwrap();
        assert_eq!(standing.failures_in_a_row, failures, "{reason}");
    }
}

#[test]
fn the_volume_of_a_partial_fill_is_kept() {
    let disk = Disk::new();
    let order = disk.left_sending();
    let fill = Outcome::Filled { ticket: 7, price: None, volume: Some(0.005) };
    Store::keep(&disk.path(), &outcome(&order, Some(fill)), NOW).unwrap();
    assert_eq!(disk.next_start().filled_volume, Some(0.005));
}

#[test]
fn a_line_that_fits_no_order_is_laid_aside_and_the_others_count() {
    let disk = Disk::new();
    let order = disk.left_sending();
    Store::keep(&disk.path(), &outcome(&self::order("GBPUSD", BAR), filled()), NOW).unwrap();
    Store::keep(&disk.path(), &outcome(&order, filled()), NOW).unwrap();
    let whole = fs::read_to_string(disk.beside(".unwritten")).unwrap();
    fs::write(disk.beside(".unwritten"), format!("{whole}{{\"order\":\"torn")).unwrap();
    assert_eq!(disk.next_start().state, OrderState::Filled);
    let aside = fs::read_to_string(disk.beside(".unwritten.refused")).unwrap();
    assert_eq!(aside.lines().count(), 2);
    assert!(aside.contains(&self::order("GBPUSD", BAR).client_order_id.to_string()) && aside.contains("torn"));
    assert!(!disk.beside(".unwritten").exists());
}

#[test]
fn while_what_was_kept_cannot_be_read_or_written_nothing_is_settled() {
    let disk = Disk::new();
    let order = disk.left_sending();
    let mut store = disk.open();
    let mut standing = || store.read_standing(&identity(), StandingQuestion::default(), NOW);
    Store::keep(&disk.path(), &outcome(&order, filled()), NOW).unwrap();
    let other = Connection::open(disk.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(standing().unwrap_err().is_broken());
    assert!(disk.beside(".unwritten").exists(), "it is not given up");
    other.execute_batch("ROLLBACK").unwrap();
    let (kept, aside) = (disk.beside(".unwritten"), disk.beside(".aside"));
    fs::rename(&kept, &aside).unwrap();
    fs::create_dir(&kept).unwrap();
    assert!(standing().unwrap_err().is_broken());
    assert!(Store::keep(&disk.path(), &outcome(&order, filled()), NOW).is_err());
    fs::remove_dir(&kept).unwrap();
    fs::rename(&aside, &kept).unwrap();
    standing().unwrap();
    assert_eq!(store.orders(false).unwrap()[0].state, OrderState::Filled);
}

#[test]
fn a_step_that_a_restart_need_not_know_is_not_kept() {
    let disk = Disk::new();
    let order = disk.left_sending();
    assert!(!Store::keep(&disk.path(), &OrderStep::Sending(order.client_order_id, None), NOW).unwrap());
    assert!(!disk.beside(".unwritten").exists());
}
