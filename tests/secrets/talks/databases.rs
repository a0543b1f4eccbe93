//! Talks of databases: sign-ins with a password, in clear or in what stands for it.

use super::{Said, Talk, bytes};

/// Redis by an array, by a line and by `HELLO`; PostgreSQL, SQL Server and MySQL.
pub(super) fn talks() -> Vec<Talk> {
    vec![
        stream(
            ("redis", 6379),
            vec![
                (true, b"*3\r\n$4\r\nAUTH\r\n$4\r\nanna\r\n$13\r\nArray-Geheim7\r\n".to_vec()),
                (false, b"+OK\r\n".to_vec()),
                (true, b"AUTH Line-Geheim77\r\n".to_vec()),
                (false, b"-WRONGPASS no\r\n".to_vec()),
                (
                    true,
                    b"*5\r\n$5\r\nHELLO\r\n$1\r\n3\r\n$4\r\nAUTH\r\n$4\r\nanna\r\n$13\r\nHello-Geheim7\r\n"
                        .to_vec(),
                ),
            ],
            &["Array-Geheim7", "Line-Geheim77", "Hello-Geheim7"],
        ),
        stream(
            ("postgresql", 5432),
            vec![
                (true, b"\0\0\0\x13\0\x03\0\0user\0anna\0\0".to_vec()),
                (false, b"R\0\0\0\x08\0\0\0\x03".to_vec()),
                (true, b"p\0\0\0\x13Elephant-Gehm7\0".to_vec()),
                (false, b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I".to_vec()),
            ],
            &["Elephant-Gehm7"],
        ),
        tds(),
        mysql(),
    ]
}

fn stream((service, port): (&'static str, u16), said: Vec<Said>, secrets: &[&str]) -> Talk {
    Talk {
        name: service,
        service,
        datagrams: false,
        port,
        said,
        secrets: bytes(secrets),
    }
}

/// A login of TDS 7.4 (\[MS-TDS\] 2.2.6.4) with account and password, that one scrambled.
fn tds() -> Talk {
    const NAMES_AT: usize = 94;
    const PASSWORD: &str = "Login-Geheim77";
    let wide = |text: &str| {
        text.encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<u8>>()
    };
    let scrambled: Vec<u8> = wide(PASSWORD)
        .iter()
        .map(|byte| byte.rotate_left(4) ^ 0xa5)
        .collect();
    let user = wide("anna");
    let short = |number: usize| u16::try_from(number).expect("short").to_le_bytes();
    let mut login = vec![0; NAMES_AT];
    login[4..8].copy_from_slice(&[4, 0, 0, 0x74]);
    // Account and password: offset in bytes, length in characters.
    for (at, start, len) in [
        (40, NAMES_AT, user.len() / 2),
        (44, NAMES_AT + user.len(), scrambled.len() / 2),
    ] {
        login[at..at + 2].copy_from_slice(&short(start));
        login[at + 2..at + 4].copy_from_slice(&short(len));
    }
    login.extend([&user[..], &scrambled].concat());
    let len = short(login.len());
    login[..2].copy_from_slice(&len);
    let whole = u16::try_from(login.len() + 8).expect("short").to_be_bytes();
    let packet = [&[0x10, 1, whole[0], whole[1], 0, 0, 1, 0][..], &login].concat();
    let mut talk = stream(("tds", 1433), vec![(true, packet)], &[PASSWORD]);
    talk.secrets.push(scrambled);
    talk
}

/// MySQL: the server wants `mysql_clear_password`.
fn mysql() -> Talk {
    let packet = |number: u8, body: &[u8]| {
        let len = u8::try_from(body.len()).expect("short");
        [&[len, 0, 0, number][..], body].concat()
    };
    let greeting = [
        &b"\x0a8.0.29\0\x3b\0\0\0abcdefgh\0\xff\xff\xff\x02\0\xff\xdf\x15"[..],
        &[0; 10],
        b"ijklmnopqrst\0mysql_native_password\0",
    ]
    .concat();
    let sign_in = [
        &b"\x85\xa6\x0f\0\0\0\0\x01\x21"[..],
        &[0; 23],
        b"anna\0\0mysql_native_password\0",
    ]
    .concat();
    let said = vec![
        (false, packet(0, &greeting)),
        (true, packet(1, &sign_in)),
        (false, packet(2, b"\xfemysql_clear_password\0")),
        (true, packet(3, b"Dolphin-Geheim\0")),
        (false, packet(4, &[0, 0, 0, 2, 0, 0, 0])),
    ];
    stream(("mysql", 3306), said, &["Dolphin-Geheim"])
}
