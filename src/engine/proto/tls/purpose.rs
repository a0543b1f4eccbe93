//! What a session is for, where its handshake tells: hidden DNS, Tor, remote control, a way in from outside.
//!
//! Source: RFC 7858 §3.1 (port 853) and the registered ALPN names `dot` and `doq` (RFC 9250 §4.1.1); names of
//!         resolvers and of remote tools as their makers publish them; Tor's tor-spec 2.1 (certificates).
//! Bounds: one pass over a short list of names for each session.
//! Not done: resolvers under names that say nothing; what TLS 1.3 hides, as it does Tor's certificates.

use super::record::SslRecord;
use crate::types::FlowRef;

/// Port of DNS over TLS and over QUIC.
const DNS_PORT: u16 = 853;
/// Names that end so, and what is behind them.
const NAMES: [(&str, &str); 33] = [
    ("dns.google", HTTPS),
    ("cloudflare-dns.com", HTTPS),
    ("dns.cloudflare.com", HTTPS),
    ("one.one.one.one", HTTPS),
    ("dns.quad9.net", HTTPS),
    ("dns9.quad9.net", HTTPS),
    ("dns10.quad9.net", HTTPS),
    ("dns11.quad9.net", HTTPS),
    ("dns.opendns.com", HTTPS),
    ("dns.nextdns.io", HTTPS),
    ("dns.adguard.com", HTTPS),
    ("dns.adguard-dns.com", HTTPS),
    ("dns.mullvad.net", HTTPS),
    ("dns.controld.com", HTTPS),
    ("freedns.controld.com", HTTPS),
    ("dns.alidns.com", HTTPS),
    ("dns.digitale-gesellschaft.ch", HTTPS),
    ("dns.dnshome.de", HTTPS),
    ("dns0.eu", HTTPS),
    ("anydesk.com", "anydesk"),
    ("teamviewer.com", "teamviewer"),
    ("rustdesk.com", "rustdesk"),
    ("screenconnect.com", "screenconnect"),
    ("splashtop.com", "splashtop"),
    ("logmein.com", "logmein"),
    ("ngrok.com", "ngrok"),
    ("ngrok.io", "ngrok"),
    ("ngrok-agent.com", "ngrok"),
    ("ngrok-free.app", "ngrok"),
    ("argotunnel.com", "cloudflared"),
    ("trycloudflare.com", "cloudflared"),
    ("tailscale.com", "tailscale"),
    ("zerotier.com", "zerotier"),
];
const HTTPS: &str = "dns-over-https";

/// What the session is for.
pub(super) fn purpose(record: &SslRecord, flow: &FlowRef) -> Option<&'static str> {
    let offers = |begin: &str| {
        let offered = record.client_alpns.iter().flatten();
        offered
            .chain(&record.next_protocol)
            .any(|name| name.starts_with(begin))
    };
    // Drafts had a number behind it.
    if offers("doq") || (flow.proto == 17 && flow.resp.port == DNS_PORT) {
        return Some("dns-over-quic");
    }
    let is_dot = record
        .client_alpns
        .iter()
        .flatten()
        .any(|name| name == "dot");
    if is_dot || flow.resp.port == DNS_PORT {
        return Some("dns-over-tls");
    }
    let names = [&record.subject, &record.issuer].map(Option::as_deref);
    let is_named = |text: &str| names.iter().flatten().any(|name| name.contains(text));
    // Its relays and its clients have certificates of their own making, and no host names.
    if offers("anydesk/") || is_named("CN=AnyNet Relay") || is_named("CN=AnyDesk Client") {
        return Some("anydesk");
    }
    if let [Some(subject), Some(issuer)] = names
        && is_random(subject, ".net")
        && is_random(issuer, ".com")
    {
        return Some("tor");
    }
    by_name(&record.server_name.as_deref()?.to_ascii_lowercase())
}

/// By the name a client asks for.
fn by_name(host: &str) -> Option<&'static str> {
    let is_within = |name: &str| {
        let before = host.strip_suffix(name);
        before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
    };
    let known = NAMES.iter().find(|(name, _)| is_within(name));
    // Resolvers that call themselves so: `doh.example`, `doh-2.example`, `ns.doh.example`.
    let mut labels = host.split('.').rev().skip(1);
    let is_doh = labels.any(|label| label == "doh" || label.starts_with("doh-"));
    known
        .map(|(_, purpose)| *purpose)
        .or_else(|| is_doh.then_some(HTTPS))
}

/// Whether a certificate names nothing but a host as Tor makes them up: `www.`, eight to twenty letters and digits of
/// base 32, and an ending.
fn is_random(name: &str, end: &str) -> bool {
    let host = name
        .strip_prefix("CN=www.")
        .and_then(|rest| rest.strip_suffix(end));
    host.is_some_and(|host| {
        (8..=20).contains(&host.len())
            && host
                .bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Endpoint;

    fn to(proto: u8, port: u16, record: &SslRecord) -> Option<&'static str> {
        let flow = FlowRef {
            resp: Endpoint::new([192, 0, 2, 1].into(), port),
            proto,
            ..FlowRef::default()
        };
        purpose(record, &flow)
    }

    fn asks(name: &str) -> Option<&'static str> {
        let record = SslRecord {
            server_name: Some(name.into()),
            ..SslRecord::default()
        };
        to(6, 443, &record)
    }

    fn offers(name: &str) -> SslRecord {
        SslRecord {
            client_alpns: Some(vec![name.into()]),
            ..SslRecord::default()
        }
    }

    /// Names, ports and ALPN of the shared captures `nDPI_googledns_android10`, `nDPI_dnscrypt-v2-doh`, `nDPI_doq` and
    /// `nDPI_anydesk`.
    #[test]
    fn hidden_dns_and_remote_tools() {
        assert_eq!(to(6, 853, &SslRecord::default()), Some("dns-over-tls"));
        assert_eq!(to(17, 784, &offers("doq-i00")), Some("dns-over-quic"));
        for name in [
            "mozilla.cloudflare-dns.com",
            "doh-2.seby.io",
            "fi.doh.dns.snopyta.org",
            "DNS.google",
        ] {
            assert_eq!(asks(name), Some(HTTPS), "{name}");
        }
        assert_eq!(to(6, 443, &offers("anydesk/6.2.0/linux")), Some("anydesk"));
        assert_eq!(asks("relay-3185a847.net.anydesk.com"), Some("anydesk"));
        assert_eq!(asks("controlplane.tailscale.com"), Some("tailscale"));
        for name in [
            "notdns.google",
            "www.example.com",
            "doh",
            "doha.example",
            "anydesk.com.example",
        ] {
            assert_eq!(asks(name), None, "{name}");
        }
        assert_eq!(to(6, 443, &offers("h2")), None);
    }

    /// Certificates of the shared capture `nDPI_tor`.
    #[test]
    fn tor_by_its_certificates() {
        let shows = |subject: &str, issuer: &str| {
            let record = SslRecord {
                subject: Some(subject.into()),
                issuer: Some(issuer.into()),
                ..SslRecord::default()
            };
            to(6, 443, &record)
        };
        assert_eq!(
            shows(
                "CN=www.g6ghvisevf3ibuu5.net",
                "CN=www.xkgk7fdx362yyyxib.com"
            ),
            Some("tor")
        );
        assert_eq!(
            shows("CN=www.lilawelt.net", "CN=R3,O=Let's Encrypt,C=US"),
            None
        );
        assert_eq!(
            shows("CN=www.behn-online.net", "CN=www.xkgk7fdx362yyyxib.com"),
            None
        );
        assert_eq!(
            shows("CN=www.kontor.net,O=Kontor", "CN=www.kontorkontor.com"),
            None
        );
    }
}
