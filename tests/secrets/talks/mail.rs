//! Talks of mail.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Talk, lines};

/// Mail on its way.
pub(super) fn smtp() -> Vec<Talk> {
    let plain = STANDARD.encode("\0anna\0Plain-Geheim7");
    let (user, login) = (STANDARD.encode("anna"), STANDARD.encode("Login-Geheim7"));
    let cram = STANDARD.encode("anna b913a602c7eda7a495b4e6e7334d3890");
    let ehlo = [
        "<220 mx.example ESMTP",
        ">EHLO pc.example",
        "<250-mx.example",
        "<250 AUTH PLAIN LOGIN CRAM-MD5",
    ];
    let smtp = |name, secrets: &[&str], more: &[&str]| {
        lines(
            (name, "smtp", 25),
            secrets,
            &[&ehlo, more, &["<235 ok", ">QUIT", "<221 bye"]].concat(),
        )
    };
    vec![
        smtp(
            "smtp plain",
            &["Plain-Geheim7", &plain],
            &[&format!(">AUTH PLAIN {plain}")],
        ),
        smtp(
            "smtp plain later",
            &["Plain-Geheim7", &plain],
            &[">AUTH PLAIN", "<334 ", &format!(">{plain}")],
        ),
        smtp(
            "smtp login",
            &["Login-Geheim7", &login],
            &[
                ">AUTH LOGIN",
                "<334 VXNlcm5hbWU6",
                &format!(">{user}"),
                "<334 UGFzc3dvcmQ6",
                &format!(">{login}"),
            ],
        ),
        smtp(
            "smtp cram",
            &["b913a602c7eda7a495b4e6e7334d3890", &cram],
            &[
                ">AUTH CRAM-MD5",
                "<334 PDE4OTYuNjk3MTcwOTUyQHg+",
                &format!(">{cram}"),
            ],
        ),
    ]
}

/// Mail that is fetched by POP3.
pub(super) fn pop3() -> Vec<Talk> {
    let plain = STANDARD.encode("\0anna\0Plain-Geheim7");
    vec![
        lines(
            ("pop3", "pop3", 110),
            &["Post-Geheim7"],
            &[
                "<+OK ready",
                ">USER anna",
                "<+OK",
                ">PASS Post-Geheim7",
                "<+OK 0 messages",
                ">QUIT",
                "<+OK",
            ],
        ),
        lines(
            ("pop3 apop", "pop3", 110),
            &["c4c9334bac560ecc979e58001b3e22fb"],
            &[
                "<+OK ready <1896.697170952@h>",
                ">APOP anna c4c9334bac560ecc979e58001b3e22fb",
                "<+OK",
                ">QUIT",
                "<+OK",
            ],
        ),
        lines(
            ("pop3 plain", "pop3", 110),
            &["Plain-Geheim7", &plain],
            &[
                "<+OK ready",
                ">AUTH PLAIN",
                "<+ ",
                &format!(">{plain}"),
                "<+OK",
                ">QUIT",
                "<+OK",
            ],
        ),
    ]
}

/// Mail that is fetched by IMAP.
pub(super) fn imap() -> Vec<Talk> {
    let plain = STANDARD.encode("\0anna\0Plain-Geheim7");
    vec![
        lines(
            ("imap", "imap", 143),
            &["Mailbox-Geheim7"],
            &[
                "<* OK IMAP4rev1 ready",
                ">a1 LOGIN anna \"Mailbox-Geheim7\"",
                "<a1 OK done",
                ">a2 LOGOUT",
                "<* BYE",
                "<a2 OK",
            ],
        ),
        lines(
            ("imap literal", "imap", 143),
            &["Literal-Geheim7"],
            &[
                "<* OK IMAP4rev1 ready",
                ">a1 LOGIN {4}",
                "<+ go on",
                ">anna {15}",
                "<+ go on",
                ">Literal-Geheim7",
                "<a1 NO bad",
                ">a2 LOGOUT",
                "<* BYE",
                "<a2 OK",
            ],
        ),
        lines(
            ("imap plain", "imap", 143),
            &["Plain-Geheim7", &plain],
            &[
                "<* OK IMAP4rev1 ready",
                ">a1 AUTHENTICATE PLAIN",
                "<+ ",
                &format!(">{plain}"),
                "<a1 OK done",
                ">a2 LOGOUT",
                "<* BYE",
                "<a2 OK",
            ],
        ),
    ]
}
