//! Profit and loss in `/metrics`: what the journal counted, while the gateway has told the account lately, and nothing else.

use super::*;
use crate::domain::profit::{Figures, PaperFigures};

const DAY: i64 = START as i64 / 86_400;

fn money() -> Figures {
    Figures {
        told_ms: Some(START as i64 * 1_000),
        balance: Some(10_000.5),
        equity: Some(9_990.25),
        day: DAY,
        realised: vec![("EURUSD".into(), -12.5), ("GOLD".into(), 3.0), ("SILVER".into(), 0.5)],
        open: Some(vec![("EURUSD".into(), Some(-10.25)), ("USDJPY".into(), None)]),
        today: [Some(-22.75), Some(1.0)],
        unexplained: 500.0,
        drawdown: Some(0.015),
    }
}

fn counted(money: Figures) -> Event {
    Event::MoneyCounted(Box::new(money))
}

fn is_there(text: &str, series: &str) -> bool {
    text.lines().any(|line| line.starts_with(series))
}

const REALISED: &str = "sentinel_profit_realised{ledger=\"live\",symbol=\"EURUSD\"}";
const OPEN: &str = "sentinel_profit_open{ledger=\"live\",symbol=\"EURUSD\"}";

#[actix::test]
async fn each_figure_is_shown_as_it_was_counted() {
    let (actor, ..) = start();
    assert!(!is_there(&text(&actor).await, "sentinel_profit_realised{"), "nothing is known yet");
    actor.do_send(Event::EquityTold(Some(9_990.25)));
    actor.do_send(counted(money()));
    let shown = text(&actor).await;
    for (series, expected) in [
        ("sentinel_account_balance", 10_000.5),
        ("sentinel_account_equity", 9_990.25),
        ("sentinel_account_unexplained", 500.0),
        ("sentinel_account_drawdown_ratio", 0.015),
        ("sentinel_profit_today{day=\"utc\"}", -22.75),
        ("sentinel_profit_today{day=\"new_york\"}", 1.0),
        (REALISED, -12.5),
        ("sentinel_profit_realised{ledger=\"live\",symbol=\"USDJPY\"}", 0.0),
        ("sentinel_profit_realised{ledger=\"live\",symbol=\"other\"}", 3.5),
        (OPEN, -10.25),
    ] {
        assert_eq!(value(&shown, series), expected, "{series}");
    }
    assert!(!is_there(&shown, "sentinel_profit_open{ledger=\"live\",symbol=\"USDJPY\"}"), "one of its is not told");
    assert!(!is_there(&shown, "sentinel_profit_open{ledger=\"live\",symbol=\"other\"}"), "there is none");
}

#[actix::test]
async fn a_restart_shows_what_the_journal_knows_unless_it_is_old() {
    for (age_s, is_fresh) in [(60, true), (5_399, true), (5_400, false)] {
        let told_ms = Some((START as i64 - age_s) * 1_000);
        let (actor, ..) = start_with(|config| config.money = Some(Figures { told_ms, ..money() }));
        let shown = text(&actor).await;
        assert_eq!(value(&shown, REALISED), -12.5, "what was realised stays true");
        for series in ["sentinel_account_balance", "sentinel_account_equity", OPEN, "sentinel_profit_today"] {
            assert_eq!(is_there(&shown, series), is_fresh, "{series} after {age_s} s");
        }
    }
}

#[actix::test]
async fn a_lost_gateway_takes_what_it_told_and_leaves_what_was_realised() {
    let (actor, ..) = start_with(|config| config.money = Some(money()));
    actor.do_send(Event::GatewayChecked { trouble: Some("no gateway".into()) });
    let lost = text(&actor).await;
    assert_eq!(value(&lost, REALISED), -12.5);
    for series in ["sentinel_account_balance", "sentinel_account_unexplained", OPEN, "sentinel_profit_today"] {
        assert!(!is_there(&lost, series), "{series}");
    }
}

#[actix::test]
async fn a_new_day_begins_with_nothing_realised() {
    // Told too long ago to be fresh.
    let told_ms = Some((START as i64 - 5_400) * 1_000);
    let (actor, clock, ..) = start_with(|config| config.money = Some(Figures { told_ms, ..money() }));
    clock.advance(86_400);
    assert!(!is_there(&text(&actor).await, REALISED), "nobody knows whether something was");
    actor.do_send(Event::EquityTold(Some(9_990.25)));
    let next = text(&actor).await;
    assert_eq!(value(&next, REALISED), 0.0);
    assert!(!is_there(&next, "sentinel_profit_today"), "its first equity is not counted yet");
}

#[actix::test]
async fn paper_is_a_ledger_of_its_own_and_unknown_money_is_not_shown() {
    let paper = PaperFigures {
        day: DAY,
        realised: vec![("EURUSD".into(), Some(4.5))],
        open: Some(vec![("USDJPY".into(), None)]),
    };
    let (actor, clock, ..) = start_with(|config| config.paper = Some(PaperFigures { open: None, ..paper.clone() }));
    let series =
        |family: &str, symbol: &str| format!("sentinel_profit_{family}{{ledger=\"paper\",symbol=\"{symbol}\"}}");
    let first = text(&actor).await;
    assert_eq!(value(&first, &series("realised", "EURUSD")), 4.5);
    assert!(!is_there(&first, "sentinel_profit_open"), "not before the first cycle");
    actor.do_send(Event::PaperCounted(Box::new(paper)));
    let shown = text(&actor).await;
    assert_eq!(value(&shown, &series("open", "EURUSD")), 0.0);
    assert!(!is_there(&shown, &series("open", "USDJPY")), "in points only");
    assert!(!shown.contains("ledger=\"live\""));
    clock.advance(86_400);
    assert_eq!(value(&text(&actor).await, &series("realised", "EURUSD")), 0.0);
}

#[actix::test]
async fn without_an_account_nothing_is_shown() {
    for known in [None, Some(Figures { told_ms: None, ..money() })] {
        let (actor, ..) = start_with(|config| config.money = known);
        actor.do_send(Event::EquityTold(Some(1.0)));
        let shown = text(&actor).await;
        let families = ["sentinel_profit_", "sentinel_account_balance", "sentinel_account_unexplained"];
        assert!(families.iter().all(|family| !is_there(&shown, family)), "{shown}");
    }
}

#[actix::test]
async fn fills_are_compared_with_the_close_and_failed_polls_counted() {
    let (actor, ..) = start();
    let filled = Outcome::Filled { ticket: 7, price: Some(1.1), volume: None };
    for points in [-1.5, 0.0, 12.0] {
        let report = SignalReport { slippage_points: Some(points), ..ordered(Side::Buy, filled.clone(), Some(2)) };
        actor.do_send(Event::SignalsHandled { reports: vec![report] });
    }
    actor.do_send(Event::AccountPollFailed);
    let shown = text(&actor).await;
    let bucket = |le: &str| value(&shown, &format!("sentinel_fill_slippage_points_bucket{{le=\"{le}\"}}"));
    assert_eq!(["-2.0", "-1.0", "0.0", "10.0", "20.0"].map(bucket), [0.0, 1.0, 2.0, 2.0, 3.0]);
    assert_eq!(bucket("+Inf"), 3.0);
    assert!(!shown.contains("sentinel_fill_slippage_points_sum"), "it could fall");
    assert_eq!(value(&shown, "sentinel_account_poll_failures_total"), 1.0);
}
