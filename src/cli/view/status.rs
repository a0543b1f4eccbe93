//! `show status`: is the sensor well, and if not, why.

use jiff::tz::TimeZone;
use tapir_message::{LinkState, QueueHealth, Stats};

use super::responses::mode_words;
use crate::control::{OutputStatus, ProcessStatus, Site, State, Status};
use crate::report::screen::Screen;
use crate::report::words::{bytes, count, duration, plural, second, share};

/// Where the text of a field begins.
const FIELD: usize = 10;

pub(super) fn show(screen: &mut Screen, site: &Site, zone: &TimeZone, status: &Status) {
    let color = match status.state {
        State::Ok => "1;32",
        State::Degraded => "1;33",
        State::Failed => "1;31",
    };
    let up = duration(seconds(status.uptime_s));
    let who = format!("  {}, version {}, up {up}", site.sensor_id, status.version);
    let who = tapir_engine::types::escaped(&who);
    screen.line(&[(color, status.state.word()), ("", &who)]);
    for reason in &status.reasons {
        screen.paragraph("  -", 4, reason, 3);
    }
    screen.blank();
    let mut field = |name: &str, text: &str| screen.paragraph(name, FIELD, text, 4);
    field("Port", &port(status, zone));
    if let Some(health) = &status.health {
        for (index, queue) in health.queues.iter().enumerate() {
            field(&format!("Queue {index}"), &queue_words(*queue));
        }
        if health.recorded > 0 || health.record_dropped > 0 {
            let (kept, left) = (count(health.recorded), count(health.record_dropped));
            field("Record", &format!("{kept} frames written, {left} left out"));
        }
    }
    field("Traffic", &traffic(status));
    if let Some(stats) = &status.stats {
        field("Lost", &lost(status, stats));
        field("Mirror", &crate::report::mirror_line(&stats.mirror));
    }
    field("Known", &known(status));
    field("Response", &response(status));
    field("Journal", &journal(status, zone));
    field("Logs", &logs(status));
    if let Some(memory) = memory(status) {
        field("Memory", &memory);
    }
    for output in &status.outputs {
        field("Forward", &output_words(output, zone));
    }
    if status.outputs.is_empty() {
        field(
            "Forward",
            "nowhere; give a [[forward.syslog]] in the configuration",
        );
    }
    field("sense", &process(&status.sense));
    field("serve", &process(&status.serve));
}

fn port(status: &Status, zone: &TimeZone) -> String {
    let Some(health) = &status.health else {
        return "nothing heard from sense yet".to_owned();
    };
    let link = match health.link {
        LinkState::Up => "up",
        LinkState::Down => "without a link",
        LinkState::Gone => "gone",
    };
    let last = health.ts.map_or_else(
        || "no packet yet".to_owned(),
        |ts| format!("last packet {}", second(ts, zone)),
    );
    format!(
        "{} {link}, {last}; the ring bridges a stall of {} ms",
        health.interface, health.stall_ms
    )
}

fn queue_words(queue: QueueHealth) -> String {
    let all = queue.packets.saturating_add(queue.dropped);
    format!(
        "{} packets, {} dropped by the kernel ({}), no free block {}",
        count(queue.packets),
        count(queue.dropped),
        share(queue.dropped, all),
        plural(
            usize::try_from(queue.freezes).unwrap_or(usize::MAX),
            "time",
            "times"
        ),
    )
}

fn traffic(status: &Status) -> String {
    let Some(stats) = &status.stats else {
        return "no counters yet".to_owned();
    };
    let refused: u64 = stats.refused.values().sum();
    let mut text = format!(
        "{} packets, {}, {} flows; {} copies",
        count(stats.packets),
        bytes(stats.bytes),
        count(stats.flows),
        count(stats.duplicate),
    );
    if stats.bounded || refused > 0 {
        text.push_str(&format!(
            "; a table was full, {} entries refused",
            count(refused)
        ));
    }
    text
}

/// What did not reach the parsers, by where it was lost; what is lost nowhere else is said as well.
fn lost(status: &Status, stats: &Stats) -> String {
    let ring = status.health.as_ref().map_or(0, |health| {
        health.queues.iter().map(|queue| queue.dropped).sum::<u64>()
    });
    let figures = &stats.mirror.figures;
    format!(
        "{} packets in the ring, 0 between threads (they wait), 0 shed; {} refused at a full table, {} of content missing in the last hour",
        count(ring),
        count(stats.refused.values().sum()),
        share(
            figures.missed,
            figures.missed.saturating_add(figures.content)
        ),
    )
}

fn known(status: &Status) -> String {
    let mut text = format!(
        "{}, {}, {}",
        plural(status.devices, "device", "devices"),
        plural(status.breaches, "breach", "breaches"),
        plural(status.incidents, "incident", "incidents"),
    );
    if !status.learning.is_empty() {
        text.push_str(&format!("; learned {}", status.learning));
    }
    text
}

fn response(status: &Status) -> String {
    let mut text = mode_words(status.mode, status.stopped);
    text.push_str(&format!(
        " Rules in force: {}; waiting for a person: {}",
        status.rules, status.waiting
    ));
    if let Some(refused) = status
        .health
        .as_ref()
        .map(|h| h.egress_refused)
        .filter(|n| *n > 0)
    {
        text.push_str(&format!(
            ", {} frames refused by the egress filter",
            count(refused)
        ));
    }
    text + "."
}

fn journal(status: &Status, zone: &TimeZone) -> String {
    let journal = &status.journal;
    let mut text = format!(
        "{} entries, {} of {}; {} missing, {} gone unsent",
        count(journal.entries),
        bytes(journal.bytes),
        bytes(journal.bytes_max),
        count(journal.gaps),
        count(journal.lost),
    );
    if let Some(oldest) = journal.oldest_ts {
        text.push_str(&format!("; since {}", second(oldest, zone)));
    }
    if let Some(health) = &status.health {
        text.push_str(&format!(
            "; {} on their way, {} lost before",
            count(health.notices_waiting),
            count(health.notices_lost)
        ));
    }
    text
}

/// What `sense` holds, against its bound, and the room nearest to its own.
fn memory(status: &Status) -> Option<String> {
    let memory = &status.health.as_ref()?.memory;
    if memory.rooms.is_empty() {
        return None;
    }
    let bounded = memory
        .rooms
        .iter()
        .filter_map(|room| Some((room, room.bound_bytes.filter(|bound| *bound > 0)?)));
    // Rooms that are as large as they get hold nothing that grows.
    let growing = bounded.filter(|(room, bound)| room.bytes < *bound);
    let part = |bytes: u64, bound: u64| u128::from(bytes) * 10_000 / u128::from(bound.max(1));
    let fullest = growing.max_by_key(|(room, bound)| part(room.bytes, *bound));
    let fullest = fullest.map(|(room, bound)| {
        let share = share(room.bytes, bound);
        format!("; nearest its bound: {}, {share}", room.what)
    });
    Some(format!(
        "{} resident, rooms hold {} of at most {}{}",
        bytes(memory.rss_bytes),
        bytes(memory.counted_bytes),
        bytes(memory.bound_bytes),
        fullest.unwrap_or_default(),
    ))
}

fn logs(status: &Status) -> String {
    let by_sense = status.health.as_ref().map_or(0, |h| h.records_dropped);
    let dropped = status.records_dropped.saturating_add(by_sense);
    format!(
        "{} records written, {} dropped",
        count(status.records_written),
        count(dropped)
    )
}

fn output_words(output: &OutputStatus, zone: &TimeZone) -> String {
    let state = if output.connected {
        "connected"
    } else {
        "not connected"
    };
    let mut text = format!(
        "{} {} {state}: {} sent, {} again, {} waiting, {} lost",
        output.name,
        output.address,
        count(output.sent),
        count(output.repeated),
        count(output.depth),
        count(output.lost),
    );
    if let Some(oldest) = output.oldest_unsent_ts.filter(|_| output.depth > 0) {
        text.push_str(&format!(" (the oldest of {})", second(oldest, zone)));
    }
    text
}

fn process(process: &ProcessStatus) -> String {
    let mut text = process.pid.map_or_else(
        || "does not run".to_owned(),
        |pid| format!("process {pid}, up {}", duration(seconds(process.uptime_s))),
    );
    if process.rss_bytes > 0 && process.pid.is_some() {
        text.push_str(&format!(", {}", bytes(process.rss_bytes)));
    }
    if process.restarts > 0 {
        let times = plural(process.restarts as usize, "time", "times");
        text.push_str(&format!(", started again {times}"));
    }
    if let Some(exit) = &process.last_exit {
        text.push_str(&format!(" (last end: {exit})"));
    }
    text
}

/// Seconds as nanoseconds.
fn seconds(s: u64) -> i64 {
    i64::try_from(s)
        .unwrap_or(i64::MAX)
        .saturating_mul(1_000_000_000)
}
