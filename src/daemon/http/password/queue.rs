//! The line before the slow check of a password: it is short, an address has few places in it, and the addresses take
//! turns, so that a flood from one of them keeps no other out. A flood from six and more can take every place; then a
//! password that has not been right yet has to wait for the flood's end, and one that has been is let in as ever.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Checks that may wait, a few seconds' worth at the dearest cost; a flood must leave connections for scrapers.
pub(super) const PLACES: usize = 16;
/// Of one address: a scraper and two people beside it.
pub(super) const PLACES_PER_PEER: usize = 3;

/// Who waits. Only who has a place is known here.
pub(super) struct Queue {
    peers: Mutex<HashMap<Option<IpAddr>, Waiting>>,
    check: Arc<Semaphore>,
}

struct Waiting {
    places: usize,
    turn: Arc<Semaphore>,
}

/// A place in the line, free again when this is dropped.
pub(super) struct Place {
    queue: Arc<Queue>,
    peer: Option<IpAddr>,
    turn: Arc<Semaphore>,
}

/// The right to check now, held until the check is done.
pub(super) struct Turn {
    _check: OwnedSemaphorePermit,
    _of_the_peer: OwnedSemaphorePermit,
    _place: Place,
}

impl Queue {
    /// Nobody waits.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { peers: Mutex::default(), check: Arc::new(Semaphore::new(1)) })
    }

    /// A place for a request from this address, or `None` if all are taken, or all that one address may have.
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

    /// How many places are taken, and whether a check is under way.
    #[cfg(test)]
    pub fn state(&self) -> (usize, bool) {
        (taken(&self.peers()), self.check.available_permits() == 0)
    }
}

impl Place {
    /// Waits for this place's turn: first among those of its address, then, one per address, among all.
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

/// Whoever has one address of IPv6 has all of its /64.
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
    fn one_address_has_few_places_and_all_together_no_more_than_there_are() {
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
        assert!(queue.peers().is_empty(), "nobody waits, and nobody is known");
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address_and_so_does_ipv4_in_ipv6() {
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
