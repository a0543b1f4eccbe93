//! What the truth says in one map and our logs in several fields, or in other words.
//!
//! Kerberos: the truth has parts of names, numbers of errors and encryptions, and types of messages; a record
//! of ours is a request with its reply. LDAP: it has numbers of operations, RDP: the whole line of a cookie.

use serde_json::Value;

use super::dns;

/// What a record says in the words of the truth's map `truth`; nothing if it is not the map's.
pub(super) fn values(truth: &str, line: &Value) -> Vec<String> {
    match truth {
        "krb_cname" => ["client", "asked_client"]
            .iter()
            .filter_map(|field| Some(line[field].as_str()?.rsplit_once('/')?.0))
            .flat_map(parts)
            .collect(),
        "krb_sname" => ["service", "asked_service", "tgt_service"]
            .iter()
            .filter_map(|field| line[field].as_str())
            .flat_map(parts)
            .collect(),
        "nbns_name" => dns::netbios_name(line).into_iter().collect(),
        "krb_error" => line["error_code"]
            .as_i64()
            .map(|code| code.to_string())
            .into_iter()
            .collect(),
        "krb_etype" => encryptions(line),
        "krb_msg_type" => messages(line),
        "ldap_op" if line["opcode"].is_null() => searched(line),
        "ldap_op" => operated(line),
        "rdp_cookie" => line["cookie"]
            .as_str()
            .map(|name| format!("Cookie: mstshash={name}"))
            .into_iter()
            .collect(),
        "radius_user" => ["username", "granted_username"]
            .iter()
            .filter_map(|field| Some(line[field].as_str()?.to_owned()))
            .collect(),
        "ntlm_user" | "ntlm_host" | "ntlm_domain" if is_plain_sign_in(line) => Vec::new(),
        "lldp_name" | "cdp_device" if truth.starts_with(line["proto"].as_str().unwrap_or("?")) => {
            let name = line["system_name"].as_str().map(str::to_owned);
            name.into_iter().collect()
        }
        // The witness writes an empty name so.
        "ntlm_user" => vec![named(line, "username")],
        "ntlm_host" => vec![named(line, "hostname")],
        "ntlm_domain" => vec![named(line, "domainname")],
        _ => Vec::new(),
    }
}

/// Whether a sign-in is SMB 1's own, which the witness tells apart: without a challenge and a host's name.
fn is_plain_sign_in(line: &Value) -> bool {
    let is_smb = [139, 445].iter().any(|port| line["id.resp_p"] == *port);
    is_smb && line["hostname"].is_null() && line["server_nb_computer_name"].is_null()
}

fn named(line: &Value, field: &str) -> String {
    line[field].as_str().unwrap_or("NULL").to_owned()
}

fn parts(name: &str) -> Vec<String> {
    name.split('/').map(str::to_owned).collect()
}

/// Encryptions of tickets, of the parts beside them, and those a KDC tells.
fn encryptions(line: &Value) -> Vec<String> {
    const NUMBERS: [(&str, &str); 12] = [
        ("des-cbc-crc", "1"),
        ("des-cbc-md5", "3"),
        ("des3-cbc-sha1-kd", "16"),
        ("aes128-cts-hmac-sha1-96", "17"),
        ("aes256-cts-hmac-sha1-96", "18"),
        ("aes128-cts-hmac-sha256-128", "19"),
        ("aes256-cts-hmac-sha384-192", "20"),
        ("rc4-hmac", "23"),
        ("rc4-hmac-exp", "24"),
        ("rc4-md4", "-128"),
        ("rc4-hmac-old", "-133"),
        ("rc4-hmac-old-exp", "-135"),
    ];
    let single = ["cipher", "reply_cipher", "preauth_cipher", "tgt_cipher"];
    let single = single.iter().filter_map(|field| line[field].as_str());
    let told = line["ciphers_known"].as_array().into_iter().flatten();
    single
        .chain(told.filter_map(Value::as_str))
        .map(|name| {
            let number = NUMBERS.iter().find(|(known, _)| *known == name);
            number.map_or(name, |(_, number)| number).to_owned()
        })
        .collect()
}

/// Types of the messages a record was made of (RFC 4120 §7.5.7).
fn messages(line: &Value) -> Vec<String> {
    let answered = line["success"] == true;
    let mut types = match line["request_type"].as_str() {
        Some("AS") => vec!["10", if answered { "11" } else { "" }],
        // A ticket-granting ticket is shown in an AP-REQ.
        Some("TGS") => vec!["12", "14", if answered { "13" } else { "" }],
        Some("TGT") => vec!["16", if answered { "17" } else { "" }],
        Some("AP") => vec![
            if line["service"].is_null() { "" } else { "14" },
            if line["mutual"] == true { "15" } else { "" },
        ],
        _ => Vec::new(),
    };
    if !line["error_code"].is_null() {
        types.push("30");
    }
    types.retain(|kind| !kind.is_empty());
    types.into_iter().map(str::to_owned).collect()
}

/// Operations of a search (RFC 4511 §4.2 to §4.12: the tags' numbers).
fn searched(line: &Value) -> Vec<String> {
    let seen = [
        ("3", !line["scope"].is_null()),
        ("4", line["result_count"] != 0),
        ("5", !line["result"].is_null()),
        ("19", !line["referral_count"].is_null()),
    ];
    let seen = seen.into_iter().filter(|(_, seen)| *seen);
    seen.map(|(number, _)| number.to_owned()).collect()
}

/// Operations of any other record.
fn operated(line: &Value) -> Vec<String> {
    let (request, response) = match line["opcode"].as_str().unwrap_or_default() {
        // A response whose request was not seen.
        "bind" => ("", "1"),
        "bind simple" | "bind SASL" | "bind Sicily" => ("0", "1"),
        "unbind" => ("2", ""),
        "modify" => ("6", "7"),
        "add" => ("8", "9"),
        "delete" => ("10", "11"),
        "modify DN" => ("12", "13"),
        "compare" => ("14", "15"),
        "abandon" => ("16", ""),
        "extended" => ("23", "24"),
        _ => ("", ""),
    };
    let response = if line["result"].is_null() {
        ""
    } else {
        response
    };
    let both = [request, response].into_iter();
    both.filter(|number| !number.is_empty())
        .map(str::to_owned)
        .collect()
}
