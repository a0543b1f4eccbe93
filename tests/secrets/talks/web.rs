//! Talks of the web.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Talk, bytes, lines};

const REPLY: &str = "<HTTP/1.1 200 OK\r\nContent-Length: 0\r\n";

fn http(name: &'static str, secrets: &[&str], request: &str) -> Talk {
    let request = format!(">{request}\r\n");
    lines((name, "http", 80), secrets, &[&request, REPLY])
}

pub(super) fn talks() -> Vec<Talk> {
    let mut all = fields();
    all.extend(elsewhere());
    all.push(http2());
    all
}

const HEAD: &str = "GET /a HTTP/1.1\r\nHost: h.example\r\n";

/// Secrets in header fields.
fn fields() -> Vec<Talk> {
    let basic = STANDARD.encode("anna:Basic-Geheim7");
    let digest = "5ccc069c403ebaf9f0171e9517f40e41";
    let field = |field: &str| format!("{HEAD}{field}\r\n");
    vec![
        http(
            "http basic",
            &["Basic-Geheim7", &basic],
            &field(&format!("Authorization: Basic {basic}")),
        ),
        http(
            "http proxy basic",
            &["Basic-Geheim7", &basic],
            &field(&format!("Proxy-Authorization: Basic {basic}")),
        ),
        http(
            "http bearer",
            &["Bearer-Token7.abc"],
            &field("Authorization: Bearer Bearer-Token7.abc"),
        ),
        http(
            "http unknown scheme",
            &["Strange-Token7"],
            &field("Authorization: Strange-Token7"),
        ),
        http(
            "http digest",
            &[digest, "Client-Nonce7"],
            &field(&format!(
                "Authorization: Digest username=\"anna\", realm=\"r\", nonce=\"n\", uri=\"/\", cnonce=\"Client-Nonce7\", response=\"{digest}\""
            )),
        ),
        http(
            "http cookie",
            &["Cookie-Value77"],
            &field("Cookie: sid=Cookie-Value77; b=2"),
        ),
        http(
            "http key",
            &["Header-Key777"],
            &field("X-Api-Key: Header-Key777"),
        ),
    ]
}

/// Secrets in addresses, bodies and answers.
fn elsewhere() -> Vec<Talk> {
    let form = "user=anna&password=Form%2DGeheim7&csrf=Form-Token77";
    let json = r#"{"user":"anna","password":"Json-Geheim7"}"#;
    let post = |kind: &str, body: &str| {
        let len = body.len();
        format!(
            ">POST /login HTTP/1.1\r\nHost: h.example\r\nContent-Type: {kind}\r\nContent-Length: {len}\r\n\r\n{body}"
        )
    };
    let moved = "<HTTP/1.1 302 Found\r\nLocation: /a?access_token=Moved-Token7\r\nSet-Cookie: sid=Set-Cookie77; Path=/\r\nContent-Length: 0\r\n";
    let query = "GET /a?user=anna&password=Query-Geheim7&access_token=Query-Token7&api_key=Query-Key77&sig=Query-Sig77#token=Part-Token7 HTTP/1.1\r\nHost: h.example\r\nReferer: http://anna:Refer-Geheim7@h.example/?token=Refer-Token7\r\n";
    vec![
        http(
            "http userinfo",
            &["Target-Geheim7"],
            "GET http://anna:Target-Geheim7@h.example/a HTTP/1.1\r\nHost: h.example\r\n",
        ),
        http(
            "http query",
            &[
                "Query-Geheim7",
                "Query-Token7",
                "Query-Key77",
                "Query-Sig77",
                "Part-Token7",
                "Refer-Geheim7",
                "Refer-Token7",
            ],
            query,
        ),
        lines(
            ("http form", "http", 80),
            &["Form-Geheim7", "Form-Token77"],
            &[&post("application/x-www-form-urlencoded", form), REPLY],
        ),
        lines(
            ("http json", "http", 80),
            &["Json-Geheim7"],
            &[&post("application/json", json), REPLY],
        ),
        lines(
            ("http answer", "http", 80),
            &["Set-Cookie77", "Moved-Token7"],
            &[&format!(">{HEAD}"), moved],
        ),
    ]
}

/// RFC 9113 with a header block in literals (RFC 7541 §6.2.2).
fn http2() -> Talk {
    let basic = STANDARD.encode("anna:Frame-Geheim7");
    let fields = [
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "h.example"),
        (":path", "/a?access_token=Frame-Token7"),
        ("authorization", &format!("Basic {basic}")),
        ("cookie", "sid=Frame-Cookie7"),
    ];
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).expect("short"));
            block.extend(text.as_bytes());
        }
    }
    let frame = |kind: u8, flags: u8, stream: u8, body: &[u8]| {
        let len = u8::try_from(body.len()).expect("short");
        [&[0, 0, len, kind, flags, 0, 0, 0, stream][..], body].concat()
    };
    let first = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    Talk {
        name: "http2",
        service: "http2",
        datagrams: false,
        port: 80,
        said: vec![
            (true, [first, frame(4, 0, 0, &[])].concat()),
            (false, frame(4, 0, 0, &[])),
            (true, frame(1, 5, 1, &block)),
            (false, frame(1, 5, 1, &[0x88])),
        ],
        secrets: bytes(&["Frame-Geheim7", "Frame-Token7", "Frame-Cookie7", &basic]),
    }
}
