//! How many connections each peer has open, so that one cannot take all of them.
//!
//! In: the address of each connection that is accepted. Out: leave to go on, given back when the connection ends. Holds a
//! counter for each peer that has a connection open, `connections_max` at most.
//! LEAK: no address is kept, only its hash under a key that this process made and nobody sees.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The bits of an IPv6 address that tell peers apart: whoever has one address has all that differ behind them.
const V6_PREFIX_MASK: u128 = u128::MAX << 64;

/// The connections that are open, by peer. Clones are the same.
#[derive(Clone)]
pub(super) struct Peers(Arc<Shared>);

struct Shared {
    connections_max: usize,
    key: RandomState,
    open: Mutex<HashMap<u64, usize>>,
}

impl Peers {
    /// At most `connections_max` for each peer. `None`: without a bound, and then nothing is counted.
    pub(super) fn new(connections_max: usize) -> Option<Self> {
        let connections_max = NonZeroUsize::new(connections_max)?.get();
        Some(Self(Arc::new(Shared { connections_max, key: RandomState::new(), open: Mutex::default() })))
    }

    /// Counts one more connection, until it is dropped. `None`: the peer has as many as it may.
    pub(super) fn enter(&self, peer: IpAddr) -> Option<PeerSlot> {
        let key = self.0.key.hash_one(whose(peer));
        let mut open = self.open();
        let count = open.entry(key).or_default();
        if *count >= self.0.connections_max {
            return None;
        }
        *count += 1;
        drop(open);
        Some(PeerSlot { peers: self.clone(), key })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, usize>> {
        // Counters: whole at every step.
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection of a peer.
pub(super) struct PeerSlot {
    peers: Peers,
    key: u64,
}

impl Drop for PeerSlot {
    fn drop(&mut self) {
        let mut open = self.peers.open();
        if let Some(count) = open.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.key);
            }
        }
    }
}

/// The address without what a peer can choose by itself.
fn whose(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & V6_PREFIX_MASK).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_peer_has_its_own_bound_and_gets_back_what_it_closes() {
        let peers = Peers::new(2).expect("a bound");
        let enter = |address: &str| peers.enter(address.parse().expect("an address"));
        let (first, second) = (enter("192.0.2.1"), enter("192.0.2.1"));
        assert!(first.is_some() && second.is_some());
        assert!(enter("192.0.2.1").is_none());
        assert!(enter("::ffff:192.0.2.1").is_none(), "the same in another spelling");
        let other = enter("192.0.2.2");
        assert!(other.is_some());
        drop(first);
        assert!(enter("192.0.2.1").is_some());
        drop((second, other));
        assert!(peers.open().is_empty(), "nothing is kept of who has gone");
    }

    #[test]
    fn a_network_of_ipv6_is_one_peer() {
        let peers = Peers::new(1).expect("a bound");
        let enter = |address: &str| peers.enter(address.parse().expect("an address"));
        let _one = enter("2001:db8:0:1::1").expect("the first");
        assert!(enter("2001:db8:0:1:ffff::2").is_none());
        assert!(enter("2001:db8:0:2::1").is_some());
    }

    #[test]
    fn none_is_no_bound() {
        assert!(Peers::new(0).is_none());
    }
}
