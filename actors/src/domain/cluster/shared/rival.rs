//! Who keeps a daemon from being a member: one in guard mode that holds the account, or another member with the same name.

use super::{Member, Value};
use crate::domain::cluster::{Record, in_words, lease_of};
use std::time::Duration;

/// Who it is, as last read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rival {
    /// The revision that created its key: another number is another one.
    pub epoch: i64,
    /// The revision at which it wrote last. If that changes, it is alive.
    pub written: i64,
    /// Whether it is in guard mode; otherwise it has the same name.
    pub is_guard: bool,
    /// Who it is, if its record can be read.
    record: Option<Record>,
}

impl Rival {
    /// The one in the way of this daemon; `None` if there is none, or it is a member.
    pub fn of(member: &Member) -> Option<Self> {
        let (view, name) = (member.view(), member.name());
        if let Some(guard) = view.guard() {
            let written = view.last().map_or(0, |last| last.mod_revision);
            return Some(Self { epoch: guard.create_revision, written, is_guard: true, record: guard.record });
        }
        let entry = view.member(name)?;
        let record = match &entry.value {
            Some(Value::Member(other)) if other.record.instance == member.instance() => return None,
            Some(Value::Member(other)) => Some(other.record.clone()),
            _ => None,
        };
        Some(Self { epoch: entry.create_revision, written: view.seen_revision(name), is_guard: false, record })
    }

    /// The same, whatever it wrote.
    #[must_use]
    pub fn at_any_time(self) -> Self {
        Self { written: 0, ..self }
    }

    /// The time to live of its lease, as far as that can be told from its record.
    pub fn lease(&self) -> Duration {
        lease_of(self.record.as_ref())
    }

    /// [`Record::in_words`], if there is one.
    pub fn in_words(&self) -> String {
        in_words(self.record.as_ref())
    }
}
