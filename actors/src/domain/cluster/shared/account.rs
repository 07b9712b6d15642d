//! The account's state, which all members share: what its limits count, and its halt. It is changed only together with a claim,
//! an outcome or a person's wish, and only if nobody changed it meanwhile. So the limits hold over all members.

use crate::domain::{
    guard::{Limits, Pace, Suppression, loss_objection, pace_objection},
    order::Outcome,
};
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use std::{collections::BTreeMap, time::Duration};

/// Wall clocks of two members may differ by this much without letting an order be forgotten too early, seconds.
const CLOCKS_APART_S: i64 = 5;
/// A day of minutes, and some more.
const MINUTES_KEPT: usize = 1_500;
const MINUTE_S: i64 = 60;
const HOUR_S: i64 = 3_600;
const DAY_S: i64 = 86_400;

/// The format of the state that this version writes. A later version raises it when it adds what an earlier one must not lose: each
/// claim rewrites all of the state.
const FORMAT: u32 = 0;

/// The state.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AccountState {
    /// Orders in each minute since 1970, by the owner's clock. By the minute, so that its size does not depend on the limits; an
    /// order counts for up to a minute longer than an hour or a day. Dropped by number, not by age, so that no wrong clock makes
    /// the others forget.
    pub orders: BTreeMap<i64, u32>,
    /// Orders in a row that were not filled, since the last fill that became known or a person's wish to go on.
    pub failures_in_a_row: u32,
    /// Claims without an outcome.
    pub in_flight: u32,
    /// Claims whose outcome is unknown.
    pub unknown: u32,
    /// The first equity of the newest day.
    pub day: Option<DayBegin>,
    /// Why no order may be claimed.
    pub halt: Option<Halt>,
    /// How often orders were halted or allowed again.
    pub generation: u64,
    /// `FORMAT` in this version. A higher one cannot be read: then nothing is claimed.
    #[serde(default, deserialize_with = "known_format")]
    pub format: u32,
}

fn known_format<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let format = u32::deserialize(deserializer)?;
    if format > FORMAT { Err(D::Error::custom("a later version wrote it")) } else { Ok(format) }
}

/// The first equity of a day.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DayBegin {
    /// Days since the unix epoch, UTC.
    pub day: i64,
    /// In the account's currency.
    pub first_equity: f64,
}

/// A halt of the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halt {
    /// Who asked for it.
    pub who: String,
    /// Why.
    pub reason: String,
    /// When, unix seconds.
    pub at: i64,
    /// [`AccountState::generation`] that it made. Who allows orders again has to name it, so that a later halt stays.
    pub generation: u64,
}

/// What is known of an order apart from the state, as its limits need it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Attempt {
    /// The owner's wall clock, milliseconds since the unix epoch.
    pub wall_ms: i64,
    /// Whether it is a close, which no limit counts. It is refused all the same, because an order has to follow it.
    pub is_close: bool,
    /// When the symbol's last order was claimed, in the same milliseconds.
    pub last_order_ms: Option<i64>,
    /// The account's equity now, if it is known.
    pub equity: Option<f64>,
}

impl AccountState {
    /// The reason not to claim an order, if any.
    pub fn objection(&self, attempt: &Attempt, limits: &Limits) -> Option<Suppression> {
        if self.halt.is_some() {
            return Some(Suppression::Halted);
        }
        let since_ms = attempt.last_order_ms.map(|at| attempt.wall_ms.saturating_sub(at).max(0).unsigned_abs());
        let (last_hour, last_day) = self.last_hour_and_day(attempt.wall_ms);
        let pace = Pace {
            // Orders in flight may fail, too. So there are never more failures than allowed, however many members there are.
            failures_in_a_row: self.failures_in_a_row.saturating_add(self.in_flight),
            last_hour,
            last_day,
            since_last: since_ms.map(Duration::from_millis),
        };
        let first = self.day_begin(attempt).map(|it| it.first_equity);
        pace_objection(&pace, limits).or(loss_objection(first, attempt.equity, limits))
    }

    /// The state with one more order.
    #[must_use]
    pub fn claimed(&self, attempt: &Attempt) -> Self {
        let mut next = self.clone();
        next.in_flight = next.in_flight.saturating_add(1);
        next.day = self.day_begin(attempt);
        if !attempt.is_close {
            let count = next.orders.entry(attempt.wall_ms.div_euclid(1_000 * MINUTE_S)).or_default();
            *count = count.saturating_add(1);
            while next.orders.len() > MINUTES_KEPT {
                next.orders.pop_first();
            }
        }
        next
    }

    /// The state after an outcome became known. `is_failure`: an order that was not filled counts as failed; not if it was not
    /// sent because the claim was lost, which says nothing about the gateway.
    #[must_use]
    pub fn settled(&self, before: Option<&Outcome>, after: &Outcome, is_close: bool, is_failure: bool) -> Self {
        let mut next = self.clone();
        let count = if before.is_none() { &mut next.in_flight } else { &mut next.unknown };
        *count = count.saturating_sub(1);
        if matches!(after, Outcome::Unknown { .. }) {
            next.unknown = next.unknown.saturating_add(1);
        }
        match after {
            _ if is_close => {}
            // Also if that was unknown until now.
            Outcome::Filled { .. } => next.failures_in_a_row = 0,
            _ if before.is_none() && is_failure => {
                next.failures_in_a_row = next.failures_in_a_row.saturating_add(1);
            }
            _ => {}
        }
        next
    }

    /// The orders that its limits count at `wall_ms`: of the last hour, and of the last day.
    pub fn last_hour_and_day(&self, wall_ms: i64) -> (u32, u32) {
        (self.within(HOUR_S, wall_ms), self.within(DAY_S, wall_ms))
    }

    /// The state with the day's first equity, if this is it.
    #[must_use]
    pub fn with_equity(&self, wall_ms: i64, equity: f64) -> Self {
        let attempt = Attempt { wall_ms, equity: Some(equity), ..Attempt::default() };
        Self { day: self.day_begin(&attempt), ..self.clone() }
    }

    /// The state with orders halted. A second halt replaces the first one.
    #[must_use]
    pub fn halted(&self, who: String, reason: String, at: i64) -> Self {
        let generation = self.generation.saturating_add(1);
        Self { halt: Some(Halt { who, reason, at, generation }), generation, ..self.clone() }
    }

    /// The state with orders allowed again, if the halt is still the one that was named; the failures are counted anew.
    pub fn resumed(&self, generation: u64) -> Option<Self> {
        self.halt.as_ref().filter(|halt| halt.generation == generation)?;
        Some(Self { halt: None, generation: self.generation.saturating_add(1), ..self.counted_anew() })
    }

    /// The state with the failures counted anew: too many of them stop orders without a halt, and nothing but a fill or a person
    /// ends that.
    #[must_use]
    pub fn counted_anew(&self) -> Self {
        Self { failures_in_a_row: 0, ..self.clone() }
    }

    /// Never goes back to an earlier day, because the clock of a member may be behind.
    fn day_begin(&self, attempt: &Attempt) -> Option<DayBegin> {
        let day = attempt.wall_ms.div_euclid(1_000 * DAY_S);
        let known = self.day.filter(|it| it.day >= day);
        // What is not a number cannot be written, and is no equity.
        let first = attempt.equity.filter(|it| it.is_finite()).map(|first_equity| DayBegin { day, first_equity });
        known.or(first)
    }

    fn within(&self, period_s: i64, wall_ms: i64) -> u32 {
        let after = wall_ms.div_euclid(1_000).saturating_sub(period_s + CLOCKS_APART_S + MINUTE_S);
        let counts = self.orders.iter().filter(|(minute, _)| minute.saturating_mul(MINUTE_S) > after);
        counts.fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }
}
