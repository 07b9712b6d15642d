//! What came of a cycle's fetches, for the log and the MetricsActor.

use super::{FetchError, Fetched, Stage};
use crate::{
    domain::{
        names::{ActorName, DropReason},
        window::Rejections,
    },
    messages::{ApiUsage, CycleId, Event, FetchReport},
};

impl Stage {
    /// One line per symbol, because a first answer may have many gaps.
    pub(super) fn log_gaps(&self, cycle_id: CycleId, all: &[Fetched]) {
        for fetched in all {
            let Some(newest) = fetched.gaps.last() else { continue };
            tracing::warn!(
                cycle_id,
                symbol = %self.config.instruments[fetched.index].symbol,
                stage = "fetch",
                error = "gap",
                gaps = fetched.gaps.len(),
                from = newest.from,
                to = newest.to,
                "bars are missing that the calendar does not explain"
            );
        }
    }

    /// One line for all symbols, because if our clock is slow, all of them have such bars.
    pub(super) fn log_ahead(&self, cycle_id: CycleId, now: i64, all: &[Fetched]) {
        let ahead = all.iter().filter_map(|fetched| Some((fetched.notes.ahead?, fetched.index)));
        let Some((open_time, index)) = ahead.clone().max() else { return };
        tracing::warn!(
            cycle_id,
            symbol = %self.config.instruments[index].symbol,
            stage = "fetch",
            error = "in_future",
            symbols_affected = ahead.count(),
            open_time,
            now,
            "bars start in the future and are refused: this machine's clock is slow, or the provider's times are wrong"
        );
    }

    /// One event for the whole cycle. `left`: instruments that are not fetched any more; as before its first bar, 0 stands for one
    /// that has none, so that nobody waits for its next bar.
    pub(super) fn report(&self, all: &[Fetched], left: &[usize]) {
        let (mut api, mut rejected) = (ApiUsage::default(), Rejections::default());
        for fetched in all {
            api.calls += fetched.api.calls;
            api.errors.extend(&fetched.api.errors);
            rejected.merge(&fetched.notes.rejected);
        }
        let fetches = all.iter().map(|fetched| FetchReport {
            symbol: self.config.instruments[fetched.index].symbol.clone(),
            duration: fetched.duration,
            newest_bar_close_time: fetched.newest_close_time,
            failure: fetched.result.as_ref().err().map(FetchError::kind),
            gaps: fetched.gaps.len() as u64,
        });
        let left = left.iter().map(|index| FetchReport {
            symbol: self.config.instruments[*index].symbol.clone(),
            duration: None,
            newest_bar_close_time: Some(0),
            failure: None,
            gaps: 0,
        });
        let fetches = fetches.chain(left).collect();
        let unusable = all.iter().filter(|fetched| fetched.result.as_ref().is_err_and(FetchError::discards_answer));
        self.config.metrics.dropped(ActorName::Fetcher, DropReason::Invalid, unusable.count() as u64);
        self.config.metrics.report(Event::BarsFetched { fetches, api, rejected: rejected.counted() });
    }
}
