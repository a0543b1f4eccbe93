//! Messages laid out by hand after RFC 4120 §5; `tagged` writes a context tag, the rest says itself.

use proptest::prelude::*;

use super::*;
use crate::proto::gss::tests::{challenge, der, init, resp};
use crate::proto::gss::{SignIn, Verdict};
use crate::proto::testing::{datagrams, endures, lines, stream, views};
use crate::types::{FlowRef, Observations};

fn tagged(number: u8, inner: &[u8]) -> Vec<u8> {
    der(0xa0 | number, inner)
}

fn int(value: u8) -> Vec<u8> {
    der(2, &[value])
}

fn string(text: &str) -> Vec<u8> {
    der(0x1b, text.as_bytes())
}

fn time(text: &str) -> Vec<u8> {
    der(0x18, text.as_bytes())
}

fn seq(parts: &[Vec<u8>]) -> Vec<u8> {
    der(0x30, &parts.concat())
}

/// PrincipalName.
fn principal(parts: &[&str]) -> Vec<u8> {
    let parts: Vec<_> = parts.iter().map(|part| string(part)).collect();
    seq(&[tagged(0, &int(1)), tagged(1, &seq(&parts))])
}

/// EncryptedData.
fn encrypted(etype: u8) -> Vec<u8> {
    seq(&[tagged(0, &int(etype)), tagged(2, &der(4, b"SECRET"))])
}

fn ticket(service: &[&str], etype: u8) -> Vec<u8> {
    let fields = [
        tagged(0, &int(5)),
        tagged(1, &string("EX.ORG")),
        tagged(2, &principal(service)),
        tagged(3, &encrypted(etype)),
    ];
    der(0x61, &seq(&fields))
}

fn padata(kind: u8, value: &[u8]) -> Vec<u8> {
    seq(&[tagged(1, &int(kind)), tagged(2, &der(4, value))])
}

/// KDC-REQ with forwardable and renewable set, etypes 18, 23 and -135.
fn request(kind: u8, client: Option<&str>, service: &[&str], padata: &[Vec<u8>]) -> Vec<u8> {
    let mut body = vec![tagged(0, &der(3, &[0, 0x40, 0x80, 0, 0]))];
    body.extend(client.map(|name| tagged(1, &principal(&[name]))));
    body.extend([
        tagged(2, &string("EX.ORG")),
        tagged(3, &principal(service)),
        tagged(5, &time("20370913024805Z")),
        tagged(7, &int(77)),
        tagged(8, &seq(&[int(18), int(23), der(2, &[0xff, 0x79])])),
    ]);
    if client.is_some() {
        let address = seq(&[
            tagged(0, &int(20)),
            tagged(1, &der(4, b"PC7            \x20")),
        ]);
        body.push(tagged(9, &seq(&[address])));
    }
    let fields = [
        tagged(1, &int(5)),
        tagged(2, &int(kind)),
        tagged(3, &seq(padata)),
        tagged(4, &seq(&body)),
    ];
    der(0x60 | kind, &seq(&fields))
}

fn reply(kind: u8, client: &str, service: &[&str], etypes: (u8, u8)) -> Vec<u8> {
    let fields = [
        tagged(0, &int(5)),
        tagged(1, &int(kind)),
        tagged(3, &string("EX.ORG")),
        tagged(4, &principal(&[client])),
        tagged(5, &ticket(service, etypes.0)),
        tagged(6, &encrypted(etypes.1)),
    ];
    der(0x60 | kind, &seq(&fields))
}

/// KRB-ERROR with ETYPE-INFO2 for etypes 18 and 23 in its e-data.
fn error(code: u8, service: &[&str]) -> Vec<u8> {
    let info = seq(&[seq(&[tagged(0, &int(18))]), seq(&[tagged(0, &int(23))])]);
    let fields = [
        tagged(0, &int(5)),
        tagged(1, &int(30)),
        tagged(4, &time("20200101000000Z")),
        tagged(6, &int(code)),
        tagged(9, &string("EX.ORG")),
        tagged(10, &principal(service)),
        tagged(12, &der(4, &seq(&[padata(19, &info)]))),
    ];
    der(0x7e, &seq(&fields))
}

fn ap_request(service: &[&str], ticket_etype: u8, etype: u8) -> Vec<u8> {
    let fields = [
        tagged(0, &int(5)),
        tagged(1, &int(14)),
        tagged(2, &der(3, &[0, 0x20, 0, 0, 0])),
        tagged(3, &ticket(service, ticket_etype)),
        tagged(4, &encrypted(etype)),
    ];
    der(0x6e, &seq(&fields))
}

fn ap_reply() -> Vec<u8> {
    let fields = [
        tagged(0, &int(5)),
        tagged(1, &int(15)),
        tagged(2, &encrypted(18)),
    ];
    der(0x6f, &seq(&fields))
}

/// A message with its length before it.
fn framed(message: &[u8]) -> Vec<u8> {
    [
        &u32::try_from(message.len()).unwrap().to_be_bytes(),
        message,
    ]
    .concat()
}

fn feed(pieces: &[(Dir, Vec<u8>)]) -> Vec<String> {
    datagrams::<Kerberos>(88, &views(pieces)).lines
}

const KRBTGT: [&str; 2] = ["krbtgt", "EX.ORG"];

/// A sign-in: refused for want of proof, proven by a timestamp in RC4, then a ticket for a share.
fn conversation() -> Vec<(Dir, Vec<u8>)> {
    let timestamp = padata(2, &encrypted(23));
    let shown = padata(1, &ap_request(&KRBTGT, 18, 23));
    vec![
        (Dir::Orig, request(10, Some("eve"), &KRBTGT, &[])),
        (Dir::Resp, error(25, &KRBTGT)),
        (
            Dir::Orig,
            request(10, Some("eve"), &["krbtgt", "EX"], &[timestamp]),
        ),
        (Dir::Resp, reply(11, "Eve", &KRBTGT, (18, 23))),
        (
            Dir::Orig,
            request(12, None, &["cifs", "fs.ex.org"], &[shown]),
        ),
        (
            Dir::Resp,
            reply(13, "Eve", &["cifs", "fs.ex.org"], (23, 18)),
        ),
    ]
}

/// The same over TCP.
fn on_tcp() -> Vec<(Dir, Vec<u8>)> {
    let framed = |(dir, message): &(Dir, Vec<u8>)| (*dir, framed(message));
    conversation().iter().map(framed).collect()
}

#[test]
fn each_request_is_one_record_with_its_reply() {
    let asked = r#""till":2136422885.000000"#; // date -u -d '2037-09-13 02:48:05' +%s
    let options = r#""forwardable":true,"renewable":true"#;
    let offered = r#""ciphers_offered":["aes256-cts-hmac-sha1-96","rc4-hmac","rc4-hmac-old-exp"]"#;
    let expected = [
        format!(
            r#"kerberos {{"request_type":"AS","client":"eve/EX.ORG","service":"krbtgt/EX.ORG","success":false,"error_msg":"KDC_ERR_PREAUTH_REQUIRED",{asked},{options},"error_code":25,{offered},"ciphers_known":["aes256-cts-hmac-sha1-96","rc4-hmac"]}}"#
        ),
        "Serves kerberos reply: kerberos".to_owned(),
        "HostName kerberos host address: PC7".to_owned(),
        "User kerberos: Eve@EX.ORG".to_owned(),
        format!(
            r#"kerberos {{"request_type":"AS","client":"Eve/EX.ORG","service":"krbtgt/EX.ORG","success":true,{asked},"cipher":"aes256-cts-hmac-sha1-96",{options},{offered},"preauth":"timestamp","preauth_cipher":"rc4-hmac","reply_cipher":"rc4-hmac","asked_client":"eve/EX.ORG","asked_service":"krbtgt/EX"}}"#
        ),
        "User kerberos: Eve@EX.ORG".to_owned(),
        format!(
            r#"kerberos {{"request_type":"TGS","client":"Eve/EX.ORG","service":"cifs/fs.ex.org","success":true,{asked},"cipher":"rc4-hmac",{options},{offered},"preauth_cipher":"rc4-hmac","reply_cipher":"aes256-cts-hmac-sha1-96","tgt_service":"krbtgt/EX.ORG","tgt_cipher":"aes256-cts-hmac-sha1-96"}}"#
        ),
    ];
    assert_eq!(feed(&conversation()), expected);
    assert_eq!(stream::<Kerberos>(&views(&on_tcp())).lines, expected);
}

#[test]
fn requests_sent_again_and_unanswered_ones_are_told_once() {
    let ask = (Dir::Orig, request(10, Some("PC7$"), &KRBTGT, &[]));
    let rows = feed(&[ask.clone(), ask.clone(), ask.clone()]);
    assert_eq!(rows.len(), 1);
    assert!(!rows[0].contains("success"));
    let rows = feed(&[ask, (Dir::Resp, reply(11, "PC7$", &KRBTGT, (18, 18)))]);
    assert!(rows.contains(&"HostName kerberos machine account: PC7".to_owned()));
    assert!(!rows.iter().any(|row| row.starts_with("User")));
}

#[test]
fn a_reply_alone_is_told_as_far_as_it_goes() {
    let rows = feed(&[(Dir::Resp, reply(13, "eve", &["http", "w"], (23, 18)))]);
    let expected = r#"kerberos {"request_type":"TGS","client":"eve/EX.ORG","service":"http/w","success":true,"cipher":"rc4-hmac","reply_cipher":"aes256-cts-hmac-sha1-96"}"#;
    assert_eq!(rows.last().map(String::as_str), Some(expected));
}

#[test]
fn somebody_elses_ticket_names_no_user_of_the_machine() {
    // PA-FOR-USER: userName, userRealm, cksum, auth-package.
    let user = seq(&[
        tagged(0, &principal(&["boss"])),
        tagged(1, &string("EX.ORG")),
    ]);
    let asked = request(
        12,
        None,
        &["web$"],
        &[padata(1, &ap_request(&KRBTGT, 18, 18)), {
            let kind = der(2, &[0, 129]);
            seq(&[tagged(1, &kind), tagged(2, &der(4, &user))])
        }],
    );
    let rows = feed(&[
        (Dir::Orig, asked),
        (Dir::Resp, reply(13, "boss", &["web$"], (18, 18))),
    ]);
    assert!(
        rows.iter()
            .any(|row| row.contains(r#""for_user":"boss/EX.ORG""#))
    );
    assert!(!rows.iter().any(|row| row.starts_with("User")));
}

#[test]
fn a_change_of_password_shows_its_ticket() {
    // RFC 3244 §2: message length, version 0xff80, AP-REQ length, AP-REQ, KRB-PRIV.
    let ask = ap_request(&["kadmin", "changepw"], 18, 18);
    let len = u16::try_from(ask.len()).unwrap();
    let ask = [
        &(len + 8).to_be_bytes(),
        &[0xff, 0x80][..],
        &len.to_be_bytes(),
        &ask,
        b"\x75\0",
    ];
    let answer = ap_reply();
    let len = u16::try_from(answer.len()).unwrap();
    let answer = [
        &(len + 6).to_be_bytes(),
        &[0, 1][..],
        &len.to_be_bytes(),
        &answer,
    ];
    let (ask, answer) = (ask.concat(), answer.concat());
    assert_eq!(Kerberos::probe(&ask, Dir::Orig), Probe::Unsure);
    assert_eq!(Kerberos::probe(&framed(&ask), Dir::Orig), Probe::Unsure);
    let rows = feed(&[(Dir::Orig, ask), (Dir::Resp, answer)]);
    let last = rows.last().unwrap();
    assert!(last.contains(r#""request_type":"AP","service":"kadmin/changepw","success":true"#));
    assert!(last.contains(r#""mutual":true"#));
}

/// Lets a ticket be shown inside SPNEGO and answered.
fn show(answer: &[u8], success: Option<bool>) -> Vec<String> {
    let asking = (&[1, 0][..], ap_request(&["cifs", "fs"], 23, 23));
    exchange(asking, (&[2, 0], answer), success)
}

/// Lets a message be sent inside SPNEGO and answered, each behind its two bytes.
fn exchange(
    asking: (&[u8], Vec<u8>),
    answer: (&[u8], &[u8]),
    success: Option<bool>,
) -> Vec<String> {
    let (flow, mut seen, mut sign_in) =
        (FlowRef::default(), Observations::new(), SignIn::default());
    let ts = Timestamp::from_secs(1);
    let mut out = Out::new(&flow, ts, &mut seen);
    let oid = der(6, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 1, 2, 2]);
    let framed = |id: &[u8], message: &[u8]| der(0x60, &[&oid, id, message].concat());
    let tokens = [
        (Dir::Orig, init(&framed(asking.0, &asking.1))),
        (Dir::Resp, resp(0, Some(&framed(answer.0, answer.1)))),
    ];
    for (dir, token) in tokens {
        let token = crate::proto::gss::read(&token).unwrap();
        sign_in.take(token, (ts, dir), &mut out);
    }
    if let Some(success) = success {
        let verdict = Verdict {
            success,
            status: None,
        };
        sign_in.settle(&verdict, Dir::Orig, &mut out);
    }
    sign_in.finish(Dir::Orig, &mut out);
    lines(&seen)
}

#[test]
fn a_ticket_shown_in_a_token_is_a_record() {
    let shown = r#""request_type":"AP","service":"cifs/fs""#;
    let ciphers = r#""preauth_cipher":"rc4-hmac","reply_cipher":"aes256-cts-hmac-sha1-96""#;
    let expected = format!(
        r#"kerberos {{{shown},"success":true,"cipher":"rc4-hmac",{ciphers},"mutual":true}}"#
    );
    assert_eq!(
        show(&ap_reply(), Some(true)),
        std::slice::from_ref(&expected)
    );
    assert_eq!(show(&ap_reply(), None), [expected]);
    let rows = show(&error(37, &["cifs", "fs"]), Some(false));
    assert!(rows[0].contains(r#""success":false,"error_msg":"KRB_AP_ERR_SKEW""#));
}

#[test]
fn who_asks_for_the_servers_ticket_has_got_it_only_if_it_came() {
    // draft-ietf-cat-user2user-02 §2: TGT-REQ names the server, TGT-REP brings its ticket.
    let fields = |kind, field| seq(&[tagged(0, &int(5)), tagged(1, &int(kind)), field]);
    let asking = fields(16, tagged(2, &principal(&["eve"])));
    let given = fields(17, tagged(2, &ticket(&KRBTGT, 18)));
    let asking = || (&[4, 0][..], asking.clone());
    let rows = exchange(asking(), (&[4, 1], &given), Some(true));
    let asked = r#""request_type":"TGT","service":"eve""#;
    let ticket = r#""tgt_service":"krbtgt/EX.ORG","tgt_cipher":"aes256-cts-hmac-sha1-96""#;
    let expected = format!(r#"kerberos {{{asked},"success":true,{ticket}}}"#);
    assert_eq!(rows, [expected]);
    // The server turns to another mechanism, and lets in whom that names.
    let rows = exchange(asking(), (b"", &challenge()), Some(true));
    assert_eq!(rows.last().unwrap(), &format!("kerberos {{{asked}}}"));
}

#[test]
fn nothing_secret_is_kept() {
    let mut rows = feed(&conversation());
    rows.extend(show(&ap_reply(), None));
    assert!(!rows.iter().any(|row| row.contains("SECRET")));
}

#[test]
fn open_requests_are_bounded() {
    let asks: Vec<_> = (0..40_u8)
        .map(|n| (Dir::Orig, request(10, Some(&format!("u{n}")), &KRBTGT, &[])))
        .collect();
    let rows = feed(&asks);
    assert_eq!(
        rows.iter()
            .filter(|row| row.starts_with("kerberos"))
            .count(),
        40
    );
    assert_eq!(
        rows.iter()
            .filter(|row| row.contains("kerberos_table_full"))
            .count(),
        1
    );
}

#[test]
fn beginnings_are_recognised() {
    for (dir, message) in conversation() {
        assert_eq!(Kerberos::probe(&message, dir), Probe::Certain);
        assert_eq!(Kerberos::probe(&framed(&message), dir), Probe::Certain);
        for len in 1..9 {
            assert_eq!(
                Kerberos::probe(&framed(&message)[..len], dir),
                Probe::Unsure,
                "{len}"
            );
        }
    }
    for other in [
        &b"GET / HTTP/1.1"[..],
        b"\x30\x0c\x02\x01\x01\x60\x07",
        b"\0\0\0\x90\xfeSMB",
    ] {
        assert_eq!(Kerberos::probe(other, Dir::Orig), Probe::NotMine);
    }
}

#[test]
fn what_is_cut_split_or_changed_does_no_harm() {
    endures::<Kerberos>(&views(&conversation()), true);
    endures::<Kerberos>(&views(&on_tcp()), false);
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        datagrams::<Kerberos>(88, &[(Dir::Orig, &bytes)]);
        let begun = framed(&[&b"\x6a\x82"[..], &bytes].concat());
        stream::<Kerberos>(&[(Dir::Resp, &begun)]);
    }
}
