//! What the SignalSender and people are told of the claim, and who else holds the account.

use super::{
    super::{Record, Standing, in_words, lease_of},
    Guard,
};
use std::time::Duration;

/// A bar cannot have been ordered so long before it closes, seconds. If a record says so, a clock is wrong: the longest wait,
/// and clocks that differ by minutes, are less.
const FAR_S: i64 = 600;

/// A daemon that holds the account and is not this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The claim's `create_revision`.
    pub(super) epoch: i64,
    /// Its record, if that can be read.
    pub(super) record: Option<Record>,
    /// Whether it wrote something while this daemon looked on. If not, it may be dead, and its lease not over yet.
    pub is_alive: bool,
}

impl Holder {
    /// The time to live of its lease, as far as that can be told from its record.
    pub fn lease(&self) -> Duration {
        lease_of(self.record.as_ref())
    }

    /// [`Record::in_words`], if there is one.
    pub fn in_words(&self) -> String {
        in_words(self.record.as_ref())
    }
}

impl Guard {
    /// What the SignalSender and people are told at this time.
    pub fn standing(&self, now: Duration) -> Standing {
        let is_holder = self.is_holder();
        let lost_at = self.until.saturating_sub(now).as_secs();
        let trouble = match (&self.fault, &self.holder) {
            (Some(fault), _) if is_holder && now < self.until => {
                Some(format!("etcd does not answer, and in {lost_at} s no order is sent any more: {fault}"))
            }
            (Some(fault), _) => Some(format!("no order is sent, because etcd does not answer: {fault}")),
            (None, Some(holder)) if !is_holder => Some(format!("no order is sent: {} holds it", holder.in_words())),
            (None, _) if !is_holder && self.halt.is_some() => {
                self.halt.as_ref().map(|halt| format!("no order is sent: {halt}"))
            }
            (None, _) if !is_holder && self.has_gone_back() => Some(
                "no order is sent: etcd has forgotten what this daemon has seen there, so it was set back to an earlier time, or lost \
                 its data"
                    .into(),
            ),
            (None, _) if !is_holder => Some("no order is sent: this daemon does not hold the account yet".into()),
            (None, _) if now < self.from => {
                let wait = (self.from - now).as_secs() + 1;
                Some(format!(
                    "no order is sent for another {wait} s, until the daemon before this one has surely stopped"
                ))
            }
            (None, _) if now >= self.until => Some("no order is sent: the claim was not kept alive in time".into()),
            (None, _) => self.trouble_with_clocks(),
        };
        let (from, until) = if is_holder { (self.from, self.until) } else { Default::default() };
        Standing {
            from,
            until,
            bars_after: self.me.bars_after,
            epoch: self.epoch(),
            before: self.me.before.clone().filter(|_| is_holder),
            is_etcd_up: self.fault.is_none(),
            is_holder,
            trouble,
        }
    }

    fn trouble_with_clocks(&self) -> Option<String> {
        let after = self.me.bars_after.filter(|after| *after > self.me.at.saturating_add(FAR_S))?;
        let after = chrono::DateTime::from_timestamp(after, 0)
            .map_or_else(|| format!("second {after} since 1970"), |at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string());
        Some(format!(
            "no bar that closes before {after} is ordered, because the clock of this machine or of an earlier holder is or was \
             wrong; set the clocks, stop all daemons of this account, and delete its key last in etcd"
        ))
    }
}
