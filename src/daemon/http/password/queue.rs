//! The queue for the slow password check. It is short, an address has few places in it, and the addresses take turns, so a flood
//! from one address cannot block the others. A flood from six or more addresses can take every place: until it ends, only
//! passwords that were correct before are accepted.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Checks that may wait, a few seconds in total at the highest cost. A flood must leave connections for Prometheus.
pub(super) const PLACES: usize = 16;
/// Places for one address: Prometheus and two people.
pub(super) const PLACES_PER_PEER: usize = 3;

/// The requests that wait, by address.
pub(super) struct Queue {
    peers: Mutex<HashMap<Option<IpAddr>, Waiting>>,
    check: Arc<Semaphore>,
}

struct Waiting {
    places: usize,
    turn: Arc<Semaphore>,
}

/// A place in the queue, which is free again when this is dropped.
pub(super) struct Place {
    queue: Arc<Queue>,
    peer: Option<IpAddr>,
    turn: Arc<Semaphore>,
}

/// The right to check now, kept until the check ends.
pub(super) struct Turn {
    _check: OwnedSemaphorePermit,
    _of_the_peer: OwnedSemaphorePermit,
    _place: Place,
}

impl Queue {
    /// An empty queue.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { peers: Mutex::default(), check: Arc::new(Semaphore::new(1)) })
    }

    /// A place for a request from this address; `None` if all places are taken, or all places of this address.
    pub fn place(self: &Arc<Self>, address: Option<IpAddr>) -> Option<Place> {
        let peer = address.map(network);
        let mut peers = self.peers();
        if taken(&peers) >= PLACES {
            return None;
        }
        let waiting = peers.entry(peer).or_insert_with(|| Waiting { places: 0, turn: Arc::new(Semaphore::new(1)) });
        if waiting.places >= PLACES_PER_PEER {
            return None;
        }
        waiting.places += 1;
        Some(Place { queue: self.clone(), peer, turn: waiting.turn.clone() })
    }

    fn peers(&self) -> MutexGuard<'_, HashMap<Option<IpAddr>, Waiting>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many places are taken, and whether a check is running.
    #[cfg(test)]
    pub fn state(&self) -> (usize, bool) {
        (taken(&self.peers()), self.check.available_permits() == 0)
    }
}

impl Place {
    /// Waits for its turn: first among the places of its address, then among one place per address.
    pub async fn turn(self) -> Option<Turn> {
        let of_the_peer = self.turn.clone().acquire_owned().await.ok()?;
        let check = self.queue.check.clone().acquire_owned().await.ok()?;
        Some(Turn { _check: check, _of_the_peer: of_the_peer, _place: self })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut peers = self.queue.peers();
        if let Some(waiting) = peers.get_mut(&self.peer) {
            waiting.places -= 1;
            if waiting.places == 0 {
                peers.remove(&self.peer);
            }
        }
    }
}

fn taken(peers: &HashMap<Option<IpAddr>, Waiting>) -> usize {
    peers.values().map(|waiting| waiting.places).sum()
}

/// The owner of one IPv6 address usually has the whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::join_all;

    fn peer(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn the_places_are_limited_per_address_and_in_total() {
        let queue = Queue::new();
        let places = |peer| (0..PLACES).filter_map(|_| queue.place(peer)).collect::<Vec<_>>();
        let flood = places(peer("10.0.0.1"));
        let mut others = (2..6).map(|host| places(peer(&format!("10.0.0.{host}")))).collect::<Vec<_>>();
        assert_eq!((flood.len(), others.iter().map(Vec::len).collect::<Vec<_>>()), (3, vec![3; 4]));
        others.push(places(None));
        assert_eq!((others[4].len(), queue.state().0), (1, PLACES), "what is left, without an address");
        assert!(queue.place(peer("10.0.0.9")).is_none());
        drop(flood);
        assert!(queue.place(peer("10.0.0.9")).is_some());
        drop(others);
        assert!(queue.peers().is_empty(), "an address without places is forgotten");
    }

    #[test]
    fn an_ipv6_network_counts_as_one_address() {
        let queue = Queue::new();
        let count =
            |peers: [&str; 4]| peers.iter().filter_map(|text| queue.place(peer(text))).collect::<Vec<_>>().len();
        assert_eq!(count(["2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::", "2001:db8::4"]), 3);
        assert_eq!(count(["2001:db8::1", "2001:db8:0:1::1", "2001:db8:0:2::1", "2001:db8:0:3::1"]), 4);
        assert_eq!(count(["10.0.0.1", "::ffff:10.0.0.1", "::ffff:a00:1", "10.0.0.1"]), 3);
        assert_eq!(count(["::ffff:10.0.0.1", "::ffff:10.0.0.2", "10.0.0.3", "10.0.0.4"]), 4);
    }

    #[actix_rt::test]
    async fn addresses_take_turns() {
        let queue = Queue::new();
        let order = Mutex::new(Vec::new());
        let came = ["flood", "flood", "flood", "hub", "hub", "grafana"];
        let addresses = [("flood", "10.0.0.1"), ("hub", "10.0.0.2"), ("grafana", "10.0.0.3")];
        join_all(came.map(|name| {
            let address = addresses.iter().find(|(of, _)| *of == name).unwrap().1;
            let (place, order) = (queue.place(peer(address)).unwrap(), &order);
            async move {
                let turn = place.turn().await.unwrap();
                order.lock().unwrap().push(name);
                tokio::task::yield_now().await;
                drop(turn);
            }
        }))
        .await;
        assert_eq!(*order.lock().unwrap(), ["flood", "hub", "grafana", "flood", "hub", "flood"]);
        assert_eq!(queue.state(), (0, false));
    }
}
