//! The broker's return codes (MQL5): which of them prove that an order was filled, and which that it was not.

/// Done.
pub(super) const DONE_WHOLLY: i64 = 10_009;

/// Done, and done in part.
const DONE: [i64; 2] = [DONE_WHOLLY, 10_010];

/// Requote, rejected, invalid volume, price and stops, trading off, market closed, no money, autotrading off, no
/// connection: each ends the order before it is executed. 10008 (placed) and 10012 (timeout) do not.
const REFUSALS: [i64; 10] = [10_004, 10_006, 10_014, 10_015, 10_016, 10_017, 10_018, 10_019, 10_027, 10_031];

/// Whether the order was executed, in part at least.
pub(super) fn is_done(code: i64) -> bool {
    DONE.contains(&code)
}

/// Whether the order was refused and nothing can follow.
pub(super) fn is_refusal(code: i64) -> bool {
    REFUSALS.contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placed_order_and_a_timeout_are_neither() {
        let codes = |test: fn(i64) -> bool| (-10..20_000).filter(|code| test(*code)).collect::<Vec<_>>();
        assert_eq!(codes(is_done), DONE);
        assert_eq!(codes(is_refusal), REFUSALS);
        for code in [-1, -4, 0, 10_008, 10_012, 10_013] {
            assert!(!is_done(code) && !is_refusal(code), "{code}");
        }
    }
}
