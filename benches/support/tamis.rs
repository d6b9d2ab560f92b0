//! The configuration that Tamis is measured with: the defaults, and one route for every request.

use std::net::SocketAddr;

/// Configuration text for one route of `protocol` to `sink`.
pub(crate) fn config(protocol: &str, ingest: SocketAddr, admin: SocketAddr, sink: SocketAddr) -> String {
    format!(
        "version = 1\n\n[listen]\ningest = \"{ingest}\"\nadmin = \"{admin}\"\n\n\
         [[routes]]\nname = \"bench\"\nprotocol = \"{protocol}\"\nupstream = \"http://{sink}\"\n"
    )
}
