//! Open files: what is read and written until the close, and the records about it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::SmbFile;
use super::follow::Courses;
use super::wire::{SUCCESS, file_time_at, status_name};
use crate::proto::files::fuid;
use crate::proto::{Dir, Out};
use crate::types::{Text, Timestamp, heap};

/// Open files of a flow.
const FILES_MAX: usize = 512;

/// The sixteen bytes a server names an open by.
pub(super) type FileId = u128;

/// What a share offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Share {
    #[default]
    Unknown,
    Disk,
    Pipe,
    Print,
}

impl Share {
    /// Zeek's word for it.
    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Self::Unknown => None,
            Self::Disk => Some("DISK"),
            Self::Pipe => Some("PIPE"),
            Self::Print => Some("PRINT"),
        }
    }
}

/// A connected share.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    pub(super) path: Option<Arc<str>>,
    pub(super) share: Share,
}

heap!(Tree: path);

/// What is done to a file.
#[derive(Clone, Copy, Debug)]
enum Verb {
    Open,
    Read,
    Write,
    Delete,
    Rename,
}

/// A file someone asked to open.
#[derive(Debug)]
pub(super) struct Opened {
    /// Time of the request.
    pub(super) ts: Timestamp,
    pub(super) name: Text,
    pub(super) tree: Tree,
    pub(super) user: Option<Arc<str>>,
}

heap!(Opened: name, tree, user);

impl Opened {
    /// Tells of an open that failed, or was not answered if there is no status.
    pub(super) fn failed(&self, status: Option<Text>, out: &mut Out<'_>) {
        out.record(
            self.ts,
            SmbFile {
                status,
                ..self.record(Verb::Open)
            },
        );
    }

    /// Tells of something asked about a name that was not opened.
    pub(super) fn asked(&self, action: &'static str, status: u32, out: &mut Out<'_>) {
        out.record(
            self.ts,
            SmbFile {
                action,
                status: failure(status),
                ..self.record(Verb::Open)
            },
        );
    }

    /// Tells of a rename of what was not opened; the name is the new one.
    pub(super) fn renamed(&self, from: Text, status: u32, out: &mut Out<'_>) {
        out.record(
            self.ts,
            SmbFile {
                prev_name: Some(from),
                status: failure(status),
                ..self.record(Verb::Rename)
            },
        );
    }

    /// What all records about the file have in common.
    fn record(&self, verb: Verb) -> SmbFile {
        SmbFile {
            action: action(verb, self.tree.share),
            path: self.tree.path.as_deref().map(Text::from),
            name: Some(self.name.clone()),
            user: self.user.as_deref().map(Text::from),
            ..SmbFile::default()
        }
    }
}

/// What a server says of a file it opened.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Attributes {
    pub(super) size: Option<u64>,
    pub(super) created: Option<Timestamp>,
    pub(super) accessed: Option<Timestamp>,
    pub(super) modified: Option<Timestamp>,
    pub(super) changed: Option<Timestamp>,
    pub(super) create_action: Option<&'static str>,
}

impl Attributes {
    /// What stands in the answer to a CREATE (\[MS-SMB2\] 2.2.14): the times in a row, the length
    /// 16 bytes behind them.
    pub(super) fn new(action: Option<u32>, times: &[u8], size: Option<u64>) -> Self {
        Self {
            size,
            created: file_time_at(times, 0),
            accessed: file_time_at(times, 8),
            modified: file_time_at(times, 16),
            changed: file_time_at(times, 24),
            create_action: action.and_then(create_action),
        }
    }
}

/// Bytes that went one way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flowed {
    /// First request; `None` if there was none.
    since: Option<Timestamp>,
    bytes: u64,
    /// If it was followed as a file: by which direction and number.
    pub(super) followed: Option<(Dir, u32)>,
    /// Whether nothing more of it is looked at.
    pub(super) is_passed: bool,
}

impl Flowed {
    fn add(&mut self, bytes: u64, ts: Timestamp) {
        self.since.get_or_insert(ts);
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

/// An open file.
#[derive(Debug)]
pub(super) struct File {
    pub(super) opened: Opened,
    /// Place in the order of opening.
    ordinal: u64,
    /// Length when it was opened.
    size: Option<u64>,
    /// Length now, as far as it is known, and whether it was set.
    pub(super) length: Option<u64>,
    is_set: bool,
    read: Flowed,
    written: Flowed,
}

heap!(File: opened);

impl File {
    /// What was read of it, or written to it.
    pub(super) fn flowed(&self, is_written: bool) -> &Flowed {
        if is_written {
            &self.written
        } else {
            &self.read
        }
    }

    pub(super) fn flowed_mut(&mut self, is_written: bool) -> &mut Flowed {
        if is_written {
            &mut self.written
        } else {
            &mut self.read
        }
    }

    /// It reaches up to here now.
    pub(super) fn grow(&mut self, end: u64) {
        self.length = self.length.map(|length| length.max(end));
    }

    /// Tells what was read and written.
    fn close(self, out: &mut Out<'_>) {
        let file = |flowed: &Flowed| {
            let (dir, depth) = flowed.followed?;
            Some(fuid(out.flow, dir, u64::from(depth)))
        };
        let (of_read, of_written) = (file(&self.read), file(&self.written));
        if let Some(ts) = self.read.since {
            let bytes_read = Some(self.read.bytes);
            let record = self.opened.record(Verb::Read);
            out.record(
                ts,
                SmbFile {
                    fuid: of_read,
                    bytes_read,
                    size: self.size,
                    ..record
                },
            );
        }
        if let Some(ts) = self.written.since {
            let bytes_written = Some(self.written.bytes);
            let record = self.opened.record(Verb::Write);
            out.record(
                ts,
                SmbFile {
                    fuid: of_written,
                    bytes_written,
                    size: self.size,
                    ..record
                },
            );
        }
    }
}

/// The open files of one flow.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) open: BTreeMap<FileId, File>,
    ordinals: u64,
    pub(super) courses: Courses,
}

heap!(Files: open, courses);

impl Files {
    /// A file was opened. True if another had to go for it.
    pub(super) fn open(
        &mut self,
        id: FileId,
        opened: Opened,
        attributes: &Attributes,
        delete: bool,
        out: &mut Out<'_>,
    ) -> bool {
        let size = attributes.size;
        let record = SmbFile {
            size,
            created: attributes.created,
            accessed: attributes.accessed,
            modified: attributes.modified,
            changed: attributes.changed,
            create_action: attributes.create_action,
            ..opened.record(Verb::Open)
        };
        out.record(opened.ts, record);
        if delete {
            out.record(
                opened.ts,
                SmbFile {
                    size,
                    ..opened.record(Verb::Delete)
                },
            );
        }
        let evict = self.open.len() >= FILES_MAX && !self.open.contains_key(&id);
        if evict {
            let oldest = self
                .open
                .iter()
                .min_by_key(|(_, file)| file.ordinal)
                .map(|(id, _)| *id);
            self.over(oldest, false, out);
        }
        self.ordinals = self.ordinals.saturating_add(1);
        let (read, written) = (Flowed::default(), Flowed::default());
        let file = File {
            opened,
            ordinal: self.ordinals,
            size,
            length: size,
            is_set: false,
            read,
            written,
        };
        self.over(Some(id), false, out);
        self.open.insert(id, file);
        evict
    }

    /// What the share of an open file offers; `None` if its opening was not seen.
    pub(super) fn share(&self, id: FileId) -> Option<Share> {
        Some(self.open.get(&id)?.opened.tree.share)
    }

    /// Bytes came from the file.
    pub(super) fn read(&mut self, id: Option<FileId>, bytes: u64, ts: Timestamp) {
        if let Some(file) = self.get(id) {
            file.read.add(bytes, ts);
        }
    }

    /// Bytes went to the file.
    pub(super) fn wrote(&mut self, id: Option<FileId>, (at, bytes): (u64, u64), ts: Timestamp) {
        if let Some(file) = self.get(id) {
            file.written.add(bytes, ts);
            file.grow(at.saturating_add(bytes));
        }
    }

    /// The file is so long from here on.
    pub(super) fn set_length(&mut self, id: Option<FileId>, length: u64) {
        if let Some(file) = self.get(id) {
            (file.length, file.is_set) = (Some(length), true);
        }
    }

    /// The file is to go when it is closed.
    pub(super) fn deleted(
        &mut self,
        id: Option<FileId>,
        ts: Timestamp,
        status: u32,
        out: &mut Out<'_>,
    ) {
        let Some(file) = self.get(id) else { return };
        let record = file.opened.record(Verb::Delete);
        out.record(
            ts,
            SmbFile {
                size: file.size,
                status: failure(status),
                ..record
            },
        );
    }

    /// The file has another name now.
    pub(super) fn renamed(
        &mut self,
        id: Option<FileId>,
        name: Text,
        ts: Timestamp,
        status: u32,
        out: &mut Out<'_>,
    ) {
        let Some(file) = self.get(id) else { return };
        let record = SmbFile {
            name: Some(name.clone()),
            prev_name: Some(file.opened.name.clone()),
            size: file.size,
            status: failure(status),
            ..file.opened.record(Verb::Rename)
        };
        if status == SUCCESS {
            file.opened.name = name;
        }
        out.record(ts, record);
    }

    /// The file was closed.
    pub(super) fn close(&mut self, id: Option<FileId>, out: &mut Out<'_>) {
        self.over(id, true, out);
    }

    /// Nothing more is known of the file.
    fn over(&mut self, id: Option<FileId>, is_closed: bool, out: &mut Out<'_>) {
        let Some(id) = id else { return };
        if let Some(file) = self.open.remove(&id) {
            self.end_courses(id, (file.length, file.is_set), is_closed, out);
            file.close(out);
        }
    }

    /// Closes what is still open, in the order of opening.
    pub(super) fn finish(&mut self, out: &mut Out<'_>) {
        let mut files: Vec<_> = std::mem::take(&mut self.open).into_iter().collect();
        files.sort_by_key(|(_, file)| file.ordinal);
        for (id, file) in files {
            self.end_courses(id, (file.length, file.is_set), false, out);
            file.close(out);
        }
    }

    fn get(&mut self, id: Option<FileId>) -> Option<&mut File> {
        self.open.get_mut(&id?)
    }
}

/// The status of a failure.
fn failure(status: u32) -> Option<Text> {
    (status != SUCCESS).then(|| status_name(status))
}

/// CreateAction (\[MS-SMB2\] 2.2.14).
fn create_action(action: u32) -> Option<&'static str> {
    match action {
        0 => Some("superseded"),
        1 => Some("opened"),
        2 => Some("created"),
        3 => Some("overwritten"),
        _ => None,
    }
}

/// Zeek's name of a verb; pipes and printers have their own, so that files can be counted.
fn action(verb: Verb, share: Share) -> &'static str {
    match (verb, share) {
        (Verb::Open, Share::Pipe) => "SMB::PIPE_OPEN",
        (Verb::Read, Share::Pipe) => "SMB::PIPE_READ",
        (Verb::Write, Share::Pipe) => "SMB::PIPE_WRITE",
        (Verb::Open, Share::Print) => "SMB::PRINT_OPEN",
        (Verb::Read, Share::Print) => "SMB::PRINT_READ",
        (Verb::Write, Share::Print) => "SMB::PRINT_WRITE",
        (Verb::Open, _) => "SMB::FILE_OPEN",
        (Verb::Read, _) => "SMB::FILE_READ",
        (Verb::Write, _) => "SMB::FILE_WRITE",
        (Verb::Delete, _) => "SMB::FILE_DELETE",
        (Verb::Rename, _) => "SMB::FILE_RENAME",
    }
}
