//! The trade server's return codes, as MQL5 lists them (`TRADE_RETCODE_*`), and what each proves about an order.

/// What a code proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The order was executed.
    Done,
    /// The order was executed, but only part of its volume.
    DoneInPart,
    /// The order ended before it was executed; it will not be executed later.
    Refused,
    /// Neither: it may have been executed, or may still be executed.
    Doubt,
}

use Meaning::{Done, DoneInPart, Doubt, Refused};

/// Code, MQL5's name after `TRADE_RETCODE_`, and what it proves about an order to open and about an order to close. The codes
/// 10005 and 10037 do not exist.
const TABLE: [(i64, &str, Meaning); 41] = [
    (10_004, "REQUOTE", Refused),
    (10_006, "REJECT", Refused),
    // Cancelled by the trader, who works in the terminal and may have seen a partial execution.
    (10_007, "CANCEL", Doubt),
    // Accepted, but not executed yet.
    (10_008, "PLACED", Doubt),
    (10_009, "DONE", Done),
    (10_010, "DONE_PARTIAL", DoneInPart),
    // Failed during processing, at an unknown point.
    (10_011, "ERROR", Doubt),
    (10_012, "TIMEOUT", Doubt),
    (10_013, "INVALID", Refused),
    (10_014, "INVALID_VOLUME", Refused),
    (10_015, "INVALID_PRICE", Refused),
    (10_016, "INVALID_STOPS", Refused),
    (10_017, "TRADE_DISABLED", Refused),
    (10_018, "MARKET_CLOSED", Refused),
    (10_019, "NO_MONEY", Refused),
    (10_020, "PRICE_CHANGED", Refused),
    (10_021, "PRICE_OFF", Refused),
    (10_022, "INVALID_EXPIRATION", Refused),
    // The order exists, and its state has changed.
    (10_023, "ORDER_CHANGED", Doubt),
    (10_024, "TOO_MANY_REQUESTS", Refused),
    // Concerns a change of something that exists.
    (10_025, "NO_CHANGES", Doubt),
    (10_026, "SERVER_DISABLES_AT", Refused),
    (10_027, "CLIENT_DISABLES_AT", Refused),
    // Locked for processing, so it is being processed.
    (10_028, "LOCKED", Doubt),
    // An order or a position is frozen, so it exists.
    (10_029, "FROZEN", Doubt),
    (10_030, "INVALID_FILL", Refused),
    (10_031, "CONNECTION", Refused),
    (10_032, "ONLY_REAL", Refused),
    (10_033, "LIMIT_ORDERS", Refused),
    (10_034, "LIMIT_VOLUME", Refused),
    (10_035, "INVALID_ORDER", Refused),
    // The position is closed, but it is unknown by whom. This is not a refusal, and no proof that our close did it.
    (10_036, "POSITION_CLOSED", Doubt),
    (10_038, "INVALID_CLOSE_VOLUME", Refused),
    // Another order is going to close it; this order did nothing.
    (10_039, "CLOSE_ORDER_EXIST", Refused),
    (10_040, "LIMIT_POSITIONS", Refused),
    (10_041, "REJECT_CANCEL", Refused),
    (10_042, "LONG_ONLY", Refused),
    (10_043, "SHORT_ONLY", Refused),
    (10_044, "CLOSE_ONLY", Refused),
    (10_045, "FIFO_CLOSE", Refused),
    (10_046, "HEDGE_PROHIBITED", Refused),
];

/// What a code proves; `None` if MQL5 does not list it.
pub(super) fn meaning(code: i64) -> Option<Meaning> {
    TABLE.iter().find(|(listed, ..)| *listed == code).map(|(_, _, meaning)| *meaning)
}

/// The code and, where MQL5 lists it, its name: `10030 INVALID_FILL`.
pub(super) fn named(code: i64) -> String {
    match TABLE.iter().find(|(listed, ..)| *listed == code) {
        Some((_, name, _)) => format!("{code} {name}"),
        None => code.to_string(),
    }
}

/// Whether the order was executed, at least in part.
pub(super) fn is_done(code: i64) -> bool {
    matches!(meaning(code), Some(Done | DoneInPart))
}

/// Whether the order was refused and will not be executed later.
pub(super) fn is_refusal(code: i64) -> bool {
    meaning(code) == Some(Refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same list from MQL5's documentation, written a second time.
    const ENDED: [i64; 30] = [
        10_004, 10_006, 10_013, 10_014, 10_015, 10_016, 10_017, 10_018, 10_019, 10_020, 10_021, 10_022, 10_024, 10_026,
        10_027, 10_030, 10_031, 10_032, 10_033, 10_034, 10_035, 10_038, 10_039, 10_040, 10_041, 10_042, 10_043, 10_044,
        10_045, 10_046,
    ];

    #[test]
    fn every_code_from_10004_to_10046_has_its_meaning() {
        for code in 10_004..=10_046 {
            let wanted = match code {
                10_005 | 10_037 => None,
                10_009 => Some(Done),
                10_010 => Some(DoneInPart),
                code if ENDED.contains(&code) => Some(Refused),
                10_007 | 10_008 | 10_011 | 10_012 | 10_023 | 10_025 | 10_028 | 10_029 | 10_036 => Some(Doubt),
                code => panic!("{code} is in no list"),
            };
            assert_eq!(meaning(code), wanted, "{code}");
        }
    }

    #[test]
    fn a_code_that_is_not_listed_proves_nothing() {
        for code in (-10..10_004).chain(10_047..20_000) {
            assert!(meaning(code).is_none() && !is_done(code) && !is_refusal(code), "{code}");
        }
        assert_eq!((named(10_030).as_str(), named(-2).as_str()), ("10030 INVALID_FILL", "-2"));
    }
}
