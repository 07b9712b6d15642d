//! Bars that are well-formed but impossible: which are refused, which bars are kept, and how a feed recovers.

use super::{fixtures::Request, *};

/// Hourly bars that open later than they should.
fn shifted(hours: std::ops::Range<i64>, by_s: i64) -> String {
    let moved = |hour: i64| rows(hour..hour + 1).replace(&(hour * HOUR).to_string(), &(hour * HOUR + by_s).to_string());
    joined(hours.map(moved))
}

/// Several answers as one.
pub(super) fn joined(bodies: impl Iterator<Item = String>) -> String {
    let inner: Vec<_> =
        bodies.map(|body| body.trim_matches(['[', ']']).to_owned()).filter(|rows| !rows.is_empty()).collect();
    format!("[{}]", inner.join(","))
}

#[actix::test]
async fn bars_that_cannot_be_of_the_interval_are_refused_and_the_feed_heals() {
    let half = HOUR / 2;
    let overlap = move || joined([rows(NOW..NOW + 1), shifted(NOW..NOW + 1, half)].into_iter());
    let server = Server::start(move |number, _| {
        Reply::Body(match number {
            0 | 5 => rows(NOW - 200..NOW),
            1 => overlap(),
            // In order, but not later than the stored bars.
            3 => shifted(NOW..NOW + 1, half),
            4 => joined([rows(NOW - 200..NOW - 9), shifted(NOW - 9..NOW, half)].into_iter()),
            _ => rows(NOW..NOW + 1),
        })
    });
    let harness = Harness::new(&server.base_url, &["EURUSD"], |_| {});
    assert_eq!(harness.cycle().await.window(0), (200, NOW - 1));
    harness.clock.set((NOW + 2) * HOUR);
    let refused = |cycle: &Cycle| {
        assert_eq!(cycle.failure(0), Some("not_of_interval"));
        assert_eq!(cycle.rejected, [(BarRejection::NotOfInterval, 1)]);
        assert!(cycle.errors.is_empty(), "the answer itself was in order");
    };
    refused(&harness.cycle().await);
    assert_eq!(harness.cycle().await.window(0), (200, NOW), "what was held is as good as before");
    refused(&harness.cycle().await);
    refused(&harness.cycle().await);
    assert_eq!(harness.discarded(), 3);
    assert_eq!(harness.cycle().await.window(0), (200, NOW - 1), "everything is asked for again");
    let asked: Vec<_> = server.requests().iter().filter_map(Request::range).collect();
    let whole = asked[0].1 - asked[0].0;
    let is_whole: Vec<_> = asked.iter().map(|(from, to)| to - from >= whole).collect();
    assert_eq!(is_whole, [true, false, false, false, true, true]);
}

#[actix::test]
async fn after_a_refused_answer_only_a_good_one_is_decided_on() {
    let server = Server::start(|number, _| {
        Reply::Body(match number {
            0 => rows(NOW - 200..NOW),
            1 => joined([rows(NOW..NOW + 1), shifted(NOW..NOW + 1, HOUR / 2)].into_iter()),
            _ => rows(NOW..NOW + 1),
        })
    });
    let harness = Harness::new(&server.base_url, &["EURUSD"], |config| config.poll = Poll::Bar);
    harness.cycle().await;
    for (after_s, calls, failure) in [(0, 1, Some("not_of_interval")), (60, 0, Some("not_of_interval")), (300, 1, None)]
    {
        harness.clock.set((NOW + 2) * HOUR + after_s);
        let cycle = harness.cycle().await;
        assert_eq!((cycle.calls, cycle.failure(0)), (calls, failure), "{after_s} s later");
    }
}

#[actix::test]
async fn a_request_never_reaches_further_back_than_the_whole_range() {
    let bad = joined([rows(NOW..NOW + 1), shifted(NOW..NOW + 1, HOUR / 2)].into_iter());
    let server = Server::start(move |number, request| match request.range() {
        _ if number == 0 => Reply::Body(rows(NOW - 200..NOW)),
        Some((from, _)) if from <= NOW * HOUR => Reply::Body(bad.clone()),
        _ => Reply::Body(rows(NOW + 800..NOW + 1_000)),
    });
    let harness = Harness::new(&server.base_url, &["EURUSD"], |_| {});
    harness.cycle().await;
    for (hours, failure) in [(2, Some("not_of_interval")), (1_000, None)] {
        harness.clock.set((NOW + hours) * HOUR);
        assert_eq!(harness.cycle().await.failure(0), failure, "no bad row holds a symbol for ever");
    }
}

/// 200 bars up to `NOW`; the one that is `ago` bars old has another price.
fn rows_with_jump(ago: i64) -> String {
    let wrong = rows(NOW - ago..NOW - ago + 1).replace(":1.", ":149.");
    joined([rows(NOW - 200..NOW - ago), wrong, rows(NOW - ago + 1..NOW)].into_iter())
}

#[actix::test]
async fn a_jump_stops_the_decision_says_both_prices_and_heals_once_it_is_corrected() {
    for (ago, jump_max, failure) in
        [(1, 0.2, Some("jump")), (199, 0.2, Some("jump")), (60, 0.0, None), (60, 500.0, None)]
    {
        let server = Server::start(move |number, _| {
            Reply::Body(match number {
                0 => rows_with_jump(ago),
                1 => "[]".into(),
                _ => rows(NOW - 200..NOW),
            })
        });
        let harness = Harness::new(&server.base_url, &["EURUSD"], |config| config.jump_max = jump_max);
        let cycle = harness.cycle().await;
        assert_eq!(cycle.failure(0), failure, "{ago} bars ago, {jump_max}");
        let Err(told) = &cycle.bars.windows[0].1 else { continue };
        for words in [" 1.499", " 149.499", "data.jump_max = 0.2", "UTC"] {
            assert!(told.detail.contains(words), "{words}: {told}");
        }
        assert_eq!((cycle.errors.len(), harness.discarded()), (0, 0), "the answer itself was in order");
        assert_eq!(harness.cycle().await.failure(0), Some("jump"), "still among the bars held");
        harness.clock.set(NOW * HOUR + 300);
        assert_eq!(harness.cycle().await.window(0), (200, NOW - 1), "the whole range was asked for again");
    }
}

#[actix::test]
async fn a_short_answer_never_takes_the_place_of_bars_in_doubt() {
    let server = Server::start(move |number, _| {
        Reply::Body(match number {
            0 => rows_with_jump(30),
            1 => rows(NOW - 100..NOW - 40),
            _ => "[]".into(),
        })
    });
    let harness = Harness::new(&server.base_url, &["EURUSD"], |_| {});
    harness.cycle().await;
    for later in [300, 600] {
        harness.clock.set(NOW * HOUR + later);
        assert_eq!(harness.cycle().await.failure(0), Some("jump"));
    }
}

#[actix::test]
async fn bars_ahead_of_our_clock_are_counted_and_the_rest_is_decided_on() {
    let server = Server::start(|_, _| Reply::Body(rows(NOW - 200..NOW + 3)));
    let harness = Harness::new(&server.base_url, &["EURUSD"], |_| {});
    let cycle = harness.cycle().await;
    assert_eq!((cycle.window(0), cycle.rejected), ((200, NOW - 1), vec![(BarRejection::InFuture, 2)]));
    let replay = Harness::new(&server.base_url, &["EURUSD"], |config| config.market_clock = MarketClock::Bars);
    assert_eq!(replay.cycle().await.window(0), (200, NOW + 2), "a replay is its own clock");
}

#[actix::test]
async fn an_open_or_close_outside_its_range_costs_the_bar() {
    let outside =
        |hour: i64, name: &str| rows(hour..hour + 1).replace(&format!("\"{name}\":1."), &format!("\"{name}\":1.1"));
    for name in ["open", "close"] {
        for (ago, failure, bars) in [(1, Some("newest_bar_invalid"), 0), (30, None, 199)] {
            let server = Server::start(move |_, _| {
                let hour = NOW - ago;
                Reply::Body(joined([rows(NOW - 200..hour), outside(hour, name), rows(hour + 1..NOW)].into_iter()))
            });
            let cycle = Harness::new(&server.base_url, &["EURUSD"], |_| {}).cycle().await;
            assert_eq!((cycle.failure(0), &cycle.rejected[..]), (failure, &[(BarRejection::OutsideRange, 1)][..]));
            assert!(failure.is_some() || cycle.window(0).0 == bars);
        }
    }
}
