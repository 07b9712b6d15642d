//! Where Prometheus finds the members of the cluster: reads them from etcd on a thread of its own when `/sd` asks, at most once in
//! some seconds. So a scrape never waits for etcd, and etcd is not asked more often because somebody asks here.

use crate::settings::{ClusterMode, Gateway, Resolved};
use actix::{Actor, Arbiter, Context, Handler, Message, Recipient, ResponseFuture};
use bytes::Bytes;
use sentinel_actors::{
    adapters::{etcd::Etcd, system_clock::SystemClock},
    domain::{
        clock::Clock,
        cluster::shared::{Answer, Request, Target, Transaction, View, targets},
    },
};
use std::{
    io,
    rc::Rc,
    time::{Duration, Instant},
};
use tokio::sync::Mutex;

/// An answer of etcd, or none, counts for so long.
const KEPT: Duration = Duration::from_secs(5);

/// Where the list of `/sd` comes from.
#[derive(Clone)]
pub enum Discovery {
    /// It is this daemon, if that has an address.
    Own(Bytes),
    /// It is in etcd.
    Members(Recipient<GetTargets>),
}

/// Sender: HTTP. Receiver: the reader of members. Answer: the targets as JSON.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<Listed, String>")]
pub struct GetTargets;

/// A list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The targets as JSON.
    pub json: Bytes,
    /// When they were read.
    pub at: Instant,
}

impl Discovery {
    /// With `cluster.mode = "shared"` and live the members, else this daemon alone. Asks nobody yet.
    ///
    /// # Errors
    /// etcd is https, and there are no trusted roots.
    pub fn of(settings: &Resolved) -> io::Result<Self> {
        let (Gateway::Live { account, .. }, ClusterMode::Shared) = (&settings.purpose.gateway, settings.cluster.mode)
        else {
            return Ok(Self::Own(json(&settings.own_target().into_iter().collect::<Vec<_>>())));
        };
        let config = settings.etcd(account);
        // Here, so that what is wrong is said at the start; the reader makes its own, because a client cannot change threads.
        drop(Etcd::new(config.clone())?);
        let reader = MemberReader::start_in_arbiter(&Arbiter::new().handle(), move |_| {
            MemberReader(Rc::new(Mutex::new(Reading { etcd: Etcd::new(config).ok(), last: None })))
        });
        Ok(Self::Members(reader.recipient()))
    }
}

/// Text and names always have a JSON form.
fn json(targets: &[Target]) -> Bytes {
    serde_json::to_vec(targets).unwrap_or_default().into()
}

struct MemberReader(Rc<Mutex<Reading>>);

struct Reading {
    etcd: Option<Etcd>,
    /// The last answer, and when it came.
    last: Option<(Instant, Result<Listed, String>)>,
}

impl Actor for MemberReader {
    type Context = Context<Self>;
}

impl Handler<GetTargets> for MemberReader {
    type Result = ResponseFuture<Result<Listed, String>>;

    fn handle(&mut self, _: GetTargets, _: &mut Self::Context) -> Self::Result {
        let reading = self.0.clone();
        // One at a time: who waits finds what the one before it has read.
        Box::pin(async move { reading.lock().await.listed().await })
    }
}

impl Reading {
    async fn listed(&mut self) -> Result<Listed, String> {
        if let Some((at, answer)) = &self.last
            && at.elapsed() < KEPT
        {
            return answer.clone();
        }
        let answer = self.read().await;
        self.last = Some((Instant::now(), answer.clone()));
        answer
    }

    async fn read(&mut self) -> Result<Listed, String> {
        let etcd = self.etcd.as_mut().ok_or("etcd cannot be reached over https")?;
        let request = Request::Transact(Transaction { reads: View::spans(), ..Transaction::default() });
        match etcd.perform_shared(&request).await {
            Ok(Answer::Done(done)) => {
                let json = json(&targets(&View::new(&done), SystemClock.now_unix()));
                Ok(Listed { json, at: Instant::now() })
            }
            Ok(_) => Err("etcd answered something else than was asked".into()),
            Err(error) => Err(error.to_string()),
        }
    }
}
