//! Every key of the configuration: its documentation and its default, in one list.
//!
//! The doc comments below are the text of the default file in `packaging/`, and the defaults are read
//! from that same text: what is documented is what applies.

/// One key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    /// Name in the file.
    pub(super) name: &'static str,
    /// Default as TOML; an example if `optional`.
    pub(super) value: &'static str,
    /// Whether there is no default: the key then stands commented out.
    pub(super) optional: bool,
    /// Doc comment, line by line.
    doc: &'static [&'static str],
}

/// One table of keys.
#[derive(Clone, Copy, Debug)]
pub(super) struct Section {
    /// Name in the file, for example `forward.syslog`.
    pub(super) name: &'static str,
    /// Whether the table may be given any number of times, also not at all.
    pub(super) many: bool,
    /// Its keys.
    pub(super) keys: &'static [Key],
    /// Doc comment, line by line.
    doc: &'static [&'static str],
}

/// `key = "default"`, or `key ? "example"` where there is no default.
macro_rules! optional {
    (=) => {
        false
    };
    (?) => {
        true
    };
}

macro_rules! sections {
    ($($(#[doc = $about:literal])* [$section:literal, $many:literal] {
        $($(#[doc = $doc:literal])* $key:ident $sign:tt $value:literal;)*
    })*) => {
        /// All tables in the order of the file.
        pub(super) const SECTIONS: &[Section] = &[$(Section {
            name: $section,
            many: $many,
            keys: &[$(Key {
                name: stringify!($key),
                value: $value,
                optional: optional!($sign),
                doc: &[$($doc),*],
            }),*],
            doc: &[$($about),*],
        }),*];
    };
}

sections! {
    /// Who watches, and what belongs to the site.
    ["sensor", false] {
        /// Name of this sensor, part of every id: 1 to 64 letters, digits, '-', '_' or '.'.
        id = "\"tapir\"";
        /// Time zone of hours, workdays and shown times, such as "Europe/Berlin".
        time_zone = "\"UTC\"";
        /// Networks whose addresses are devices of this site, 1 to 256.
        home = "[\"10.0.0.0/8\", \"172.16.0.0/12\", \"192.168.0.0/16\", \"100.64.0.0/10\", \"169.254.0.0/16\", \"fc00::/7\", \"fe80::/10\"]";
        /// Whether programs, archives and documents that cross are hashed: SHA-256, files of up to 8 MiB, in `files`.
        hash_files = "true";
    }
    /// How frames come in.
    ["capture", false] {
        /// Interface the mirror port feeds; --interface goes before it. No default.
        interface ? "\"eth1\"";
        /// Capture queues, each with a thread: 1 to 16.
        queues = "1";
        /// Only packets that match this BPF filter, as tcpdump takes it; all if empty.
        filter = "\"\"";
        /// "ring" (TPACKET_V3, Linux) or "libpcap" (anywhere, slower, one queue).
        source = "\"ring\"";
        /// Size of one ring block in KiB: a power of two from 64 to 4096.
        block_kib = "256";
        /// Blocks of each queue's ring: 8 to 4096. All rings together take at most 16 GiB.
        blocks = "256";
        /// Milliseconds after which a block is handed over though not full: 1 to 1000.
        retire_ms = "10";
    }
    /// What counts as unusual.
    ["models", false] {
        /// Folder of model files; those shipped in the program if not given.
        folder ? "\"models\"";
    }
    /// Services on the internet that devices use, as `tapir show services` tells them.
    ["services", false] {
        /// Catalogue of services; the one shipped in the program if not given.
        file ? "\"services.toml\"";
        /// Services or categories of the catalogue that the site allows, such as ["onedrive", "mail"]. At most 256.
        sanctioned = "[]";
        /// Those that it does not; what is said of a service goes before what is said of its category. At most 256.
        unsanctioned = "[]";
    }
    /// How far the sensor may go. Nothing acts without a signed rule of engagement.
    ["response", false] {
        /// "off", "shadow" (says what it would have cut), "confirm" (asks) or "autonomous"; --response goes before it.
        mode = "\"off\"";
        /// Interface that resets leave by; --inject goes before it. No default.
        inject ? "\"eth2\"";
        /// Whether that port is a trunk: resets then carry the VLAN tags of the flow.
        trunk = "false";
        /// Rules of engagement: files; each has its signature beside it in FILE.sig. At most 64.
        rules = "[]";
        /// Who may sign rules: "Name <public key>", as `tapir rule keygen` prints it. At most 64.
        signers = "[]";
        /// Addresses and networks that are never touched, besides those known by themselves. At most 256.
        never = "[]";
        /// Reset frames that may leave in a second at most: 1 to 100000.
        egress_max_per_s = "5000";
    }
    /// What is kept on disk.
    ["store", false] {
        /// Folder of the journal, the decision log, the state and the logs.
        folder = "\"/var/lib/tapir\"";
        /// Bound of the journal in MB: 8 to 1000000. The oldest entries go first, counted if unsent.
        journal_max_mb = "512";
        /// Seconds between two saves of what was learned: 1 to 86400.
        state_every_s = "600";
    }
    /// How operators reach the daemon.
    ["control", false] {
        /// Unix socket of `tapir show` and the others: an absolute path of at most 107 bytes.
        socket = "\"/run/tapir/control.sock\"";
    }
    /// Breaches as CEF to a syslog server; this table once for each server, at most 8.
    ["forward.syslog", true] {
        /// Host and port, by TCP (RFC 5424, octet counting).
        address ? "\"siem.example:6514\"";
        /// Facility: "kern" to "ftp" or "local0" to "local7", as RFC 5424 §6.2.1 lists them.
        facility = "\"local0\"";
    }
}

/// The keys of a table.
pub(super) fn section(name: &str) -> Option<&'static Section> {
    SECTIONS.iter().find(|section| section.name == name)
}

/// The commented default file.
#[must_use]
pub fn default_file() -> String {
    let mut out = String::from(
        "# Tapir, every key with its default. A key left out keeps it; unknown keys are refused.\n\
         # `tapir check` says whether this file is right without starting anything.\n",
    );
    for section in SECTIONS {
        out.push('\n');
        comments(&mut out, section.doc);
        let name = section.name;
        out.push_str(&if section.many {
            format!("# [[{name}]]\n")
        } else {
            format!("[{name}]\n")
        });
        for key in section.keys {
            comments(&mut out, key.doc);
            // Keys of a table that need not be there are examples, too.
            let sign = if key.optional || section.many {
                "# "
            } else {
                ""
            };
            out.push_str(&format!("{sign}{} = {}\n", key.name, key.value));
        }
    }
    out
}

fn comments(out: &mut String, doc: &[&str]) {
    for line in doc {
        out.push_str(&format!("#{line}\n"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `UPDATE=1` writes the file anew.
    #[test]
    fn the_default_file_is_made_from_these_comments() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/tapir.toml");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, default_file()).unwrap();
        }
        let file = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            file,
            default_file(),
            "UPDATE=1 rewrites packaging/tapir.toml"
        );
    }

    /// A configuration is read in one go: at most forty lines with keys.
    #[test]
    fn it_stays_short() {
        let keys: usize = SECTIONS.iter().map(|section| section.keys.len()).sum();
        assert!(keys <= 40, "{keys} keys");
        for section in SECTIONS {
            assert!(!section.doc.is_empty());
            assert!(section.keys.iter().all(|key| !key.doc.is_empty()));
        }
    }
}
