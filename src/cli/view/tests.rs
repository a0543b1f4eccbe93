//! Each view as it stands on a terminal of 80 and of 100 columns.

use tapir_message::Mode;

use super::fixture::devices::{crowded, judged, merged, portrait};
use super::fixture::{events, explanation, hostile as hostile_responses, responses, site, status};
use super::*;
use crate::control::{Portrait, ServiceFilter};
use crate::report::fixture::{Office, hostile};
use crate::report::words::width;

fn look(width: usize) -> Look {
    Look {
        width,
        color: false,
        filtered: false,
    }
}

/// Compares with a file under `testdata/`; `UPDATE=1` writes it anew.
fn same_as_file(name: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/cli/testdata")
        .join(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == text,
        "{name} differs; UPDATE=1 rewrites it. Now it is:\n{text}"
    );
}

/// Everything there is to show of an office.
/// The services of an office, and one of them with who uses it.
fn services(office: &Office) -> [(&'static str, Answer); 2] {
    let only = ServiceFilter {
        service: Some("microsoft".to_owned()),
        ..ServiceFilter::default()
    };
    let of = |filter| Answer::services(site(), office.services.clone(), filter);
    [
        ("services", of(&ServiceFilter::default())),
        ("service", of(&only)),
    ]
}

/// All that an office is shown as.
fn views(office: &Office) -> Vec<(&'static str, Answer)> {
    let mut all = answers(office);
    all.extend(services(office));
    all
}

/// The lists of an office, and everything about three of its breaches.
fn answers(office: &Office) -> Vec<(&'static str, Answer)> {
    let mut all = of_devices(office);
    all.extend(of_the_rest(office));
    all
}

/// What its devices are.
fn of_devices(office: &Office) -> Vec<(&'static str, Answer)> {
    let devices = |devices: Vec<tapir_message::Device>| Answer::Devices {
        site: site(),
        total: devices.len(),
        devices,
    };
    vec![
        ("devices", devices(office.devices.clone())),
        ("devices-judged", devices(judged(office))),
        ("device", device(portrait(office, "10.77.8.32"))),
        ("device-stranger", device(portrait(office, "10.77.8.77"))),
        ("device-crowded", device(crowded(office))),
        ("merges", merged(office)),
    ]
}

/// Its other lists, and everything about three of its breaches.
fn of_the_rest(office: &Office) -> Vec<(&'static str, Answer)> {
    let site = site();
    vec![
        (
            "breaches",
            Answer::Breaches {
                site: site.clone(),
                total: 312,
                breaches: office.breaches.iter().rev().cloned().collect(),
            },
        ),
        (
            "incidents",
            Answer::Incidents {
                site: site.clone(),
                total: office.incidents.len(),
                incidents: office.incidents.clone(),
            },
        ),
        (
            "responses",
            Answer::Responses {
                site: site.clone(),
                mode: Mode::Confirm,
                stopped: false,
                total: 3,
                responses: responses(),
            },
        ),
        (
            "status",
            Answer::Status {
                site,
                status: Box::new(status()),
            },
        ),
        (
            "mirror",
            Answer::Mirror {
                site: fixture::site(),
                mirror: Box::new(office.stats.mirror.clone()),
            },
        ),
        (
            "protocols",
            Answer::Protocols {
                site: fixture::site(),
                protocols: fixture::protocols(),
            },
        ),
        ("explain-asks", explanation(office, 4)),
        ("explain-acted", explanation(office, 3)),
        ("explain-sensor", explanation(office, 5)),
    ]
}

fn device(portrait: Portrait) -> Answer {
    let portrait = Box::new(portrait);
    Answer::Device {
        site: site(),
        portrait,
    }
}

/// However much is known, and however narrow the terminal.
#[test]
fn a_device_fits_one_screen() {
    let office = Office::new();
    for columns in [60, 80, 100, 200] {
        let text = answer(&device(crowded(&office)), look(columns));
        assert!(text.lines().count() <= 40, "{columns}:\n{text}");
    }
}

#[test]
fn each_view_at_each_width() {
    for (name, shown) in views(&Office::new()) {
        for columns in [80, 100] {
            let text = answer(&shown, look(columns));
            for line in text.lines() {
                assert!(width(line) <= columns, "{name}: {line}");
                assert!(!line.ends_with(' '), "{name}: {line:?}");
            }
            same_as_file(&format!("{name}-{columns}.txt"), &text);
        }
    }
}

#[test]
fn colour_changes_nothing_but_colour() {
    for (name, shown) in views(&Office::new()) {
        let plain = answer(&shown, look(80));
        let colored = answer(
            &shown,
            Look {
                color: true,
                ..look(80)
            },
        );
        assert!(colored.contains("\u{1b}["), "{name}");
        let mut bare = String::new();
        for (index, piece) in colored.split('\u{1b}').enumerate() {
            bare.push_str(if index == 0 {
                piece
            } else {
                piece.split_once('m').unwrap().1
            });
        }
        let trimmed: Vec<&str> = bare.lines().map(str::trim_end).collect();
        assert_eq!(trimmed, plain.lines().collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn events_are_lines() {
    let zone = zone(&site());
    let lines: Vec<String> = events().iter().map(|e| event(e, &zone, look(80))).collect();
    assert!(lines.iter().all(|line| line.lines().count() == 1));
    same_as_file("watch.txt", &lines.concat());
}

/// The terms stand as they are counted: the sum below them is the score above them.
#[test]
fn the_waterfall_sums_to_the_score() {
    let office = Office::new();
    for index in 0..5 {
        let text = answer(&explanation(&office, index), look(100));
        let score = office.breaches[index].score.unwrap();
        let after = text.split(&format!("Why {score}\n")).nth(1).unwrap();
        let mut sum = 0_i32;
        let mut lines = after.lines();
        for line in lines.by_ref().take_while(|line| !line.contains('─')) {
            let head = line.chars().take(6).collect::<String>();
            let points = head.trim().replace('−', "-");
            sum += points.parse::<i32>().unwrap_or(0);
        }
        assert_eq!(sum, i32::from(score));
        assert_eq!(
            lines.next().map(str::trim),
            Some(score.to_string().as_str())
        );
    }
}

#[test]
fn nothing_is_explained() {
    let site = Site {
        devices: 0,
        ..site()
    };
    let mut all = String::new();
    for filtered in [false, true] {
        let look = Look {
            filtered,
            ..look(80)
        };
        let (devices, breaches, incidents) = (Vec::new(), Vec::new(), Vec::new());
        let shown = [
            Answer::Devices {
                site: site.clone(),
                total: 0,
                devices,
            },
            Answer::Breaches {
                site: site.clone(),
                total: 0,
                breaches,
            },
            Answer::Incidents {
                site: site.clone(),
                total: 0,
                incidents,
            },
        ];
        all.extend(shown.iter().map(|shown| answer(shown, look)));
    }
    for (mode, stopped) in [(Mode::Off, false), (Mode::Shadow, true)] {
        let none = Answer::Responses {
            site: site.clone(),
            mode,
            stopped,
            total: 0,
            responses: Vec::new(),
        };
        all.push_str(&answer(&none, look(80)));
    }
    let status = crate::control::Status::default().judged();
    let status = Box::new(status);
    all.push_str(&answer(&Answer::Status { site, status }, look(80)));
    same_as_file("empty.txt", &all);
}

#[test]
fn no_byte_from_the_wire_reaches_the_terminal_unescaped() {
    let office = hostile();
    let mut shown = views(&office);
    shown.push((
        "hostile responses",
        Answer::Responses {
            site: Site {
                sensor_id: office.breaches[0].device_name.clone(),
                ..site()
            },
            mode: Mode::Confirm,
            stopped: true,
            total: 3,
            responses: hostile_responses(&office),
        },
    ));
    let breach = Box::new(office.breaches[0].clone());
    shown.push((
        "event",
        Answer::Event {
            event: crate::control::Event::Breach { breach },
        },
    ));
    for (name, shown) in shown {
        for c in answer(&shown, look(100)).chars() {
            assert!(
                c == '\n' || !tapir_engine::types::is_hostile(c),
                "{name}: {c:?}"
            );
        }
        let json = crate::report::json_line(&shown);
        assert!(
            json.trim_end_matches('\n')
                .chars()
                .all(|c| !tapir_engine::types::is_hostile(c)),
            "{name}"
        );
        let back: Answer = serde_json::from_str(&json).unwrap();
        assert_eq!(back, shown, "{name}");
    }
}
