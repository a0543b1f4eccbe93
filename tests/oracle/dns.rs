//! The families of DNS, which the truth lists apart and our `dns.log` holds together.

use serde_json::Value;

/// Whether a record is of the family that the map `truth` is about, and a question if the map has those:
/// an answer whose question was not captured repeats it, and we tell it.
pub(super) fn belongs(truth: &str, line: &Value) -> bool {
    const PORTS: [(u64, &str); 3] = [(5353, "mdns"), (5355, "llmnr"), (137, "nbns")];
    let port = |key: &str| line[key].as_u64().unwrap_or(0);
    let ports = [port("id.orig_p"), port("id.resp_p")];
    let cousin = PORTS.iter().find(|(port, _)| ports.contains(port));
    let is_answer_alone = line["rtt"].is_null() && !line["rcode"].is_null();
    let has_answers = ["dns_rcode", "nbns_name"].contains(&truth);
    let family = cousin.map_or("dns", |(_, name)| name);
    truth.starts_with(family) && (has_answers || !is_answer_alone)
}

/// A NetBIOS name as the witness writes it: bytes that are no text, and the last one, in angle brackets.
pub(super) fn netbios_name(line: &Value) -> Option<String> {
    let mut name = String::new();
    for letter in line["query"].as_str()?.chars() {
        if letter.is_ascii_control() {
            name.push_str(&format!("<{:02x}>", u32::from(letter)));
        } else {
            name.push(letter);
        }
    }
    let suffix = line["nb_suffix"].as_u64()?;
    Some(format!("{name}<{suffix:02x}>"))
}
