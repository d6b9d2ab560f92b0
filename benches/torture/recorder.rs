//! An upstream that notes which events arrived, and can go away and come back.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
/// What each event begins with; its number in hex follows.
pub(crate) const MARK: &[u8] = b"{\"event_id\":\"";
/// Digits of the number.
pub(crate) const NUMBER_DIGITS: usize = 32;

/// How often each event arrived.
#[derive(Clone, Default)]
pub(crate) struct Arrivals(Arc<Mutex<BTreeMap<usize, u32>>>);

impl Arrivals {
    pub(crate) fn counts(&self) -> MutexGuard<'_, BTreeMap<usize, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// While it is there, somebody answers at the address.
pub(crate) struct Recorder(Option<Runtime>);

impl Recorder {
    /// Answers at `address` from a thread of its own.
    ///
    /// # Errors
    /// The port is taken.
    pub(crate) fn at(address: SocketAddr, arrivals: &Arrivals) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let arrivals = arrivals.clone();
        runtime.spawn(async move {
            let Ok(listener) = TcpListener::from_std(listener) else { return };
            while let Ok((stream, _)) = listener.accept().await {
                let arrivals = arrivals.clone();
                // A connection that breaks off is for its other end to deal with.
                tokio::spawn(async move { serve(stream, &arrivals).await.is_ok() });
            }
        });
        Ok(Self(Some(runtime)))
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // All connections break off, in the middle of whatever they do.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

async fn serve(mut stream: TcpStream, arrivals: &Arrivals) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(16 << 10);
    loop {
        let head = loop {
            if let Some(at) = memchr::memmem::find(&bytes, b"\r\n\r\n") {
                break at + 4;
            }
            if stream.read_buf(&mut bytes).await? == 0 {
                return Ok(());
            }
        };
        let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
        let length =
            text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        let end = head + length.ok_or(io::ErrorKind::InvalidData)?;
        while bytes.len() < end {
            if stream.read_buf(&mut bytes).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let number = bytes[head..end].strip_prefix(MARK).and_then(|rest| rest.get(..NUMBER_DIGITS));
        let number =
            number.and_then(|digits| usize::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        *arrivals.counts().entry(number.ok_or(io::ErrorKind::InvalidData)?).or_default() += 1;
        stream.write_all(ANSWER).await?;
        bytes.drain(..end);
    }
}
