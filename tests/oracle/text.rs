//! Values of text protocols: how ours and the truth's come to say the same.

use serde_json::Value;

/// Types of MQTT packets, from 1.
const MQTT_TYPES: [&str; 15] = [
    "CONNECT",
    "CONNACK",
    "PUBLISH",
    "PUBACK",
    "PUBREC",
    "PUBREL",
    "PUBCOMP",
    "SUBSCRIBE",
    "SUBACK",
    "UNSUBSCRIBE",
    "UNSUBACK",
    "PINGREQ",
    "PINGRESP",
    "DISCONNECT",
    "AUTH",
];

/// Types of DHCP messages, from 1.
const DHCP_TYPES: [&str; 13] = [
    "DISCOVER",
    "OFFER",
    "REQUEST",
    "DECLINE",
    "ACK",
    "NAK",
    "RELEASE",
    "INFORM",
    "FORCERENEW",
    "LEASEQUERY",
    "LEASEUNASSIGNED",
    "LEASEUNKNOWN",
    "LEASEACTIVE",
];

/// The values of a map in one line of ours: of a text, a number, each of a list, or of several fields.
pub(super) fn values(truth: &str, fields: &str, line: &Value) -> Vec<String> {
    match truth {
        // The truth has arguments of these commands, behind them.
        "ftp_arg" => {
            let text = |key: &str| line[key].as_str().unwrap_or_default();
            let told = ["USER", "RETR", "STOR"].contains(&text("command"));
            let joined = format!("{} {}", text("command"), text("arg"));
            return told.then_some(joined).into_iter().collect();
        }
        // Of a community string only one thing is kept.
        "snmp_community" => {
            let public = line["community_public"] == true;
            return public.then(|| "public".to_owned()).into_iter().collect();
        }
        _ => {}
    }
    let fields = fields.split(' ').map(|field| &line[field]);
    let mut values = Vec::new();
    for value in fields {
        match value {
            Value::String(text) => values.push(text.clone()),
            Value::Number(number) => values.push(number.to_string()),
            Value::Array(list) => {
                values.extend(list.iter().filter_map(|v| v.as_str()).map(str::to_owned));
            }
            _ => {}
        }
    }
    values
}

/// A value of either as it is compared.
pub(super) fn said(truth: &str, value: String) -> String {
    match truth {
        // The truth has numbers (RFC 2132 §9.6).
        "dhcp_msg_type" => {
            let at = DHCP_TYPES.iter().position(|name| *name == value);
            let number = value.strip_prefix("UNKNOWN-").unwrap_or(&value).to_owned();
            at.map_or(number, |at| (at + 1).to_string())
        }
        // It says in words what the last byte means, and has all bytes a name is filled with.
        "nbns_name" => {
            let end = value.find("> (").map_or(value.len(), |at| at + 1);
            let (name, last) = value.split_at(end.saturating_sub("<00>".len()));
            let last = last.get(.."<00>".len()).unwrap_or_default();
            format!("{}{last}", name.trim_end_matches("<00>"))
        }
        // The truth has numbers (MQTT 3.1.1 §2.2.1).
        "mqtt_type" => {
            let at = MQTT_TYPES.iter().position(|name| *name == value);
            at.map_or(value, |at| (at + 1).to_string())
        }
        // Of secrets in a target the names are kept, so it is compared as far as the first.
        "http_uri" => until_secret(&value).to_owned(),
        "ftp_cmd" | "pop_cmd" | "imap_cmd" | "irc_cmd" => value.to_ascii_uppercase(),
        // The truth takes the first four letters of any line for the command: `STAR` is `STARTTLS`.
        "smtp_cmd" => value
            .chars()
            .take(4)
            .collect::<String>()
            .to_ascii_uppercase(),
        // `FROM:<a@b> SIZE=1` is the address to us.
        "smtp_param" => {
            let rest = ["from:", "to:"].into_iter().find_map(|key| {
                let head = value.get(..key.len())?;
                let rest = value.get(key.len()..)?.trim_start();
                head.eq_ignore_ascii_case(key).then_some(rest)
            });
            let inside = rest.and_then(|rest| rest.strip_prefix('<')?.split('>').next());
            inside.map_or_else(|| value.clone(), str::to_owned)
        }
        _ => value,
    }
}

/// Names of parameters whose values we do not keep, in lower case.
const SECRETS: [&str; 24] = [
    "access_token",
    "api-key",
    "api_key",
    "apikey",
    "auth_token",
    "client_secret",
    "id_token",
    "jsessionid",
    "pass",
    "passphrase",
    "passwd",
    "password",
    "phpsessid",
    "pwd",
    "refresh_token",
    "secret",
    "session_id",
    "sessionid",
    "sig",
    "signature",
    "token",
    "user_token",
    "x-amz-security-token",
    "x-amz-signature",
];

/// A target up to the value of its first parameter that is a secret.
fn until_secret(target: &str) -> &str {
    let mut at = 0;
    for part in target.split_inclusive(['?', '&', ';', '#']) {
        if let Some((name, _)) = part.split_once('=')
            && SECRETS.contains(&name.to_ascii_lowercase().as_str())
        {
            return target.get(..=at + name.len()).unwrap_or(target);
        }
        at += part.len();
    }
    target
}

/// Whether a value is to be compared. Arguments of `AUTH` are secrets, those of `BDAT` numbers, and `TLS`
/// is the rest of `STARTTLS`.
pub(super) fn wants(truth: &str, value: &str) -> bool {
    let other = value.contains(' ') || ["LOGIN", "SCRAMBLE", "TLS"].contains(&value);
    match truth {
        "smtp_param" => !other,
        // What stood on port 21 in a session in TLS.
        "ftp_cmd" => value.chars().all(|letter| letter.is_ascii_alphanumeric()),
        _ => true,
    }
}

#[test]
fn both_ways_of_naming_an_address_compare_equal() {
    let said = |value: &str| said("smtp_param", value.to_owned());
    assert_eq!(said("FROM:<a@b.c> SIZE=1"), "a@b.c");
    assert_eq!(said("to: <a@b.c>"), "a@b.c");
    assert_eq!(said("host.example"), "host.example");
    assert!(!wants("smtp_param", "PLAIN AHRlc3QAdGVzdA=="));
}

#[test]
fn a_target_is_compared_as_far_as_its_first_secret() {
    let target = |text: &str| said("http_uri", text.to_owned());
    assert_eq!(target("/a?b=1&Token=x&c=2"), "/a?b=1&Token=");
    assert_eq!(target("/a?b=1&Token=&c=2"), "/a?b=1&Token=");
    assert_eq!(target("/a?tokens=1&c=token=2"), "/a?tokens=1&c=token=2");
}
