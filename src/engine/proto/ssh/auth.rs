//! Whether somebody got in, by the sizes of what is encrypted.
//!
//! Source: RFC 4252 §5: a request is answered by SUCCESS, one byte of content, or by FAILURE, whose list
//!         of methods does not change much; RFC 4253 §10: before that SERVICE_ACCEPT has 17 bytes of content.
//!         Padding is to blocks of 8 or 16 bytes with every cipher in use, so SUCCESS is 16 bytes shorter
//!         than SERVICE_ACCEPT with the same MAC.
//! Input:  sizes of segments; a message is written at once, so each is one message.
//! Bounds: 128 segments of the server; beyond that nothing is claimed.

/// By how much SUCCESS is shorter than SERVICE_ACCEPT.
const SUCCESS_SHORTER: usize = 16;
/// Segments of the server that are looked at.
const SEGMENTS_MAX: u8 = 128;

/// What the sizes say so far.
#[derive(Debug, Default)]
pub(super) struct Auth {
    is_asked: bool,
    /// Size of SERVICE_ACCEPT.
    accept: Option<usize>,
    /// The client has sent a request since.
    is_requested: bool,
    /// The last size of the server's answer, while the client has not gone on.
    answer: Option<usize>,
    /// Size of the first FAILURE: the answer to the request for the list of methods.
    failure: Option<usize>,
    segments: u8,
    pub(super) attempts: u64,
    pub(super) success: Option<bool>,
}

impl Auth {
    /// The client sent a segment.
    pub(super) fn client(&mut self) {
        self.is_asked = true;
        if self.accept.is_none() {
            return;
        }
        self.settle();
        self.is_requested = true;
    }

    /// The server sent a segment; true if nothing more is to be learned.
    pub(super) fn server(&mut self, len: usize) -> bool {
        self.segments = self.segments.saturating_add(1);
        if self.segments > SEGMENTS_MAX {
            return true;
        }
        // Before the client asks, the server may tell of extensions (RFC 8308).
        if !self.is_asked {
            return false;
        }
        let Some(accept) = self.accept else {
            self.accept = Some(len);
            return false;
        };
        if !self.is_requested {
            return false;
        }
        if len.checked_add(SUCCESS_SHORTER) == Some(accept) {
            self.attempts = self.attempts.saturating_add(1);
            self.success = Some(true);
            return true;
        }
        self.answer = Some(len);
        false
    }

    /// The flow or the client goes on: what the server said last was its answer.
    pub(super) fn settle(&mut self) {
        let Some(len) = self.answer.take() else {
            return;
        };
        match self.failure {
            // Nearly every client first asks which methods there are.
            None => {
                self.failure = Some(len);
                self.attempts = self.attempts.saturating_add(1);
            }
            Some(failure) if failure == len => {
                self.attempts = self.attempts.saturating_add(1);
                self.success = Some(false);
            }
            // A question back to the client.
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sizes of an OpenSSH 9.2 with chacha20-poly1305 (no length in the block, 16 bytes of MAC): client's
    /// as 0, server's as they are. SERVICE_ACCEPT 44, FAILURE 60, PK_OK 108, SUCCESS 28.
    fn run(sizes: &[usize]) -> (u64, Option<bool>, bool) {
        let (mut auth, mut is_over) = (Auth::default(), false);
        for size in sizes {
            match size {
                0 => auth.client(),
                size => is_over = auth.server(*size),
            }
        }
        auth.settle();
        (auth.attempts, auth.success, is_over)
    }

    #[test]
    fn a_key_is_taken() {
        let sizes = [188, 0, 44, 0, 60, 0, 108, 0, 28];
        assert_eq!(run(&sizes), (2, Some(true), true));
    }

    #[test]
    fn two_wrong_passwords_and_a_right_one() {
        let wrong = [0, 44, 0, 60, 0, 60, 0, 60];
        assert_eq!(run(&wrong), (3, Some(false), false));
        let right = [&wrong[..], &[0, 28]].concat();
        assert_eq!(run(&right), (4, Some(true), true));
    }

    #[test]
    fn without_an_answer_nothing_is_claimed() {
        assert_eq!(run(&[]), (0, None, false));
        assert_eq!(run(&[188, 0, 44]), (0, None, false));
        // Nobody asked, or one side is not seen.
        assert_eq!(run(&[188, 44, 28]), (0, None, false));
        assert_eq!(run(&[0, 0, 0]), (0, None, false));
        assert_eq!(run(&[0, 44, 0, 60]).1, None, "the list of methods only");
    }

    #[test]
    fn a_server_that_lets_everybody_in() {
        assert_eq!(run(&[0, 44, 0, 28]), (1, Some(true), true));
    }

    #[test]
    fn a_banner_before_the_failure_is_no_failure() {
        let sizes = [0, 44, 0, 300, 60, 0, 60];
        assert_eq!(run(&sizes), (2, Some(false), false));
    }
}
