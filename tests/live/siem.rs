//! A real rsyslog in the SIEM's namespace, and a reader of CEF that shares no code with the writer.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use super::until;
use crate::support::office::{Office, can};

/// Where the daemon sends lines.
pub(crate) const ADDRESS: &str = "192.168.77.1:6514";

/// rsyslog, running or not.
#[derive(Debug)]
pub(crate) struct Siem {
    child: Option<Child>,
    folder: PathBuf,
}

impl Siem {
    /// Makes its configuration; `None`, having said why, without rsyslog.
    pub(crate) fn new(folder: &Path, test: &str) -> Option<Self> {
        if !can(test, &["rsyslogd"]) {
            return None;
        }
        let folder = folder.join("siem");
        fs::create_dir_all(&folder).expect("a folder");
        let at = folder.display();
        let text = format!(
            "global(workDirectory=\"{at}\" maxMessageSize=\"64k\")\n\
             module(load=\"imtcp\" MaxSessions=\"50\")\n\
             input(type=\"imtcp\" port=\"6514\" SupportOctetCountedFraming=\"on\")\n\
             template(name=\"whole\" type=\"string\" \
             string=\"%syslogfacility-text%.%syslogseverity-text% %app-name% %hostname% %msg%\\n\")\n\
             action(type=\"omfile\" file=\"{at}/received\" template=\"whole\" \
             flushOnTXEnd=\"on\" asyncWriting=\"off\")\n"
        );
        fs::write(folder.join("rsyslog.conf"), text).expect("a configuration");
        Some(Self {
            child: None,
            folder,
        })
    }

    /// Starts it and waits until it listens.
    pub(crate) fn start(&mut self, office: &Office) {
        let config = self.folder.join("rsyslog.conf").display().to_string();
        let pid = self.folder.join("pid").display().to_string();
        let child = office
            .command("siem", "rsyslogd", &["-n", "-f", &config, "-i", &pid])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.child = Some(child.expect("rsyslogd starts"));
        until("rsyslog listens", || {
            let listening = office.inside("siem", "ss", &["-Htln", "sport = :6514"]);
            (!listening.trim().is_empty()).then_some(())
        });
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("a child");
            child.wait().expect("a child");
        }
    }

    /// Every line received so far.
    pub(crate) fn lines(&self) -> Vec<Line> {
        let text = fs::read_to_string(self.folder.join("received")).unwrap_or_default();
        // The last line may just be being written; one that a killed receiver had begun has no end.
        let written = text.rsplit_once('\n').map_or("", |(written, _)| written);
        let whole = |line: &&str| line.trim_end().ends_with("flexNumber2Label=repeat");
        written.lines().filter(whole).map(Line::parse).collect()
    }
}

impl Drop for Siem {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _gone_already = child.kill();
            let _reaped = child.wait();
        }
    }
}

/// One received line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// `facility.severity application host`.
    pub(crate) syslog: String,
    /// The seven fields before the extension.
    pub(crate) header: Vec<String>,
    /// The extension.
    pub(crate) keys: BTreeMap<String, String>,
}

impl Line {
    /// Reads a line; anything that is not CEF fails the test.
    fn parse(text: &str) -> Self {
        let (syslog, cef) = text
            .rsplit_once("CEF:")
            .unwrap_or_else(|| panic!("no CEF: {text}"));
        let mut header = vec![String::new()];
        let mut rest = cef.chars();
        while header.len() < 8 {
            match rest
                .next()
                .unwrap_or_else(|| panic!("a short header: {text}"))
            {
                '\\' => header.last_mut().expect("one").extend(rest.next()),
                '|' => header.push(String::new()),
                c => header.last_mut().expect("one").push(c),
            }
        }
        assert_eq!(header.pop(), Some(String::new()));
        let keys = extension(rest.as_str());
        Self {
            syslog: syslog.trim().to_owned(),
            header,
            keys,
        }
    }

    /// The value of a key; the test fails without it.
    pub(crate) fn key(&self, name: &str) -> &str {
        self.keys
            .get(name)
            .unwrap_or_else(|| panic!("no {name}: {self:?}"))
    }
}

/// `key=value` pairs; a value ends where the next ` key=` begins.
fn extension(text: &str) -> BTreeMap<String, String> {
    let mut keys = BTreeMap::new();
    let (mut key, mut value, mut escaped) = (String::new(), String::new(), false);
    let mut in_key = true;
    for c in text.chars() {
        match c {
            '=' if in_key => in_key = false,
            c if in_key => key.push(c),
            c if std::mem::take(&mut escaped) => value.push(if c == 'n' { '\n' } else { c }),
            '\\' => escaped = true,
            '=' => {
                let at = value.rfind(' ').map_or(0, |at| at + 1);
                let next = value.split_off(at);
                let old = std::mem::replace(&mut key, next);
                let old_value = std::mem::take(&mut value).trim_end().to_owned();
                assert!(
                    keys.insert(old, old_value).is_none(),
                    "a key came twice: {text}"
                );
            }
            c => value.push(c),
        }
    }
    assert!(
        keys.insert(key, value).is_none(),
        "a key came twice: {text}"
    );
    for name in keys.keys() {
        assert!(
            name.chars().all(|c| c.is_ascii_alphanumeric()) && !name.is_empty(),
            "{name:?}"
        );
    }
    keys
}
