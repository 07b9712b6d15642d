//! Guardian: takes the claim on the account in etcd, or a place among those that share it, keeps it alive, and gives it back at the
//! end. On a thread of its own, so that no cycle ever waits for etcd. What it knows is in a
//! [`ClaimCell`](crate::domain::cluster::ClaimCell) or a [`MemberCell`](crate::domain::cluster::shared::MemberCell), which the SignalSender asks before each order.

mod claim_log;
mod keeper;
mod member_keeper;
#[cfg(test)]
mod tests;

pub use keeper::{Config, Keeper, Taken};
pub use member_keeper::{MemberConfig, MemberKeeper};

use crate::messages::{Ping, ReleaseClaim};
use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, ResponseFuture, WrapFuture};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// What is kept alive.
pub enum Keeping {
    /// The claim on the account.
    Claim(Box<Keeper>),
    /// A membership of the account's cluster.
    Membership(Box<MemberKeeper>),
}

impl Keeping {
    /// The next request, or a wait for it.
    async fn step(&mut self) {
        match self {
            Self::Claim(keeper) => keeper.step().await,
            Self::Membership(keeper) => keeper.step().await,
        }
    }

    /// Gives it back. Returns whether etcd confirmed it. `is_settled`: see [`ReleaseClaim::is_settled`].
    pub async fn release(&mut self, is_settled: bool) -> bool {
        match self {
            Self::Claim(keeper) => keeper.release(is_settled).await,
            // What is not settled is in etcd, where the next owner finds it.
            Self::Membership(keeper) => keeper.leave().await,
        }
    }
}

/// The actor.
pub struct Guardian {
    /// `None` as soon as it runs.
    keeper: Option<Keeping>,
    /// Ends the keep-alives.
    stop: CancellationToken,
    /// Whether the claim was given back; `None` once somebody waits for it.
    released: Option<oneshot::Receiver<bool>>,
    /// See [`ReleaseClaim::is_settled`].
    is_settled: Arc<AtomicBool>,
}

impl Guardian {
    /// Continues what was begun before the daemon started.
    pub fn new(keeper: Keeping) -> Self {
        Self { keeper: Some(keeper), stop: CancellationToken::new(), released: None, is_settled: Arc::default() }
    }
}

impl Actor for Guardian {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let Some(mut keeper) = self.keeper.take() else { return };
        let (told, released) = oneshot::channel();
        self.released = Some(released);
        let (stop, is_settled) = (self.stop.clone(), self.is_settled.clone());
        let keeping = async move {
            // A request that is cut off may have been carried out. That is as if its answer had been lost.
            stop.run_until_cancelled(async {
                loop {
                    keeper.step().await;
                }
            })
            .await;
            // Nobody may wait for it any more.
            let _ = told.send(keeper.release(is_settled.load(Ordering::Acquire)).await);
        };
        ctx.spawn(keeping.into_actor(self).map(|(), _, _| ()));
    }
}

impl Handler<ReleaseClaim> for Guardian {
    type Result = ResponseFuture<bool>;

    fn handle(&mut self, message: ReleaseClaim, _: &mut Self::Context) -> Self::Result {
        self.is_settled.store(message.is_settled, Ordering::Release);
        self.stop.cancel();
        let released = self.released.take();
        Box::pin(async move {
            match released {
                Some(released) => released.await.unwrap_or(false),
                None => false,
            }
        })
    }
}

impl Handler<Ping> for Guardian {
    type Result = ();

    fn handle(&mut self, _: Ping, _: &mut Self::Context) {}
}
