//! Replies composed from parts. For each part, a table written by hand says whether a fill and whether a refusal are still
//! believed with it. All dialects must agree, wherever in the reply the part is.

use crate::{
    adapters::gateway::{DialectKind, DialectParams, Verdict, dialect, dialects::fixtures::order},
    domain::order::{Order, Outcome},
};
use proptest::prelude::*;

/// The reply before anything is added: a fill, a close, or a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Base {
    Fill,
    Close,
    Refusal,
}

/// Key, value as text, whether a fill is believed with it, and whether a refusal is.
type Part = (&'static str, &'static str, bool, bool);

#[rustfmt::skip]
const PARTS: [Part; 118] = [
    ("price", "1e999", true, true), ("profit", "-1e999", true, true), ("volume", "1e999", false, false),
    ("ticket", "1e999", false, false),
    ("ticket", "9", true, false), ("ticket", "\"9\"", true, false), ("ticket", "9.0", true, false),
    ("ticket", "0", false, true), ("ticket", "-1", false, true), ("ticket", "\"nine\"", false, false),
    ("ticket", "9.5", false, false), ("ticket", "NaN", false, false), ("ticket", "null", true, true),
    ("ticket", "true", false, false), ("ticket", "[9]", false, false),
    ("deal", "5", true, false), ("deal", "0", true, true), ("deal", "NaN", true, false),
    ("order", "5", true, false), ("order", "0", true, true),
    ("retcode", "10009", true, false), ("retcode", "\"10009\"", true, false), ("retcode", "10010", true, false),
    ("retcode", "10008", false, false), ("retcode", "10012", false, false), ("retcode", "10036", false, false),
    ("retcode", "10015", false, true), ("retcode", "\"10030\"", false, true), ("retcode", "10045.0", false, true),
    ("retcode", "0", false, true), ("retcode", "\"done\"", false, false), ("retcode", "NaN", false, false),
    ("retcode", "null", true, true), ("retcode", "false", false, false),
    ("volume", "0.1", true, false), ("volume", "0.05", true, false), ("volume", "\"0.05\"", true, false),
    ("volume", "0", false, true), ("volume", "-0.1", false, true), ("volume", "NaN", false, false),
    ("volume", "Infinity", false, false), ("volume", "\"NaN\"", false, false), ("volume", "0.2", false, false),
    ("volume", "\"much\"", false, false), ("volume", "null", true, true),
    ("symbol", "\"EURUSDm\"", true, true), ("symbol", "\"eurusdM\"", true, true), ("symbol", "null", true, true),
    ("symbol", "\"EURUSD\"", false, false), ("symbol", "\"GBPUSDm\"", false, false), ("symbol", "\"\"", false, false),
    ("symbol", "7", false, false), ("symbol", "NaN", false, false),
    ("symbol", "\"EURUSDm\", \"symbol\": \"EURUSDm\"", false, false),
    ("side", "\"BUY\"", true, true), ("side", "\"buy\"", true, true), ("side", "\"OP_BUY\"", true, true),
    ("side", "0", true, true), ("side", "\"0\"", true, true), ("side", "null", true, true),
    ("side", "\"SELL\"", false, false), ("side", "\"op_sell\"", false, false), ("side", "1", false, false),
    ("side", "2", false, false), ("side", "\"HOLD\"", false, false), ("side", "true", false, false),
    ("signal", "\"buy\"", true, true), ("signal", "\"Sell\"", false, false),
    ("type", "\"BUY\"", true, true), ("type", "0.0", true, true), ("type", "\"response\"", true, true),
    ("type", "\"sell\"", false, false), ("type", "1", false, false), ("type", "\"BUY LIMIT\"", false, false),
    ("type", "NaN", false, false),
    ("uuid", "\"00000000000000000000000000000007\"", true, true), ("uuid", "null", true, true),
    ("uuid", "\"00000000-0000-0000-0000-000000000008\"", false, false), ("uuid", "7", false, false),
    ("req_id", "\"00000000-0000-0000-0000-000000000007\"", true, true), ("req_id", "\"unknown\"", false, false),
    ("client_order_id", "\"00000000-0000-0000-0000-000000000007\"", true, true),
    ("client_order_id", "\"00000000-0000-0000-0000-000000000008\"", false, false),
    ("order_id", "\"00000000-0000-0000-0000-000000000007\"", true, true),
    ("order_id", "\"00000000-0000-0000-0000-000000000008\"", false, false), ("order_id", "\"ORD-8\"", false, false),
    ("order_id", "17", true, false), ("order_id", "\"17\"", true, false), ("order_id", "0", false, true),
    ("error_message", "\"\"", true, true), ("error_message", "\"boom\"", false, true),
    ("error_message", "0", true, true), ("error_message", "false", true, true), ("error_message", "{}", false, true),
    ("error_msg", "\"\"", true, true), ("error_msg", "\"boom\"", false, true),
    ("price", "1.1", true, true), ("price", "\"1.1\"", true, true), ("price", "0", true, true),
    ("price", "-1", true, true), ("price", "NaN", true, true), ("price", "null", true, true),
    ("price", "[]", true, true),
    ("success", "true", true, false), ("success", "false", false, true), ("success", "\"yes\"", false, false),
    ("profit", "NaN", true, true), ("profit", "-Infinity", true, true), ("comment", "\"NaN\"", true, true),
    ("comment", "\"a\", \"comment\": \"b\"", true, true), ("latency_ms", "-nan(ind)", true, true),
    ("magic", "{\"status\": \"error\"}", false, true),
    ("magic", "[{\"retcode\": 10015}]", false, true), ("magic", "{\"deep\": {\"retcode\": 10008}}", false, false),
    ("request", "{\"volume\": 9, \"order\": 0, \"symbol\": \"X\"}", true, true),
    ("position_id", "77", true, false), ("return_code", "10015", false, true), ("spread", "[1, 2]", true, true),
];

/// The members of the reply before anything is added: at the top, and in `data`.
fn skeleton(kind: DialectKind, base: Base) -> [Vec<(&'static str, &'static str)>; 2] {
    const ID: &str = "\"00000000-0000-0000-0000-000000000007\"";
    match (kind, base) {
        (DialectKind::PlaceOrder, Base::Refusal) => [vec![("status", "\"Rejected\"")], vec![]],
        (DialectKind::PlaceOrder, _) => [vec![("status", "\"Success\"")], vec![]],
        (DialectKind::V43, Base::Fill) => [vec![("uuid", ID), ("status", "\"FILLED\""), ("ticket", "9")], vec![]],
        (DialectKind::V43, Base::Close) => [vec![("uuid", ID), ("status", "\"CLOSED\"")], vec![]],
        (DialectKind::V43, Base::Refusal) => {
            [vec![("uuid", ID), ("status", "\"REJECTED\""), ("error_code", "\"INVALID_VOLUME\"")], vec![]]
        }
        (DialectKind::Envelope, Base::Fill) => [vec![("req_id", ID), ("status", "\"SUCCESS\"")], vec![("ticket", "9")]],
        (DialectKind::Envelope, Base::Close) => {
            [vec![("req_id", ID), ("status", "\"SUCCESS\"")], vec![("status", "\"SUCCESS\"")]]
        }
        (DialectKind::Envelope, Base::Refusal) => {
            [vec![("req_id", ID), ("status", "\"SUCCESS\"")], vec![("status", "\"ERROR\""), ("retcode", "10019")]]
        }
        (DialectKind::OrderSend, Base::Refusal) => {
            [vec![("error", "true"), ("ticket", "0"), ("retcode", "10030")], vec![]]
        }
        (DialectKind::OrderSend, _) => [vec![("error", "false"), ("ticket", "9"), ("retcode", "10009")], vec![]],
    }
}

/// The reply with these parts, each at the place that `wants_data` says or where its key is free; and the parts that were
/// added.
fn reply(kind: DialectKind, base: Base, chosen: &[(Part, bool)]) -> (String, Vec<Part>) {
    let mut places = skeleton(kind, base);
    let mut taken: Vec<Part> = Vec::new();
    for (part, wants_data) in chosen {
        let is_free = |place: usize| places[place].iter().all(|(key, _)| *key != part.0);
        let wanted = usize::from(*wants_data);
        let place = [wanted, 1 - wanted].into_iter().find(|place| is_free(*place));
        if let (Some(place), true) = (place, taken.iter().all(|other| other.0 != part.0)) {
            places[place].push((part.0, part.1));
            taken.push(*part);
        }
    }
    let [top, data] = places
        .map(|members| members.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect::<Vec<_>>().join(", "));
    (format!("{{{top}, \"data\": {{{data}}}}}"), taken)
}

/// Whether the base is believed with this part, by the table and by the exceptions for a dialect or a close.
fn stands(kind: DialectKind, base: Base, (key, value, fill, refusal): Part) -> bool {
    match (base, key, value) {
        (Base::Refusal, ..) => refusal,
        // Its orders name no volume.
        (_, "volume", "0.2") if kind == DialectKind::PlaceOrder => true,
        // A partial execution does not close the position.
        (Base::Close, "volume", "0.05" | "\"0.05\"") | (Base::Close, "retcode", "10010") => false,
        // The reply to a close may contain the position's side.
        (Base::Close, "side" | "type" | "signal", _) => true,
        _ => fill,
    }
}

fn bases(kind: DialectKind) -> &'static [Base] {
    if kind.has_account() { &[Base::Fill, Base::Close, Base::Refusal] } else { &[Base::Fill, Base::Refusal] }
}

fn verdict(kind: DialectKind, base: Base, reply: &str) -> Verdict {
    let order = Order { closes: (base == Base::Close).then_some(5), ..order() };
    dialect(kind, DialectParams::default()).classify(&order, reply.as_bytes())
}

/// Whether a fill without a ticket contains numbers, none of which is one.
fn is_of_nothing(kind: DialectKind, base: Base, taken: &[Part]) -> bool {
    let told =
        |key: &str| taken.iter().filter(|part| part.0 == key).filter_map(|part| part.1.parse::<i64>().ok()).next();
    let has_none = kind == DialectKind::PlaceOrder || (base == Base::Close && kind != DialectKind::OrderSend);
    let has_ticket = taken.iter().any(|part| part.0 == "ticket" && part.1 != "null");
    let numbers: Vec<i64> = ["deal", "order", "position_id"].iter().filter_map(|key| told(key)).collect();
    base != Base::Refusal
        && has_none
        && !has_ticket
        && !numbers.is_empty()
        && numbers.iter().all(|number| *number <= 0)
        && taken.iter().all(|part| part.0 != "order_id" || part.1.contains('-'))
}

fn check(kind: DialectKind, base: Base, chosen: &[(Part, bool)]) {
    let (reply, taken) = reply(kind, base, chosen);
    let outcome = verdict(kind, base, &reply).outcome;
    let stands_whole = taken.iter().all(|part| stands(kind, base, *part)) && !is_of_nothing(kind, base, &taken);
    let wanted = match (stands_whole, base) {
        (false, _) => "unknown",
        (true, Base::Refusal) => "rejected",
        (true, _) => "filled",
    };
    assert_eq!(outcome.as_str(), wanted, "{kind}, {base:?}: {reply}: {outcome:?}");
    if let Outcome::Filled { ticket, price, volume } = outcome {
        let told = |key: &str| taken.iter().find(|part| part.0 == key).map(|part| part.1);
        let has_ticket = told("ticket").is_some_and(|ticket| ticket != "null") || kind != DialectKind::PlaceOrder;
        assert_eq!(ticket, if base == Base::Close { 5 } else { 9 * i64::from(has_ticket) }, "{reply}");
        assert_eq!(price, matches!(told("price"), Some("1.1" | "\"1.1\"")).then_some(1.1), "{reply}");
        let wanted = told("volume").and_then(|volume| volume.trim_matches('"').parse::<f64>().ok());
        assert_eq!(volume, wanted, "{reply}");
    }
}

#[test]
fn every_part_alone_has_its_effect_in_every_dialect_and_place() {
    for kind in DialectKind::ALL {
        for base in bases(kind) {
            check(kind, *base, &[]);
            for part in PARTS {
                for wants_data in [false, true] {
                    check(kind, *base, &[(part, wants_data)]);
                }
            }
        }
    }
}

#[test]
fn two_voices_are_unknown() {
    for (kind, fill) in [
        (DialectKind::PlaceOrder, r#"{"status": "success", "retcode": 10015, "ticket": 0, "volume": 0.0}"#),
        (DialectKind::PlaceOrder, r#"{"status": "success", "data": {"status": "error"}}"#),
        (DialectKind::PlaceOrder, r#"{"status": "success", "result": {"status": "pending"}}"#),
        (DialectKind::PlaceOrder, r#"{"status": "success", "result": "rejected"}"#),
        (DialectKind::PlaceOrder, r#"{"status": "success", "result": false}"#),
        (DialectKind::PlaceOrder, r#"{"status": "success", "error": true}"#),
        (DialectKind::PlaceOrder, r#"{"status": "success", "result": {"retcode": 10008}}"#),
        (DialectKind::PlaceOrder, r#"{"status": "success", "ticket": 9, "data": {"ticket": 10}}"#),
        (DialectKind::PlaceOrder, r#"{"status": "error", "data": {"status": "success"}}"#),
        (DialectKind::PlaceOrder, r#"{"status": "error", "data": {"status": "pending"}}"#),
        (DialectKind::PlaceOrder, r#"{"status": "error", "result": "filled"}"#),
        (DialectKind::PlaceOrder, r#"{"status": "error", "error": false}"#),
        (DialectKind::PlaceOrder, r#"{"status": "error", "order": {"ticket": 77, "retcode": 10009}}"#),
        (
            DialectKind::PlaceOrder,
            r#"{"status": "error", "data": {"result": {"retcode": 10009, "order": 77, "deal": 5}}}"#,
        ),
        (DialectKind::PlaceOrder, r#"{"status": "error", "data": [{"retcode": 10009, "ticket": 77}]}"#),
        (DialectKind::PlaceOrder, r#"{"status": "failed", "position_id": 77}"#),
        (DialectKind::PlaceOrder, r#"{"status": "success", "order": 0, "deal": 0}"#),
        (DialectKind::PlaceOrder, r#"{"status": "success", "result": [10015, "rejected"]}"#),
        (DialectKind::PlaceOrder, r#"{"status": "success", "return_code": 10015}"#),
        (DialectKind::PlaceOrder, r#"{"status": "success", "data": {"result": {"retcode": 10015}}}"#),
        (
            DialectKind::OrderSend,
            r#"{"error": false, "ticket": 9, "retcode": 10009, "data": {"result": {"retcode": 10015}}}"#,
        ),
        (DialectKind::OrderSend, r#"{"error": false, "ticket": 9, "retcode": 10009, "data": {"retcode": 10012}}"#),
        (DialectKind::OrderSend, r#"{"error": false, "ticket": 9, "retcode": 10009, "status": "rejected"}"#),
        (DialectKind::OrderSend, r#"{"error": false, "ticket": 9, "retcode": 10009, "data": {"ticket": 8}}"#),
        (DialectKind::OrderSend, r#"{"error": false, "ticket": 9, "retcode": 10009, "retcode": 10009}"#),
        (DialectKind::OrderSend, r#"{"error": true, "ticket": 0, "retcode": 10019, "data": {"status": "filled"}}"#),
    ] {
        assert_eq!(verdict(kind, Base::Fill, fill).outcome.as_str(), "unknown", "{kind}: {fill}");
    }
    let ours = r#""00000000-0000-0000-0000-000000000007""#;
    for parts in [
        r#""status": "FILLED", "ticket": 9, "data": {"status": "REJECTED"}"#,
        r#""status": "FILLED", "ticket": 9, "result": {"ticket": 10}"#,
        r#""status": "FILLED", "ticket": 9, "ticket": 9"#,
        r#""status": "FILLED", "status": "REJECTED", "ticket": 9"#,
        r#""status": "REJECTED", "error_code": "INVALID_VOLUME", "data": {"status": "FILLED"}"#,
    ] {
        let reply = format!(r#"{{"uuid": {ours}, {parts}}}"#);
        assert_eq!(verdict(DialectKind::V43, Base::Fill, &reply).outcome.as_str(), "unknown", "{reply}");
    }
    for parts in [
        r#""status": "SUCCESS", "ticket": 10, "data": {"ticket": 9}"#,
        r#""status": "SUCCESS", "data": {"ticket": 9}, "data": {"ticket": 9}"#,
        r#""status": "SUCCESS", "status": "ERROR", "data": {"ticket": 9}"#,
        r#""status": "SUCCESS", "data": {"ticket": 9, "status": "SUCCESS", "status": "ERROR"}"#,
    ] {
        let reply = format!(r#"{{"req_id": {ours}, {parts}}}"#);
        assert_eq!(verdict(DialectKind::Envelope, Base::Fill, &reply).outcome.as_str(), "unknown", "{reply}");
    }
}

#[test]
fn our_own_id_is_ours_in_every_spelling() {
    for id in [
        "00000000-0000-0000-0000-000000000007",
        "{00000000-0000-0000-0000-000000000007}",
        "00000000000000000000000000000007",
    ] {
        let filled = format!(r#"{{"uuid": "{id}", "status": "FILLED", "ticket": 9}}"#);
        assert_eq!(verdict(DialectKind::V43, Base::Fill, &filled).outcome.as_str(), "filled", "{id}");
        let filled = format!(r#"{{"req_id": "{id}", "status": "SUCCESS", "data": {{"ticket": 9}}}}"#);
        assert_eq!(verdict(DialectKind::Envelope, Base::Fill, &filled).outcome.as_str(), "filled", "{id}");
    }
    for kind in DialectKind::ALL {
        let (reply, _) = reply(kind, Base::Fill, &[(("client_order_id", "\"another\"", false, false), true)]);
        assert!(!verdict(kind, Base::Fill, &reply).is_ours, "{reply}");
    }
}

#[test]
fn a_byte_order_mark_changes_nothing() {
    for kind in DialectKind::ALL {
        let (reply, _) = reply(kind, Base::Fill, &[]);
        assert_eq!(verdict(kind, Base::Fill, &format!("\u{feff}{reply}")).outcome.as_str(), "filled", "{kind}");
    }
}

proptest! {
    #[test]
    fn any_parts_together_have_the_effects_of_each(
        kind in prop::sample::select(DialectKind::ALL.to_vec()), base in any::<prop::sample::Index>(),
        chosen in prop::collection::vec((prop::sample::select(PARTS.to_vec()), any::<bool>()), 0..6),
    ) {
        let bases = bases(kind);
        check(kind, bases[base.index(bases.len())], &chosen);
    }

    #[test]
    fn parts_that_all_fit_are_a_fill_together(
        kind in prop::sample::select(DialectKind::ALL.to_vec()), base in any::<prop::sample::Index>(),
        chosen in prop::collection::vec((prop::sample::select(PARTS.to_vec()), any::<bool>()), 0..12),
    ) {
        let bases = bases(kind);
        let base = bases[base.index(bases.len())];
        let fitting: Vec<_> = chosen.into_iter().filter(|(part, _)| stands(kind, base, *part)).collect();
        check(kind, base, &fitting);
    }

    #[test]
    fn arbitrary_bytes_prove_nothing_in_any_dialect(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for kind in DialectKind::ALL {
            let outcome = dialect(kind, DialectParams::default()).classify(&order(), &bytes).outcome;
            prop_assert_eq!(outcome.as_str(), "unknown", "{}", kind);
        }
    }
}
