//! What shared mode asks etcd: transactions on the account's keys. One shape for all, so that an adapter, or a test,
//! carries out every step of every machine in the same way.

use super::{
    key::{Key, Span},
    records::Value,
};
use std::time::Duration;

/// A condition of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compare {
    /// There is no key in this span.
    Absent(Span),
    /// This key was created at this revision.
    Created(Key, i64),
    /// This key was changed last at this revision; 0: it does not exist.
    Changed(Key, i64),
    /// There are keys in this span, and all of them were created after this revision.
    CreatedAfter(Span, i64),
}

/// A change of a transaction.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Writes a key.
    Put {
        /// Its name.
        key: Key,
        /// Its new value.
        value: Value,
        /// The lease with which it ends; 0 for none.
        lease: i64,
    },
    /// Deletes keys.
    Delete(Span),
}

impl Change {
    /// Writes a key without a lease.
    pub fn put(key: impl Into<Key>, value: Value) -> Self {
        Self::Put { key: key.into(), value, lease: 0 }
    }
}

/// If all conditions hold, makes all changes; then reads, whether they held or not.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Transaction {
    /// The conditions.
    pub compare: Vec<Compare>,
    /// The changes.
    pub changes: Vec<Change>,
    /// What is read in the same transaction.
    pub reads: Vec<Span>,
}

/// A request to etcd.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// A new lease.
    Grant {
        /// Its time to live.
        ttl: Duration,
    },
    /// Keep this lease alive.
    KeepAlive {
        /// The lease.
        lease: i64,
    },
    /// End this lease.
    Revoke {
        /// The lease.
        lease: i64,
    },
    /// A transaction.
    Transact(Transaction),
}

/// A key as it is in etcd.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its name.
    pub key: Key,
    /// The revision that created it.
    pub create_revision: i64,
    /// The revision that changed it last.
    pub mod_revision: i64,
    /// Its lease; 0 if it has none.
    pub lease: i64,
    /// Its value; `None` if that cannot be read.
    pub value: Option<Value>,
}

impl Entry {
    /// The part of its name after its folder's.
    pub fn name(&self) -> String {
        let name = self.key.split_once('/').map_or(self.key.as_str(), |(_, name)| name);
        name.replace("%2F", "/").replace("%25", "%")
    }
}

/// What a transaction did, and read after that.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Done {
    /// Whether the changes were made.
    pub is_made: bool,
    /// etcd's newest revision then; 0 if it did not say.
    pub revision: i64,
    /// For each span the keys in it, in their order.
    pub read: Vec<Vec<Entry>>,
}

impl Done {
    /// The keys of a span.
    pub fn span(&self, index: usize) -> &[Entry] {
        self.read.get(index).map_or(&[], Vec::as_slice)
    }

    /// The first key of a span, of which there is only one.
    pub fn one(&self, index: usize) -> Option<&Entry> {
        self.span(index).first()
    }
}

/// What etcd said. An answer that lacks something is no answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The lease.
    Granted {
        /// Its id.
        lease: i64,
        /// How long it lives, from when etcd granted it.
        ttl: Duration,
    },
    /// The lease lives for so long from when etcd was asked; `None` if it is gone.
    KeptAlive(Option<Duration>),
    /// The lease is gone.
    Revoked,
    /// To a transaction.
    Done(Done),
}
