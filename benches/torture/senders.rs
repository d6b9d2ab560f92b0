//! Senders that keep their pace whatever comes back (open loop), or send as fast as they are answered (closed loop).
//!
//! In: a rate, bodies, a number of connections. Out: what was answered, and when. A request that finds all connections busy waits for
//! one as long as its sender has patience; what it waits counts as its time, so a slow server cannot make the load smaller (coordinated
//! omission). One thread, one event loop.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::LocalSet;
use tokio::time::timeout;

/// How often the pace is kept.
const TICK: Duration = Duration::from_millis(1);
/// How long an answer may take: more than everything in Tamis that could end by itself.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);

/// What is sent.
pub(crate) struct Plan {
    pub(crate) to: SocketAddr,
    /// Requests a second. `None`: each connection sends when it was answered.
    pub(crate) rate: Option<f64>,
    pub(crate) time: Duration,
    pub(crate) connections: usize,
    /// How long a request waits for a connection.
    pub(crate) patience: Duration,
    pub(crate) target: &'static str,
    pub(crate) headers: String,
    /// The body of the request with that number.
    pub(crate) body: Box<dyn Fn(usize) -> Rc<[u8]>>,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Requests that were to be sent.
    pub(crate) offered: usize,
    /// Answers by status.
    pub(crate) answers: BTreeMap<u16, usize>,
    /// Of those with 429 or 503, the ones without `Retry-After`.
    pub(crate) without_retry_after: usize,
    /// Numbers of the requests that were answered 2xx.
    pub(crate) taken: Vec<usize>,
    /// Of them, how many before the time was over.
    pub(crate) taken_in_time: usize,
    /// Sent in part or whole, and not answered.
    pub(crate) unanswered: usize,
    /// Not answered in [`ANSWER_TIME_MAX`]: somebody hangs.
    pub(crate) hung: usize,
    /// Never sent: no connection in time.
    pub(crate) unsent: usize,
    /// Milliseconds from when a request was due to its answer, of 2xx.
    pub(crate) milliseconds: Vec<f64>,
}

impl Outcome {
    pub(crate) fn of(&self, status: u16) -> usize {
        self.answers.get(&status).copied().unwrap_or(0)
    }

    /// Answers that are neither 2xx nor a 429 or 503.
    pub(crate) fn others(&self) -> usize {
        let other = |status: &u16| !(200..300).contains(status) && *status != 429 && *status != 503;
        self.answers.iter().filter(|(status, _)| other(status)).map(|(_, count)| count).sum()
    }

    /// The time that so many of a hundred stay below.
    pub(crate) fn percentile(&mut self, of_hundred: f64) -> f64 {
        self.milliseconds.sort_by(f64::total_cmp);
        let last = self.milliseconds.len().saturating_sub(1);
        // Rounded down, on purpose: a place in the list.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in the list")]
        let at = (last as f64 * of_hundred / 100.0) as usize;
        self.milliseconds.get(at).copied().unwrap_or(f64::NAN)
    }
}

struct Shared {
    plan: Plan,
    due: RefCell<VecDeque<(usize, Instant)>>,
    outcome: RefCell<Outcome>,
    end: Instant,
}

/// Sends as planned, and waits for what is on its way.
///
/// # Errors
/// No event loop can be had.
pub(crate) fn run(plan: Plan) -> io::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(LocalSet::new().run_until(send(plan)))
}

/// As [`run`], inside an event loop with a `LocalSet`.
pub(crate) async fn send(plan: Plan) -> io::Result<Outcome> {
    let begun = Instant::now();
    let shared = Rc::new(Shared {
        end: begun + plan.time,
        plan,
        due: RefCell::default(),
        outcome: RefCell::default(),
    });
    let ready = Rc::new(Semaphore::new(0));
    let workers: Vec<_> = (0..shared.plan.connections)
        .map(|_| {
            let (shared, ready) = (Rc::clone(&shared), Rc::clone(&ready));
            tokio::task::spawn_local(async move { worker(&shared, &ready).await })
        })
        .collect();
    if let Some(rate) = shared.plan.rate {
        let mut ticks = tokio::time::interval(TICK);
        while Instant::now() < shared.end {
            ticks.tick().await;
            let mut outcome = shared.outcome.borrow_mut();
            let (mut due, before) = (shared.due.borrow_mut(), outcome.offered);
            while (outcome.offered as f64) < begun.elapsed().as_secs_f64() * rate {
                due.push_back((
                    outcome.offered,
                    begun + Duration::from_secs_f64(outcome.offered as f64 / rate),
                ));
                outcome.offered += 1;
            }
            ready.add_permits(outcome.offered - before);
        }
        // Those who still wait have until their patience ends.
        let last = Instant::now() + shared.plan.patience;
        while !shared.due.borrow().is_empty() && Instant::now() < last {
            tokio::time::sleep(TICK).await;
        }
        ready.close();
    }
    for worker in workers {
        worker.await.map_err(io::Error::other)?;
    }
    let mut outcome = shared.outcome.take();
    outcome.unsent += shared.due.borrow().len();
    Ok(outcome)
}

/// One connection, opened when it is needed.
async fn worker(shared: &Shared, ready: &Semaphore) {
    let mut connection: Option<TcpStream> = None;
    let mut answer = Vec::with_capacity(1 << 10);
    loop {
        let (number, due) = if shared.plan.rate.is_none() {
            if Instant::now() >= shared.end {
                return;
            }
            let mut outcome = shared.outcome.borrow_mut();
            outcome.offered += 1;
            (outcome.offered - 1, Instant::now())
        } else {
            match ready.acquire().await {
                Ok(permit) => permit.forget(),
                Err(_) => return,
            }
            let Some(next) = shared.due.borrow_mut().pop_front() else { return };
            next
        };
        if due.elapsed() > shared.plan.patience {
            shared.outcome.borrow_mut().unsent += 1;
            continue;
        }
        let exchanged =
            timeout(ANSWER_TIME_MAX, exchange(shared, number, &mut connection, &mut answer)).await;
        let mut outcome = shared.outcome.borrow_mut();
        match exchanged {
            Ok(Ok(Answer { status, has_retry_after })) => {
                *outcome.answers.entry(status).or_default() += 1;
                outcome.without_retry_after += usize::from(matches!(status, 429 | 503) && !has_retry_after);
                if (200..300).contains(&status) {
                    outcome.taken.push(number);
                    outcome.taken_in_time += usize::from(Instant::now() < shared.end);
                    outcome.milliseconds.push(due.elapsed().as_secs_f64() * 1e3);
                }
            }
            Ok(Err(Failed::Before)) => outcome.unsent += 1,
            Ok(Err(Failed::After)) => outcome.unanswered += 1,
            Err(_) => {
                connection = None;
                outcome.hung += 1;
            }
        }
    }
}

struct Answer {
    status: u16,
    has_retry_after: bool,
}

enum Failed {
    /// No connection could be opened.
    Before,
    /// It broke off.
    After,
}

async fn exchange(
    shared: &Shared,
    number: usize,
    connection: &mut Option<TcpStream>,
    buffer: &mut Vec<u8>,
) -> Result<Answer, Failed> {
    let plan = &shared.plan;
    let body = (plan.body)(number);
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: {}\r\n{}content-length: {}\r\n\r\n",
        plan.target,
        plan.to,
        plan.headers,
        body.len()
    );
    let is_kept = connection.is_some();
    let mut stream = match connection.take() {
        Some(stream) => stream,
        None => TcpStream::connect(plan.to).await.map_err(|_| Failed::Before)?,
    };
    if stream.set_nodelay(true).is_err() {
        return Err(Failed::Before);
    }
    let sent = async {
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(&body).await
    };
    // One that is refused early may have been answered before it was sent whole.
    let sent = sent.await;
    match read_answer(&mut stream, buffer).await {
        Ok((answer, keeps)) => {
            *connection = keeps.then_some(stream);
            Ok(answer)
        }
        // A kept connection may have been closed meanwhile: nothing of the request was read.
        Err(_) if is_kept && sent.is_err() => Err(Failed::Before),
        Err(_) => Err(Failed::After),
    }
}

/// An answer with `Content-Length`, and whether the connection can be used again.
async fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<(Answer, bool)> {
    buffer.clear();
    let head_bytes = loop {
        if let Some(at) = memchr::memmem::find(buffer, b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let head = String::from_utf8_lossy(&buffer[..head_bytes]).to_ascii_lowercase();
    let value = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let status =
        head.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    let length: usize = value("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let keeps = value("connection") != Some("close");
    let has_retry_after = value("retry-after").is_some();
    while buffer.len() < head_bytes + length {
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok((Answer { status, has_retry_after }, keeps))
}
