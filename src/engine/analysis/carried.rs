//! Files that the data connections of FTP carry: their names and lengths, as the transfers tell them.
//!
//! Input:  a data connection begins, a transfer over it is answered, it is over.
//! Output: name and length for the `files` record of the connection, if the transfer was answered before that was
//!         told. What is shorter or longer than announced loses its hash: it was cut short, or began in the middle.
//! Bounds: as many as may be announced; a new one is refused, as it is there. Names of [`NAME_LEN_MAX`] bytes.

use crate::proto::files::FileRecord;
use crate::proto::ftp::FtpRecord;
use crate::types::{Endpoint, FlowKey, Map, Seed, text};

/// Longest name kept of a file, in bytes; a longer one is cut.
const NAME_LEN_MAX: usize = 256;

/// Address of the originator, and where the connection goes.
pub(super) type Way = (u128, Endpoint);

/// See the module.
#[derive(Debug)]
pub(super) struct Carried {
    files: Map<FlowKey, File>,
    ways: Map<Way, FlowKey>,
    /// Bytes of the names.
    names: usize,
    max: usize,
}

#[derive(Debug)]
struct File {
    way: Way,
    name: Option<Box<str>>,
    size: Option<u64>,
}

impl File {
    fn name_len(&self) -> usize {
        self.name.as_ref().map_or(0, |name| name.len())
    }
}

impl Carried {
    pub(super) fn new(max: usize, seed: Seed) -> Self {
        Self {
            files: Map::new(max, seed),
            ways: Map::new(max, seed),
            names: 0,
            max,
        }
    }

    /// A data connection begins.
    pub(super) fn began(&mut self, way: Way, flow: FlowKey) {
        let (name, size) = (None, None);
        let file = File { way, name, size };
        self.over(&flow);
        self.ways.insert(way, flow);
        self.files.insert(flow, file);
    }

    /// A transfer over a connection that went this way was answered.
    pub(super) fn transferred(&mut self, way: Way, ftp: &FtpRecord) {
        let flow = self.ways.get(&way);
        let Some(file) = flow.and_then(|flow| self.files.get_mut(flow)) else {
            return;
        };
        let name = text(
            ftp.arg.as_deref().unwrap_or_default().as_bytes(),
            NAME_LEN_MAX,
        );
        let before = file.name_len();
        file.name = (!name.is_empty()).then(|| name.as_str().into());
        file.size = ftp.file_size;
        self.names = self
            .names
            .saturating_sub(before)
            .saturating_add(file.name_len());
    }

    /// Completes what is told of a file that is all of `flow`.
    pub(super) fn complete(&self, flow: &FlowKey, record: &mut FileRecord) {
        let Some(file) = self.files.get(flow) else {
            return;
        };
        record.source = "FTP_DATA";
        record.filename = file.name.as_deref().map(Into::into);
        record.total_bytes = file.size;
        if file.size.is_some_and(|size| size != record.seen_bytes) {
            record.sha256 = None;
        }
    }

    /// The connection is over.
    pub(super) fn over(&mut self, flow: &FlowKey) {
        let Some(file) = self.files.remove(flow) else {
            return;
        };
        self.names = self.names.saturating_sub(file.name_len());
        if self.ways.get(&file.way) == Some(flow) {
            self.ways.remove(&file.way);
        }
    }

    /// Bytes of the tables, and what they may be.
    pub(super) fn held(&self) -> (usize, usize) {
        let tables = self.files.table_bytes();
        let bound = Map::<FlowKey, File>::table_bound(self.max)
            .saturating_add(Map::<Way, FlowKey>::table_bound(self.max))
            .saturating_add(self.max.saturating_mul(NAME_LEN_MAX));
        let bytes = tables
            .saturating_add(self.ways.table_bytes())
            .saturating_add(self.names);
        (bytes, bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::FlowRef;

    #[test]
    fn a_transfer_tells_the_file_its_flow_carries() {
        let mut carried = Carried::new(4, Seed(1));
        let flow = |port| FlowRef {
            orig: Endpoint::new([10, 0, 0, 1].into(), 40_001),
            resp: Endpoint::new([10, 0, 0, 2].into(), port),
            proto: 6,
            ..FlowRef::default()
        };
        let (mine, other) = (flow(1_025).key(), flow(1_026).key());
        let way = (flow(1_025).orig.bits(), flow(1_025).resp);
        carried.began(way, mine);
        let transfer = FtpRecord {
            command: Some("RETR".into()),
            arg: Some("a.pdf".into()),
            file_size: Some(9),
            reply_code: Some(226),
            ..FtpRecord::default()
        };
        carried.transferred(way, &transfer);
        carried.transferred((way.0, flow(1_026).resp), &transfer);
        let seen = |seen_bytes| FileRecord {
            source: "TCP",
            seen_bytes,
            sha256: Some("00".into()),
            ..FileRecord::default()
        };
        for (len, has_hash) in [(9, true), (8, false)] {
            let mut file = seen(len);
            carried.complete(&mine, &mut file);
            assert_eq!((file.source, file.total_bytes), ("FTP_DATA", Some(9)));
            assert_eq!(file.filename.as_deref(), Some("a.pdf"));
            assert_eq!(file.sha256.is_some(), has_hash);
        }
        let mut file = seen(9);
        carried.complete(&other, &mut file);
        assert_eq!((file.source, file.filename), ("TCP", None));
        assert_eq!(carried.names, 5);
        carried.over(&mine);
        assert_eq!((carried.names, carried.ways.len()), (0, 0));
    }
}
