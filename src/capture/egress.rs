//! The egress filter of the injection port: what cannot pass it cannot leave, whoever writes it.
//!
//! Standard: nftables, family netdev, hook egress (Linux 5.16 and later); nft(8).
//! Input:    the port's name and address, the most resets a second.
//! Output:   a table `tapir_<interface>` that passes bare TCP resets from the port's own address
//!           up to that rate and drops and counts all else; the counts.
//! Bounds:   one table an interface; installing again replaces it in one step.
//! Not done: ICMP and DNS refusals. Bytes behind the IP packet are bounded by the frame's whole
//!           length, which must be that of a reset, but are not looked at.
//!
//! Frames written to a packet socket bear their VLAN tags in their bytes, where `vlan id` does not
//! look, so every layout is matched as raw bytes from the link header on. A table is bound to the
//! device it was installed for: once that has gone, a new one of its name is not filtered on every
//! kernel until the filter is installed again.

use std::io::{self, Write as _};
use std::process::{Command, Stdio};

use crate::port_error::{NameError, checked_name};

/// Resets a second that a port lets out if the settings say nothing: enough to chase a hundred
/// flows at once, too little to flood a link (2 Mbit/s).
pub const EGRESS_MAX_PER_S: u32 = 5_000;

/// VLAN tag types that a reset may bear, as [`crate::ResetFrame`] takes them.
const TAGS: &str = "{ 0x8100, 0x88a8 }";

/// The egress filter of one interface. The filter stays when this is dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Egress {
    interface: String,
}

/// What the filter let through and what it turned away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EgressCounts {
    /// Frames that left.
    pub passed: u64,
    /// Frames dropped.
    pub refused: u64,
}

/// Why the filter cannot be installed or asked; one line each.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// A name no interface can have.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The program is missing.
    #[error(
        "egress filter on {interface}: the program nft is missing; install it: \
         apt-get install nftables"
    )]
    NoProgram {
        /// The interface.
        interface: String,
    },
    /// A rate of nothing.
    #[error(
        "egress filter on {interface}: egress_max_per_s = 0 lets no reset out; \
         set at least 1, or --response off"
    )]
    NoRate {
        /// The interface.
        interface: String,
    },
    /// nft ran and refused.
    #[error(
        "egress filter on {interface}: nft says \"{words}\"; \
         it takes root, Linux 5.16 or later and the interface"
    )]
    Refused {
        /// The interface.
        interface: String,
        /// Its first line.
        words: String,
    },
    /// nft answered something else than counts.
    #[error("egress filter on {interface}: its counts are missing; install it again")]
    NoCounts {
        /// The interface.
        interface: String,
    },
    /// The program could not be run.
    #[error("egress filter on {interface}: nft could not be run ({error}); try `nft --version`")]
    Io {
        /// The interface.
        interface: String,
        /// The system's words.
        error: io::Error,
    },
}

impl Egress {
    /// Installs the filter on `interface`, in place of one that may be there. Needs root; to be
    /// done before anything can write to the port.
    ///
    /// # Errors
    ///
    /// [`EgressError`], one line for the operator; nothing is changed then.
    pub fn install(interface: &str, mac: [u8; 6], max_per_s: u32) -> Result<Self, EgressError> {
        checked_name(interface)?;
        if max_per_s == 0 {
            return Err(EgressError::NoRate {
                interface: interface.to_owned(),
            });
        }
        let egress = Self {
            interface: interface.to_owned(),
        };
        egress.nft(&script(interface, mac, max_per_s))?;
        Ok(egress)
    }

    /// The filter installed before on `interface`, for its counts or to stop it.
    ///
    /// # Errors
    ///
    /// [`EgressError`] if there is none.
    pub fn installed(interface: &str) -> Result<Self, EgressError> {
        checked_name(interface)?;
        let egress = Self {
            interface: interface.to_owned(),
        };
        egress.counts()?;
        Ok(egress)
    }

    /// Lets nothing out any more: the stop.
    ///
    /// # Errors
    ///
    /// [`EgressError`] if nft refuses; the filter then is as before.
    pub fn drop_all(&self) -> Result<(), EgressError> {
        let table = self.table();
        self.nft(&format!(
            "flush chain netdev {table} resets\n\
             add rule netdev {table} resets counter name \"refused\" drop\n"
        ))
        .map(drop)
    }

    /// Lets resets out again after [`Egress::drop_all`].
    ///
    /// # Errors
    ///
    /// [`EgressError`] if nft refuses; the filter then is as before.
    pub fn allow(&self) -> Result<(), EgressError> {
        let table = self.table();
        self.nft(&format!(
            "flush chain netdev {table} resets\n\
             add rule netdev {table} resets {PASS}\n\
             add rule netdev {table} resets counter name \"refused\" drop\n"
        ))
        .map(drop)
    }

    /// What passed and what was refused since the filter was installed.
    ///
    /// # Errors
    ///
    /// [`EgressError`] if there is no filter.
    pub fn counts(&self) -> Result<EgressCounts, EgressError> {
        let listed = self.nft(&format!("list counters table netdev {}\n", self.table()))?;
        let found = counter(&listed, "passed").zip(counter(&listed, "refused"));
        let (passed, refused) = found.ok_or_else(|| EgressError::NoCounts {
            interface: self.interface.clone(),
        })?;
        Ok(EgressCounts { passed, refused })
    }

    /// Takes the filter away: only once nothing can write to the port any more.
    ///
    /// # Errors
    ///
    /// [`EgressError`] if there is none or nft refuses.
    pub fn remove(self) -> Result<(), EgressError> {
        let table = self.table();
        self.nft(&format!("delete table netdev {table}\n"))
            .map(drop)
    }

    fn table(&self) -> String {
        format!("tapir_{}", self.interface)
    }

    /// Hands `script` to nft in one transaction and gives what it printed.
    fn nft(&self, script: &str) -> Result<String, EgressError> {
        let io = |error| EgressError::Io {
            interface: self.interface.clone(),
            error,
        };
        // A login without /usr/sbin on its path is common on Debian.
        let start = |program| {
            Command::new(program)
                .args(["-f", "-"])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
        };
        let missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
        let started = match start("nft") {
            Err(error) if missing(&error) => start("/usr/sbin/nft"),
            started => started,
        };
        let mut nft = match started {
            Err(error) if missing(&error) => {
                return Err(EgressError::NoProgram {
                    interface: self.interface.clone(),
                });
            }
            started => started.map_err(io)?,
        };
        // A few kilobytes at most: they fit the pipe, so nothing can wait for each other here.
        let written = nft
            .stdin
            .take()
            .map_or(Ok(()), |mut stdin| stdin.write_all(script.as_bytes()));
        let output = nft.wait_with_output().map_err(io)?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            let words = words.lines().next().unwrap_or("nothing");
            return Err(EgressError::Refused {
                interface: self.interface.clone(),
                words: words
                    .chars()
                    .take(160)
                    .flat_map(char::escape_debug)
                    .collect(),
            });
        }
        written.map_err(io)?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// What lets a reset out while the rate holds.
const PASS: &str = "limit name \"cap\" counter name \"passed\" accept";

/// The whole filter. Six layouts go to one rule with one limit.
fn script(interface: &str, mac: [u8; 6], max_per_s: u32) -> String {
    use std::fmt::Write as _;

    let burst = (max_per_s / 2).max(1);
    let own = mac.map(|byte| format!("{byte:02x}")).concat();
    let mut layouts = String::new();
    for tags in 0..=2 {
        for v6 in [false, true] {
            // Writing to a string cannot fail.
            let _written = writeln!(layouts, "    {} goto resets", layout(tags, v6));
        }
    }
    // Made before it is deleted, so that deleting cannot fail where there was none.
    format!(
        "table netdev tapir_{interface} {{}}\n\
         delete table netdev tapir_{interface}\n\
         table netdev tapir_{interface} {{\n\
         \x20 limit cap {{ rate {max_per_s}/second burst {burst} packets }}\n\
         \x20 counter passed {{ }}\n\
         \x20 counter refused {{ }}\n\
         \x20 chain resets {{\n    {PASS}\n    counter name \"refused\" drop\n  }}\n\
         \x20 chain shape {{\n{layouts}    counter name \"refused\" drop\n  }}\n\
         \x20 chain out {{\n\
         \x20   type filter hook egress device \"{interface}\" priority 0; policy drop;\n\
         \x20   @ll,48,48 0x{own} @ll,0,8 & 0x01 == 0 goto shape\n\
         \x20   counter name \"refused\" drop\n  }}\n\
         }}\n"
    )
}

/// The matches for a bare reset behind `tags` VLAN tags: whole length, EtherTypes, IP header, TCP
/// header length, and RST with no flag beside it but ACK. Offsets and lengths are in bits.
fn layout(tags: usize, v6: bool) -> String {
    let ip = 14 + 4 * tags;
    let mut terms = vec![format!("meta length {}", ip + if v6 { 60 } else { 40 })];
    let mut field = |byte: usize, bits: usize, test: &str| {
        terms.push(format!("@ll,{},{bits} {test}", byte * 8));
    };
    for tag in 0..tags {
        field(12 + 4 * tag, 16, TAGS);
    }
    let tcp = if v6 {
        field(ip - 2, 16, "0x86dd");
        field(ip, 8, "& 0xf0 == 0x60");
        field(ip + 4, 16, "20");
        field(ip + 6, 8, "6");
        ip + 40
    } else {
        field(ip - 2, 16, "0x0800");
        field(ip, 8, "0x45");
        field(ip + 2, 16, "40");
        // No fragment: all but "don't fragment" is clear.
        field(ip + 6, 16, "& 0xbfff == 0");
        field(ip + 9, 8, "6");
        ip + 20
    };
    field(tcp + 12, 8, "0x50");
    field(tcp + 13, 8, "& 0xef == 0x04");
    terms.join(" ")
}

/// The packets of the counter `name` in what nft lists.
fn counter(listed: &str, name: &str) -> Option<u64> {
    let (_, after) = listed.split_once(&format!("counter {name} {{"))?;
    let mut words = after.split_whitespace();
    words.find(|word| *word == "packets")?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What cannot be installed is refused before nft is asked.
    #[test]
    fn refusals() {
        assert!(matches!(
            Egress::install("lo", [0; 6], 0),
            Err(EgressError::NoRate { .. })
        ));
        let text = Egress::install("x; flush", [0; 6], 1).unwrap_err();
        assert!(matches!(text, EgressError::Name(_)));
    }

    /// Offsets worked out by hand: with two tags IPv4 begins at byte 22, its flags at byte 55.
    #[test]
    fn layouts() {
        assert_eq!(
            layout(2, false),
            "meta length 62 @ll,96,16 { 0x8100, 0x88a8 } @ll,128,16 { 0x8100, 0x88a8 } \
             @ll,160,16 0x0800 @ll,176,8 0x45 @ll,192,16 40 @ll,224,16 & 0xbfff == 0 \
             @ll,248,8 6 @ll,432,8 0x50 @ll,440,8 & 0xef == 0x04"
        );
        assert_eq!(
            layout(0, true),
            "meta length 74 @ll,96,16 0x86dd @ll,112,8 & 0xf0 == 0x60 @ll,144,16 20 \
             @ll,160,8 6 @ll,528,8 0x50 @ll,536,8 & 0xef == 0x04"
        );
        assert!(script("eth0", [2, 0, 0, 0, 0, 9], 1).contains("rate 1/second burst 1 packets"));
    }

    /// Counts are read out of what nft 1.0.6 lists.
    #[test]
    fn counts() {
        let listed = "table netdev tapir_x {\n\tcounter passed {\n\t\tpackets 12 bytes 648\n\t}\n\
                      \tcounter refused {\n\t\tpackets 3 bytes 99\n\t}\n}\n";
        assert_eq!(counter(listed, "passed"), Some(12));
        assert_eq!(counter(listed, "refused"), Some(3));
        assert_eq!(counter(listed, "other"), None);
        assert_eq!(counter("counter passed {", "passed"), None);
    }
}
