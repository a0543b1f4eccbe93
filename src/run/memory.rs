//! What a run held in memory, room by room, beside what the kernel says it had.
//!
//! Over files, counters and kernel are asked when the last frame has been read and no flow of the input's end
//! is closed yet: then there is most. Live they are asked every ten seconds. What the program and its libraries take, and what was there before the
//! first frame (models, time zones, buffers of the reader), is measured and has no bound of its own.

use tapir_engine::types::Held;
use tapir_message::{Memory, RoomMemory};

/// What the process has in memory, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Resident {
    /// All of it.
    pub(super) all: u64,
    /// Of files: the program, its libraries.
    files: u64,
    /// What the allocator has given and not got back; nothing if it does not say.
    given: Option<u64>,
}

impl Resident {
    /// Now; nothing where the kernel does not say.
    pub(super) fn now() -> Self {
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap_or_default();
        let (all, files) = resident(&maps);
        Self {
            all,
            files,
            given: crate::allocator::given(),
        }
    }

    /// What is there beside files.
    fn asked(self) -> u64 {
        self.all.saturating_sub(self.files)
    }
}

/// Resident bytes of all mappings, and of those of files: their pages that were written to as well, such as
/// tables of addresses that the loader filled in.
fn resident(maps: &str) -> (u64, u64) {
    let (mut all, mut files, mut is_file) = (0, 0, false);
    for line in maps.lines() {
        let mut words = line.split_ascii_whitespace();
        match words.next() {
            Some("Rss:") => {
                let kib: u64 = words.next().and_then(|n| n.parse().ok()).unwrap_or(0);
                all += kib * 1024;
                files += if is_file { kib * 1024 } else { 0 };
            }
            // What begins a mapping: its addresses, rights, place in the file, device and inode.
            Some(word) if !word.ends_with(':') => is_file = words.nth(3) != Some("0"),
            _ => {}
        }
    }
    (all, files)
}

/// An account: what was there before the first frame, the rooms of which that was `before`, and what there
/// is now. Rooms of the same name are one to each worker.
/// `files` are called what is mapped.
///
/// Rooms count for themselves, and what the allocator gave beyond them is on its way between threads. What is resident
/// beyond that the allocator keeps: it rounds up, and has pages of which a part is free. It does not say how much that
/// is; the kernel and the bytes it has given do.
pub(super) fn account(
    files: &str,
    (start, before): (Resident, &[Held]),
    (now, rooms): (Resident, &[Held]),
) -> Memory {
    let sum = |rooms: &[Held]| -> u64 { rooms.iter().map(|held| wide(held.bytes)).sum() };
    // Slots are asked for at once, and become resident as they are used.
    let slots = rooms.iter().filter(|held| held.what == SLOTS);
    let unused: usize = slots
        .map(|held| held.bound.saturating_sub(held.bytes))
        .sum();
    let given = now.given.map(|given| given.saturating_sub(wide(unused)));
    // A worker may have asked for its slots before this.
    let begun = start
        .given
        .map_or_else(|| start.asked(), |given| given.min(start.asked()));
    let first = begun.saturating_sub(sum(before));
    let counted = sum(rooms).saturating_add(first);
    let beyond = given.map_or(0, |given| given.saturating_sub(counted));
    let kept = now.asked().saturating_sub(counted.saturating_add(beyond));
    let mut memory = Memory {
        rss_bytes: now.all,
        ..Memory::default()
    };
    add(&mut memory, files, now.files, None);
    add(&mut memory, "before the first frame", first, None);
    for held in rooms {
        let bound = Some(wide(held.bound));
        add(&mut memory, held.what, wide(held.bytes), bound);
    }
    add(&mut memory, BEYOND, beyond, None);
    add(&mut memory, KEPT, kept, None);
    memory
}

/// The room whose bound is asked for at once.
const SLOTS: &str = "flow slots";
/// What the allocator gave beyond the rooms: rounds and records.
const BEYOND: &str = "on the way between threads";
/// What is resident and was not given: ends of blocks, free parts of pages, threads' stacks.
const KEPT: &str = "kept by the allocator";

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

fn wide(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: &str = "\
55d0a0000000-55d0a0400000 r--p 00000000 fe:00 1234 /usr/bin/tapir
Size:               4096 kB
Rss:                1024 kB
Anonymous:             0 kB
VmFlags: rd mr mw me
55d0a0400000-55d0a0500000 rw-p 00400000 fe:00 1234 /usr/bin/tapir
Rss:                  12 kB
Anonymous:            12 kB
7f0000000000-7f0040000000 rw-p 00000000 00:00 0
Rss:                 100 kB
7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0 [stack]
Rss:                   8 kB
";

    #[test]
    fn files_are_told_from_what_was_asked_for() {
        assert_eq!(resident(MAPS), (1144 * 1024, 1036 * 1024));
        assert_eq!(resident(""), (0, 0));
    }

    /// 1,000 bytes of rooms, 500 of them slots that are not used yet; what was there before is not counted twice.
    #[test]
    fn what_is_in_no_room_is_on_the_way_or_kept() {
        let rooms = [Held::new(SLOTS, 300, 800), Held::new("devices", 700, 900)];
        let at = |all, given| Resident {
            all,
            files: 50,
            given: Some(given),
        };
        let start = (at(90, 35), &rooms[..0]);
        let memory = account("program", start, (at(1_400, 1_650), &rooms));
        let told: Vec<_> = memory
            .rooms
            .iter()
            .map(|room| (room.what.as_str(), room.bytes))
            .collect();
        let expected = [
            ("program", 50),
            ("before the first frame", 35),
            (SLOTS, 300),
            ("devices", 700),
            // 1,650 given, of which 500 are not touched.
            (BEYOND, 115),
            (KEPT, 200),
        ];
        assert_eq!(told, expected);
        assert_eq!((memory.counted_bytes, memory.rss_bytes), (1_400, 1_400));
    }
}
