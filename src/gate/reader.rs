//! The socket as the HTTP library sees it: every byte from a sender passes the gate here.

use super::rule::{End, Rule};
use super::{Bounds, Gate};
use crate::metrics::Metrics;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// The library looks for the version through a buffer of a few bytes; less than this is not worth a call of the
/// system.
const READ_BYTES_MIN: usize = 1 << 10;
/// Bytes read and thrown away when a request is not read to its end, so that the sender gets to read the
/// answer: one that still writes when the connection closes may lose it.
const LINGER_BYTES_MAX: usize = 1 << 20;
/// Time for the same.
const LINGER_TIME_MAX: Duration = Duration::from_secs(1);

/// A connection from a sender, behind the gate.
///
/// Reading gives what the gate passes; a head comes in one piece or not at all. Past a broken rule it gives the
/// stand-in and then nothing, or an error in the middle of a body. Counts each broken rule once. A sender that
/// says nothing, or does not end a head, in `head_time` is refused; one that takes nothing of an answer for
/// `write_time` is cut off.
pub struct ByteReader<S> {
    stream: S,
    gate: Gate,
    bounds: Bounds,
    metrics: Metrics,
    /// What came and was not given on: first `passed` bytes that may be.
    kept: Vec<u8>,
    passed: usize,
    bytes: u64,
    /// Runs while a head is not whole, and before the first byte.
    head_clock: Pin<Box<Sleep>>,
    is_timed: bool,
    write_clock: Option<Pin<Box<Sleep>>>,
    broken: Option<Rule>,
    linger: Linger,
}

/// How far the end of a connection is.
enum Linger {
    Open,
    /// Nothing more is written; so many bytes were thrown away.
    Reading(usize, Pin<Box<Sleep>>),
    Ended,
}

impl<S> ByteReader<S> {
    /// Puts the gate in front of a connection.
    pub fn new(stream: S, bounds: Bounds, metrics: Metrics) -> Self {
        Self {
            stream,
            gate: Gate::new(bounds),
            bounds,
            metrics,
            kept: Vec::new(),
            passed: 0,
            bytes: 0,
            head_clock: Box::pin(sleep(bounds.head_time)),
            is_timed: true,
            write_clock: None,
            broken: None,
            linger: Linger::Open,
        }
    }

    /// Bytes read so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Gives on what was passed. False if there is nothing.
    fn give(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let here = self.passed.min(buffer.remaining());
        if here == 0 {
            return false;
        }
        buffer.put_slice(&self.kept[..here]);
        self.passed -= here;
        if here == self.kept.len() {
            // PERF: an idle connection holds nothing.
            self.kept = Vec::new();
        } else {
            self.kept.drain(..here);
        }
        true
    }

    /// Shows the gate what came into `kept`.
    fn pass_kept(&mut self) {
        let passage = self.gate.advance(&self.kept[self.passed..], Instant::now);
        self.passed += passage.bytes;
        self.after(passage.broken);
    }

    /// Shows the gate what came into `buffer` behind `start`, and keeps what it does not pass.
    fn pass_through(&mut self, buffer: &mut ReadBuf<'_>, start: usize) {
        let passage = self.gate.advance(&buffer.filled()[start..], Instant::now);
        self.kept.extend_from_slice(&buffer.filled()[start + passage.bytes..]);
        buffer.set_filled(start + passage.bytes);
        self.after(passage.broken);
    }

    fn after(&mut self, broken: Option<Rule>) {
        if let Some(rule) = broken {
            return self.refuse(rule);
        }
        let is_cut = self.kept.len() > self.passed && !self.gate.is_http2();
        if is_cut && !self.is_timed {
            self.head_clock.as_mut().reset(Instant::now() + self.bounds.head_time);
        }
        self.is_timed = is_cut;
    }

    /// Puts the stand-in in the place of what was not passed.
    fn refuse(&mut self, rule: Rule) {
        self.metrics.gate_refused(rule);
        self.kept.truncate(self.passed);
        if !matches!(self.gate.end(rule), End::Body | End::Silence) {
            self.kept.extend_from_slice(&self.gate.stand_in(rule));
            self.passed = self.kept.len();
        }
        self.broken = Some(rule);
    }

    /// What reading gives once a rule was broken and everything before was given on.
    fn stopped(&self) -> Option<Poll<io::Result<()>>> {
        let rule = self.broken?;
        Some(match self.gate.end(rule) {
            End::Body => Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, rule))),
            // The library answers the stand-in and closes; it need not be woken for it.
            End::Answer(_) | End::GoAway | End::Silence => Poll::Pending,
        })
    }

    /// Looks at the clock of a head while nothing comes.
    fn poll_head_clock(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_timed || self.head_clock.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        self.is_timed = false;
        if self.kept.is_empty() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        self.refuse(Rule::HeadSlow);
        Poll::Ready(Ok(()))
    }

    /// Cuts off a sender that takes nothing of what is written.
    fn time_write<T>(
        &mut self,
        polled: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.write_clock = None;
            return polled;
        }
        let time = self.bounds.write_time;
        let clock = self.write_clock.get_or_insert_with(|| Box::pin(sleep(time)));
        ready!(clock.as_mut().poll(context));
        self.metrics.gate_refused(Rule::WriteStalled);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> ByteReader<S> {
    /// Reads into `buffer`, or into `kept` when something is there already or the buffer is too small for a head.
    /// Gives how many bytes came.
    fn poll_fill(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        let is_direct = !self.gate.is_between_requests() || buffer.remaining() >= READ_BYTES_MIN;
        if self.kept.is_empty() && is_direct {
            let start = buffer.filled().len();
            ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
            let read = buffer.filled().len() - start;
            if read > 0 {
                self.pass_through(buffer, start);
            }
            return Poll::Ready(Ok(read));
        }
        self.kept.reserve(READ_BYTES_MIN.max(self.kept.len()));
        let read = ready!(pin!(self.stream.read_buf(&mut self.kept)).poll(context))?;
        if read > 0 {
            self.pass_kept();
        }
        Poll::Ready(Ok(read))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ByteReader<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let start = buffer.filled().len();
        // Bounded by the longest head, past which a rule is broken.
        loop {
            if this.give(buffer) || buffer.filled().len() > start || buffer.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            if let Some(stopped) = this.stopped() {
                return stopped;
            }
            match this.poll_fill(context, buffer) {
                Poll::Ready(Ok(0)) if this.kept.is_empty() || this.gate.is_http2() => {
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(Ok(0)) => this.refuse(Rule::HeadCut),
                Poll::Ready(Ok(read)) => this.bytes += read as u64,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => ready!(this.poll_head_clock(context))?,
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> ByteReader<S> {
    /// Ends writing, then reads on for a moment if the sender may still be writing a request.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match &mut self.linger {
                Linger::Open => {
                    // Over TLS there is something to write.
                    let polled = Pin::new(&mut self.stream).poll_shutdown(context);
                    ready!(self.time_write(polled, context))?;
                    let is_whole =
                        self.broken.is_none() && self.gate.is_between_requests() && self.kept.is_empty();
                    self.linger = match is_whole {
                        true => Linger::Ended,
                        false => Linger::Reading(0, Box::pin(sleep(LINGER_TIME_MAX))),
                    };
                }
                Linger::Reading(bytes, clock) => {
                    let mut scratch = [0; 8 << 10];
                    let mut buffer = ReadBuf::new(&mut scratch);
                    let polled = Pin::new(&mut self.stream).poll_read(context, &mut buffer);
                    *bytes += buffer.filled().len();
                    let is_over = match polled {
                        Poll::Pending => {
                            ready!(clock.as_mut().poll(context));
                            true
                        }
                        Poll::Ready(read) => {
                            read.is_err() || buffer.filled().is_empty() || *bytes > LINGER_BYTES_MAX
                        }
                    };
                    if is_over {
                        self.linger = Linger::Ended;
                    }
                }
                Linger::Ended => return Poll::Ready(Ok(())),
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ByteReader<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.time_write(polled, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(context);
        self.time_write(polled, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_linger(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.time_write(polled, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
