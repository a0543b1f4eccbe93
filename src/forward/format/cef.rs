//! A notice as one line of CEF.
//!
//! Standard: ArcSight CEF Implementation Standard v27, its producer dictionary and lengths.
//! Input:    a notice, the sensor it comes from, and for a response the decision it belongs to.
//! Output:   `CEF:0|Tapir|Sensor|VERSION|class id|name|severity|key=value …`; type 0 is a breach (a newer
//!           state has the same `externalId` and a higher `cnt`), 2 an incident, 3 a decision or response.
//!           Every line ends with its sequence number and repeat mark.
//!           Of a response `cn3` is the time from the packet to its first reset, `cn2` the longest of all
//!           its resets, both in microseconds and labelled so; left out as long as none was sent.
//! Units:    times in milliseconds since the Unix epoch; rates per 1,000 device-weeks.
//! Bounds:   each value is cut to its length after escaping, so that a line stays below 8,000 bytes and
//!           no receiver cuts off its end. Empty values are left out.
//! Not done: `suser`, `app`, `in`, `out`, `deviceDirection`: no source field. `cs5` likewise, and `cn2` but for responses.

use std::fmt::Write as _;
use std::net::IpAddr;

use tapir_engine::types::{escaped, is_hostile};
use tapir_message::{
    Breach, Class, Decision, Incident, MacAddr, Notice, Numbered, Response, ResponseState, Target,
    Timestamp, Verdict,
};

/// Who reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sensor {
    /// Sensor id: `deviceExternalId`.
    pub id: String,
    /// Host name: `dvchost` and syslog's HOSTNAME.
    pub host: String,
    /// Mirror port: `deviceInboundInterface`.
    pub interface: String,
    /// Version of the program.
    pub version: String,
}

/// What is known of a line beside its notice.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Who reports.
    pub sensor: &'a Sensor,
    /// The decision that a response belongs to, if it is still known.
    pub decision: Option<&'a Decision>,
    /// Sequence number.
    pub seq: u64,
    /// Whether the line may have been sent before.
    pub repeat: bool,
}

/// The notice as CEF, without an envelope and without a line end.
#[must_use]
pub fn line(notice: &Numbered, context: &Context<'_>) -> String {
    let mut line = match &notice.notice {
        Notice::Breach(it) => breach(it, context.sensor),
        Notice::Incident(it) => incident(it, context.sensor),
        Notice::Decision(it) => decision(it, context.sensor),
        Notice::Response(it) => response(it, context),
    };
    line.number("flexNumber1", Some(context.seq));
    line.text("flexNumber1Label", 128, "seq");
    line.number("flexNumber2", Some(u8::from(context.repeat)));
    line.text("flexNumber2Label", 128, "repeat");
    line.text
}

/// When a notice was true, for the envelope.
#[must_use]
pub fn time(notice: &Notice) -> Timestamp {
    match notice {
        Notice::Breach(breach) => breach.ts,
        Notice::Incident(incident) => incident.last_ts,
        Notice::Decision(decision) => decision.ts,
        Notice::Response(response) => response.ts,
    }
}

fn breach(breach: &Breach, sensor: &Sensor) -> Line {
    let score = breach.score.or(breach.priority);
    let mut line = Line::new(sensor, &breach.model, &breach.title, severity(score));
    line.number("type", Some(0));
    line.time("rt", breach.ts);
    line.time("start", breach.first_ts);
    line.time("end", breach.last_ts);
    line.text("externalId", 40, &breach.id);
    line.sensor(sensor);
    let ends = Ends {
        // The device is the originator unless it is called by the responder's address or its peer is
        // the originator.
        answered: told(breach.peer.as_deref(), breach.orig_h)
            || told(Some(&breach.device_name), breach.resp_h),
        device: &breach.device_name,
        peer: breach.peer.as_deref().unwrap_or(""),
        mac: breach.mac,
    };
    ends.write(
        &mut line,
        (breach.orig_h, breach.orig_p),
        (breach.resp_h, breach.resp_p),
    );
    let proto = breach.proto.as_deref().unwrap_or("");
    line.text("proto", 31, &proto.to_ascii_uppercase());
    line.number("cnt", Some(breach.count));
    line.text("cat", 1_023, class(breach.class));
    line.number("cn1", score);
    let label = if breach.score.is_some() {
        "score"
    } else {
        "priority"
    };
    line.label("cn1", score.is_some(), label);
    // A later state of a breach has evidence newer than its own time; the latency is the first one's.
    let latency = (breach.ts >= breach.last_ts).then(|| ms(breach.ts) - ms(breach.last_ts));
    line.number("cn3", latency);
    line.label("cn3", latency.is_some(), "detectLatencyMs");
    let rate = breach.score.map(|_| breach.rate.rounded());
    line.number("cfp1", rate);
    line.label("cfp1", rate.is_some(), "per1000DeviceWeeks");
    line.labelled("cs1", 500, &breach.attack.join(","), "attack");
    line.labelled("cs2", 100, &breach.incident, "incident");
    line.labelled("cs3", 2_000, &terms(breach), "why");
    line.labelled("cs6", 20, "live", "mode");
    let id = breach.community_id.as_deref().unwrap_or("");
    line.labelled("flexString1", 100, id, "communityId");
    line.text("msg", 1_023, &breach.text);
    line
}

fn incident(incident: &Incident, sensor: &Sensor) -> Line {
    let mut line = Line::new(sensor, "INCIDENT", "Incident", severity(incident.score));
    line.number("type", Some(2));
    line.time("rt", incident.last_ts);
    line.time("start", incident.first_ts);
    line.time("end", incident.last_ts);
    line.text("externalId", 40, &incident.id);
    line.sensor(sensor);
    let device = incident.device_names.first();
    line.text("shost", 255, device.map_or("", String::as_str));
    line.number("cnt", Some(incident.timeline.len()));
    line.text("cat", 1_023, "incident");
    line.number("cn1", incident.score);
    line.label("cn1", incident.score.is_some(), "score");
    line.labelled("cs1", 500, &incident.attack.join(","), "attack");
    line.labelled("cs2", 100, &incident.id, "incident");
    let mut why = String::new();
    for moment in &incident.timeline {
        let score = moment.score.map_or_else(String::new, |s| format!(":{s}"));
        let _infallible = write!(why, "{}{score} ", moment.model);
    }
    line.labelled("cs3", 2_000, &why, "why");
    line.labelled("cs6", 20, "live", "mode");
    line.text("msg", 1_023, &incident.title);
    line
}

fn decision(decision: &Decision, sensor: &Sensor) -> Line {
    let level = severity(Some(decision.score_sure));
    let mut line = Line::new(sensor, "DECISION", "Response decided", level);
    line.number("type", Some(3));
    line.time("rt", decision.ts);
    line.text("externalId", 40, &decision.id);
    line.sensor(sensor);
    line.target(decision.target.as_ref(), &decision.device_name);
    line.text("cat", 1_023, "response");
    line.text("act", 63, decision.action.name());
    line.text("outcome", 63, verdict(decision.verdict));
    line.text("reason", 1_023, &reason(decision));
    line.number("cn1", Some(decision.score_sure));
    line.label("cn1", true, "scoreSure");
    line.labelled("cs3", 100, &decision.model, "model");
    line.labelled("cs4", 500, &decision.blast.text, "blastRadius");
    line.labelled("cs6", 20, mode(decision), "mode");
    line.labelled("flexString2", 100, &decision.breach, "breach");
    line.text("msg", 1_023, &decision.reason);
    line
}

fn response(response: &Response, context: &Context<'_>) -> Line {
    let level = if response.state == ResponseState::Failed {
        8
    } else {
        5
    };
    let decision = context.decision;
    let mut line = Line::new(context.sensor, "RESPONSE", "Response carried out", level);
    line.number("type", Some(3));
    line.time("rt", response.ts);
    line.text("externalId", 40, &response.decision);
    line.sensor(context.sensor);
    if let Some(decision) = decision {
        line.target(decision.target.as_ref(), &decision.device_name);
    }
    line.number("cnt", Some(response.frames_sent));
    line.text("cat", 1_023, "response");
    line.text("act", 63, decision.map_or("reset", |it| it.action.name()));
    line.text("outcome", 63, state(response.state));
    line.text("reason", 1_023, &decision.map_or_else(String::new, reason));
    line.number("cn1", Some(response.bytes_after));
    line.label("cn1", true, "bytesAfter");
    let latency = response.latency_ns.map(|ns| ns / 1_000);
    line.number("cn3", latency);
    line.label("cn3", latency.is_some(), "resetLatencyUs");
    let longest = response.latency_max_ns.map(|ns| ns / 1_000);
    line.number("cn2", longest);
    line.label("cn2", longest.is_some(), "resetLatencyMaxUs");
    line.labelled("cs6", 20, decision.map_or("", mode), "mode");
    line.labelled("flexString2", 100, &response.breach, "breach");
    line.text("msg", 1_023, &response.text);
    line
}

/// CEF severity of a score or priority: tenths, and 10 from 95 on.
const fn severity(score: Option<u8>) -> u8 {
    match score {
        None => 0,
        Some(95..) => 10,
        Some(score) => score / 10,
    }
}

/// The waterfall, as `name:+points` each.
fn terms(breach: &Breach) -> String {
    let mut out = String::new();
    for term in &breach.terms {
        let _infallible = write!(out, "{}:{:+} ", term.name, term.points);
    }
    out
}

/// Under whose authority, and why.
fn reason(decision: &Decision) -> String {
    let mut out = String::new();
    if let Some(rule) = &decision.rule {
        let _infallible = write!(out, "roe:{rule} ");
    }
    if let Some(who) = &decision.authorised_by {
        let _infallible = write!(out, "signed:{who} ");
    }
    let _infallible = write!(out, "until:{} {}", decision.expires_ts, decision.reason);
    out
}

const fn class(class: Class) -> &'static str {
    match class {
        Class::Threat => "threat",
        Class::Anomaly => "anomaly",
        Class::Compliance => "compliance",
        Class::Health => "health",
    }
}

const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Act => "act",
        Verdict::WouldAct => "would_act",
        Verdict::Ask => "ask",
        Verdict::Withheld => "withheld",
    }
}

const fn mode(decision: &Decision) -> &'static str {
    use tapir_message::Mode;
    match decision.mode {
        Mode::Off => "off",
        Mode::Shadow => "shadow",
        Mode::Confirm => "confirm",
        Mode::Autonomous => "autonomous",
    }
}

const fn state(state: ResponseState) -> &'static str {
    match state {
        ResponseState::Armed => "armed",
        ResponseState::Sent => "sent",
        ResponseState::Reset => "reset",
        ResponseState::Failed => "failed",
        ResponseState::Unknown => "unknown",
        ResponseState::Expired => "expired",
        ResponseState::Reverted => "reverted",
        ResponseState::Refused => "refused",
    }
}

/// Whether a name is the text of an address.
fn told(name: Option<&str>, addr: Option<IpAddr>) -> bool {
    name.is_some_and(|name| addr.is_some_and(|addr| name == addr.to_string()))
}

const fn ms(ts: Timestamp) -> i64 {
    ts.nanos().div_euclid(1_000_000)
}

/// The names of both sides of a flow.
struct Ends<'a> {
    /// Whether the device is the responder.
    answered: bool,
    device: &'a str,
    peer: &'a str,
    mac: Option<MacAddr>,
}

impl Ends<'_> {
    fn write(
        &self,
        line: &mut Line,
        orig: (Option<IpAddr>, Option<u16>),
        resp: (Option<IpAddr>, Option<u16>),
    ) {
        let (orig_name, resp_name) = if self.answered {
            (self.peer, self.device)
        } else {
            (self.device, self.peer)
        };
        let mac = self.mac.map_or_else(String::new, |mac| mac.to_string());
        line.address("src", "c6a2", "Source IPv6 Address", orig.0);
        if !self.answered {
            line.text("smac", 17, &mac);
        }
        line.host("shost", orig_name, orig.0);
        line.number("spt", orig.1);
        line.address("dst", "c6a3", "Destination IPv6 Address", resp.0);
        if self.answered {
            line.text("dmac", 17, &mac);
        }
        line.number("dpt", resp.1);
        line.host("dhost", resp_name, resp.0);
    }
}

/// A line in the making.
struct Line {
    text: String,
    /// Whether a value was written.
    begun: bool,
}

impl Line {
    fn new(sensor: &Sensor, class_id: &str, name: &str, severity: u8) -> Self {
        let mut line = String::from("CEF:0|Tapir|Sensor|");
        for (limit, value) in [(31, sensor.version.as_str()), (255, class_id), (512, name)] {
            push_header(&mut line, limit, value);
            line.push('|');
        }
        let _infallible = write!(line, "{severity}|");
        Self {
            text: line,
            begun: false,
        }
    }

    fn sensor(&mut self, sensor: &Sensor) {
        self.text("deviceExternalId", 255, &sensor.id);
        self.text("dvchost", 100, &sensor.host);
        self.text("deviceInboundInterface", 128, &sensor.interface);
    }

    fn target(&mut self, target: Option<&Target>, device_name: &str) {
        let Some(target) = target else {
            self.text("shost", 255, device_name);
            return;
        };
        let (orig, resp) = (Some(target.orig_h), Some(target.resp_h));
        self.address("src", "c6a2", "Source IPv6 Address", orig);
        self.text("smac", 17, &target.orig_mac.to_string());
        self.number("spt", Some(target.orig_p));
        self.address("dst", "c6a3", "Destination IPv6 Address", resp);
        self.text("dmac", 17, &target.resp_mac.to_string());
        self.number("dpt", Some(target.resp_p));
        self.text("proto", 31, "TCP");
    }

    /// Begins a value.
    fn key(&mut self, key: &str) {
        if self.begun {
            self.text.push(' ');
        }
        self.begun = true;
        self.text.push_str(key);
        self.text.push('=');
    }

    fn text(&mut self, key: &str, limit: usize, value: &str) {
        let mut escaped = String::new();
        push_value(&mut escaped, limit, value.trim());
        let escaped = escaped.trim_end_matches(' ');
        if !escaped.is_empty() {
            self.key(key);
            self.text.push_str(escaped);
        }
    }

    fn labelled(&mut self, key: &str, limit: usize, value: &str, label: &str) {
        self.text(key, limit, value);
        self.label(key, !value.trim().is_empty(), label);
    }

    fn label(&mut self, key: &str, there: bool, label: &str) {
        if there {
            self.text(&format!("{key}Label"), 128, label);
        }
    }

    fn number<T: std::fmt::Display>(&mut self, key: &str, value: Option<T>) {
        if let Some(value) = value {
            self.key(key);
            let _infallible = write!(self.text, "{value}");
        }
    }

    fn time(&mut self, key: &str, ts: Timestamp) {
        self.number(key, Some(ms(ts)));
    }

    /// The dictionary's own keys take IPv4 only.
    fn address(&mut self, v4: &str, v6: &str, label: &str, addr: Option<IpAddr>) {
        match addr {
            Some(IpAddr::V4(addr)) => self.number(v4, Some(addr)),
            Some(IpAddr::V6(addr)) => {
                self.number(v6, Some(addr));
                self.label(v6, true, label);
            }
            None => {}
        }
    }

    /// A name, or the text of an IPv6 address that has none.
    fn host(&mut self, key: &str, name: &str, addr: Option<IpAddr>) {
        match addr {
            Some(addr @ IpAddr::V6(_)) if name.trim().is_empty() => {
                self.text(key, 255, &addr.to_string());
            }
            _ => self.text(key, 255, name),
        }
    }
}

/// A header field: `|` and `\` escaped, nothing that acts, one line.
fn push_header(out: &mut String, limit: usize, value: &str) {
    let shown = escaped(value.trim());
    push_units(out, limit, &shown, |c, unit| match c {
        '|' | '\\' => unit.extend(['\\', c]),
        c => unit.push(c),
    });
}

/// An extension value: `\`, `=` and line ends escaped, nothing else that acts.
fn push_value(out: &mut String, limit: usize, value: &str) {
    push_units(out, limit, value, |c, unit| match c {
        '\\' | '=' => unit.extend(['\\', c]),
        '\n' => unit.push_str("\\n"),
        '\r' => unit.push_str("\\r"),
        c if is_hostile(c) => {
            for shown in escaped(c.encode_utf8(&mut [0; 4])).chars() {
                if shown == '\\' {
                    unit.push('\\');
                }
                unit.push(shown);
            }
        }
        c => unit.push(c),
    });
}

/// Appends whole units until the next one would pass `limit` bytes.
fn push_units(out: &mut String, limit: usize, value: &str, escape: fn(char, &mut String)) {
    let end = out.len() + limit;
    let mut unit = String::new();
    for c in value.chars() {
        unit.clear();
        escape(c, &mut unit);
        if out.len() + unit.len() > end {
            break;
        }
        out.push_str(&unit);
    }
}

#[cfg(test)]
mod tests;
