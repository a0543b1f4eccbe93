//! The configuration as it is used: typed, checked, paths resolved.

use std::path::PathBuf;

use jiff::tz::TimeZone;
use tapir_engine::device::Net;
use tapir_engine::policy::Signer;
use tapir_message::Mode;

/// A checked configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The file it was read from; none if the defaults apply.
    pub path: Option<PathBuf>,
    /// Who watches.
    pub sensor: Sensor,
    /// How frames come in.
    pub capture: Capture,
    /// What counts as unusual.
    pub models: ModelsFrom,
    /// What the site says of services on the internet.
    pub services: Services,
    /// How far the sensor may go.
    pub response: Response,
    /// What is kept on disk.
    pub store: Store,
    /// How operators reach the daemon.
    pub control: Control,
    /// Where breaches go.
    pub forward: Forward,
}

/// Who watches, and what belongs to the site.
#[derive(Clone, Debug)]
pub struct Sensor {
    /// Part of every id.
    pub id: String,
    /// Zone of hours, workdays and shown times.
    pub time_zone: TimeZone,
    /// Name of that zone, as it was written.
    pub time_zone_name: String,
    /// Networks of the site.
    pub home: Vec<Net>,
    /// The same as they were written; `Net` does not print itself.
    pub home_names: Vec<String>,
    /// Whether programs, archives and documents are hashed.
    pub hash_files: bool,
}

/// What reads the mirror port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptureSource {
    /// TPACKET_V3 block ring.
    Ring,
    /// libpcap.
    Libpcap,
}

/// How frames come in.
#[derive(Clone, Debug)]
pub struct Capture {
    /// Mirror port; a daemon cannot start without.
    pub interface: Option<String>,
    /// Number of queues.
    pub queues: u8,
    /// BPF expression; none if all packets are read.
    pub filter: Option<String>,
    /// What reads the port.
    pub source: CaptureSource,
    /// Size of a block in KiB.
    pub block_kib: u32,
    /// Blocks of a queue.
    pub blocks: u32,
    /// Time after which a block is handed over, in milliseconds.
    pub retire_ms: u32,
    /// File that all frames go to, from the command line.
    pub record: Option<PathBuf>,
}

/// Where models come from.
#[derive(Clone, Debug)]
pub struct ModelsFrom {
    /// Folder; those shipped if none.
    pub folder: Option<PathBuf>,
}

/// What the site says of services on the internet.
#[derive(Clone, Debug)]
pub struct Services {
    /// The catalogue; the one shipped if none.
    pub file: Option<PathBuf>,
    /// Services or categories that are allowed.
    pub sanctioned: Vec<Word>,
    /// Those that are not.
    pub unsanctioned: Vec<Word>,
}

/// A word that is checked against the catalogue, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The word.
    pub text: String,
    /// Its line in the file, from 1.
    pub line: usize,
}

/// How far the sensor may go.
#[derive(Clone, Debug)]
pub struct Response {
    /// How far.
    pub mode: Mode,
    /// Port that resets leave by.
    pub inject: Option<String>,
    /// Whether that port is a trunk.
    pub trunk: bool,
    /// Rules of engagement; the signature of each is in the file named `FILE.sig`.
    pub rules: Vec<PathBuf>,
    /// Who may sign them.
    pub signers: Vec<Signer>,
    /// Never touched.
    pub never: Vec<Net>,
    /// The same as they were written.
    pub never_names: Vec<String>,
    /// Reset frames a second at most.
    pub egress_max_per_s: u32,
}

/// What is kept on disk.
#[derive(Clone, Debug)]
pub struct Store {
    /// Folder of it all.
    pub folder: PathBuf,
    /// Bound of the journal in megabytes (10^6 bytes).
    pub journal_max_mb: u32,
    /// Seconds between two saves of the state.
    pub state_every_s: u32,
}

/// How operators reach the daemon.
#[derive(Clone, Debug)]
pub struct Control {
    /// Unix socket.
    pub socket: PathBuf,
}

/// Where breaches go.
#[derive(Clone, Debug, Default)]
pub struct Forward {
    /// Syslog servers.
    pub syslog: Vec<Syslog>,
}

/// A syslog server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Syslog {
    /// `host:port`.
    pub address: String,
    /// Facility of its lines.
    pub facility: Facility,
}

/// A syslog facility by its number (RFC 5424 §6.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facility(pub u8);

impl Facility {
    /// The names, in order of their numbers; 12 to 15 are rarely used and named as on Linux.
    const NAMES: [&str; 24] = [
        "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron",
        "authpriv", "ftp", "ntp", "audit", "alert", "clock", "local0", "local1", "local2",
        "local3", "local4", "local5", "local6", "local7",
    ];

    /// The facility of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let at = Self::NAMES.iter().position(|known| *known == name)?;
        u8::try_from(at).ok().map(Self)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES
            .get(usize::from(self.0))
            .copied()
            .unwrap_or("local0")
    }
}
