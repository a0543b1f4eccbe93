//! A port made by hand: what a turn takes of it, and what a stop leaves.

use std::collections::VecDeque;

use tapir_capture::{LinkType, Place, Recording, SourceError, SystemClocks};
use tapir_engine::TrackerConfig;

use super::*;
use crate::run::worker::{Answers, to_analysis};

const MS: i64 = 1_000_000;

/// A port with these batches of frames, by their times.
struct Made {
    batches: VecDeque<Vec<i64>>,
    places: Vec<Place>,
}

/// An empty UDP datagram.
const FRAME: &[u8; 42] =
    b"ABCDEFabcdef\x08\0\x45\0\0\x1c\0\0\0\0\x40\x11\0\0\x0a\0\0\x01\x0a\0\0\x02\
    \0\x07\0\x09\0\x08\0\0";

impl Port for Made {
    fn batch(&mut self) -> Result<Option<Batch<'_>>, SourceError> {
        let Some(times) = self.batches.pop_front() else {
            return Ok(None);
        };
        let place = |ts_ns| Place {
            ts_ns,
            wire_len: 42,
            link: LinkType::ETHERNET,
            at: 0,
            len: 42,
        };
        self.places = times.into_iter().map(place).collect();
        let (places, bytes) = (&self.places, FRAME);
        Ok(Some(Batch::Many { places, bytes }))
    }

    fn epoch(&self) -> u64 {
        0
    }

    fn watermark_ns(&self) -> i64 {
        i64::MIN
    }

    fn figures(&mut self) -> Published {
        Published::default()
    }
}

/// A queue of a port with these batches, and who hears of it.
fn queue(batches: Vec<Vec<i64>>) -> (Queue<Made>, Answers) {
    let (to_analysis, answers) = to_analysis();
    let queue = Queue {
        port: Made {
            batches: batches.into(),
            places: Vec::new(),
        },
        epochs: Epochs::new(Box::new(SystemClocks)),
        worker: Worker::new(&TrackerConfig::default(), to_analysis),
        record: None,
        end: std::sync::mpsc::channel().1,
        index: 0,
        prompt: false,
        state: State::default(),
    };
    (queue, answers)
}

/// Of a batch in which the run ends, what comes later is neither counted nor recorded nor tracked.
#[test]
fn what_comes_after_the_stop_is_left() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("record.pcapng");
    let (recording, mut senders) = Recording::create(&path, "{}", 1).expect("a record");
    let (mut queue, _answers) = queue(vec![vec![1, 2], vec![3, 4, 4, 5, 9], vec![10]]);
    queue.record = senders.pop();
    let shared = Shared::new(1);
    shared.stop(Timestamp::from_nanos(4));
    assert_eq!(queue.turn(&shared), Turn::Stop);
    assert_eq!(queue.state.last.nanos(), 4);
    queue.publish(&shared);
    let published = shared.published().remove(0);
    assert_eq!(published.health.packets, 5);
    assert_eq!(published.tally.packets(), 5);
    assert_eq!(published.tracker.packets, 5);
    drop(queue);
    assert_eq!(recording.finish().recorded, 5);
    // Nothing of a batch may be left to read.
    let (mut queue, _answers) = self::queue(vec![vec![5, 6]]);
    assert_eq!(queue.turn(&shared), Turn::Stop);
    assert_eq!(queue.state.tally.packets(), 0);
}

/// What is observed is handed over after so many frames, or so much of their time, whichever comes first.
#[test]
fn it_is_handed_over_after_frames_and_after_time() {
    let many = vec![vec![1; 300]; 5];
    let slow = vec![vec![0, 2 * MS], vec![4 * MS, 5 * MS], vec![6 * MS, 7 * MS]];
    for (batches, frames) in [(many, 1_200), (slow, 4)] {
        let (mut queue, answers) = queue(batches);
        let shared = Shared::new(1);
        assert_eq!(queue.turn(&shared), Turn::Busy);
        assert_eq!(queue.state.tally.packets(), frames);
        assert!(answers.tracked.try_recv().is_ok());
        assert!(answers.tracked.try_recv().is_err());
    }
}

/// Settling every 5 ms may take 0.1 ms each time, a fiftieth; what takes longer is done more seldom,
/// and as seldom as without responses from 0.4 ms on.
#[test]
fn settling_takes_a_fiftieth_of_the_time_at_most() {
    let ms = |prompt, us| settle_after(prompt, Duration::from_micros(us)) / 1_000_000;
    assert_eq!(
        [0, 100, 200, 400, 9_000].map(|us| ms(true, us)),
        [5, 5, 10, 20, 20]
    );
    assert_eq!([0, 9_000].map(|us| ms(false, us)), [20, 20]);
}
