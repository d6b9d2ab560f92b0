//! What the proxy does on the wire, over loopback, between raw senders and a fake upstream.

mod support;

#[path = "proxy/addresses.rs"]
mod addresses;
#[path = "proxy/answers.rs"]
mod answers;
#[path = "proxy/bombs.rs"]
mod bombs;
#[path = "proxy/crowds.rs"]
mod crowds;
#[path = "proxy/faults.rs"]
mod faults;
#[path = "proxy/floods.rs"]
mod floods;
#[path = "proxy/forwarding.rs"]
mod forwarding;
#[path = "proxy/frame_states.rs"]
mod frame_states;
#[path = "proxy/frames.rs"]
mod frames;
#[path = "proxy/framing.rs"]
mod framing;
#[path = "proxy/header_names.rs"]
mod header_names;
#[path = "proxy/headers.rs"]
mod headers;
#[path = "proxy/identifiers.rs"]
mod identifiers;
#[path = "proxy/known.rs"]
mod known;
#[path = "proxy/langfuse.rs"]
mod langfuse;
#[path = "proxy/memory.rs"]
mod memory;
#[path = "proxy/multipart.rs"]
mod multipart;
#[path = "proxy/otlp.rs"]
mod otlp;
#[path = "proxy/otlp_calls.rs"]
mod otlp_calls;
#[path = "proxy/platforms.rs"]
mod platforms;
#[path = "proxy/posthog.rs"]
mod posthog;
#[path = "proxy/query_events.rs"]
mod query_events;
#[path = "proxy/refusals.rs"]
mod refusals;
#[path = "proxy/reload.rs"]
mod reload;
#[path = "proxy/renewal.rs"]
mod renewal;
#[path = "proxy/routing.rs"]
mod routing;
#[path = "proxy/segment.rs"]
mod segment;
#[path = "proxy/sentry.rs"]
mod sentry;
#[path = "proxy/sentry_files.rs"]
mod sentry_files;
#[path = "proxy/shadow.rs"]
mod shadow;
#[path = "proxy/shutdown.rs"]
mod shutdown;
#[path = "proxy/sinks.rs"]
mod sinks;
#[path = "proxy/spool.rs"]
mod spool;
#[path = "proxy/spool_disk.rs"]
mod spool_disk;
#[path = "proxy/spool_process.rs"]
mod spool_process;
#[path = "proxy/spool_waits.rs"]
mod spool_waits;
#[path = "proxy/stored.rs"]
mod stored;
#[path = "proxy/streaming.rs"]
mod streaming;
#[path = "proxy/tls.rs"]
mod tls;
#[path = "proxy/traces.rs"]
mod traces;
#[path = "proxy/transport.rs"]
mod transport;
#[path = "proxy/trust.rs"]
mod trust;
