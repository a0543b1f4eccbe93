//! `show mirror`: how well the mirror port shows the network, and what to change at the switch.

use jiff::tz::TimeZone;
use tapir_engine::types::escaped;
use tapir_message::{Grade, Mirror, MirrorVlan};

use crate::control::Site;
use crate::report::screen::Screen;
use crate::report::words::{count, second, share};

/// Where the text of a field begins.
const FIELD: usize = 10;
/// VLANs shown; the rest is counted.
const VLANS_MAX: usize = 12;

pub(super) fn show(screen: &mut Screen, site: &Site, zone: &TimeZone, mirror: &Mirror) {
    let (color, letter) = match mirror.grade {
        None => ("2", "-"),
        Some(grade @ (Grade::A | Grade::B)) => ("1;32", grade.letter()),
        Some(grade @ Grade::C) => ("1;33", grade.letter()),
        Some(grade @ (Grade::D | Grade::F)) => ("1;31", grade.letter()),
    };
    let who = escaped(&site.sensor_id);
    let means = mirror.grade.map_or("too little was seen to judge", meaning);
    screen.line(&[
        (color, letter),
        ("", &format!("  {means}")),
        ("2", &format!("  {who}")),
    ]);
    screen.blank();
    if let Some((first, last)) = mirror.first_ts.zip(mirror.last_ts) {
        let text = format!("{} to {}", second(first, zone), second(last, zone));
        screen.paragraph("Judged", FIELD, &text, 2);
    }
    screen.paragraph("Seen", FIELD, &seen(mirror), 4);
    for cause in &mirror.causes {
        screen.blank();
        let mut text = cause.text.clone();
        if !cause.examples.is_empty() {
            text.push_str(&format!(" For example {}.", cause.examples.join(", ")));
        }
        screen.paragraph(&format!("{}  Why", cause.grade.letter()), FIELD, &text, 4);
        screen.paragraph("   Fix", FIELD, &cause.fix, 4);
    }
    vlans(screen, zone, &mirror.vlans);
}

/// What a grade means.
const fn meaning(grade: Grade) -> &'static str {
    match grade {
        Grade::A => "the mirror shows what it should",
        Grade::B => "the mirror shows what it should, with something to know",
        Grade::C => "the mirror is not quite right",
        Grade::D => "the mirror is wrong",
        Grade::F => "the mirror is of little use",
    }
}

/// The figures behind it.
fn seen(mirror: &Mirror) -> String {
    let f = &mirror.figures;
    let mut text = format!(
        "{} packets, {} to groups; {} flows, {} TCP with content, {} of them one way; {} copies",
        count(f.packets),
        share(f.group, f.packets),
        count(f.flows_all),
        count(f.flows),
        count(f.one_way),
        count(f.copies),
    );
    let lost = f.missed.saturating_add(f.content);
    if f.missed > 0 {
        text.push_str(&format!("; {} of the content lost", share(f.missed, lost)));
    }
    if f.ring_dropped > 0 {
        let dropped = count(f.ring_dropped);
        text.push_str(&format!("; {dropped} dropped in the ring"));
    }
    if f.own > 0 {
        text.push_str(&format!("; {} of the sensor itself", count(f.own)));
    }
    text + "."
}

fn vlans(screen: &mut Screen, zone: &TimeZone, all: &[MirrorVlan]) {
    if all.is_empty() {
        return;
    }
    screen.blank();
    let head = format!(
        "{:<10}{:>14}{:>10}{:>10}  Last packet",
        "VLAN", "Packets", "TCP", "One way"
    );
    screen.line(&[("2", &head)]);
    // Those that are gone first, then the busiest.
    let mut order: Vec<&MirrorVlan> = all.iter().collect();
    order.sort_by_key(|vlan| (!vlan.gone, std::cmp::Reverse(vlan.packets), vlan.vlan));
    for vlan in order.iter().take(VLANS_MAX) {
        let name = match vlan.vlan {
            0 => "untagged".to_owned(),
            id => id.to_string(),
        };
        let last = vlan.last_ts.map_or_else(String::new, |ts| second(ts, zone));
        let (flows, one_way) = (count(vlan.flows), share(vlan.one_way, vlan.flows));
        let one_way = if vlan.flows == 0 {
            "-".to_owned()
        } else {
            one_way
        };
        let gone = if vlan.gone { "  gone" } else { "" };
        let packets = count(vlan.packets);
        let line = format!("{name:<10}{packets:>14}{flows:>10}{one_way:>10}  {last}{gone}");
        screen.line(&[(if vlan.gone { "31" } else { "" }, &line)]);
    }
    if all.len() > VLANS_MAX {
        screen.line(&[("2", &format!("and {} more", all.len() - VLANS_MAX))]);
    }
}
