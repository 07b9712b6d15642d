//! One question to an actor, shared by all requests that want its answer: a flood of scrapes puts one message at a
//! time into the actor's mailbox, not thousands.

use actix::{Message, Recipient};
use futures_util::{
    FutureExt,
    future::{LocalBoxFuture, Shared, WeakShared},
};
use std::{cell::RefCell, time::Duration};

type Flight<T> = LocalBoxFuture<'static, Option<T>>;

/// Asks an actor one kind of question. Belongs to one thread.
pub struct SharedRequest<M: Message + Send>
where
    M::Result: Send + Clone + 'static,
{
    recipient: Recipient<M>,
    question: M,
    deadline: Duration,
    /// Weak, so that a question whose askers have all gone away is not answered to a later one.
    flight: RefCell<Option<WeakShared<Flight<M::Result>>>>,
}

impl<M> SharedRequest<M>
where
    M: Message + Send + Copy + 'static,
    M::Result: Send + Clone + 'static,
{
    /// Nothing is asked yet.
    pub fn new(recipient: Recipient<M>, question: M, deadline: Duration) -> Self {
        Self { recipient, question, deadline, flight: RefCell::new(None) }
    }

    /// The actor's answer, to a question under way if there is one; `None` if it does not come in time or the actor
    /// is gone.
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
