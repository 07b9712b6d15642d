//! `sentinel cluster acknowledge`: a person's word about a holder that died.

use sentinel_actors::{
    adapters::etcd::Etcd,
    domain::cluster::{Ask, EtcdAnswer},
};
use serde_json::json;

/// How often a record is read again that its daemon has just written: it does so twice in ten seconds.
const TRIES: u32 = 5;

/// Says it, if there is such a holder.
///
/// # Errors
/// etcd gave no usable answer, or the record was written by its daemon each time.
pub(super) async fn acknowledge(etcd: &mut Etcd, account: &str, as_json: bool) -> anyhow::Result<String> {
    for _ in 0..TRIES {
        let last = match etcd.perform(&Ask::Look).await? {
            EtcdAnswer::Seen(seen) => seen.last,
            // A look has no other answer.
            _ => None,
        };
        let written = last.and_then(|last| Some((last.mod_revision, last.record?)));
        let dead = written.as_ref().and_then(|(_, record)| record.before.clone());
        if let (Some((revision, record)), Some(_)) = (written, &dead)
            && !etcd.acknowledge(revision, record).await?
        {
            continue;
        }
        return Ok(if as_json {
            serde_json::to_string_pretty(&json!({"account": account, "acknowledged": dead}))?
        } else {
            match dead {
                Some(dead) => format!("account {account}: acknowledged that {dead} did not give it back"),
                None => format!("account {account}: there is nothing to acknowledge"),
            }
        });
    }
    anyhow::bail!("the record in etcd was written by its daemon each time; try again")
}
