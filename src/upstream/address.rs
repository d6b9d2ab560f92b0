//! Where an upstream may be.
//!
//! In: an address, written in the configuration or found for a name. Out: whether it is one of the internet, one of a private
//! network, or one at which no upstream is. Looks through the forms in which IPv6 holds an IPv4 address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where an address leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Anywhere.
    Public,
    /// This machine or a network that is not the internet: only where the configuration means it.
    Private,
    /// Nowhere, to many at once, or to what a cloud tells its machines, credentials included: never.
    Never,
}

/// Addresses at which clouds tell a machine about itself, beside 169.254.169.254.
/// Source: the documentation of Alibaba Cloud, Azure and Oracle Cloud.
const METADATA_V4: [Ipv4Addr; 3] =
    [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(192, 0, 0, 192)];
/// The same for AWS and Google Cloud.
const METADATA_V6: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)];

/// Where `address` leads.
///
/// SPEC: the registries of special-purpose addresses of RFC 6890, as IANA keeps them.
#[must_use]
pub fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(address) => reach_v4(address),
        IpAddr::V6(address) => reach_v6(address),
    }
}

fn reach_v4(address: Ipv4Addr) -> Reach {
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        _ if METADATA_V4.contains(&address) || address.is_broadcast() => Reach::Never,
        (0, ..) | (169, 254, _) | (224..=239, ..) => Reach::Never,
        (10 | 127, ..) | (172, 16..=31, _) | (192, 168, _) => Reach::Private,
        // Shared by carriers and clouds; protocol assignments; benchmarks; reserved.
        (100, 64..=127, _) | (192, 0, 0) | (198, 18 | 19, _) | (240.., ..) => Reach::Private,
        _ => Reach::Public,
    }
}

fn reach_v6(address: Ipv6Addr) -> Reach {
    if METADATA_V6.contains(&address) || address.is_unspecified() || address.is_multicast() {
        return Reach::Never;
    }
    let parts = address.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        reach_v4(Ipv4Addr::new(a, b, c, d))
    };
    match parts {
        [0, 0, 0, 0, 0, 0, 0, 1] => Reach::Private,
        // Mapped, translated and compatible: RFC 4291, RFC 2765; NAT64: RFC 6052; 6to4: RFC 3056.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] => v4(high, low),
        [0, 0, 0, 0, 0, 0, high, low] => v4(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => v4(high, low),
        // Teredo holds an address too, and no upstream is behind it.
        [0x2001, 0, ..] => Reach::Never,
        [0xfe80..=0xfebf, ..] => Reach::Never,
        // Local NAT64 (RFC 8215), unique local, and the site-local addresses of old.
        [0x64, 0xff9b, 1, ..] | [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => Reach::Private,
        _ => Reach::Public,
    }
}

/// Whether a host, as written in a URL without brackets, says by itself that it is meant to be private.
#[must_use]
pub fn is_written_private(host: &str) -> bool {
    match host.parse() {
        Ok(address) => reach(address) == Reach::Private,
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_addresses_lead() {
        for (want, addresses) in [
            (
                Reach::Public,
                "192.0.2.1 198.51.100.7 203.0.113.9 8.8.8.8 11.0.0.1 100.63.255.255 100.128.0.1 126.0.0.1 128.0.0.1 \
                 172.15.0.1 172.32.0.1 169.253.0.1 169.255.0.1 192.0.1.1 192.167.0.1 192.169.0.1 198.17.0.1 198.20.0.1 \
                 223.255.255.255 2001:db8::1 2606:4700::1 ::ffff:192.0.2.1 64:ff9b::192.0.2.1 2002:c000:201::1",
            ),
            (
                Reach::Private,
                "10.0.0.1 10.255.255.255 127.0.0.1 127.9.9.9 172.16.0.1 172.31.255.255 192.168.0.1 100.64.0.1 \
                 100.127.255.255 192.0.0.1 198.18.0.1 198.19.255.255 240.0.0.1 ::1 fc00::1 fd12::1 fec0::1 64:ff9b:1::1 \
                 ::ffff:127.0.0.1 ::ffff:10.1.2.3 ::127.0.0.1 ::ffff:0:192.168.1.1 64:ff9b::10.0.0.1 2002:a00:1::1 \
                 2002:7f00:1::",
            ),
            (
                Reach::Never,
                "0.0.0.0 0.1.2.3 169.254.169.254 169.254.0.1 224.0.0.1 239.255.255.255 255.255.255.255 100.100.100.200 \
                 168.63.129.16 192.0.0.192 :: ff02::1 fe80::1 febf::1 fd00:ec2::254 fd20:ce::254 2001:0:1::1 \
                 ::ffff:169.254.169.254 ::169.254.169.254 64:ff9b::169.254.169.254 2002:a9fe:a9fe:: ::ffff:0.0.0.0 \
                 ::ffff:224.0.0.1 ::ffff:0:169.254.169.254",
            ),
        ] {
            for address in addresses.split_whitespace() {
                assert_eq!(reach(address.parse().expect(address)), want, "{address}");
            }
        }
    }
}
