//! Which `Host` names an admin listener on loopback answers to.
//!
//! A page of any site can point its own name at 127.0.0.1 after it was loaded (DNS rebinding). The
//! browser of a developer who has `tamis serve` running would then fetch `http://that.name:9464/inbox` as
//! the same site, where the lack of CORS protects nothing. But the browser still sends that name as `Host`,
//! and a page cannot change it. So a listener on loopback answers only to names that are loopback
//! whoever resolves them, and so does one on all addresses to whoever came in over loopback (`kubectl port-forward` does). Any other
//! address was opened to a network on purpose: it has names that nobody told us, and whoever reaches them needs no browser of
//! ours.
//!
//! Source: <https://owasp.org/www-community/attacks/DNS_Rebinding>

use std::net::IpAddr;

/// Whether a request with this `Host` is answered that came in at the address `own`.
pub(super) fn is_allowed(own: IpAddr, host: Option<&str>) -> bool {
    let own = own.to_canonical();
    if !own.is_loopback() {
        return true;
    }
    let Some(name) = host.and_then(without_port) else {
        return false;
    };
    // RFC 6761, section 6.3: `localhost` and names under it are loopback in any resolver.
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    if name == "localhost" || name.ends_with(".localhost") {
        return true;
    }
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(&name);
    address.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

/// The name or address in front of `:port`; `None` when the port is not a number.
fn without_port(host: &str) -> Option<&str> {
    let end = host.rfind(']').map_or(0, |bracket| bracket + 1);
    let Some(colon) = host[end..].find(':') else {
        return Some(host);
    };
    let (name, port) = host.split_at(end + colon);
    port[1..].bytes().all(|digit| digit.is_ascii_digit()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_answers_to_loopback_names_only() {
        let own: IpAddr = "127.0.0.1".parse().expect("an address");
        let good = [
            "127.0.0.1",
            "127.0.0.1:9464",
            "127.9.9.9:1",
            "localhost",
            "LocalHost:9464",
            "localhost.",
            "tamis.localhost:80",
            "[::1]",
            "[::1]:9464",
            "[::ffff:127.0.0.1]:9464",
            "localhost:",
        ];
        for host in good {
            assert!(is_allowed(own, Some(host)), "{host}");
        }
        let bad = [
            "",
            "example.com",
            "example.com:9464",
            "127.0.0.1.example.com",
            "localhost.example.com",
            "notlocalhost",
            "192.0.2.7:9464",
            "[2001:db8::1]:9464",
            "0.0.0.0",
            "127.0.0.1@example.com",
            "127.0.0.1:80:80",
            "[::1",
            "2130706433",
        ];
        for host in bad {
            assert!(!is_allowed(own, Some(host)), "{host}");
        }
        assert!(!is_allowed(own, None));
        assert!(!is_allowed("::1".parse().expect("an address"), Some("example.com")));
    }

    #[test]
    fn other_listeners_answer_to_any_name() {
        for own in ["0.0.0.0", "192.0.2.7", "::", "2001:db8::1"] {
            assert!(is_allowed(own.parse().expect("an address"), Some("tamis.example.com")), "{own}");
        }
    }
}
