//! Files that are read or written from their first byte on, one piece behind the other.
//!
//! Input:  pieces of open files, each with its place in the file.
//! Output: a `files` record when the file is closed. It has a hash if every byte came in its turn: of a read
//!         as many as the file has, of a write as many as were written by its close.
//! Bounds: 32 of a flow at a time, a read and a write of one file being two; another is not followed
//!         (`weird: smb_table_full`).
//! Not done: pieces that overtake each other are not put in order; what is read through several opens is not
//!         joined; writes compounded with the opening of their file.

use super::files::{FileId, Files};
use crate::proto::files::{Beginning, Contents};
use crate::proto::{Dir, Out};
use crate::types::heap;

/// Followed at a time.
const COURSES_MAX: usize = 32;
/// Places beyond are none: all ones mean the file's end.
const AT_MAX: u64 = 1 << 62;

/// Where a piece belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// Its first byte's place in the file.
    pub(super) at: u64,
    /// Whether it is written rather than read.
    pub(super) is_written: bool,
}

/// What is followed.
#[derive(Debug, Default)]
pub(super) struct Courses {
    list: Vec<Course>,
    /// Files followed so far, by direction.
    depths: [u32; 2],
}

heap!(Courses: list);

/// The reads or the writes of one open file.
#[derive(Debug)]
struct Course {
    file: FileId,
    is_written: bool,
    /// Place behind what came.
    next: u64,
    contents: Contents,
}

heap!(Course: contents);

impl Courses {
    fn find(&mut self, file: FileId, is_written: bool) -> Option<(usize, &mut Course)> {
        let mut all = self.list.iter_mut().enumerate();
        all.find(|(_, course)| course.file == file && course.is_written == is_written)
    }
}

impl Files {
    /// Whether `len` bytes that begin here are to be looked at.
    pub(super) fn wants(&self, id: FileId, piece: Piece, len: u64) -> bool {
        let Some(file) = self.open.get(&id) else {
            return false;
        };
        if file.flowed(piece.is_written).is_passed || piece.at > AT_MAX {
            return false;
        }
        let mut all = self.courses.list.iter();
        match all.find(|course| course.file == id && course.is_written == piece.is_written) {
            // What was written and is written again is not what it was.
            Some(course) => piece.is_written || piece.at.saturating_add(len) > course.next,
            None => piece.at == 0,
        }
    }

    /// Bytes of a file, sent in this direction. True if there is no room to follow it.
    pub(super) fn bytes(
        &mut self,
        id: FileId,
        piece: Piece,
        (dir, data): (Dir, &[u8]),
        out: &mut Out<'_>,
    ) -> bool {
        let Some(file) = self.open.get_mut(&id) else {
            return false;
        };
        let courses = &mut self.courses;
        if courses.find(id, piece.is_written).is_none() {
            if piece.at > 0 {
                return false;
            }
            if courses.list.len() >= COURSES_MAX {
                file.flowed_mut(piece.is_written).is_passed = true;
                return true;
            }
            courses.list.push(Course {
                file: id,
                is_written: piece.is_written,
                next: 0,
                contents: Contents::default(),
            });
        }
        let mut depths = courses.depths;
        let depth = match dir {
            Dir::Orig => &mut depths[0],
            Dir::Resp => &mut depths[1],
        };
        let Some((place, course)) = courses.find(id, piece.is_written) else {
            return false;
        };
        let fresh = course.fresh(piece, data);
        let (name, total) = (&file.opened.name, file.length);
        let mut follows = false;
        let about = |mime_type| {
            follows = true;
            *depth = depth.saturating_add(1);
            Beginning {
                source: "SMB",
                dir,
                depth: u64::from(*depth),
                mime_type,
                filename: Some(name.clone()),
                total: total.filter(|_| !piece.is_written),
            }
        };
        course.contents.more(fresh, about, out);
        let (is_passed, next) = (course.contents.is_passed(), course.next);
        if is_passed {
            courses.list.swap_remove(place);
        }
        if follows {
            file.flowed_mut(piece.is_written).followed = Some((dir, *depth));
            courses.depths = depths;
        }
        if piece.is_written {
            file.grow(next);
        }
        file.flowed_mut(piece.is_written).is_passed = is_passed;
        false
    }

    /// What was written was refused: the file is not what it would be.
    pub(super) fn refused(&mut self, id: Option<FileId>) {
        if let Some((_, course)) = id.and_then(|id| self.courses.find(id, true)) {
            course.contents.lose(0);
        }
    }

    /// Tells what was followed of a file; `is_closed` if its close was seen.
    pub(super) fn end_courses(
        &mut self,
        id: FileId,
        (length, announced): (Option<u64>, bool),
        is_closed: bool,
        out: &mut Out<'_>,
    ) {
        for is_written in [false, true] {
            let Some((place, _)) = self.courses.find(id, is_written) else {
                continue;
            };
            let Course {
                next, mut contents, ..
            } = self.courses.list.swap_remove(place);
            let whole = length == Some(next) && (is_closed || !is_written);
            if let Some(file) = contents.file() {
                file.set_total(length.filter(|_| announced || !is_written));
            }
            contents.end(whole, out);
        }
    }
}

impl Course {
    /// The part of a piece that did not come before. What lies between it and what came is missing.
    fn fresh<'a>(&mut self, piece: Piece, data: &'a [u8]) -> &'a [u8] {
        if piece.is_written && piece.at < self.next {
            self.contents.lose(0);
        }
        if let Some(hole) = piece.at.checked_sub(self.next).filter(|hole| *hole > 0) {
            self.contents.lose(hole);
            self.next = piece.at;
        }
        let before = usize::try_from(self.next.saturating_sub(piece.at)).unwrap_or(usize::MAX);
        let fresh = data.get(before..).unwrap_or_default();
        let len = u64::try_from(fresh.len()).unwrap_or(u64::MAX);
        self.next = self.next.saturating_add(len);
        fresh
    }
}
