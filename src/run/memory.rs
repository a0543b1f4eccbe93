//! What a run held in memory, room by room, beside what the kernel says it had.
//!
//! Over files, counters and kernel are asked when the last frame has been read and no flow of the input's end
//! is closed yet: then there is most. Live they are asked every ten seconds. What the program and its libraries take, and what was there before the
//! first frame (models, time zones, buffers of the reader), is measured and has no bound of its own.

use tapir_engine::Effect;
use tapir_engine::flow::Conn;
use tapir_engine::types::{Held, Observation, Record};
use tapir_message::{Memory, RoomMemory};

use super::worker::{QUEUE_ROUNDS, ROUND_OBSERVATIONS};
use super::writing::{EFFECTS_BATCH, EFFECTS_QUEUE};

/// What the process has in memory, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Resident {
    /// All of it.
    pub(super) all: u64,
    /// Of files: the program, its libraries.
    files: u64,
}

impl Resident {
    /// Now; nothing where the kernel does not say.
    pub(super) fn now() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = |name: &str| {
            let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
            let kib: u64 = rest.trim().strip_suffix(" kB")?.parse().ok()?;
            Some(kib * 1024)
        };
        let of_files = [line("RssFile:"), line("RssShmem:")];
        Self {
            all: line("VmRSS:").unwrap_or(0),
            files: of_files.into_iter().flatten().sum(),
        }
    }

    /// What the program asked for.
    fn asked(self) -> u64 {
        self.all.saturating_sub(self.files)
    }
}

/// An account: what was there before the first frame, the rooms of which that was `before`, and what there
/// is now. Rooms of the same name are one to each worker.
/// `files` are called what is mapped.
pub(super) fn account(
    files: &str,
    (start, before): (Resident, &[Held]),
    (now, rooms): (Resident, &[Held]),
) -> Memory {
    let before: u64 = before.iter().map(|held| wide(held.bytes)).sum();
    // One tracker a worker; the analysis and the writer have a thread each.
    let trackers = rooms.iter().filter(|held| held.what == "flow slots");
    let threads = wide(trackers.count()).saturating_add(2);
    let fixed = [
        (files, now.files),
        ("open pages of the allocator", threads * OPEN_PAGES_BYTES),
        (
            "before the first frame",
            start.asked().saturating_sub(before),
        ),
    ];
    let mut memory = Memory {
        rss_bytes: now.all,
        ..Memory::default()
    };
    for (what, bytes) in fixed {
        add(&mut memory, what, bytes, None);
    }
    for held in rooms {
        add(
            &mut memory,
            held.what,
            wide(held.bytes),
            Some(wide(held.bound)),
        );
    }
    memory
}

fn add(memory: &mut Memory, what: &str, bytes: u64, bound: Option<u64>) {
    memory.counted_bytes += bytes;
    memory.bound_bytes += bound.unwrap_or(bytes);
    match memory.rooms.iter_mut().find(|room| room.what == what) {
        Some(room) => {
            room.bytes += bytes;
            room.bound_bytes = room.bound_bytes.zip(bound).map(|(a, b)| a + b);
        }
        None => memory.rooms.push(RoomMemory {
            what: what.to_owned(),
            bytes,
            bound_bytes: bound,
        }),
    }
}

/// What the allocator keeps open for one thread: a page of 64 KiB for each size of piece in use, half of it empty on
/// average, and a dozen sizes at the least. An estimate: it does not tell.
const OPEN_PAGES_BYTES: u64 = 12 * 32 * 1024;

/// What lies between the threads: rounds on their way to the analysis and back, one in each thread's hand, and
/// records on their way to the writer. This is their usual size; a round in which many flows end is longer.
pub(super) fn on_the_way() -> Held {
    let rounds = (2 * QUEUE_ROUNDS + 2) * ROUND_OBSERVATIONS * size_of::<Observation>();
    let record = size_of::<Effect>() + size_of::<Record<Conn>>();
    let records = (EFFECTS_QUEUE + 2) * EFFECTS_BATCH * record;
    Held::new("rounds on their way", rounds + records, rounds + records)
}

fn wide(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
