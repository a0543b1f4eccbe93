//! What the office's sensor decided, and how it is doing: the tests' one story goes on.

pub(crate) mod devices;

use tapir_message::{
    Action, Blast, Breach, Decision, Health, LinkState, MacAddr, Memory, Mode, ProtocolStats,
    QueueHealth, Response, ResponseState, RoomMemory, Target, Timestamp, Verdict,
};

use crate::control::{
    Answer, Event, Explanation, JournalStatus, OutputStatus, ProcessStatus, ProtocolEntry,
    ResponseEntry, Site, Status,
};
use crate::report::fixture::Office;

pub(crate) fn site() -> Site {
    Site {
        sensor_id: "kontor".to_owned(),
        time_zone: "Europe/Berlin".to_owned(),
        devices: 14,
    }
}

/// Three protocols and what nobody understood.
pub(crate) fn protocols() -> Vec<ProtocolEntry> {
    let entry =
        |name: &str, flows, bytes, [parsed, need_more, skipped, broken, panicked]: [u64; 5]| {
            ProtocolEntry {
                name: name.to_owned(),
                flows,
                stats: ProtocolStats {
                    bytes,
                    parsed,
                    need_more,
                    skipped,
                    broken,
                    panicked,
                },
            }
        };
    vec![
        entry("-", 61_344, 904_000_000, [0; 5]),
        entry("dns", 151_200, 31_000_000, [302_400, 0, 0, 12, 0]),
        entry(
            "smb",
            18_404,
            8_200_000_000,
            [1_204_118, 90_211, 400_200, 3, 1],
        ),
        entry(
            "ssl",
            118_030,
            22_400_000_000,
            [590_000, 41_877, 118_030, 0, 0],
        ),
    ]
}

/// One that asks, one that acted, one that was withheld.
pub(crate) fn responses() -> Vec<ResponseEntry> {
    let office = Office::new();
    let [stranger, beacon, upload] = [0, 3, 4].map(|index| office.breaches[index].clone());
    let asks = ResponseEntry {
        decision: Decision {
            mode: Mode::Confirm,
            ..decision(
                1,
                &upload,
                Verdict::Ask,
                "Rule R-0007 covers it; mode confirm asks a person.",
            )
        },
        response: None,
        code: Some("4711".to_owned()),
    };
    let acted = decision(
        2,
        &beacon,
        Verdict::Act,
        "Rule R-0007, scope threat at night, covers it.",
    );
    let response = Response {
        ts: acted.ts.plus(612_000_000),
        decision: acted.id.clone(),
        breach: acted.breach.clone(),
        state: ResponseState::Reset,
        frames_sent: 2,
        frames_refused: 0,
        latency_ns: Some(83_400),
        latency_max_ns: Some(121_900),
        bytes_after: 0,
        redials: 0,
        text: "Both ends are silent since the reset.".to_owned(),
    };
    let withheld = ResponseEntry {
        decision: Decision {
            rule: None,
            authorised_by: None,
            target: None,
            blast: Blast::default(),
            ..decision(
                3,
                &stranger,
                Verdict::Withheld,
                "Its score for sure, 51, is below 80.",
            )
        },
        response: None,
        code: None,
    };
    let acted = ResponseEntry {
        decision: acted,
        response: Some(response),
        code: None,
    };
    vec![asks, acted, withheld]
}

fn decision(n: u8, breach: &Breach, verdict: Verdict, reason: &str) -> Decision {
    Decision {
        ts: breach.ts.plus(40_000_000),
        id: format!("{n}qk7m2c9x0t5n8b1z6k3j7h2wd"),
        breach: breach.id.clone(),
        model: breach.model.clone(),
        score_sure: breach.score_sure.unwrap_or(0),
        device: breach.device.clone(),
        device_name: breach.device_name.clone(),
        mode: Mode::Autonomous,
        action: Action::ResetFlow,
        verdict,
        reason: reason.to_owned(),
        rule: Some("R-0007".to_owned()),
        authorised_by: Some("Jane Smith, head of IT".to_owned()),
        target: Some(Target {
            orig_h: breach.orig_h.unwrap(),
            orig_p: breach.orig_p.unwrap(),
            resp_h: breach.resp_h.unwrap(),
            resp_p: breach.resp_p.unwrap(),
            vlan: 8,
            orig_mac: MacAddr([2, 0, 0, 0, 0, 1]),
            resp_mac: MacAddr([2, 0, 0, 0, 0, 2]),
            uid: breach.uid.clone().unwrap(),
        }),
        blast: Blast {
            flows: 1,
            others: 0,
            text: "1 flow is cut; nobody else used this server in 30 days.".to_owned(),
        },
        expires_ts: breach.ts.plus(900_000_000_000),
    }
}

/// A sensor of a small office, most of it empty.
fn memory() -> Memory {
    let room = |what: &str, bytes, bound_bytes| RoomMemory {
        what: what.to_owned(),
        bytes,
        bound_bytes,
    };
    let rooms = vec![
        room("program", 10_485_760, None),
        room("devices", 61_440, Some(308_011_056)),
        room("flow slots", 52_000_000, Some(260_000_000)),
        room("flow timers", 49_152, Some(49_152)),
    ];
    Memory {
        rss_bytes: 112_410_624,
        counted_bytes: rooms.iter().map(|room| room.bytes).sum(),
        bound_bytes: 578_546_968,
        rooms,
    }
}

/// A sensor with a server that does not answer.
pub(crate) fn status() -> Status {
    let office = Office::new();
    Status {
        version: "0.1.0".to_owned(),
        uptime_s: 864_000,
        sense: ProcessStatus {
            pid: Some(4_102),
            restarts: 1,
            last_exit: Some("signal 9".to_owned()),
            uptime_s: 3_700,
            rss_bytes: 112_410_624,
        },
        serve: ProcessStatus {
            pid: Some(4_099),
            uptime_s: 864_000,
            ..ProcessStatus::default()
        },
        health: Some(Health {
            ts: office.stats.last_ts,
            interface: "mirror0".to_owned(),
            link: LinkState::Up,
            queues: vec![
                QueueHealth {
                    packets: 20_904_113,
                    dropped: 8_311,
                    freezes: 2,
                },
                QueueHealth {
                    packets: 20_900_000,
                    ..QueueHealth::default()
                },
            ],
            stall_ms: 2_560,
            recorded: 41_804_100,
            record_dropped: 13,
            records_dropped: 7,
            mode: Mode::Confirm,
            egress_refused: 3,
            memory: memory(),
            ..Health::default()
        }),
        stats: Some(office.stats),
        journal: JournalStatus {
            entries: 1_204,
            bytes: 1_812_000,
            bytes_max: 512_000_000,
            gaps: 1,
            oldest_ts: office.breaches.first().map(|breach| breach.ts),
            ..JournalStatus::default()
        },
        outputs: vec![OutputStatus {
            name: "syslog".to_owned(),
            address: "siem.example:6514".to_owned(),
            reason: Some("connection refused since 12 min, tried again in 60 s.".to_owned()),
            depth: 17,
            oldest_unsent_ts: Some(office.breaches[4].ts),
            sent: 1_187,
            repeated: 2,
            ..OutputStatus::default()
        }],
        mode: Mode::Confirm,
        rules: 1,
        waiting: 1,
        records_written: 652_754,
        devices: 14,
        breaches: 6,
        incidents: 2,
        learning: "9.5 days, prior: unfitted".to_owned(),
        ..Status::default()
    }
    .judged()
}

/// Everything about one breach of the office.
pub(crate) fn explanation(office: &Office, breach: usize) -> Answer {
    let breach = office.breaches[breach].clone();
    let mut about = responses();
    about.retain(|entry| entry.decision.breach == breach.id);
    Answer::Explanation {
        site: site(),
        explanation: Box::new(Explanation {
            incident: office
                .incidents
                .iter()
                .find(|i| i.id == breach.incident)
                .cloned(),
            device: office
                .devices
                .iter()
                .find(|d| d.name == breach.device_name)
                .cloned(),
            responses: about,
            breach,
            mode: Mode::Confirm,
            stopped: false,
        }),
    }
}

/// One event of each kind.
pub(crate) fn events() -> Vec<Event> {
    let office = Office::new();
    let entries = responses();
    vec![
        Event::Breach {
            breach: Box::new(office.breaches[3].clone()),
        },
        Event::Breach {
            breach: Box::new(office.breaches[5].clone()),
        },
        Event::Incident {
            incident: Box::new(office.incidents[1].clone()),
        },
        Event::Decision {
            decision: Box::new(entries[0].decision.clone()),
        },
        Event::Command {
            who: "root (uid 0)".to_owned(),
            text: "approved decision 1qk7m2c9".to_owned(),
        },
        Event::Response {
            response: Box::new(entries[1].response.clone().unwrap()),
        },
        Event::Health {
            status: Box::new(status()),
        },
        Event::Missed { lines: 12 },
    ]
}

/// The same with texts as an attacker would choose them.
pub(crate) fn hostile(office: &Office) -> Vec<ResponseEntry> {
    let name = office.breaches[0].device_name.clone();
    let mut entries = responses();
    for entry in &mut entries {
        entry.decision.device_name.clone_from(&name);
        entry.decision.reason.clone_from(&name);
        entry.decision.blast.text.clone_from(&name);
        entry.decision.id.clone_from(&name);
        entry.decision.rule = Some(name.clone());
        entry.decision.authorised_by = Some(name.clone());
        entry.code = Some(name.clone());
        entry.decision.ts = Timestamp::MAX;
        if let Some(response) = &mut entry.response {
            response.text.clone_from(&name);
        }
    }
    entries
}
