//! CEF lines against lines written out by hand, and against a parser that shares nothing with the writer.
//!
//! What it shows: the lines of each kind of notice; keys and lengths of the dictionary; that hostile text
//! comes back as it went in, or visibly escaped.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Keys of the producer dictionary that may occur, and their lengths (0: not a text).
const DICTIONARY: [(&str, usize); 52] = [
    ("act", 63),
    ("c6a2", 0),
    ("c6a2Label", 1_023),
    ("c6a3", 0),
    ("c6a3Label", 1_023),
    ("cat", 1_023),
    ("cfp1", 0),
    ("cfp1Label", 1_023),
    ("cn1", 0),
    ("cn1Label", 1_023),
    ("cn2", 0),
    ("cn2Label", 1_023),
    ("cn3", 0),
    ("cn3Label", 1_023),
    ("cnt", 0),
    ("cs1", 4_000),
    ("cs1Label", 1_023),
    ("cs2", 4_000),
    ("cs2Label", 1_023),
    ("cs3", 4_000),
    ("cs3Label", 1_023),
    ("cs4", 4_000),
    ("cs4Label", 1_023),
    ("cs6", 4_000),
    ("cs6Label", 1_023),
    ("deviceExternalId", 255),
    ("deviceInboundInterface", 128),
    ("dhost", 1_023),
    ("dmac", 17),
    ("dpt", 0),
    ("dst", 0),
    ("dvchost", 100),
    ("end", 0),
    ("externalId", 40),
    ("flexNumber1", 0),
    ("flexNumber1Label", 128),
    ("flexNumber2", 0),
    ("flexNumber2Label", 128),
    ("flexString1", 1_023),
    ("flexString1Label", 128),
    ("flexString2", 1_023),
    ("flexString2Label", 128),
    ("msg", 1_023),
    ("outcome", 63),
    ("proto", 31),
    ("reason", 1_023),
    ("rt", 0),
    ("shost", 1_023),
    ("smac", 17),
    ("spt", 0),
    ("src", 0),
    ("start", 0),
];

fn sensor() -> Sensor {
    Sensor {
        id: "lon1-7f3a9c".to_owned(),
        host: "lon1".to_owned(),
        interface: "mirror0".to_owned(),
        version: "1.0.0".to_owned(),
    }
}

fn beacon() -> Breach {
    serde_json::from_str(
        r#"{"ts":"2026-11-22T03:14:09.512Z","id":"01JDA7Q2M8X4T9V6K3R5B1W0ZC","model":"CMD-01",
        "title":"Rhythmic beacon to rare endpoint","class":"threat","score":94,"score_sure":88,
        "rate":0.0200001,"rate_low":0.01,"rate_high":0.1,"provisional":false,"impact":4,
        "device":"d-1","device_name":"FIN-LT-031","orig_h":"10.20.4.31","orig_p":51544,
        "resp_h":"203.0.113.9","resp_p":443,"uid":"C1","proto":"tcp",
        "community_id":"1:Ab3xK9s0c2m5tq8Z1vYw7dR4uPo=","peer":"cdn.example.net",
        "mac":"3c:52:82:11:22:33","attack":["T1071.001"],
        "terms":[{"name":"rarity","points":105,"text":"t"},{"name":"known","points":-11,"text":"t"}],
        "incident":"INC-000412","first_ts":"2026-11-22T03:02:11.004Z",
        "last_ts":"2026-11-22T03:13:58.771Z","count":42,"loss":0.0,
        "text":"FIN-LT-031 has called cdn.example.net every 17 s.","detail":"d"}"#,
    )
    .unwrap()
}

fn acted() -> Decision {
    serde_json::from_str(
        r#"{"ts":"2026-11-22T03:14:10Z","id":"dec1","breach":"01JDA7Q2M8X4T9V6K3R5B1W0ZC",
        "model":"CMD-01","score_sure":88,"device":"d-1","device_name":"FIN-LT-031",
        "mode":"autonomous","action":"reset_flow","verdict":"act","reason":"Clause 2 covers it.",
        "rule":"R-0007","authorised_by":"j.smith","target":{"orig_h":"2001:db8::1","orig_p":51544,
        "resp_h":"2001:db8::2","resp_p":443,"vlan":0,"orig_mac":"3c:52:82:11:22:33",
        "resp_mac":"3c:52:82:11:22:44","uid":"C1"},
        "blast":{"flows":1,"others":0,"text":"cuts 1 flow; 0 other users in 30d"},
        "expires_ts":"2027-01-31T00:00:00Z"}"#,
    )
    .unwrap()
}

fn render(notice: Notice, decision: Option<&Decision>, repeat: bool) -> String {
    let context = Context {
        sensor: &sensor(),
        decision,
        seq: 17,
        repeat,
    };
    line(&Numbered { number: 1, notice }, &context)
}

fn of_breach(breach: Breach) -> String {
    render(Notice::Breach(Box::new(breach)), None, false)
}

/// Splits a line into its seven header fields and its values. Panics on what the standard does not
/// allow.
fn parse(line: &str) -> (Vec<String>, BTreeMap<String, String>) {
    let mut header = vec![String::new()];
    let mut chars = line.chars();
    while header.len() < 8 {
        match chars.next().expect("seven fields") {
            '\\' => {
                let escaped = chars.next().unwrap();
                assert!(
                    matches!(escaped, '|' | '\\'),
                    "{escaped} escaped in a header"
                );
                header.last_mut().unwrap().push(escaped);
            }
            '|' => header.push(String::new()),
            c => header.last_mut().unwrap().push(c),
        }
    }
    header.pop();
    let text: Vec<char> = chars.collect();
    let mut values = BTreeMap::new();
    // Each unescaped `=` ends a key, which is the word before it.
    let mut signs = Vec::new();
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            '\\' => at += 1,
            '=' => signs.push(at),
            _ => {}
        }
        at += 1;
    }
    let key_start = |sign: usize| {
        let space = text[..sign].iter().rposition(|c| *c == ' ');
        space.map_or(0, |space| space + 1)
    };
    for (index, sign) in signs.iter().enumerate() {
        let key: String = text[key_start(*sign)..*sign].iter().collect();
        let next = signs.get(index + 1);
        let end = next.map_or(text.len(), |next| key_start(*next) - 1);
        let value = unescape(&text[sign + 1..end]);
        assert!(values.insert(key.clone(), value).is_none(), "{key} twice");
    }
    (header, values)
}

fn unescape(text: &[char]) -> String {
    let mut out = String::new();
    let mut chars = text.iter();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.push(match chars.next().unwrap() {
                'n' => '\n',
                'r' => '\r',
                c @ ('\\' | '=') => *c,
                other => panic!("\\{other} in a value"),
            }),
            c => out.push(*c),
        }
    }
    out
}

/// Parses, and checks what holds for every line.
fn checked(line: &str) -> (Vec<String>, BTreeMap<String, String>) {
    assert!(line.len() < 8_000, "{} bytes", line.len());
    assert!(!line.chars().any(is_hostile), "{line:?}");
    let (header, values) = parse(line);
    assert_eq!(header[..3], ["CEF:0", "Tapir", "Sensor"]);
    for (key, value) in &values {
        let length = DICTIONARY.iter().find(|(name, _)| name == key);
        let length = match length {
            Some((_, length)) => *length,
            None if key == "type" => 0,
            None => panic!("{key} is not in the dictionary"),
        };
        assert!(
            !value.is_empty() && value.trim() == value,
            "{key}={value:?}"
        );
        assert!(
            length == 0 || value.len() <= length,
            "{key}: {}",
            value.len()
        );
        if let Some(of) = key.strip_suffix("Label") {
            assert!(values.contains_key(of), "{key} without {of}");
        }
    }
    let tail = " flexNumber1=17 flexNumber1Label=seq flexNumber2=";
    assert!(line.contains(tail) && line.ends_with(" flexNumber2Label=repeat"));
    (header, values)
}

#[test]
fn a_breach_is_the_line_of_the_format() {
    let line = of_breach(beacon());
    assert_eq!(
        line,
        "CEF:0|Tapir|Sensor|1.0.0|CMD-01|Rhythmic beacon to rare endpoint|9|type=0 \
        rt=1795317249512 start=1795316531004 end=1795317238771 \
        externalId=01JDA7Q2M8X4T9V6K3R5B1W0ZC deviceExternalId=lon1-7f3a9c dvchost=lon1 \
        deviceInboundInterface=mirror0 src=10.20.4.31 smac=3c:52:82:11:22:33 shost=FIN-LT-031 \
        spt=51544 dst=203.0.113.9 dpt=443 dhost=cdn.example.net proto=TCP cnt=42 cat=threat \
        cn1=94 cn1Label=score cn3=10741 cn3Label=detectLatencyMs cfp1=0.02 \
        cfp1Label=per1000DeviceWeeks cs1=T1071.001 cs1Label=attack cs2=INC-000412 \
        cs2Label=incident cs3=rarity:+105 known:-11 cs3Label=why cs6=live cs6Label=mode \
        flexString1=1:Ab3xK9s0c2m5tq8Z1vYw7dR4uPo\\= flexString1Label=communityId \
        msg=FIN-LT-031 has called cdn.example.net every 17 s. \
        flexNumber1=17 flexNumber1Label=seq flexNumber2=0 flexNumber2Label=repeat"
    );
    checked(&line);
    let again = render(Notice::Breach(Box::new(beacon())), None, true);
    assert_eq!(again, line.replace("flexNumber2=0", "flexNumber2=1"));
}

#[test]
fn addresses_of_ipv6_have_their_own_keys() {
    let mut breach = beacon();
    breach.orig_h = Some("2001:db8::1".parse().unwrap());
    breach.resp_h = Some("2001:db8::2".parse().unwrap());
    breach.peer = None;
    let (_, values) = checked(&of_breach(breach));
    assert!(!values.contains_key("src") && !values.contains_key("dst"));
    assert_eq!(values["c6a2"], "2001:db8::1");
    assert_eq!(values["c6a2Label"], "Source IPv6 Address");
    assert_eq!(values["c6a3"], "2001:db8::2");
    assert_eq!(values["c6a3Label"], "Destination IPv6 Address");
    assert_eq!(values["shost"], "FIN-LT-031");
    assert_eq!(values["dhost"], "2001:db8::2");
}

#[test]
fn a_device_that_answered_is_the_destination() {
    let mut breach = beacon();
    breach.peer = Some("10.20.4.31".to_owned());
    let (_, values) = checked(&of_breach(breach));
    assert_eq!(values["dhost"], "FIN-LT-031");
    assert_eq!(values["dmac"], "3c:52:82:11:22:33");
    assert_eq!(values["shost"], "10.20.4.31");
}

#[test]
fn severity_follows_the_score() {
    for (score, level) in [
        (0, 0),
        (9, 0),
        (10, 1),
        (59, 5),
        (90, 9),
        (94, 9),
        (95, 10),
        (100, 10),
    ] {
        assert_eq!(severity(Some(score)), level, "{score}");
    }
}

#[test]
fn health_has_a_priority_and_no_rate() {
    let mut breach = beacon();
    breach.class = Class::Health;
    (breach.score, breach.priority) = (None, Some(35));
    (breach.orig_h, breach.resp_h, breach.proto) = (None, None, None);
    let (header, values) = checked(&of_breach(breach));
    assert_eq!(header[6], "3");
    assert_eq!(
        (values["cn1"].as_str(), values["cn1Label"].as_str()),
        ("35", "priority")
    );
    assert_eq!(values["cat"], "health");
    assert!(!values.contains_key("cfp1") && !values.contains_key("src"));
}

#[test]
fn a_later_state_has_the_same_id_and_no_latency() {
    let mut breach = beacon();
    breach.last_ts = breach.ts.plus(60_000_000_000);
    breach.count = 43;
    let (_, values) = checked(&of_breach(breach));
    assert_eq!(values["externalId"], "01JDA7Q2M8X4T9V6K3R5B1W0ZC");
    assert_eq!(values["cnt"], "43");
    assert!(!values.contains_key("cn3"));
}

#[test]
fn an_incident_is_a_correlation() {
    let incident: Incident = serde_json::from_str(
        r#"{"id":"INC-000412","first_ts":"2026-11-22T03:02:11Z","last_ts":"2026-11-22T03:14:09Z",
        "score":94,"title":"Beacon, and 1 more","devices":["d-1"],"device_names":["FIN-LT-031"],
        "attack":["T1071.001"],"timeline":[
        {"ts":"2026-11-22T03:02:11Z","breach":"b1","model":"CMD-01","score":94,"text":"t"},
        {"ts":"2026-11-22T03:03:11Z","breach":"b2","model":"SEN-01","text":"t"}]}"#,
    )
    .unwrap();
    let (header, values) = checked(&render(Notice::Incident(Box::new(incident)), None, false));
    assert_eq!(header[4..], ["INCIDENT", "Incident", "9"]);
    assert_eq!(
        (values["type"].as_str(), values["cnt"].as_str()),
        ("2", "2")
    );
    assert_eq!(values["cs3"], "CMD-01:94 SEN-01");
    assert_eq!(values["externalId"], "INC-000412");
}

#[test]
fn decisions_and_responses_are_actions() {
    let decision = acted();
    let line = render(Notice::Decision(Box::new(decision.clone())), None, false);
    let (_, values) = checked(&line);
    assert_eq!(values["type"], "3");
    assert_eq!(
        (values["act"].as_str(), values["outcome"].as_str()),
        ("reset_flow", "act")
    );
    let reason =
        "roe:R-0007 signed:j.smith until:2027-01-31T00:00:00.000000000Z Clause 2 covers it.";
    assert_eq!(values["reason"], reason);
    assert_eq!(values["cs4"], "cuts 1 flow; 0 other users in 30d");
    assert_eq!(values["c6a3"], "2001:db8::2");
    let response: Response = serde_json::from_str(
        r#"{"ts":"2026-11-22T03:14:11Z","decision":"dec1","breach":"b1","state":"failed",
        "frames_sent":8,"frames_refused":0,"latency_ns":181000,"latency_max_ns":240999,"bytes_after":4,"redials":0,
        "text":"Data still flows."}"#,
    )
    .unwrap();
    let notice = Notice::Response(Box::new(response));
    let (header, values) = checked(&render(notice.clone(), Some(&decision), false));
    assert_eq!(header[6], "8");
    assert_eq!(
        (values["act"].as_str(), values["outcome"].as_str()),
        ("reset_flow", "failed")
    );
    assert_eq!(values["reason"], reason);
    assert_eq!(
        (values["cn3"].as_str(), values["cn3Label"].as_str()),
        ("181", "resetLatencyUs")
    );
    assert_eq!(
        (values["cn2"].as_str(), values["cn2Label"].as_str()),
        ("240", "resetLatencyMaxUs")
    );
    let (_, values) = checked(&render(notice, None, false));
    assert_eq!(values["act"], "reset");
    assert!(!values.contains_key("reason"));
}

/// What a reader must find for a text that was given in: line ends stay, all else that acts is shown.
fn shown(text: &str) -> String {
    let mut out = String::new();
    for c in text.trim().chars() {
        match c {
            '\n' | '\r' => out.push(c),
            c => out.push_str(&escaped(c.encode_utf8(&mut [0; 4]))),
        }
    }
    out.trim().to_owned()
}

#[test]
fn a_name_of_one_bar_does_not_swallow_the_next_key() {
    let mut breach = beacon();
    breach.device_name = "|".to_owned();
    assert!(of_breach(breach).contains(" shost=| spt=51544 "));
}

#[test]
fn a_text_that_looks_like_keys_stays_a_text() {
    let mut breach = beacon();
    breach.title = "a|b\\c\nd".to_owned();
    breach.text = " x msg=y act=allow \\ | = \n cs9=1\u{202e}\u{1b}[2J ".to_owned();
    let (header, values) = checked(&of_breach(breach.clone()));
    assert_eq!(header[5], "a|b\\c\\nd");
    assert_eq!(values["msg"], shown(&breach.text));
    assert!(values["msg"].ends_with("cs9=1\\u202e\\u001b[2J"));
}

#[test]
fn every_text_at_its_worst_leaves_the_end_of_the_line() {
    let worst = "\u{e0041}=\\".repeat(3_000);
    let mut breach = beacon();
    for text in [
        &mut breach.title,
        &mut breach.device_name,
        &mut breach.text,
        &mut breach.incident,
        &mut breach.id,
        &mut breach.model,
    ] {
        text.clone_from(&worst);
    }
    breach.peer = Some(worst.clone());
    breach.attack = vec![worst.clone(); 4];
    breach.community_id = Some(worst.clone());
    breach.proto = Some(worst.clone());
    breach.terms[0].name.clone_from(&worst);
    checked(&of_breach(breach));
    let mut decision = acted();
    decision.reason.clone_from(&worst);
    decision.rule = Some(worst.clone());
    decision.blast.text = worst;
    checked(&render(Notice::Decision(Box::new(decision)), None, true));
}

proptest! {
    #[test]
    fn any_text_comes_back(text in "(\\PC|[ \\n\\r\\t=|\\\\\u{1b}\u{202e}]){0,80}") {
        let mut breach = beacon();
        breach.text = text.clone();
        breach.title = text.clone();
        breach.device_name = text.clone();
        let (header, values) = checked(&of_breach(breach));
        let none = String::new();
        let found = values.get("msg").unwrap_or(&none);
        prop_assert_eq!(found, &shown(&text));
        prop_assert_eq!(&header[5], &escaped(text.trim()));
    }
}
