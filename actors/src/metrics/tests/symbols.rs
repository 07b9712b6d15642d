//! Information about single symbols: which failed, in which step, and whose stops cannot be built.

use super::*;
use crate::domain::{cycle_outcome::SymbolFailure, names::Step};

fn ended(cycle_id: u64, failed: &[(&str, Step)]) -> Event {
    let failure =
        |(symbol, step): &(&str, Step)| SymbolFailure { symbol: Symbol::new(symbol), step: *step, kind: "404" };
    Event::SymbolsEnded { cycle_id, failures: failed.iter().map(failure).collect() }
}

#[actix::test]
async fn each_symbol_has_its_last_success_and_its_failures_by_stage() {
    let (actor, clock, ..) = start();
    let first = text(&actor).await;
    for symbol in ["EURUSD", "USDJPY"] {
        let success = format!("sentinel_symbol_last_success_timestamp_seconds{{symbol=\"{symbol}\"}}");
        assert_eq!(value(&first, &success), START as f64, "the start, until there is one");
        for stage in ["fetch", "features", "predict", "send"] {
            let series = format!("sentinel_symbol_failures_total{{stage=\"{stage}\",symbol=\"{symbol}\"}}");
            assert_eq!(value(&first, &series), 0.0);
        }
    }
    assert!(!first.contains("symbol_failures_total{stage=\"decide\""));
    clock.advance(60);
    actor.do_send(ended(1, &[("USDJPY", Step::Fetch)]));
    actor.do_send(finished(1, false));
    // The clock moves on only after both have arrived.
    super::text(&actor).await;
    clock.advance(60);
    actor.do_send(ended(2, &[("USDJPY", Step::Send), ("EURUSD", Step::Decide)]));
    actor.do_send(finished(2, false));
    let text = text(&actor).await;
    for (series, expected) in [
        ("sentinel_symbol_last_success_timestamp_seconds{symbol=\"EURUSD\"}", (START + 60) as f64),
        ("sentinel_symbol_last_success_timestamp_seconds{symbol=\"USDJPY\"}", START as f64),
        ("sentinel_symbol_failures_total{stage=\"fetch\",symbol=\"USDJPY\"}", 1.0),
        ("sentinel_symbol_failures_total{stage=\"send\",symbol=\"USDJPY\"}", 1.0),
        ("sentinel_symbol_failures_total{stage=\"fetch\",symbol=\"EURUSD\"}", 0.0),
    ] {
        assert_eq!(value(&text, series), expected, "{series}");
    }
    assert!(!text.contains("stage=\"decide\""), "no series that was not there from the start");
    let health = actor.send(GetHealth).await.unwrap();
    assert_eq!(health.last_cycle.unwrap().outcome, "degraded");
}

#[actix::test]
async fn a_step_succeeds_by_the_share_of_the_symbols_that_reach_it() {
    for (failures, fetch, predict) in [
        (vec![("USDJPY", Step::Fetch)], true, true),
        (vec![("USDJPY", Step::Fetch), ("EURUSD", Step::Fetch)], false, false),
        (vec![("USDJPY", Step::Fetch), ("EURUSD", Step::Predict)], true, false),
        (vec![], true, true),
    ] {
        let (actor, clock, ..) = start();
        clock.advance(30);
        actor.do_send(ended(1, &failures));
        let text = text(&actor).await;
        for (step, succeeded) in [("fetch", fetch), ("predict", predict)] {
            let series = format!("sentinel_step_last_success_timestamp_seconds{{step=\"{step}\"}}");
            let expected = if succeeded { START + 30 } else { START };
            assert_eq!(value(&text, &series), expected as f64, "{step}: {failures:?}");
        }
    }
}

#[actix::test]
async fn a_bad_stop_is_shown_until_an_order_could_be_built() {
    let (actor, ..) = start();
    let eur = || Symbol::new("EURUSD");
    for (bad, unpriced, expected) in [
        (vec![], vec![], Status::Ok),
        (vec![(eur(), "too near".to_owned())], vec![], Status::Degraded),
        (vec![], vec![eur()], Status::Degraded),
        (vec![(eur(), "too near".to_owned())], vec![], Status::Degraded),
        (vec![], vec![], Status::Ok),
    ] {
        actor.do_send(Event::StopsChecked { bad, unpriced });
        let health = actor.send(GetHealth).await.unwrap();
        let check = health.checks.iter().find(|check| check.name == "stops").unwrap();
        assert_eq!(check.status, expected, "{}", check.detail);
        assert_eq!(check.detail.matches("EURUSD").count(), usize::from(expected == Status::Degraded));
    }
}
