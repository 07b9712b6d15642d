//! Which of this machine's addresses another machine sees, without sending anything.

use crate::net::without_brackets;
use std::{
    collections::BTreeSet,
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket},
};

/// The first address of a host, which may be an address itself.
///
/// # Errors
/// When the name has no address.
pub fn resolve(host: &str) -> io::Result<IpAddr> {
    let mut addresses = (without_brackets(host), 0).to_socket_addrs()?;
    addresses.next().map(|address| address.ip()).ok_or_else(|| io::Error::other("the name has no address"))
}

/// The own address on the route to `there`. Connecting a UDP socket only reads the routing table and sends nothing.
///
/// # Errors
/// When there is no route.
pub fn own_address_towards(there: IpAddr) -> io::Result<IpAddr> {
    let any = if there.is_ipv4() { IpAddr::from(Ipv4Addr::UNSPECIFIED) } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    // The port does not matter; 9 is the discard port.
    socket.connect((there, 9))?;
    socket.local_addr().map(|address| address.ip())
}

/// Whether this address belongs to this machine: only its own can be bound.
pub fn is_own(address: IpAddr) -> bool {
    UdpSocket::bind(SocketAddr::new(address, 0)).is_ok()
}

/// This machine's IPv4 addresses that others can reach; empty if the kernel does not list them.
pub fn outward_addresses() -> BTreeSet<Ipv4Addr> {
    local_addresses(&fs::read_to_string("/proc/net/fib_trie").unwrap_or_default())
}

/// A leaf `|-- 192.0.2.7` is a local address if `/32 host LOCAL` is below it.
fn local_addresses(trie: &str) -> BTreeSet<Ipv4Addr> {
    let mut leaf = None;
    let mut found = BTreeSet::new();
    for line in trie.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse::<Ipv4Addr>().ok();
        } else if line == "/32 host LOCAL" {
            found.extend(leaf.filter(|address| !address.is_loopback()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_route_to_an_own_address_begins_at_it() {
        let here = IpAddr::from(Ipv4Addr::LOCALHOST);
        assert_eq!(own_address_towards(here).ok(), Some(here));
        assert_eq!(resolve("127.0.0.1").ok(), Some(here));
        assert_eq!(resolve("[::1]").ok(), Some(Ipv6Addr::LOCALHOST.into()));
        assert!(resolve("no such host").is_err());
    }

    #[test]
    fn an_address_of_another_machine_is_not_own() {
        assert!(is_own(Ipv4Addr::LOCALHOST.into()));
        assert!(!is_own(Ipv4Addr::new(203, 0, 113, 77).into()), "an address reserved for documentation");
        assert!(outward_addresses().into_iter().all(|address| is_own(address.into())));
    }

    #[test]
    fn only_local_addresses_are_read_from_the_kernels_tree() {
        let trie = "\
Main:
  +-- 0.0.0.0/0 3 0 4
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 127.0.0.0/8 2 0 2
           |-- 127.0.0.1
              /32 host LOCAL
     +-- 192.0.2.0/30 2 0 2
           |-- 192.0.2.0
              /24 link UNICAST
           |-- 192.0.2.7
              /32 host LOCAL
        |-- 192.0.2.255
           /32 link BROADCAST
";
        assert_eq!(local_addresses(trie), BTreeSet::from([Ipv4Addr::new(192, 0, 2, 7)]));
    }
}
