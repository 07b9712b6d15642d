//! Compressed texts: each is made once, on its first request, and is small enough for a thousand symbols.

use super::*;
use crate::domain::{cycle_outcome::SymbolFailure, names::Step};
use flate2::read::GzDecoder;
use std::io::Read;

fn gzipped(format: Format) -> GetMetrics {
    GetMetrics { format, is_gzipped: true }
}

fn unpacked(gzip: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    GzDecoder::new(gzip).read_to_end(&mut text).unwrap();
    text
}

#[actix::test]
async fn a_text_is_compressed_when_that_is_first_asked_for_and_never_again() {
    let (actor, clock, _, snapshot) = start();
    for format in [Format::Text, Format::OpenMetrics] {
        assert_eq!(actor.send(plain(format)).await.unwrap().gzip, None, "nobody has asked yet");
        let first = actor.send(gzipped(format)).await.unwrap();
        let gzip = first.gzip.clone().unwrap();
        assert_eq!(unpacked(&gzip), first.text);
        assert_eq!(snapshot.get(), Some(first.clone()), "found there when the actor is late");
        for question in [gzipped(format), plain(format), gzipped(format)] {
            let again = actor.send(question).await.unwrap();
            assert_eq!(again.gzip.map(|again| again.as_ptr()), Some(gzip.as_ptr()), "the very same bytes");
            assert_eq!(again.text.as_ptr(), first.text.as_ptr());
        }
    }
    let old = actor.send(gzipped(Format::Text)).await.unwrap();
    clock.advance(1);
    assert_eq!(actor.send(plain(Format::Text)).await.unwrap().gzip, None, "a new text is not compressed unasked");
    let new = actor.send(gzipped(Format::Text)).await.unwrap();
    assert_ne!(new.gzip.as_ref().map(|new| new.as_ptr()), old.gzip.as_ref().map(|old| old.as_ptr()));
    assert_eq!(unpacked(&new.gzip.unwrap()), new.text);
}

#[actix::test]
async fn a_thousand_symbols_at_work_take_less_than_60_kb() {
    const SYMBOLS: usize = 1_000;
    const BYTES_MAX: usize = 60_000;
    let symbols = (0..SYMBOLS).map(|i| Symbol::new(&format!("SYM{i:04}"))).collect::<Vec<_>>();
    let (actor, clock, ..) = start_with(|config| config.symbols.clone_from(&symbols));
    // The parts that differ from one text to the next, and repeat only after a while.
    let of = |i: usize, cycle_id: u64| i * 31 + cycle_id as usize * i % 97;
    for cycle_id in 1..=50 {
        clock.advance(60);
        let decide = |(i, symbol): (usize, &Symbol)| {
            let action = [Action::Buy, Action::Sell, Action::Hold, Action::Hold, Action::Hold][of(i, cycle_id) % 5];
            decided(symbol.as_str(), 0, decision(action, action, 0.4 + (of(i, cycle_id) % 500) as f64 / 1e3))
        };
        let decisions = symbols.iter().enumerate().map(decide).collect();
        actor.do_send(Event::SignalsDecided { decisions, suppressed: vec![] });
        let fetch = |(i, symbol): (usize, &Symbol)| FetchReport {
            symbol: symbol.clone(),
            duration: Some(Duration::from_millis(of(i, cycle_id) as u64 % 900)),
            newest_bar_close_time: Some((START + if i % 50 == 7 { 3_600 } else { 7_200 }) as i64),
            failure: None,
            gaps: (of(i, cycle_id) % 83 == 0).into(),
        };
        let fetches = symbols.iter().enumerate().map(fetch).collect();
        actor.do_send(Event::BarsFetched { fetches, api: ApiUsage::default(), rejected: vec![] });
        let failed = |(i, symbol): (usize, &Symbol)| (of(i, cycle_id) % 89 == 0).then(|| failed_to_fetch(symbol));
        let failures = symbols.iter().enumerate().filter_map(failed).collect();
        actor.do_send(Event::SymbolsEnded { cycle_id, failures });
        text(&actor).await;
    }
    for format in [Format::Text, Format::OpenMetrics] {
        let Exposition { text, gzip, .. } = actor.send(gzipped(format)).await.unwrap();
        let (text, gzip) = (text.len(), gzip.unwrap().len());
        assert!(text > 800_000 && gzip < BYTES_MAX, "{format:?}: {text} -> {gzip} bytes");
    }
}

fn failed_to_fetch(symbol: &Symbol) -> SymbolFailure {
    SymbolFailure { symbol: symbol.clone(), step: Step::Fetch, kind: "404" }
}

#[actix::test]
async fn each_format_is_made_once_of_the_same_values() {
    let (actor, _, _, snapshot) = start();
    let ask = |format| actor.send(plain(format));
    let plain = ask(Format::Text).await.unwrap();
    let open = ask(Format::OpenMetrics).await.unwrap();
    assert_eq!(snapshot.get(), Some(open.clone()));
    assert_eq!(ask(Format::Text).await.unwrap().text.as_ptr(), plain.text.as_ptr(), "still the same bytes");
    assert_eq!(ask(Format::OpenMetrics).await.unwrap().text.as_ptr(), open.text.as_ptr());
    assert!(!plain.text.ends_with(b"# EOF\n") && open.text.ends_with(b"\n# EOF\n"));
    actor.do_send(Event::TicksMissed(1));
    for format in [Format::OpenMetrics, Format::Text] {
        let text = String::from_utf8(ask(format).await.unwrap().text.to_vec()).unwrap();
        assert_eq!(value(&text, "sentinel_scheduler_ticks_missed_total"), 1.0);
    }
}
