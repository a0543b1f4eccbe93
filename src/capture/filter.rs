//! The operator's filter expression, compiled by libpcap.
//!
//! Standard: pcap-filter(7).
//! Input:    the captured bytes of a frame and its link type.
//! Output:   whether the frame is wanted.
//! Bounds:   one program for each link type, compiled when the first frame of it arrives.
//! Not done: `len`, `less` and `greater` see the captured length, not the length on the wire;
//!           they differ only for snapped frames.

use ::pcap::{BpfProgram, Capture, Linktype};

use crate::{LinkType, SourceError};

/// A filter expression and its programs.
pub(crate) struct Filter {
    expression: String,
    /// A handful at most, so searched in order; `None` where libpcap cannot compile it.
    programs: Vec<(LinkType, Option<BpfProgram>)>,
}

/// What a filter says of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Match {
    Yes,
    No,
    /// The expression means nothing for this link type.
    Inapplicable,
}

impl Filter {
    /// Compiles `expression` for the link types the input begins with.
    ///
    /// # Errors
    ///
    /// [`SourceError::Filter`] if it compiles for none of them.
    pub(crate) fn new(expression: &str, links: &[LinkType]) -> Result<Self, SourceError> {
        let links = if links.is_empty() {
            &[LinkType::ETHERNET]
        } else {
            links
        };
        let mut filter = Self {
            expression: expression.to_owned(),
            programs: Vec::new(),
        };
        let mut words = None;
        for link in links {
            match compile(expression, *link) {
                Ok(program) => filter.programs.push((*link, Some(program))),
                Err(error) => {
                    words.get_or_insert(error);
                    filter.programs.push((*link, None));
                }
            }
        }
        match words {
            Some(words) if filter.programs.iter().all(|(_, program)| program.is_none()) => {
                Err(SourceError::Filter {
                    expression: filter.expression,
                    words,
                })
            }
            _ => Ok(filter),
        }
    }

    #[inline]
    pub(crate) fn matches(&mut self, link: LinkType, bytes: &[u8]) -> Match {
        let known = self.programs.iter().position(|(known, _)| *known == link);
        let index = known.unwrap_or_else(|| self.learn(link));
        match self.programs.get(index) {
            Some((_, Some(program))) if program.filter(bytes) => Match::Yes,
            Some((_, Some(_))) => Match::No,
            _ => Match::Inapplicable,
        }
    }

    #[cold]
    fn learn(&mut self, link: LinkType) -> usize {
        self.programs
            .push((link, compile(&self.expression, link).ok()));
        self.programs.len() - 1
    }
}

pub(crate) fn compile(expression: &str, link: LinkType) -> Result<BpfProgram, String> {
    let dlt = link
        .dlt()
        .ok_or_else(|| format!("libpcap does not know {link}"))?;
    let handle = Capture::dead(Linktype(dlt)).map_err(|error| words(&error))?;
    handle
        .compile(expression, true)
        .map_err(|error| words(&error))
}

/// libpcap's own words, without the wrapping of the crate.
fn words(error: &::pcap::Error) -> String {
    match error {
        ::pcap::Error::PcapError(words) => words.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A UDP datagram to port 53 in IPv4, without a link header.
    #[rustfmt::skip]
    const DNS: &[u8] = &[
        0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, // IPv4, 28 bytes, UDP
        10, 0, 0, 1, 10, 0, 0, 2,                 // from, to
        0x30, 0x39, 0, 53, 0, 8, 0, 0,            // ports 12345 and 53
    ];

    /// The same expression is compiled anew for each link type.
    #[test]
    fn compiled_by_link_type() -> Result<(), SourceError> {
        let mut filter = Filter::new("udp port 53", &[LinkType::RAW])?;
        let mut ethernet = vec![0; 12];
        ethernet.extend([8, 0]);
        ethernet.extend(DNS);
        assert_eq!(filter.matches(LinkType::RAW, DNS), Match::Yes);
        assert_eq!(filter.matches(LinkType::IPV4, DNS), Match::Yes);
        assert_eq!(filter.matches(LinkType::ETHERNET, &ethernet), Match::Yes);
        assert_eq!(filter.matches(LinkType::ETHERNET, DNS), Match::No);
        assert_eq!(filter.matches(LinkType::RAW, &[]), Match::No);
        assert_eq!(
            filter.matches(LinkType(4_000_000_000), DNS),
            Match::Inapplicable
        );
        Ok(())
    }

    /// A mistake is told with the expression and libpcap's words, on one line.
    #[test]
    fn a_bad_expression_is_named() {
        for expression in [
            "tcp prot 80",
            "host",
            "port 99999",
            "a\nb\u{1b}[1m",
            "nul\0nul",
        ] {
            let error = Filter::new(expression, &[])
                .err()
                .map(|error| error.to_string());
            let text = error.unwrap_or_default();
            assert!(text.starts_with("filter `"), "{expression:?}: {text}");
            assert!(!text.chars().any(char::is_control), "{text:?}");
        }
    }
}
