//! Tokens laid out by hand after RFC 4178 §4.2 and \[MS-NLMP\] 2.2.1.

use proptest::prelude::*;

use super::*;
use crate::proto::testing::lines;
use crate::types::{FlowRef, Observations};

/// A value in DER, its length in one byte or in the long form of two.
pub(in crate::proto) fn der(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match u8::try_from(body.len()) {
        Ok(len @ ..=0x7f) => out.push(len),
        _ => {
            out.push(0x82);
            out.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
        }
    }
    out.extend(body);
    out
}

/// NegTokenInit with a mechToken, inside GSS-API's framing.
pub(in crate::proto) fn init(token: &[u8]) -> Vec<u8> {
    let mechanisms = der(
        0xa0,
        &der(0x30, &der(6, &[0x2b, 6, 1, 4, 1, 0x82, 0x37, 2, 2, 10])),
    );
    let fields = [mechanisms, der(0xa2, &der(4, token))].concat();
    let inner = der(0xa0, &der(0x30, &fields));
    der(0x60, &[der(6, SPNEGO), inner].concat())
}

/// NegTokenResp with a negState and a responseToken.
pub(in crate::proto) fn resp(state: u8, token: Option<&[u8]>) -> Vec<u8> {
    let mut fields = der(0xa0, &der(10, &[state]));
    if let Some(token) = token {
        fields.extend(der(0xa2, &der(4, token)));
    }
    der(0xa1, &der(0x30, &fields))
}

/// An AUTHENTICATE (\[MS-NLMP\] 2.2.1.3) in OEM characters: domain `AD` at 64, user `eve`, workstation `PC`.
pub(in crate::proto) fn authenticate() -> Vec<u8> {
    let mut out = b"NTLMSSP\0\x03\0\0\0".to_vec();
    out.extend([0; 16]); // LmChallengeResponseFields, NtChallengeResponseFields
    out.extend([2, 0, 2, 0, 64, 0, 0, 0]); // DomainNameFields
    out.extend([3, 0, 3, 0, 66, 0, 0, 0]); // UserNameFields
    out.extend([2, 0, 2, 0, 69, 0, 0, 0]); // WorkstationFields
    out.extend([0; 8]); // EncryptedRandomSessionKeyFields
    out.extend([2, 0, 0, 0]); // NegotiateFlags: OEM
    out.extend(b"ADevePC");
    out
}

/// A CHALLENGE (\[MS-NLMP\] 2.2.1.2) of the server `DC`.
pub(in crate::proto) fn challenge() -> Vec<u8> {
    let mut out = b"NTLMSSP\0\x02\0\0\0".to_vec();
    out.extend([0; 8]); // TargetNameFields
    out.extend([1, 0, 0, 0]); // NegotiateFlags: UNICODE
    out.extend([0xaa; 8]); // ServerChallenge
    out.extend([0; 8]); // Reserved
    out.extend([12, 0, 12, 0, 48, 0, 0, 0]); // TargetInfoFields: 12 bytes at 48
    out.extend(b"\x01\0\x04\0D\0C\0\0\0\0\0"); // MsvAvNbComputerName, MsvAvEOL
    out
}

/// Lets tokens cross, each with who sent it, then a verdict if there is one.
fn talk(tokens: &[(Dir, Vec<u8>)], verdict: Option<Verdict>) -> Vec<String> {
    let (flow, mut seen, mut sign_in) =
        (FlowRef::default(), Observations::new(), SignIn::default());
    let ts = Timestamp::from_secs(1);
    let mut out = Out::new(&flow, ts, &mut seen);
    for (dir, token) in tokens {
        if let Some(token) = read(token) {
            sign_in.take(token, (ts, *dir), &mut out);
        }
    }
    if let Some(verdict) = verdict {
        sign_in.settle(&verdict, Dir::Orig, &mut out);
    }
    sign_in.finish(Dir::Orig, &mut out);
    lines(&seen)
}

#[test]
fn a_sign_in_in_spnego_is_one_record() {
    let tokens = [
        (Dir::Orig, init(b"NTLMSSP\0\x01\0\0\0")),
        (Dir::Resp, resp(1, Some(&challenge()))),
        (Dir::Orig, resp(1, Some(&authenticate()))),
    ];
    let success = Verdict {
        success: true,
        status: None,
    };
    let clues = ["HostName ntlm: DC", "HostName ntlm: PC"];
    let rows = talk(&tokens, Some(success));
    assert_eq!(rows[..2], clues);
    assert_eq!(rows[2], r"User ntlm: AD\eve");
    let who =
        r#""username":"eve","hostname":"PC","domainname":"AD","server_nb_computer_name":"DC""#;
    assert_eq!(rows[3..], [format!(r#"ntlm {{{who},"success":true}}"#)]);
    let refused = Verdict {
        success: false,
        status: Some("STATUS_LOGON_FAILURE".into()),
    };
    let rows = talk(&tokens, Some(refused));
    let status = r#""success":false,"status":"STATUS_LOGON_FAILURE""#;
    assert_eq!(rows[2..], [format!("ntlm {{{who},{status}}}")]);
    assert_eq!(talk(&tokens, None)[2..], [format!("ntlm {{{who}}}")]);
}

#[test]
fn spnego_tells_its_verdict() {
    let accepted = |token: &[u8]| read(token).and_then(|token| token.accepted);
    assert_eq!(accepted(&resp(0, None)), Some(true));
    assert_eq!(accepted(&resp(2, None)), Some(false));
    assert_eq!(accepted(&resp(1, Some(&challenge()))), None);
    assert!(read(&resp(1, None)).is_none());
    assert!(read(b"").is_none());
}

#[test]
fn a_second_sign_in_ends_the_first() {
    let tokens = [(Dir::Orig, authenticate()), (Dir::Orig, authenticate())];
    let rows = talk(&tokens, None);
    assert_eq!(rows.iter().filter(|row| row.starts_with("ntlm")).count(), 2);
}

#[test]
fn a_cut_at_any_byte_does_no_harm() {
    for token in [init(&authenticate()), resp(0, Some(&challenge()))] {
        for len in 0..token.len() {
            talk(&[(Dir::Orig, token[..len].to_vec())], None);
        }
    }
}

proptest! {
    #[test]
    fn changed_bytes_never_panic(
        changes in prop::collection::vec((0..120_usize, any::<u8>()), 1..10)
    ) {
        for whole in [init(&authenticate()), resp(1, Some(&challenge()))] {
            let mut token = whole;
            for (at, byte) in &changes {
                if let Some(slot) = token.get_mut(*at) {
                    *slot = *byte;
                }
            }
            talk(&[(Dir::Resp, token)], None);
        }
    }
}
