//! Bodies: their chunks, and what they are by their first bytes rather than by what a header says.
//!
//! Standard: RFC 9112 §7.1 (chunks).
//! Bounds:   a chunk's size is a line of 4 KiB; of a body 64 bytes are looked at, over several segments if need be.

use super::super::files::{BEGINNING_LEN, Beginning, File, mime_type};
use super::{Dir, Http, Input, LINE_LEN_MAX, Open, Out, Parse, Protocol as _, Side, State, head};
use crate::types::Text;

/// Of an answer whose length is known so many are waited for, and never for a third piece: its record is what a
/// running download is cut by.
const ENOUGH_LEN: usize = 4;
impl Side {
    /// Bytes of the body, or of its chunk, that are still to come, and whether these are its last.
    fn left(&self) -> Option<(usize, bool)> {
        let (left, is_last) = match self.state {
            State::Fixed(left) => (left, true),
            // The line end behind a chunk is none of its bytes.
            State::Chunk(left) => (left.saturating_sub(2), false),
            State::UntilClose => (u64::MAX, false),
            _ => return None,
        };
        Some((usize::try_from(left).unwrap_or(usize::MAX), is_last))
    }
}

impl Http {
    /// Passes over `left` bytes, most of them without seeing them; `more` is the state within them.
    pub(super) fn pass(
        &mut self,
        input: Input<'_>,
        left: u64,
        more: fn(u64) -> State,
        next: State,
    ) -> Parse {
        let len = input.data.len();
        let here = u64::try_from(len).unwrap_or(u64::MAX);
        let side = self.side(input.dir);
        match left.checked_sub(here) {
            Some(beyond) if beyond > 0 && (side.sniffs || side.file.is_some()) => {
                side.state = more(beyond);
                Parse::Parsed { used: len }
            }
            Some(beyond) if beyond > 0 => {
                side.state = next;
                Parse::SkipBytes { bytes: beyond }
            }
            _ => {
                side.state = next;
                let used = usize::try_from(left).unwrap_or(len);
                Parse::Parsed { used }
            }
        }
    }

    /// A chunk's size, or a trailer field (RFC 9112 §7.1).
    pub(super) fn line(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        let window = input.data.get(..LINE_LEN_MAX).unwrap_or(input.data);
        let Some((line, _)) = head::split_once(window, b'\n') else {
            if input.data.len() < LINE_LEN_MAX {
                return Parse::NeedMore { used: 0, need: 1 };
            }
            self.lose(input.dir, out);
            return Parse::Parsed {
                used: input.data.len(),
            };
        };
        let used = line.len().saturating_add(1);
        let line = line.trim_ascii();
        let responds = self.side(input.dir).responds;
        if self.side(input.dir).state == State::Trailer {
            if line.is_empty() {
                self.side(input.dir).state = State::Start;
                if responds {
                    self.close(out);
                }
            }
            return Parse::Parsed { used };
        }
        let digits = line
            .split(|byte| matches!(byte, b';' | b' '))
            .next()
            .unwrap_or_default();
        let size = str::from_utf8(digits)
            .ok()
            .and_then(|hex| u64::from_str_radix(hex, 16).ok());
        match size {
            Some(0) => {
                self.end_file(input.dir, true, 0, out);
                self.side(input.dir).state = State::Trailer;
            }
            Some(size) => {
                self.count(input.dir, size);
                self.side(input.dir).state = State::Chunk(size.saturating_add(2));
            }
            None => {
                out.weird("HTTP_bad_chunk_size", None, Self::NAME);
                self.lose(input.dir, out);
                return Parse::Parsed {
                    used: input.data.len(),
                };
            }
        }
        Parse::Parsed { used }
    }

    /// Looks at the first bytes of a body, as long as they do not tell.
    pub(super) fn sniff(&mut self, input: &Input<'_>, out: &mut Out<'_>) {
        let side = self.side(input.dir);
        let Some((left, is_last)) = side.left() else {
            return;
        };
        let here = input.data.get(..left).unwrap_or(input.data);
        let before = side.beginning.len();
        let is_second = before > 0;
        let joined = if side.beginning.is_empty() {
            here
        } else {
            let room = BEGINNING_LEN.saturating_sub(side.beginning.len());
            side.beginning
                .extend_from_slice(here.get(..room).unwrap_or(here));
            &side.beginning
        };
        let name = mime_type(joined);
        let is_enough = is_last && side.responds && (is_second || joined.len() >= ENOUGH_LEN);
        let is_over = is_enough || (is_last && left <= here.len()) || joined.len() >= BEGINNING_LEN;
        if name.is_none() && !is_over {
            if side.beginning.is_empty() {
                side.beginning = here.to_vec();
            }
            return;
        }
        if let Some(name) = name {
            let total = is_last.then(|| left.saturating_add(before));
            self.begin_file(input, (name, before, total), out);
        }
        self.end_sniff(input.dir, out);
    }

    /// The type of the body under way is known: notes it, and follows the body if it is worth it. `before` bytes
    /// of it went by.
    fn begin_file(
        &mut self,
        input: &Input<'_>,
        (name, before, total): (&'static str, usize, Option<usize>),
        out: &mut Out<'_>,
    ) {
        let (side, open) = match input.dir {
            Dir::Orig => (&mut self.orig, &mut self.open),
            Dir::Resp => (&mut self.resp, &mut self.open),
        };
        let is_response = side.responds;
        let open = if is_response {
            open.as_mut()
        } else {
            self.pending.back_mut()
        };
        let Some(Open { record, .. }) = open else {
            return;
        };
        let (types, names, fuids) = if is_response {
            (
                &mut record.resp_mime_types,
                &record.resp_filenames,
                &mut record.resp_fuids,
            )
        } else {
            (
                &mut record.orig_mime_types,
                &record.orig_filenames,
                &mut record.orig_fuids,
            )
        };
        *types = Some(vec![Text::from(name)]);
        let beginning = Beginning {
            source: "HTTP",
            dir: input.dir,
            depth: side.files.saturating_add(1),
            mime_type: name,
            filename: names.as_ref().and_then(|names| names.first().cloned()),
            total: total.and_then(|total| u64::try_from(total).ok()),
        };
        let Some(mut file) = File::begin(beginning, out) else {
            return;
        };
        side.files = side.files.saturating_add(1);
        *fuids = Some(vec![file.fuid().into()]);
        let went_by = side.beginning.get(..before).unwrap_or_default();
        if file.more(input.ts, went_by) {
            side.file = Some(file);
        } else {
            file.end(false, 0, out);
        }
    }

    /// Takes the next bytes of the body that is followed.
    pub(super) fn follow(&mut self, input: &Input<'_>, out: &mut Out<'_>) {
        let side = self.side(input.dir);
        let (Some((left, is_last)), Some(file)) = (side.left(), side.file.as_mut()) else {
            return;
        };
        let here = input.data.get(..left).unwrap_or(input.data);
        let goes_on = file.more(input.ts, here);
        let is_over = is_last && here.len() == left;
        if !goes_on || is_over {
            self.end_file(input.dir, goes_on, 0, out);
        }
    }

    /// Tells the body that was followed; `missing` bytes of it were lost just now.
    pub(super) fn end_file(&mut self, dir: Dir, whole: bool, missing: u64, out: &mut Out<'_>) {
        if let Some(file) = self.side(dir).file.take() {
            file.end(whole, missing, out);
        }
    }

    /// The body's beginning is seen or lost: a response whose length is known has nothing more to tell.
    pub(super) fn end_sniff(&mut self, dir: Dir, out: &mut Out<'_>) {
        let side = self.side(dir);
        side.beginning = Vec::new();
        let was = std::mem::replace(&mut side.sniffs, false);
        if was && side.responds && matches!(side.state, State::Fixed(_)) {
            self.close(out);
        }
    }
}
