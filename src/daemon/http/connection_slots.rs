//! The connections of the port, limited in number. A slow or silent client keeps its slot until a new connection needs it: the
//! oldest connection is closed for the newest, so idle clients cannot keep Prometheus out.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};
use tokio::sync::oneshot;

/// The slots, by age of their connection. Belongs to one thread.
pub(super) struct ConnectionSlots {
    most: usize,
    arrivals: Cell<u64>,
    /// Dropping a sender closes its connection.
    open: RefCell<BTreeMap<u64, oneshot::Sender<()>>>,
}

/// One slot, which is free again when this is dropped.
pub(super) struct ConnectionSlot {
    slots: Rc<ConnectionSlots>,
    arrival: u64,
    needed: oneshot::Receiver<()>,
}

impl ConnectionSlots {
    /// As many slots as this, all free.
    pub fn new(most: usize) -> Rc<Self> {
        Rc::new(Self { most, arrivals: Cell::new(0), open: RefCell::default() })
    }

    /// A slot for a new connection; that of the oldest connection if none is free.
    pub fn take(self: &Rc<Self>) -> ConnectionSlot {
        let arrival = self.arrivals.get();
        self.arrivals.set(arrival + 1);
        let (open, needed) = oneshot::channel();
        let mut all = self.open.borrow_mut();
        while all.len() >= self.most && all.pop_first().is_some() {}
        all.insert(arrival, open);
        ConnectionSlot { slots: self.clone(), arrival, needed }
    }
}

impl ConnectionSlot {
    /// Serves a connection until it is done; `None` if its slot was needed before.
    pub async fn serve<T>(mut self, connection: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = connection => Some(done),
            _ = &mut self.needed => None,
        }
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.slots.open.borrow_mut().remove(&self.arrival);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::{join_all, pending, ready};

    #[actix::test]
    async fn the_newest_connection_gets_the_slot_of_the_oldest() {
        let slots = ConnectionSlots::new(3);
        assert_eq!(slots.take().serve(ready(1)).await, Some(1));
        assert!(slots.open.borrow().is_empty(), "free again");
        let silent = (0..5).map(|_| slots.take()).collect::<Vec<_>>();
        assert_eq!(slots.open.borrow().keys().copied().collect::<Vec<_>>(), [3, 4, 5]);
        let served =
            join_all(silent.into_iter().zip([true, true, false, false, false]).map(|(slot, is_over)| async move {
                let still_open = std::time::Duration::from_millis(50);
                let ended = tokio::time::timeout(still_open, slot.serve(pending::<()>())).await;
                assert_eq!(ended.is_ok(), is_over);
            }));
        served.await;
        assert!(slots.open.borrow().is_empty());
    }
}
