//! The hand that cuts: one thread between the fast socket and the injection port.
//!
//! An order of `policy` waits here until its decision is on disk; then it becomes a kill entry. While an
//! entry stands, frames of its addresses come through the fast socket, the kill table answers each with
//! at most two resets, and the injector sends them. No other thread sends anything.
//!
//! Bounds: [`WAITING_MAX`] orders wait for their log entry; the kill table bounds the rest.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, SystemTime};

use nix::sys::eventfd::{EfdFlags, EventFd};
use tapir_capture::{Armed, Awake, Injector, Received, ResetFrame, Sent};
use tapir_engine::policy::Authorised;
use tapir_engine::respond::{KillEntry, KillTable, Resets};
use tapir_engine::types::Timestamp;
use tapir_message::{MacAddr, Notice, Response, ResponseState};

use super::outbox::Outbox;
use crate::run::RunError;

/// Orders that wait until they are logged.
const WAITING_MAX: usize = 256;
/// An order that was logged later than this after it was given is not carried out.
const LATE_NS: i64 = 5_000_000_000;
/// Longest frame on the mirror port.
const FRAME_BYTES_MAX: usize = 65_536;
/// Longest time between two looks at entries that may have to end.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What the thread is told.
#[derive(Debug)]
enum Order {
    Given(Box<Authorised>),
    Logged(String),
    Revert {
        decision: Option<String>,
        who: String,
    },

    Stop {
        who: String,
    },
    Resume,
}

/// The way in; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Responses {
    to: Sender<Order>,
    wake: Arc<EventFd>,
    stopped: Arc<AtomicBool>,
}

impl Responses {
    /// An order; carried out once its decision is logged.
    pub(super) fn given(&self, order: Box<Authorised>) {
        self.put(Order::Given(order));
    }

    /// The decision of this id is on disk.
    pub(super) fn logged(&self, decision: String) {
        self.put(Order::Logged(decision));
    }

    /// Takes back one action, or all.
    pub(super) fn revert(&self, decision: Option<String>, who: String) {
        self.put(Order::Revert { decision, who });
    }

    /// Nothing is sent any more.
    pub(super) fn stop(&self, who: String) {
        // Seen before the next frame is answered, however many orders wait.
        self.stopped.store(true, Relaxed);
        self.put(Order::Stop { who });
    }

    /// Orders are carried out again.
    pub(super) fn resume(&self) {
        self.stopped.store(false, Relaxed);
        self.put(Order::Resume);
    }

    fn put(&self, order: Order) {
        if self.to.send(order).is_ok() {
            let _wakes_anyway = self.wake.write(1);
        }
    }
}

/// The thread's side.
#[derive(Debug)]
pub(super) struct Responder {
    armed: Armed,
    injector: Injector,
    trunk: bool,
    /// Keeps cores from sleeping while something is armed, where the system lets us.
    awake: Option<Awake>,
    table: KillTable,
    /// Pairs that are armed.
    watched: Vec<(IpAddr, IpAddr)>,
    waiting: BTreeMap<String, Box<Authorised>>,
    orders: Receiver<Order>,
    wake: Arc<EventFd>,
    stopped: Arc<AtomicBool>,
    out: Outbox,
}

/// Both sides.
pub(super) fn responder(
    (armed, injector, trunk): (Armed, Injector, bool),
    awake: Option<Awake>,
    out: Outbox,
) -> Result<(Responses, Responder), RunError> {
    let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
    let wake = EventFd::from_flags(flags).map_err(|error| RunError::System(error.into()))?;
    let (to, orders) = mpsc::channel();
    let (wake, stopped) = (Arc::new(wake), Arc::new(AtomicBool::new(false)));
    let responses = Responses {
        to,
        wake: Arc::clone(&wake),
        stopped: Arc::clone(&stopped),
    };
    let responder = Responder {
        armed,
        injector,
        trunk,
        awake,
        table: KillTable::new(),
        watched: Vec::new(),
        waiting: BTreeMap::new(),
        orders,
        wake,
        stopped,
        out,
    };
    Ok((responses, responder))
}

/// Time as the kernel stamps frames with it.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let ns = since.map_or(0, |since| {
        i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
    });
    Timestamp::from_nanos(ns)
}

impl Responder {
    /// Runs until the process ends.
    pub(super) fn run(mut self) -> Result<(), RunError> {
        let mut buffer = vec![0; FRAME_BYTES_MAX];
        let wake = Arc::clone(&self.wake);
        loop {
            let received = self
                .armed
                .recv(&mut buffer, wake.as_fd(), LOOK_EVERY)
                .map_err(|error| RunError::Response(error.to_string()))?;
            match received {
                Received::Frame { ts_ns, bytes, .. } => {
                    let ts = Timestamp::from_nanos(ts_ns);
                    if !self.stopped.load(Relaxed) {
                        answer(&mut self.table, &mut self.injector, ts, bytes);
                    }
                }
                Received::Woken => {
                    let _count = self.wake.read();
                    if !self.obey()? {
                        return Ok(());
                    }
                }
                Received::Timeout | Received::LinkDown | Received::Gone => {}
            }
            self.table.advance(now());
            self.last_pairs();
            self.tell()?;
        }
    }

    /// Sends what is due to flows that have fallen silent.
    fn last_pairs(&mut self) {
        let mut resets = Resets::new();
        while !self.stopped.load(Relaxed) && self.table.last_pair(&mut resets) {
            send(&mut self.table, &mut self.injector, now(), &resets);
        }
    }

    /// Takes in what it was told; false if nobody is there any more.
    fn obey(&mut self) -> Result<bool, RunError> {
        loop {
            match self.orders.try_recv() {
                Ok(Order::Given(order)) => self.given(order),
                Ok(Order::Logged(decision)) => {
                    if let Some(order) = self.waiting.remove(&decision) {
                        self.arm(*order);
                    }
                }
                Ok(Order::Revert { decision, who }) => {
                    match &decision {
                        Some(decision) => drop(self.waiting.remove(decision)),
                        None => self.waiting.clear(),
                    }
                    self.table.revert(decision.as_deref(), &who, now());
                }
                Ok(Order::Stop { who }) => {
                    self.waiting.clear();
                    self.table.revert(None, &who, now());
                }
                Ok(Order::Resume) => {}
                Err(mpsc::TryRecvError::Empty) => break,
                Err(mpsc::TryRecvError::Disconnected) => return Ok(false),
            }
        }
        self.watch()?;
        Ok(true)
    }

    fn given(&mut self, order: Box<Authorised>) {
        if self.waiting.len() >= WAITING_MAX {
            self.refuse(&order, "Too many orders wait for their log entry.");
            return;
        }
        self.waiting.insert(order.decision().to_owned(), order);
    }

    /// Makes an entry of an order that is on disk.
    fn arm(&mut self, order: Authorised) {
        if self.stopped.load(Relaxed) {
            self.refuse(&order, "A person has stopped all responses.");
        } else if now().since(order.ts()) > LATE_NS {
            self.refuse(&order, "It was logged too late to be sure of its aim.");
        } else {
            let entry = KillEntry::new(order, MacAddr(self.injector.mac()), self.trunk);
            self.table.insert(now(), entry);
        }
    }

    fn refuse(&self, order: &Authorised, why: &str) {
        self.out.notice(Notice::Response(Box::new(Response {
            ts: now(),
            decision: order.decision().to_owned(),
            breach: order.breach().to_owned(),
            state: ResponseState::Refused,
            frames_sent: 0,
            frames_refused: 0,
            latency_ns: None,
            latency_max_ns: None,
            bytes_after: 0,
            redials: 0,
            text: why.to_owned(),
        })));
    }

    /// Tells what has changed, and lets the socket watch what is armed now.
    fn tell(&mut self) -> Result<(), RunError> {
        let changes = self.table.take_changes();
        if changes.is_empty() {
            return Ok(());
        }
        for response in changes {
            self.out.notice(Notice::Response(Box::new(response)));
        }
        self.watch()
    }

    fn watch(&mut self) -> Result<(), RunError> {
        let pairs = self.table.pairs();
        if pairs == self.watched {
            return Ok(());
        }
        if let Some(awake) = &mut self.awake
            && let Err(error) = awake.keep(!pairs.is_empty())
        {
            tracing::warn!(%error, "Idle cores cannot be kept awake; resets may be later.");
            self.awake = None;
        }
        self.armed
            .watch(&pairs)
            .map_err(|error| RunError::Response(error.to_string()))?;
        self.watched = pairs;
        Ok(())
    }
}

/// Sends what the table answers to a frame.
fn answer(table: &mut KillTable, injector: &mut Injector, ts: Timestamp, frame: &[u8]) {
    let mut resets = Resets::new();
    table.on_frame(ts, frame, &mut resets);
    if !resets.is_empty() {
        send(table, injector, ts, &resets);
    }
}

/// Hands resets to the port; `ts` is the time of the frame that called for them.
fn send(table: &mut KillTable, injector: &mut Injector, ts: Timestamp, resets: &Resets) {
    let mut refused = 0;
    for reset in resets.iter() {
        let taken = ResetFrame::checked(reset.as_bytes(), injector.mac())
            .is_some_and(|reset| injector.send(&reset) == Sent::Ok);
        refused += u32::from(!taken);
    }
    let latency = u64::try_from(now().since(ts)).unwrap_or(0);
    table.sent(resets, latency, refused);
}
