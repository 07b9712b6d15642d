//! One request to an actor, shared by all clients that want its answer: a flood of scrapes puts one message at a time into the
//! actor's mailbox, not thousands.

use actix::{Message, Recipient};
use futures_util::{
    FutureExt,
    future::{LocalBoxFuture, Shared, WeakShared},
};
use std::{cell::RefCell, time::Duration};

type Flight<T> = LocalBoxFuture<'static, Option<T>>;

/// Sends an actor one kind of request. Belongs to one thread.
pub struct SharedRequest<M: Message + Send>
where
    M::Result: Send + Clone + 'static,
{
    recipient: Recipient<M>,
    question: M,
    deadline: Duration,
    /// Weak, so that a request is dropped once no client waits for it.
    flight: RefCell<Option<WeakShared<Flight<M::Result>>>>,
}

impl<M> SharedRequest<M>
where
    M: Message + Send + Copy + 'static,
    M::Result: Send + Clone + 'static,
{
    /// Sends nothing yet.
    pub fn new(recipient: Recipient<M>, question: M, deadline: Duration) -> Self {
        Self { recipient, question, deadline, flight: RefCell::new(None) }
    }

    /// The actor's answer, to a request that is already in flight if there is one. `None` if it does not come in time, or if
    /// the actor has stopped.
    pub async fn answer(&self) -> Option<M::Result> {
        self.join().await
    }

    fn join(&self) -> Shared<Flight<M::Result>> {
        let mut flight = self.flight.borrow_mut();
        if let Some(under_way) = flight.as_ref().and_then(WeakShared::upgrade) {
            return under_way;
        }
        let reply = tokio::time::timeout(self.deadline, self.recipient.send(self.question));
        let started = async move { reply.await.ok()?.ok() }.boxed_local().shared();
        *flight = started.downgrade();
        started
    }
}
