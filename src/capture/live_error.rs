//! What can keep a port from being watched, in words an operator can act on.
//!
//! Output:   one line each: which interface, what was found, the remedy.
//! Bounds:   names are escaped; at most [`NAMES_SHOWN`] interfaces are listed.

use std::io;

use crate::error::escape;

/// Why a port cannot be captured from, or no longer.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// There is no interface of that name.
    #[error("{}: no such interface; {known}", escape(.interface))]
    NoInterface {
        /// The name as given.
        interface: String,
        /// Which there are, and which was meant.
        known: String,
    },
    /// The kernel wants a privilege for it.
    #[error(
        "capturing is not permitted; run as root or with CAP_NET_RAW \
         (in a service: AmbientCapabilities=CAP_NET_RAW)"
    )]
    NotPermitted,
    /// The interface is administratively down.
    #[error("{0}: the interface is down; bring it up with `ip link set {0} up`", escape(.interface))]
    Down {
        /// Its name.
        interface: String,
    },
    /// Its frames do not begin with an Ethernet header.
    #[error(
        "{}: not an Ethernet interface (ARP hardware type {kind}); name the port the mirror is \
         plugged into",
        escape(.interface)
    )]
    NotEthernet {
        /// Its name.
        interface: String,
        /// ARPHRD_ number.
        kind: i32,
    },
    /// An option lies outside its range.
    #[error("{key} = {found} is not possible; give {remedy}")]
    Option {
        /// The option.
        key: &'static str,
        /// What was given.
        found: u64,
        /// What would be right.
        remedy: &'static str,
    },
    /// The ring does not fit into memory.
    #[error(
        "{}: no memory for a ring of {mebibytes} MiB; give it fewer blocks or use fewer queues",
        escape(.interface)
    )]
    NoMemory {
        /// Interface.
        interface: String,
        /// Size of one queue's ring.
        mebibytes: u64,
    },
    /// The interface came back more often than sockets were held in reserve for.
    #[error(
        "{}: the interface came back, but no socket is left in reserve to open it with; restart \
         the sensor",
        escape(.interface)
    )]
    ReserveUsedUp {
        /// Its name.
        interface: String,
    },
    /// libpcap refused.
    #[error("{}: libpcap cannot capture here ({}); check the interface", escape(.interface), escape(.words))]
    Pcap {
        /// Interface.
        interface: String,
        /// libpcap's words.
        words: String,
    },
    /// The system refused for another reason.
    #[error("{}: {step} failed ({error}); check the kernel's log", escape(.interface))]
    System {
        /// Interface.
        interface: String,
        /// What was being done.
        step: &'static str,
        /// The system's own words.
        error: io::Error,
    },
}

/// Interfaces named in an error. A machine with more has names one can guess.
const NAMES_SHOWN: usize = 12;

impl LiveError {
    /// The error for an interface that is not there.
    pub(crate) fn no_interface(interface: &str) -> Self {
        let mut names: Vec<String> = nix::net::if_::if_nameindex()
            .map(|found| {
                let found = found.iter().take(1_000);
                found
                    .map(|one| one.name().to_string_lossy().into_owned())
                    .collect()
            })
            .unwrap_or_default();
        names.sort();
        Self::NoInterface {
            interface: interface.to_owned(),
            known: known(interface, &names),
        }
    }

    /// The error for a step the system refused.
    pub(crate) fn system(interface: &str, step: &'static str, error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => Self::NotPermitted,
            Some(libc::ENODEV | libc::ENXIO) => Self::no_interface(interface),
            Some(libc::ENETDOWN) => Self::Down {
                interface: interface.to_owned(),
            },
            _ => Self::System {
                interface: interface.to_owned(),
                step,
                error,
            },
        }
    }
}

/// Which interfaces there are, and the likely one first.
fn known(wanted: &str, names: &[String]) -> String {
    if names.is_empty() {
        return "there is none at all here; check the network namespace".to_owned();
    }
    let shown = names.iter().take(NAMES_SHOWN).map(|name| escape(name));
    let mut text = format!("there are {}", shown.collect::<Vec<_>>().join(", "));
    if names.len() > NAMES_SHOWN {
        text.push_str(", …");
    }
    let likely = names
        .iter()
        .map(|name| (distance(wanted, name), name))
        .min();
    match likely {
        Some((distance, name)) if distance <= 2 => {
            text.push_str("; did you mean ");
            text.push_str(&escape(name));
            text.push('?');
        }
        _ => text.push_str("; name one of them"),
    }
    text
}

/// Letters to insert, delete or replace to get from one name to the other.
fn distance(from: &str, to: &str) -> usize {
    // No name is longer than 15 bytes; what is typed may be.
    let from: Vec<char> = from.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=from.len()).collect();
    for (below, letter) in to.chars().enumerate() {
        let mut diagonal = below;
        let mut left = below + 1;
        for (cell, other) in row.iter_mut().skip(1).zip(&from) {
            let here = (diagonal + usize::from(letter != *other))
                .min(*cell + 1)
                .min(left + 1);
            diagonal = std::mem::replace(cell, here);
            left = here;
        }
        if let Some(first) = row.first_mut() {
            *first = below + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (from, to, expected) in [
            ("eth0", "eth0", 0),
            ("eht0", "eth0", 2),
            ("eth1", "eth0", 1),
            ("", "lo", 2),
            ("lo", "", 2),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(from, to), expected, "{from} {to}");
        }
    }

    /// The message names what there is and what was meant, on one escaped line.
    #[test]
    fn names_what_there_is() {
        let names = ["eth0".to_owned(), "lo".to_owned()];
        assert_eq!(
            known("eth1", &names),
            "there are eth0, lo; did you mean eth0?"
        );
        assert_eq!(
            known("mirror0", &names),
            "there are eth0, lo; name one of them"
        );
        let text = LiveError::no_interface("a\n\u{1b}[31m").to_string();
        assert!(
            text.starts_with("a\\n\\u{1b}[31m: no such interface; there "),
            "{text}"
        );
        let refused = io::Error::from_raw_os_error(libc::EPERM);
        let text = LiveError::system("lo", "opening a socket", refused).to_string();
        assert!(text.contains("CAP_NET_RAW"), "{text}");
    }
}
