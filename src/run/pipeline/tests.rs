//! Epochs whose end the source knows, through one worker and through several.

use tapir_capture::LinkType;

use super::*;

const S: i64 = 1_000_000_000;

/// Two frames in two epochs, whose ends are known.
#[derive(Default)]
struct TwoEpochs {
    given: usize,
    bytes: Vec<u8>,
}

impl Source for TwoEpochs {
    fn next(&mut self) -> Result<Option<Frame<'_>>, SourceError> {
        self.given += 1;
        // UDP from port 7 to port 9, without data.
        self.bytes = vec![2; 12];
        self.bytes
            .extend([8, 0, 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0]);
        self.bytes
            .extend([10, 0, 0, 1, 10, 0, 0, 2, 0, 7, 0, 9, 0, 8, 0, 0]);
        let ts_ns = [10 * S, 5 * S].get(self.given - 1).copied();
        Ok(ts_ns.map(|ts_ns| Frame {
            ts_ns,
            wire_len: 42,
            link: LinkType::ETHERNET,
            epoch: self.given == 2,
            bytes: &self.bytes,
        }))
    }

    fn passed(&self) -> Option<i64> {
        [100 * S, 200 * S].get(self.given - 2).copied()
    }

    fn ended(&self) -> bool {
        self.given > 2
    }
}

struct Nobody;

impl Watcher for Nobody {
    fn frame(&mut self, _: i64, _: u32) {}
}

/// Where the source knows how long an epoch lasted, what was due in it is told at its own time:
/// the first flow ends 60 s after its packet, not with the epoch; so does the last.
#[test]
fn epochs_last_as_long_as_the_source_knows() {
    for threads in [Threads::One, Threads::Workers(1), Threads::Workers(2)] {
        let mut told = Vec::new();
        let take = |taken: Taken<'_>| {
            match taken {
                Taken::Observation(observation) => {
                    let mark = matches!(observation.body, Body::Mark(Mark::Epoch));
                    told.push((observation.ts.nanos() / S, mark));
                }
                Taken::End(until) => assert_eq!(until.nanos(), 200 * S),
            }
            true
        };
        let config = TrackerConfig::default();
        run(TwoEpochs::default(), &mut Nobody, threads, &config, take).expect("goes on");
        told.dedup();
        let epoch = told.iter().position(|(_, mark)| *mark).expect("a mark");
        let (before, after) = told.split_at(epoch);
        assert!(before.contains(&(70, false)), "{told:?}");
        assert!(after.contains(&(65, false)), "{told:?}");
    }
}
