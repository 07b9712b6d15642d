//! How etcd is doing: what its endpoints say about themselves, its nodes, and whether it forgets old versions of keys. For
//! `sentinel cluster verify`.

use super::{
    Etcd, EtcdError,
    json::{Nodes, Status, Transaction},
    requests::{BODY_BYTES_MAX, parsed},
};
use crate::{
    adapters::http::{self, HttpError},
    domain::{cluster::PATIENCE_MAX, sanitize::one_line},
};
use awc::http::header;
use bytes::Bytes;
use serde_json::json;

/// What a member of etcd says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointStatus {
    /// etcd's version.
    pub version: String,
    /// Whether it knows a leader, without which nothing can be written.
    pub has_leader: bool,
    /// Its wall clock, unix seconds, from the head of the answer; `None` if there is none.
    pub date: Option<i64>,
    /// Size of its data, bytes; `None` if it does not say.
    pub data_bytes: Option<i64>,
    /// How large its data may become, bytes; versions before 3.6 do not say.
    pub quota_bytes: Option<i64>,
    /// What it reports as wrong, such as that there is no space left.
    pub errors: Vec<String>,
}

impl Etcd {
    /// What one endpoint says about itself.
    ///
    /// # Errors
    /// It gave no usable answer.
    pub async fn status(&mut self, index: usize) -> Result<EndpointStatus, EtcdError> {
        let endpoint = self.config.endpoints[index].clone();
        let request = self.request(index, "/v3/maintenance/status");
        let sent =
            http::within(PATIENCE_MAX, http::fetch(request, Some(Bytes::from_static(b"{}")), BODY_BYTES_MAX)).await;
        let answer = sent.map_err(|error| EtcdError::Http { endpoint: endpoint.clone(), error })?;
        let date = answer.headers.get(header::DATE).and_then(|value| value.to_str().ok());
        let date = date.and_then(|date| chrono::DateTime::parse_from_rfc2822(date).ok()).map(|date| date.timestamp());
        let status = parsed::<Status>(&endpoint, &answer.body)?;
        let Some(version) = status.version.filter(|_| answer.status == 200) else {
            let detail = format!("status {} and no version", answer.status);
            return Err(EtcdError::Unreadable { endpoint, detail });
        };
        Ok(EndpointStatus {
            version: one_line(&version),
            has_leader: status.leader.is_some_and(|id| id != "0"),
            date,
            data_bytes: status.data_bytes,
            quota_bytes: status.quota_bytes.filter(|quota| *quota > 0),
            errors: status.errors.iter().map(|error| one_line(error)).collect(),
        })
    }

    /// The number of etcd's nodes.
    ///
    /// # Errors
    /// There was no usable answer.
    pub async fn nodes(&mut self) -> Result<usize, EtcdError> {
        let nodes: Nodes = self.call("/v3/cluster/member/list", &json!({})).await?;
        Ok(nodes.members.len())
    }

    /// How many revisions etcd has kept if it has never forgotten any; `None` if it has: then they are being compacted.
    ///
    /// # Errors
    /// There was no usable answer.
    pub async fn never_compacted(&mut self) -> Result<Option<i64>, EtcdError> {
        let body = json!({"key": self.keys[0], "revision": "1", "count_only": true});
        match self.call::<Transaction>("/v3/kv/range", &body).await {
            Ok(answer) => Ok(Some(answer.header.and_then(|header| header.revision).unwrap_or_default())),
            Err(EtcdError::Http { error: HttpError::Status { body, .. }, .. }) if body.contains("compacted") => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
