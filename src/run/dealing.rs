//! Dealing frames to several workers, in rounds.
//!
//! Every round goes to every worker, with its part of the frames and the round's last time. What held a round
//! comes back once its frames are tracked.
//! Bounds: see `round`.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

use tapir_capture::{Batch, Frame, LinkType, Source, SourceError, dealt_to};
use tapir_engine::types::Timestamp;
use tapir_engine::{Packet, TrackerStats};

use super::name_thread;
use super::pipeline::{Watcher, hold, passed};
use super::round::{Boundary, ROUND_BYTES, ROUND_FRAMES, Rounds};
use super::worker::{QUEUE_ROUNDS, Worker};

/// Frames of one round for one worker.
#[derive(Debug)]
struct Round {
    bytes: Vec<u8>,
    frames: Vec<Meta>,
    until: Timestamp,
    boundary: Boundary,
}

/// A frame's place in its round.
#[derive(Clone, Copy, Debug)]
struct Meta {
    ts: Timestamp,
    link: LinkType,
    wire_len: u32,
    len: u32,
}

/// A worker's rounds, and the way back for what held them.
#[derive(Debug)]
pub(super) struct ToWorker {
    rounds: SyncSender<Round>,
    spares: Receiver<Round>,
}

impl ToWorker {
    /// An empty round, of `workers` that share the frames.
    fn fresh(&self, workers: usize) -> Round {
        if let Ok(mut spare) = self.spares.try_recv() {
            spare.bytes.clear();
            spare.frames.clear();
            return spare;
        }
        Round {
            bytes: Vec::with_capacity(ROUND_BYTES / workers),
            frames: Vec::with_capacity(ROUND_FRAMES),
            until: Timestamp::MIN,
            boundary: Boundary::Full,
        }
    }
}

/// Hands every worker its round and begins new ones. Every worker gets every round, also after one has gone;
/// false if one has.
fn send(
    rounds: &mut [Round],
    workers: &[ToWorker],
    (until, boundary): (Timestamp, Boundary),
) -> bool {
    let mut all_sent = true;
    for (round, worker) in rounds.iter_mut().zip(workers) {
        let full = Round {
            until,
            boundary,
            ..std::mem::replace(round, worker.fresh(workers.len()))
        };
        all_sent &= worker.rounds.send(full).is_ok();
    }
    all_sent
}

/// Deals frames to workers in rounds.
pub(super) fn deal<S: Source>(
    source: &mut S,
    watcher: &mut impl Watcher,
    workers: &[ToWorker],
) -> Result<(), SourceError> {
    let mut rounds: Vec<Round> = workers.iter().map(|w| w.fresh(workers.len())).collect();
    let (mut until, mut counted) = (Timestamp::MIN, Rounds::default());
    let mut held = Vec::new();
    while let Some(batch) = source.batch()? {
        if let Batch::One(frame) = &batch
            && frame.epoch
        {
            let ts = Timestamp::from_nanos(frame.ts_ns);
            let frame = hold(frame, &mut held);
            if let Some(boundary) = counted.over(until)
                && !send(&mut rounds, workers, (until, boundary))
            {
                return Ok(());
            }
            // What was due in the old epoch is told before the new one begins.
            until = passed(source, until);
            counted = Rounds::default();
            let (old, new) = ((until, Boundary::Full), (ts, Boundary::Epoch));
            if !(send(&mut rounds, workers, old) && send(&mut rounds, workers, new)) {
                return Ok(());
            }
            counted.add(frame.bytes.len());
            watcher.frame(frame.ts_ns, frame.wire_len);
            until = ts;
            deal_one(&frame, &mut rounds);
            continue;
        }
        for number in 0..batch.len() {
            let Some(frame) = batch.frame(number) else {
                break;
            };
            if let Some(boundary) = counted.over(until)
                && !send(&mut rounds, workers, (until, boundary))
            {
                return Ok(());
            }
            counted.add(frame.bytes.len());
            watcher.frame(frame.ts_ns, frame.wire_len);
            until = Timestamp::from_nanos(frame.ts_ns);
            deal_one(&frame, &mut rounds);
        }
    }
    watcher.over();
    let end = (passed(source, until), Boundary::End);
    send(&mut rounds, workers, end);
    Ok(())
}

/// Copies a frame into the round of the worker it belongs to.
#[inline]
fn deal_one(frame: &Frame<'_>, rounds: &mut [Round]) {
    let number = dealt_to(frame, rounds.len());
    if let Some(round) = rounds.get_mut(number) {
        round.bytes.extend_from_slice(frame.bytes);
        round.frames.push(Meta {
            ts: Timestamp::from_nanos(frame.ts_ns),
            link: frame.link,
            wire_len: frame.wire_len,
            len: u32::try_from(frame.bytes.len()).unwrap_or(0),
        });
    }
}

/// A thread that tracks what it is dealt.
pub(super) fn spawn_worker<'scope>(
    scope: &'scope Scope<'scope, '_>,
    number: usize,
    mut worker: Worker,
) -> (ToWorker, ScopedJoinHandle<'scope, TrackerStats>) {
    let (rounds, from_reader) = sync_channel::<Round>(QUEUE_ROUNDS);
    let (spare, spares) = sync_channel(QUEUE_ROUNDS);
    let thread = scope.spawn(move || {
        name_thread(&format!("tracker-{number}"));
        for round in from_reader {
            let mut rest = round.bytes.as_slice();
            let packets = round.frames.iter().map_while(|meta| {
                let len = usize::try_from(meta.len).unwrap_or(0);
                let (frame, after) = rest.split_at_checked(len)?;
                rest = after;
                Some(Packet {
                    ts: meta.ts,
                    link: meta.link.0,
                    wire_len: meta.wire_len,
                    frame,
                })
            });
            worker.packets(packets);
            if !worker.close(round.until, round.boundary) {
                break;
            }
            // What is emptied goes back to be filled again; a full queue has spares enough.
            let _spare = spare.try_send(round);
        }
        worker.stats()
    });
    (ToWorker { rounds, spares }, thread)
}
