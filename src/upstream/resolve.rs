//! From the name of an upstream to addresses at which it may be.
//!
//! In: the one name that the configuration wrote. Out: its addresses of now, those refused that lead where no upstream may be
//! ([`address`](super::address)): a name is an answer of somebody else's server, and may be another each time.
//! Holds the last good answer, for [`FRESH`] as the answer, and for [`STALE`] in case there is no other.

use super::address::{Reach, reach};
use hyper_util::client::legacy::connect::dns::Name;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tower_service::Service;

/// How long an answer serves further connections. The system's resolver does not tell the time to live.
const FRESH: Duration = Duration::from_secs(5);
/// How long an answer serves when the resolver gives none.
const STALE: Duration = Duration::from_secs(3600);
/// Addresses of one name that are tried; the rest is left out.
const ADDRESSES_MAX: usize = 16;

type Looking = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Finds the addresses of a name.
#[derive(Clone)]
pub struct Lookup(Arc<dyn Fn(String) -> Looking + Send + Sync>);

impl Lookup {
    /// Looks up by any function.
    pub fn by<F, L>(find: F) -> Self
    where
        F: Fn(String) -> L + Send + Sync + 'static,
        L: Future<Output = io::Result<Vec<IpAddr>>> + Send + 'static,
    {
        Self(Arc::new(move |name| Box::pin(find(name))))
    }
}

impl Default for Lookup {
    /// As the system does.
    fn default() -> Self {
        Self::by(|name| async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lookup")
    }
}

/// All addresses of the name lead where this upstream may not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Forbidden;

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name leads to an address at which no upstream may be")
    }
}

impl std::error::Error for Forbidden {}

/// The resolver of one upstream.
#[derive(Clone)]
pub(super) struct Resolver(Arc<Inner>);

struct Inner {
    lookup: Lookup,
    /// Whether private addresses are meant.
    private: bool,
    /// PERF: held during a look-up, so that a hundred new connections ask once.
    known: Mutex<Option<Known>>,
}

struct Known {
    addresses: Vec<IpAddr>,
    at: Instant,
}

impl Resolver {
    pub(super) fn new(lookup: Lookup, private: bool) -> Self {
        Self(Arc::new(Inner { lookup, private, known: Mutex::new(None) }))
    }

    async fn resolve(&self, name: String, now: Instant) -> io::Result<Vec<IpAddr>> {
        let mut known = self.0.known.lock().await;
        if let Some(known) = known.as_ref().filter(|known| known.age(now) < FRESH) {
            return Ok(known.addresses.clone());
        }
        match (self.0.lookup.0)(name).await {
            Ok(found) => {
                let addresses = self.0.permitted(found)?;
                *known = Some(Known { addresses: addresses.clone(), at: now });
                Ok(addresses)
            }
            Err(error) => match known.as_ref().filter(|known| known.age(now) < STALE) {
                Some(known) => {
                    tracing::warn!(kind = %error.kind(), "an upstream's name has no address now; its last one is used");
                    Ok(known.addresses.clone())
                }
                None => Err(error),
            },
        }
    }
}

impl Known {
    fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.at)
    }
}

impl Inner {
    fn permitted(&self, found: Vec<IpAddr>) -> io::Result<Vec<IpAddr>> {
        if found.is_empty() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let is_permitted = |address: &IpAddr| match reach(*address) {
            Reach::Public => true,
            Reach::Private => self.private,
            Reach::Never => false,
        };
        let permitted: Vec<_> = found.into_iter().filter(is_permitted).take(ADDRESSES_MAX).collect();
        if permitted.is_empty() { Err(io::Error::other(Forbidden)) } else { Ok(permitted) }
    }
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolver = self.clone();
        Box::pin(async move {
            let found = resolver.resolve(name.as_str().to_owned(), Instant::now()).await?;
            // The port is that of the address that is connected to.
            let found: Vec<_> = found.into_iter().map(|address| SocketAddr::new(address, 0)).collect();
            Ok(found.into_iter())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex as StdMutex;

    type Answer = io::Result<Vec<IpAddr>>;

    /// A resolver whose answer is whatever stands in the slot.
    fn answering(private: bool, first: &str) -> (Resolver, Arc<StdMutex<String>>) {
        let slot = Arc::new(StdMutex::new(first.to_owned()));
        let says = Arc::clone(&slot);
        let lookup = Lookup::by(move |_| {
            let says = says.lock().unwrap().clone();
            let answer: Answer = if says == "fails" {
                Err(io::ErrorKind::TimedOut.into())
            } else {
                Ok(says.split_whitespace().map(|address| address.parse().unwrap()).collect())
            };
            async move { answer }
        });
        (Resolver::new(lookup, private), slot)
    }

    async fn found(resolver: &Resolver, now: Instant) -> String {
        match resolver.resolve("example.com".to_owned(), now).await {
            Ok(found) => found.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
            Err(error) => error.to_string(),
        }
    }

    #[tokio::test]
    async fn a_new_address_is_found_and_the_last_one_outlives_the_resolver() {
        let mut now = Instant::now();
        let (resolver, says) = answering(false, "192.0.2.1");
        assert_eq!(found(&resolver, now).await, "192.0.2.1");
        *says.lock().unwrap() = "192.0.2.2 2001:db8::2".to_owned();
        assert_eq!(found(&resolver, now).await, "192.0.2.1", "within 5 s");
        now += FRESH;
        assert_eq!(found(&resolver, now).await, "192.0.2.2 2001:db8::2");
        *says.lock().unwrap() = "fails".to_owned();
        now += STALE - Duration::from_secs(1);
        assert_eq!(found(&resolver, now).await, "192.0.2.2 2001:db8::2");
        now += Duration::from_secs(1);
        assert_eq!(found(&resolver, now).await, "timed out");
    }

    #[tokio::test]
    async fn a_name_that_turns_to_a_private_address_is_refused() {
        let mut now = Instant::now();
        let (resolver, says) = answering(false, "192.0.2.1");
        assert_eq!(found(&resolver, now).await, "192.0.2.1");
        for (says_now, want) in [
            ("127.0.0.1", Err(Forbidden)),
            ("::ffff:169.254.169.254", Err(Forbidden)),
            ("10.0.0.1 fd00:ec2::254 ::1", Err(Forbidden)),
            ("10.0.0.1 192.0.2.7", Ok("192.0.2.7")),
        ] {
            now += FRESH;
            *says.lock().unwrap() = says_now.to_owned();
            let want = want.map_or_else(|refused| refused.to_string(), str::to_owned);
            assert_eq!(found(&resolver, now).await, want, "{says_now}");
        }
        let (resolver, says) = answering(true, "10.0.0.1 169.254.169.254");
        assert_eq!(found(&resolver, now).await, "10.0.0.1", "meant, but for the credentials of the machine");
        now += FRESH;
        *says.lock().unwrap() = "169.254.169.254".to_owned();
        assert_eq!(found(&resolver, now).await, Forbidden.to_string());
    }
}
