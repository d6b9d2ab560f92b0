//! `tamis health`: whether a running instance takes requests, for health checks of images and for people.

use super::client::Client;
use super::serve::in_runtime;
use super::{Exit, setup, tell};
use hyper::header::HeaderMap;
use hyper::{Method, Uri};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

pub(super) fn run(config: Option<&Path>, admin: Option<&str>) -> Exit {
    let base = match admin_base(config, admin) {
        Ok(base) => base,
        Err(exit) => return exit,
    };
    in_runtime(Some(1), async move {
        match ask(&base).await {
            Ok(()) => Exit::Ok,
            Err(why) => {
                tell(&why);
                Exit::No
            }
        }
    })
}

async fn ask(base: &str) -> Result<(), String> {
    let uri: Uri = format!("{base}/ready").parse().map_err(|_| format!("{base} is not an address"))?;
    let answer = Client::new(None).send(Method::GET, &uri, HeaderMap::new(), Vec::new()).await?;
    if answer.status.is_success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&answer.body).trim_end().to_owned())
}

/// Where the admin port is: as given, as configured, or where it is by default.
pub(super) fn admin_base(config: Option<&Path>, admin: Option<&str>) -> Result<String, Exit> {
    match admin {
        Some(given) => Ok(base(given)),
        None => Ok(format!("http://{}", reachable(setup::read(config)?.listen.admin))),
    }
}

/// `http://` before what is only a host and port, no slash behind.
pub(super) fn base(given: &str) -> String {
    let given = given.trim_end_matches('/');
    if given.contains("://") { given.to_owned() } else { format!("http://{given}") }
}

/// An address that this machine reaches a listener at: loopback for one that listens on all.
pub(super) fn reachable(listens: SocketAddr) -> SocketAddr {
    let ip = match listens.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listens.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_completed() {
        for (given, want) in [
            ("127.0.0.1:9464", "http://127.0.0.1:9464"),
            ("http://tamis.example.com:9464/", "http://tamis.example.com:9464"),
            ("https://tamis.example.com", "https://tamis.example.com"),
        ] {
            assert_eq!(base(given), want);
        }
        for (listens, want) in
            [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:1", "[::1]:1"), ("192.0.2.1:1", "192.0.2.1:1")]
        {
            let listens = listens.parse().expect("an address");
            assert_eq!(reachable(listens).to_string(), want);
        }
    }
}
