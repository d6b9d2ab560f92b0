//! The smallest HTTP/1.1 sender that the benchmarks need: one request per connection, blocking.
//!
//! Out: a body of known length ([`post`]) or a chunked one that is made while it is sent ([`Upload`]).
//! Back: the status alone.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longest wait for an answer. A debug build that scans 64 MiB needs most of it.
const ANSWER_SECONDS_MAX: u64 = 120;

/// Sends `body` and returns the status of the answer.
///
/// # Errors
/// When the connection fails, or the answer is not HTTP.
pub(crate) fn post(to: SocketAddr, target: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<u16> {
    let mut stream = connect(to)?;
    let length = format!("Content-Length: {}", body.len());
    stream.write_all(head(to, target, headers, &length).as_bytes())?;
    stream.write_all(body)?;
    status(stream)
}

/// A chunked request whose body is what is written to it, one chunk per write.
pub(crate) struct Upload {
    stream: TcpStream,
}

impl Upload {
    /// Sends the head.
    ///
    /// # Errors
    /// When the connection fails.
    pub(crate) fn start(to: SocketAddr, target: &str, headers: &[(&str, &str)]) -> io::Result<Self> {
        let mut stream = connect(to)?;
        stream.write_all(head(to, target, headers, "Transfer-Encoding: chunked").as_bytes())?;
        Ok(Self { stream })
    }

    /// Ends the body and returns the status of the answer. `sent` is how the writing of the body went: a
    /// receiver that refuses may answer and close before the end, and then its answer says more than the error.
    ///
    /// # Errors
    /// `sent`'s own when no answer came, and those of the connection.
    pub(crate) fn finish(mut self, sent: io::Result<()>) -> io::Result<u16> {
        let sent = sent.and_then(|()| self.stream.write_all(b"0\r\n\r\n"));
        status(self.stream).map_err(|unanswered| sent.err().unwrap_or(unanswered))
    }
}

impl Write for Upload {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if data.is_empty() {
            return Ok(0); // an empty chunk would end the body
        }
        write!(self.stream, "{:x}\r\n", data.len())?;
        self.stream.write_all(data)?;
        self.stream.write_all(b"\r\n")?;
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(to)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(ANSWER_SECONDS_MAX)))?;
    stream.set_write_timeout(Some(Duration::from_secs(ANSWER_SECONDS_MAX)))?;
    Ok(stream)
}

fn head(to: SocketAddr, target: &str, headers: &[(&str, &str)], framing: &str) -> String {
    let mut head = format!("POST {target} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n{framing}\r\n");
    for (name, value) in headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    head.push_str("\r\n");
    head
}

fn status(stream: TcpStream) -> io::Result<u16> {
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer has no status line"))
}
