//! The gateway's last values for the account, for a limited time, because an old number looks the same as a current one.

use crate::domain::profit::Figures;
use std::time::{Duration, Instant};

/// How long a value is shown. The gateway is queried when an order is due, so at most once per bar; this is one and a half
/// hourly bars.
const SHOWN_FOR: Duration = Duration::from_secs(90 * 60);

/// Equity and open positions, each with the time of the query.
#[derive(Debug, Default)]
pub(super) struct Account {
    equity: Option<(f64, Instant)>,
    positions: Option<(f64, Instant)>,
}

impl Account {
    /// As a daemon before this one left it in the journal, if that is not too long ago. `now`: time since the unix epoch.
    pub fn restored(money: Option<&Figures>, now: Duration, instant: Instant) -> Self {
        let told = || {
            let (equity, told_ms) = (money?.equity?, u64::try_from(money?.told_ms?).ok()?);
            let age = now.saturating_sub(Duration::from_millis(told_ms));
            Some((equity, instant.checked_sub(age)?))
        };
        Self { equity: told(), positions: None }
    }

    /// The gateway was queried and reported this equity, or none.
    pub fn told_equity(&mut self, equity: Option<f64>, at: Instant) {
        self.equity = equity.map(|equity| (equity, at));
    }

    /// The gateway was queried and listed this many positions; `None` if the list cannot be read or proves nothing.
    pub fn told_positions(&mut self, count: Option<usize>, at: Instant) {
        self.positions = count.map(|count| (count as f64, at));
    }

    /// An order was filled, or may have been filled, so the previous list is not current any more.
    pub fn traded(&mut self) {
        self.positions = None;
    }

    /// The gateway is not trusted any more, so its values are not, either.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// The equity, if it may be shown.
    pub fn equity(&self, now: Instant) -> Option<f64> {
        shown(self.equity, now)
    }

    /// The number of open positions, if it may be shown.
    pub fn positions(&self, now: Instant) -> Option<f64> {
        shown(self.positions, now)
    }
}

fn shown(told: Option<(f64, Instant)>, now: Instant) -> Option<f64> {
    told.filter(|(_, at)| now.saturating_duration_since(*at) < SHOWN_FOR).map(|(value, _)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_before_a_restart_is_shown_for_the_rest_of_its_time() {
        let (now, instant) = (Duration::from_secs(1_500_000_000), Instant::now());
        let restored = |age_s: i64| {
            let money =
                Figures { told_ms: Some((1_500_000_000 - age_s) * 1_000), equity: Some(7.5), ..Figures::default() };
            Account::restored(Some(&money), now, instant)
        };
        assert_eq!(restored(60).equity(instant), Some(7.5));
        assert_eq!(restored(60).equity(instant + SHOWN_FOR - Duration::from_secs(60)), None);
        assert_eq!(restored(-60).equity(instant), Some(7.5), "by a clock that was set back");
        assert_eq!(Account::restored(None, now, instant).equity(instant), None);
    }

    fn told(at: Instant) -> Account {
        let mut account = Account::default();
        account.told_equity(Some(1_000.5), at);
        account.told_positions(Some(2), at);
        account
    }

    #[test]
    fn a_number_is_shown_for_its_time_and_not_a_moment_longer() {
        let at = Instant::now();
        let account = told(at);
        let last = at + SHOWN_FOR - Duration::from_nanos(1);
        assert_eq!((account.equity(at), account.positions(last)), (Some(1_000.5), Some(2.0)));
        assert_eq!((account.equity(at + SHOWN_FOR), account.positions(at + SHOWN_FOR)), (None, None));
    }

    #[test]
    fn nothing_is_shown_that_was_not_told() {
        let now = Instant::now();
        let mut account = Account::default();
        assert_eq!((account.equity(now), account.positions(now)), (None, None));
        account = told(now);
        account.told_equity(None, now);
        assert_eq!((account.equity(now), account.positions(now)), (None, Some(2.0)));
        account.told_positions(None, now);
        assert_eq!(account.positions(now), None);
    }

    #[test]
    fn a_trade_makes_the_list_old_and_a_lost_gateway_everything() {
        let now = Instant::now();
        let mut account = told(now);
        account.traded();
        assert_eq!((account.equity(now), account.positions(now)), (Some(1_000.5), None));
        account = told(now);
        account.forget();
        assert_eq!((account.equity(now), account.positions(now)), (None, None));
    }
}
