//! Talks of protocols that are not text.

use super::{Said, Talk, bytes, datagram};

/// A value in DER with a length of one byte.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    [&[tag, u8::try_from(body.len()).expect("short")][..], &body].concat()
}

/// Over UDP.
pub(super) fn datagrams() -> Vec<Talk> {
    let snmp = |version: u8| {
        let oid = der(0x30, &[&der(6, &[&[0x2b, 6, 1, 2, 1, 1, 5, 0]]), &[5, 0]]);
        let pdu = der(0xa0, &[&[2, 1, 1, 2, 1, 0, 2, 1, 0], &der(0x30, &[&oid])]);
        der(
            0x30,
            &[&[2, 1, version], &der(4, &[b"Public-Geheim7"]), &pdu],
        )
    };
    vec![
        datagram(("snmp v1", "snmp", 161), &["Public-Geheim7"], snmp(0)),
        datagram(("snmp v2c", "snmp", 161), &["Public-Geheim7"], snmp(1)),
        datagram(
            ("radius", "radius", 1812),
            &["Hidden-Geheim777", "Chap-Geheim7777!", "Authenticator-77"],
            [
                &[1, 7, 0, 20 + 6 + 18 + 19][..],
                b"Authenticator-77",
                b"\x01\x06anna",
                b"\x02\x12Hidden-Geheim777",
                b"\x03\x13\x01Chap-Geheim7777!",
            ]
            .concat(),
        ),
    ]
}

/// Over TCP.
pub(super) fn streams() -> Vec<Talk> {
    let stream = |name, service, port, said: Vec<Said>, secrets: &[&str]| Talk {
        name,
        service,
        datagrams: false,
        port,
        said,
        secrets: bytes(secrets),
    };
    let bind = der(
        0x30,
        &[
            &[2, 1, 1],
            &der(
                0x60,
                &[
                    &[2, 1, 3],
                    &der(4, &[b"cn=anna"]),
                    &der(0x80, &[b"Simple-Geheim7"]),
                ],
            ),
        ],
    );
    let bound = der(0x30, &[&[2, 1, 1], &der(0x61, &[&[10, 1, 0, 4, 0, 4, 0]])]);
    vec![
        stream(
            "ldap",
            "ldap",
            389,
            vec![(true, bind), (false, bound)],
            &["Simple-Geheim7"],
        ),
        stream(
            "socks5",
            "socks",
            1080,
            vec![
                (true, vec![5, 1, 2]),
                (false, vec![5, 2]),
                (true, b"\x01\x04anna\x0dSocks-Geheim7".to_vec()),
                (false, vec![1, 0]),
                (true, b"\x05\x01\0\x03\x09h.example\0\x50".to_vec()),
                (false, vec![5, 0, 0, 1, 10, 0, 0, 7, 0, 80]),
            ],
            &["Socks-Geheim7"],
        ),
        stream(
            "mqtt",
            "mqtt",
            1883,
            vec![(true, connect()), (false, vec![0x20, 2, 0, 0])],
            &["Topic-Geheim77"],
        ),
        ticket(),
    ]
}

/// MQTT 3.1.1 §3.1 with user name and password.
fn connect() -> Vec<u8> {
    let mut connect =
        b"\x10\x2c\0\x04MQTT\x04\xc2\0\x3c\0\x03pc1\0\x04anna\0\x0eTopic-Geheim77".to_vec();
    connect[1] = u8::try_from(connect.len() - 2).expect("short");
    connect
}

/// A session of TLS 1.2 that is taken up again by a ticket (RFC 5077 §3.2), and gets another one.
fn ticket() -> Talk {
    let record = |body: &[u8]| {
        let len = u16::try_from(body.len()).expect("short").to_be_bytes();
        [&[22, 3, 3][..], &len, body].concat()
    };
    let message = |kind: u8, body: &[u8]| {
        let len = u8::try_from(body.len()).expect("short");
        [&[kind, 0, 0, len][..], body].concat()
    };
    let shown = b"Shown-Ticket7777";
    let mut hello = vec![3, 3];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0xc0, 0x2f, 1, 0]);
    let extensions = [&[0, 35, 0, 16][..], shown].concat();
    hello.extend([0, u8::try_from(extensions.len()).expect("short")]);
    hello.extend(extensions);
    let mut answer = vec![3, 3];
    answer.extend([8; 32]);
    answer.extend([0, 0xc0, 0x2f, 0, 0, 4, 0, 35, 0, 0]);
    let given = [&[0, 0, 0, 60, 0, 16][..], b"Given-Ticket7777"].concat();
    Talk {
        name: "tls ticket",
        service: "ssl",
        datagrams: false,
        port: 443,
        said: vec![
            (true, record(&message(1, &hello))),
            (
                false,
                record(&[message(2, &answer), message(4, &given)].concat()),
            ),
            (
                false,
                [&[20, 3, 3, 0, 1, 1][..], &record(&[0xee; 40])].concat(),
            ),
            (
                true,
                [&[20, 3, 3, 0, 1, 1][..], &record(&[0xee; 40])].concat(),
            ),
        ],
        secrets: bytes(&["Shown-Ticket7777", "Given-Ticket7777"]),
    }
}
