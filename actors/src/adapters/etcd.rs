//! etcd's JSON gateway: the few requests that a claim needs, to one of several endpoints. Used by the Guardian and the cluster
//! commands.
//!
//! Keys and values are base64 and 64-bit numbers are text. The gateway omits what is zero: a transaction that failed has no
//! `succeeded`, and a lease that is gone has no `TTL`. So what is absent here is never good news.

mod config;
mod error;
mod json;
mod leases;
mod requests;
mod shared;
#[cfg(test)]
pub(crate) mod tests;
pub mod upkeep;

use super::{http::Client, patient_file::PatientFile};
use crate::domain::{
    cluster::{
        Ask, EtcdAnswer, Record, Seen, Stored,
        shared::{Span, key::MEMBERS},
    },
    sanitize::one_line,
};
pub use config::{Ca, Config, PASSWORD_BYTES_MAX, password_in};
pub use error::EtcdError;
use json::{Range, Transaction, encoded};
use serde_json::{Value, json};
use std::io;

/// A connection to etcd: a client for each endpoint, and the login. No connection is kept between two requests.
pub struct Etcd {
    config: Config,
    clients: Vec<Client>,
    /// The endpoint that answered last.
    current: usize,
    token: Option<String>,
    /// Where the password is; `None` without a login.
    password: Option<PatientFile>,
    /// Whether an endpoint failed in a way in which it may fail if the token is not valid any more.
    is_token_doubted: bool,
    /// In base64: the claim, `last`, and the folder of the members of shared mode, from its first key to its end.
    keys: [String; 4],
}

impl Etcd {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// An endpoint is https, there is no own certificate authority, and the system has no trusted roots; or the client's
    /// certificate and its key do not belong together.
    pub fn new(config: Config) -> io::Result<Self> {
        let clients = config.endpoints.iter().map(|endpoint| config.client(endpoint)).collect::<io::Result<_>>()?;
        let members = Span::folder(MEMBERS);
        let keys = ["claim", "last", &members.from, &members.to];
        let keys = keys.map(|name| encoded(key(&config.prefix, &config.account, name).as_bytes()));
        let password = config.login.as_ref().map(|(_, path)| PatientFile::new(path, PASSWORD_BYTES_MAX));
        Ok(Self { config, clients, current: 0, token: None, password, is_token_doubted: false, keys })
    }

    /// The name of the claim's key.
    pub fn claim_key(&self) -> String {
        key(&self.config.prefix, &self.config.account, "claim")
    }

    /// Carries out a request of the claim.
    ///
    /// # Errors
    /// No endpoint gave a usable answer. The request may have been carried out all the same.
    pub async fn perform(&mut self, ask: &Ask) -> Result<EtcdAnswer, EtcdError> {
        let answered = self.carry_out(ask).await;
        self.turned(answered)
    }

    fn turned<T>(&mut self, answered: Result<T, EtcdError>) -> Result<T, EtcdError> {
        if matches!(answered, Err(EtcdError::Unreadable { .. })) {
            // Perhaps it is not etcd. The next request begins with another endpoint.
            self.current = (self.current + 1) % self.clients.len().max(1);
        }
        answered
    }

    async fn carry_out(&mut self, ask: &Ask) -> Result<EtcdAnswer, EtcdError> {
        let [claim, last, members, members_end] = self.keys.clone();
        let both = || self.reads();
        let put = |key: &str, record: &Record, lease: i64| {
            // A record is text and numbers, which always have a JSON form.
            let value = encoded(&serde_json::to_vec(record).unwrap_or_default());
            json!({"request_put": {"key": key, "value": value, "lease": lease.to_string()}})
        };
        let created_at = |key: &str, revision: i64| json!({"key": key, "target": "CREATE", "result": "EQUAL", "create_revision": revision.to_string()});
        let changed_at = |key: &str, revision: i64| json!({"key": key, "target": "MOD", "result": "EQUAL", "mod_revision": revision.to_string()});
        match ask {
            Ask::Look => {
                let body = json!({"compare": [], "success": both()});
                let done: Transaction = self.call("/v3/kv/txn", &body).await?;
                Ok(EtcdAnswer::Seen(self.seen(&done)?))
            }
            Ask::Grant { ttl } => {
                let (lease, ttl) = self.grant(*ttl).await?;
                Ok(EtcdAnswer::Granted { lease, ttl })
            }
            Ask::KeepAlive { lease } => Ok(EtcdAnswer::KeptAlive(self.keep_alive(*lease).await?)),
            Ask::Claim { lease, last_revision, record } => {
                let puts = json!([put(&claim, record, *lease), put(&last, record, 0)]);
                // A range without keys counts as one that was never created.
                let no_members = json!({"key": members, "range_end": members_end, "target": "CREATE", "result": "EQUAL", "create_revision": "0"});
                let holds = json!([created_at(&claim, 0), changed_at(&last, *last_revision), no_members]);
                self.transact(holds, puts, both()).await
            }
            Ask::Beat { epoch, last_revision, record } => {
                let holds = json!([created_at(&claim, *epoch), changed_at(&last, *last_revision)]);
                self.transact(holds, json!([put(&last, record, 0)]), both()).await
            }
            Ask::Release { lease, record } => {
                let holds = json!([{"key": claim, "target": "LEASE", "result": "EQUAL", "lease": lease.to_string()}]);
                let end = json!([{"request_delete_range": {"key": claim}}, put(&last, record, 0)]);
                self.transact(holds, end, both()).await
            }
            Ask::Revoke { lease } => {
                self.revoke(*lease).await?;
                Ok(EtcdAnswer::Revoked)
            }
        }
    }

    /// Rewrites `last`, as it was just read, without the holder before, whom a person has acknowledged. Nothing else changes, and the
    /// holder takes it for an earlier write of its own. Returns `false` if it has been written since.
    ///
    /// # Errors
    /// No endpoint gave a usable answer. It may have been written all the same.
    pub async fn acknowledge(&mut self, last_revision: i64, last: Record) -> Result<bool, EtcdError> {
        let key = self.keys[1].clone();
        let value = encoded(&serde_json::to_vec(&Record { before: None, ..last }).unwrap_or_default());
        let is_same =
            json!([{"key": key, "target": "MOD", "result": "EQUAL", "mod_revision": last_revision.to_string()}]);
        let put = json!([{"request_put": {"key": key, "value": value}}]);
        let reads = self.reads();
        Ok(matches!(self.transact(is_same, put, reads).await?, EtcdAnswer::Done { .. }))
    }

    /// What every transaction reads, in the order in which `seen` takes it.
    fn reads(&self) -> Value {
        let [claim, last, members, members_end] = &self.keys;
        json!([
            {"request_range": {"key": claim}},
            {"request_range": {"key": last}},
            {"request_range": {"key": members, "range_end": members_end, "limit": "1"}},
        ])
    }

    /// The endpoints, as they are configured.
    pub fn endpoints(&self) -> &[String] {
        &self.config.endpoints
    }

    async fn transact(&mut self, compare: Value, success: Value, failure: Value) -> Result<EtcdAnswer, EtcdError> {
        let body = json!({"compare": compare, "success": success, "failure": failure});
        let done: Transaction = self.call("/v3/kv/txn", &body).await?;
        if !done.succeeded {
            return Ok(EtcdAnswer::Refused(self.seen(&done)?));
        }
        match done.header.and_then(|header| header.revision) {
            Some(revision @ 1..) => Ok(EtcdAnswer::Done { revision }),
            _ => Err(self.unreadable("a transaction without a revision")),
        }
    }

    /// What a transaction has read: both keys, and a member of shared mode. Fewer than three answers are none.
    fn seen(&self, done: &Transaction) -> Result<Seen, EtcdError> {
        let ranges: Vec<_> = done.responses.iter().filter_map(|response| response.response_range.as_ref()).collect();
        let [claim, last, members] = &ranges[..] else {
            return Err(self.unreadable("a transaction without its keys"));
        };
        Ok(Seen { claim: self.stored(claim)?.or(self.stored(members)?), last: self.stored(last)? })
    }

    fn stored(&self, range: &Range) -> Result<Option<Stored>, EtcdError> {
        let Some(kv) = range.kvs.first() else { return Ok(None) };
        let (Some(create_revision), Some(mod_revision)) = (kv.create_revision, kv.mod_revision) else {
            return Err(self.unreadable("a key without its revisions"));
        };
        Ok(Some(Stored { create_revision, mod_revision, lease: kv.lease.unwrap_or(0), record: kv.record() }))
    }

    fn unreadable(&self, detail: &str) -> EtcdError {
        EtcdError::Unreadable { endpoint: self.config.endpoints[self.current].clone(), detail: one_line(detail) }
    }
}

/// `/sentinel/ACCOUNT/claim`; an account cannot reach out of its part of the keys.
fn key(prefix: &str, account: &str, name: &str) -> String {
    format!("{prefix}/{}/{name}", account.replace('%', "%25").replace('/', "%2F"))
}
