//! A byte stream of PDUs in both directions, whatever carries it.
//!
//! Input:  bytes in order, in pieces of any size; a gap is told. Bodies are skipped unseen.
//! Bounds: of a PDU the first bytes up to the limit are kept until they are complete.

use super::association::{Association, Limits};
use super::pdu::{HEADER_LEN, Header, next_pdu};
use crate::proto::{Dir, Out};
use crate::types::{Text, Timestamp, heap};

/// On a pipe within SMB: there may be dozens in one flow.
const PIPE: Limits = Limits {
    contexts: 64,
    calls: 16,
    head_len: 4 * 1024,
};
/// On a connection of its own. A bind with a Kerberos ticket may have some kilobytes.
const CONNECTION: Limits = Limits {
    contexts: 64,
    calls: 64,
    head_len: 16 * 1024,
};

/// State of one stream.
#[derive(Debug)]
pub(in crate::proto) struct Pipe {
    association: Association,
    orig: Lane,
    resp: Lane,
    /// Whether any PDU was recognised.
    recognised: bool,
}

heap!(Pipe: association, orig, resp);

/// One direction.
#[derive(Debug, Default)]
struct Lane {
    /// The beginning of a PDU, not complete.
    head: Vec<u8>,
    /// Bytes of a body still to come.
    skip: u64,
    /// Whether the next PDU has to be looked for.
    lost: bool,
}

heap!(Lane: head);

/// What the beginning of a PDU says.
enum Step {
    /// So many bytes of it are needed in all.
    More(usize),
    /// It is none.
    Lost,
    /// So many bytes of it are of interest.
    Whole(Header, usize),
}

impl Pipe {
    /// A pipe of this name, opened through SMB.
    pub(in crate::proto) fn named(name: &str) -> Self {
        let name = name.trim_start_matches('\\');
        Self::with(PIPE, Some(Text::from(name)).filter(|name| !name.is_empty()))
    }

    /// A connection of its own.
    pub(super) fn connection() -> Self {
        Self::with(CONNECTION, None)
    }

    fn with(limits: Limits, pipe: Option<Text>) -> Self {
        Self {
            association: Association::new(limits, pipe),
            orig: Lane::default(),
            resp: Lane::default(),
            recognised: false,
        }
    }

    /// Whether any PDU was recognised.
    pub(in crate::proto) fn is_recognised(&self) -> bool {
        self.recognised
    }

    /// Bytes of a body that are still to come in this direction.
    pub(super) fn skip(&self, dir: Dir) -> u64 {
        match dir {
            Dir::Orig => self.orig.skip,
            Dir::Resp => self.resp.skip,
        }
    }

    /// Somebody else has thrown the body's bytes away.
    pub(super) fn skipped(&mut self, dir: Dir) {
        self.lane(dir).skip = 0;
    }

    /// This many bytes were lost.
    pub(in crate::proto) fn gap(&mut self, dir: Dir, len: u64) {
        let lane = self.lane(dir);
        if lane.head.is_empty() && len <= lane.skip {
            lane.skip = lane.skip.saturating_sub(len);
        } else {
            *lane = Lane {
                lost: true,
                ..Lane::default()
            };
        }
    }

    /// The next bytes of one direction.
    pub(in crate::proto) fn bytes(
        &mut self,
        dir: Dir,
        data: &[u8],
        ts: Timestamp,
        out: &mut Out<'_>,
    ) {
        let head_len = self.association.limits().head_len;
        let mut data = data;
        loop {
            let lane = self.lane(dir);
            let skipped = usize::try_from(lane.skip)
                .unwrap_or(usize::MAX)
                .min(data.len());
            lane.skip = lane.skip.saturating_sub(len64(skipped));
            data = data.get(skipped..).unwrap_or_default();
            if data.is_empty() {
                return;
            }
            if lane.lost && lane.head.is_empty() {
                let Some(at) = next_pdu(data) else { return };
                data = data.get(at..).unwrap_or_default();
                lane.lost = false;
            }
            let is_kept = !lane.head.is_empty();
            let step = if is_kept {
                top_up(&mut lane.head, &mut data, head_len)
            } else {
                step(data, head_len)
            };
            match step {
                Step::More(_) => {
                    if !is_kept {
                        lane.head = data.to_vec();
                    }
                    return;
                }
                Step::Lost => {
                    lane.head = Vec::new();
                    // What cannot be a PDU is not looked at again.
                    data = data.get(usize::from(!is_kept)..).unwrap_or_default();
                    lane.lost = true;
                }
                Step::Whole(header, used) => {
                    let kept = std::mem::take(&mut lane.head);
                    let pdu = if is_kept { &kept } else { data };
                    let pdu = pdu.get(..used).unwrap_or_default();
                    lane.skip = u64::from(header.fragment_len).saturating_sub(len64(used));
                    self.recognised = true;
                    self.association.pdu(&header, pdu, dir, ts, out);
                    if !is_kept {
                        data = data.get(used..).unwrap_or_default();
                    }
                }
            }
        }
    }

    /// Bytes of memory it takes, about.
    pub(in crate::proto) fn weight(&self) -> usize {
        let heads = self.orig.head.len().saturating_add(self.resp.head.len());
        self.association.weight().saturating_add(heads)
    }

    /// The stream is over.
    pub(in crate::proto) fn finish(&mut self, out: &mut Out<'_>) {
        self.association.finish(out);
    }

    fn lane(&mut self, dir: Dir) -> &mut Lane {
        match dir {
            Dir::Orig => &mut self.orig,
            Dir::Resp => &mut self.resp,
        }
    }
}

/// Judges the beginning of a PDU, of which no more than `head_len` bytes are waited for.
fn step(data: &[u8], head_len: usize) -> Step {
    if data.len() < HEADER_LEN {
        return if Header::may_be(data) {
            Step::More(HEADER_LEN)
        } else {
            Step::Lost
        };
    }
    match Header::new(data) {
        None => Step::Lost,
        Some(header) => match header.wanted().min(head_len) {
            wanted if data.len() < wanted => Step::More(wanted),
            wanted => Step::Whole(header, wanted),
        },
    }
}

/// Adds to a beginning that was kept what it needs from `data`.
fn top_up(head: &mut Vec<u8>, data: &mut &[u8], head_len: usize) -> Step {
    loop {
        match step(head, head_len) {
            Step::More(wanted) if !data.is_empty() => {
                let wanted = wanted.saturating_sub(head.len()).min(data.len());
                let (more, rest) = data.split_at_checked(wanted).unwrap_or((data, &[]));
                head.extend_from_slice(more);
                *data = rest;
            }
            step => return step,
        }
    }
}

/// A length as it is counted.
fn len64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
