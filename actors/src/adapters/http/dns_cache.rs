//! The last address of the server. Without it each request would need a DNS query, because each has its own connection.

use std::{
    io,
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    net::{TcpStream, lookup_host},
    time::Instant,
};

/// How long an address is used: long enough for one cycle. If a server moves, the next cycle finds it.
const KEPT: Duration = Duration::from_secs(10);

/// The last resolved name. A client has only one server, so one name is enough.
#[derive(Default)]
pub struct DnsCache(Mutex<Option<Found>>);

#[derive(Clone)]
struct Found {
    host: String,
    port: u16,
    addresses: Vec<SocketAddr>,
    at: Instant,
}

impl DnsCache {
    /// Connects to the first address of `host` that accepts a connection. If none does, the name is resolved again next time.
    pub async fn connect(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let addresses = self.of(host, port).await?;
        TcpStream::connect(&addresses[..]).await.inspect_err(|_| *self.lock() = None)
    }

    async fn of(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let kept = self.lock().clone().filter(|found| found.host == host && found.port == port);
        if let Some(found) = kept.filter(|found| found.at.elapsed() < KEPT) {
            return Ok(found.addresses);
        }
        let addresses: Vec<_> = lookup_host((host, port)).await?.collect();
        let found = Found { host: host.to_owned(), port, addresses: addresses.clone(), at: Instant::now() };
        *self.lock() = Some(found);
        Ok(addresses)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Found>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[actix::test]
    async fn an_address_is_kept_for_a_while_and_forgotten_when_it_takes_no_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let found = DnsCache::default();
        found.connect("localhost", port).await.unwrap();
        let first = found.lock().clone().unwrap();
        assert!(first.addresses.contains(&listener.local_addr().unwrap()));
        found.connect("localhost", port).await.unwrap();
        assert_eq!(found.lock().clone().unwrap().at, first.at, "not looked up again");
        assert!(found.connect("127.0.0.2", port).await.is_err(), "another name is another server");
        assert!(found.lock().is_none());

        found.connect("localhost", port).await.unwrap();
        found.lock().as_mut().unwrap().at -= KEPT;
        found.connect("localhost", port).await.unwrap();
        assert!(found.lock().as_ref().unwrap().at > first.at, "looked up again after a while");
        drop(listener);
        assert!(found.connect("localhost", port).await.is_err());
        assert!(found.lock().is_none());
    }
}
