//! An interface by its name: which names are taken, and why a port cannot be opened.
//!
//! Bounds:   names of 1 to 15 bytes, of letters, digits, `_`, `.` and `-`: less than the kernel
//!           allows, and nothing that means something in a rule.

use std::io;

use nix::errno::Errno;

/// Why a socket cannot be opened on an interface; one line each.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// A name no interface can have.
    #[error(transparent)]
    Name(#[from] NameError),
    /// There is no such interface.
    #[error("interface {interface}: there is no such interface; `ip link` lists them")]
    Missing {
        /// Its name.
        interface: String,
    },
    /// Without privilege.
    #[error("interface {interface}: not permitted; start as root or with CAP_NET_RAW")]
    Denied {
        /// Its name.
        interface: String,
    },
    /// Not an interface that takes Ethernet frames.
    #[error("interface {interface}: not an Ethernet interface; name one that is")]
    NotEthernet {
        /// Its name.
        interface: String,
    },
    /// The system refused for another reason.
    #[error("interface {interface}: {step} failed ({error}); check `ip link show`")]
    Io {
        /// Its name.
        interface: String,
        /// What was tried.
        step: &'static str,
        /// The system's words.
        error: io::Error,
    },
}

impl PortError {
    /// Makes of what the system said at `step` the error an operator reads.
    pub(crate) fn at(interface: &str, step: &'static str) -> impl FnOnce(Errno) -> Self {
        let interface = interface.to_owned();
        move |error| match error {
            Errno::EPERM | Errno::EACCES => Self::Denied { interface },
            Errno::ENODEV | Errno::ENXIO => Self::Missing { interface },
            error => Self::Io {
                interface,
                step,
                error: error.into(),
            },
        }
    }
}

/// A name that cannot be an interface's here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "interface \"{}\": not a usable name; 1 to 15 letters, digits, `_`, `.` or `-`, \
     see `ip link`",
    name.escape_debug()
)]
pub struct NameError {
    /// What was given, cut to 64 characters.
    name: String,
}

/// Whether `name` is safe to put into a rule and an interface request.
pub(crate) fn checked_name(name: &str) -> Result<(), NameError> {
    let usable = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    if (1..=15).contains(&name.len()) && name.bytes().all(usable) && !matches!(name, "." | "..") {
        return Ok(());
    }
    Err(NameError {
        name: name.chars().take(64).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names are checked before they reach a rule, and said back escaped and short.
    #[test]
    fn names() {
        for name in ["eth0", "enp3s0f1.100", "br-lan", "a", "exactly-15-byte"] {
            assert_eq!(checked_name(name), Ok(()));
        }
        for name in [
            "",
            "..",
            "sixteen-bytes-ab",
            "a b",
            "x;flush",
            "eth*",
            "ü",
            "a\n",
        ] {
            let text = checked_name(name).unwrap_err().to_string();
            assert!(!text.contains('\n'), "{text}");
        }
    }
}
