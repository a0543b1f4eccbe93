//! The envelope of a line: syslog, with its length in front so that a line may hold anything.
//!
//! Standard: RFC 5424 §6 (header), RFC 6587 §3.4.1 (octet counting).
//! Output:   `LEN SP <PRI>1 TIMESTAMP HOSTNAME tapir - - - MSG`.
//! Units:    times in UTC with milliseconds.

use std::fmt::Write as _;

use tapir_message::{Notice, ResponseState, Timestamp};

/// Longest HOSTNAME (RFC 5424 §6.2.4).
const HOSTNAME_MAX: usize = 255;
/// Facility `local0`, times eight.
const LOCAL0: u8 = 128;

/// How urgent a line is to the receiver, as PRI: facility `local0`, severity by score. 95 and more is an
/// error, 80 a warning, 40 a notice, less is information; an action that failed is a warning.
#[must_use]
pub fn priority(notice: &Notice) -> u8 {
    let score = match notice {
        Notice::Breach(breach) => breach.score.or(breach.priority),
        Notice::Incident(incident) => incident.score,
        Notice::Decision(_) => Some(40),
        Notice::Response(response) if response.state == ResponseState::Failed => Some(80),
        Notice::Response(_) => Some(40),
    };
    LOCAL0
        + match score.unwrap_or(0) {
            95.. => 3,
            80..95 => 4,
            40..80 => 5,
            ..40 => 6,
        }
}

/// Appends `message` in its envelope.
pub fn frame(priority: u8, ts: Timestamp, host: &str, message: &str, out: &mut Vec<u8>) {
    let (year, month, day, hour, minute, second, ns) = ts.civil();
    let ms = ns / 1_000_000;
    let mut line = format!(
        "<{priority}>1 {year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z "
    );
    push_host(&mut line, host);
    let _infallible = write!(line, " tapir - - - {message}");
    out.extend(line.len().to_string().into_bytes());
    out.push(b' ');
    out.extend(line.into_bytes());
}

/// HOSTNAME is printable ASCII without spaces, or `-`.
fn push_host(line: &mut String, host: &str) {
    let printable = host.chars().filter(char::is_ascii_graphic);
    let before = line.len();
    line.extend(printable.take(HOSTNAME_MAX));
    if line.len() == before {
        line.push('-');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(host: &str, message: &str) -> String {
        let mut out = Vec::new();
        let ts = Timestamp::from_nanos(1_795_317_249_512_000_000);
        frame(132, ts, host, message, &mut out);
        String::from_utf8(out).unwrap()
    }

    /// `date -u -d @1795317249` prints 2026-11-22T03:14:09.
    #[test]
    fn the_envelope_is_rfc_5424_with_its_octets_counted() {
        let line = framed("lon1", "CEF:0|x");
        assert_eq!(
            line,
            "56 <132>1 2026-11-22T03:14:09.512Z lon1 tapir - - - CEF:0|x"
        );
        // Octets, not characters: `ü` is two.
        assert!(framed("lon1", "CEF:0|ü").starts_with("57 "));
    }

    #[test]
    fn a_host_name_is_one_printable_word() {
        assert!(framed("", "x").contains("Z - tapir - - - x"));
        assert!(framed("a b\nc\u{202e}", "x").contains("Z abc tapir - - - x"));
    }
}
