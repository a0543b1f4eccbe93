//! The `ssl` record.

use crate::record;
use crate::types::Text;

record! {
    /// One TLS session (Zeek's `ssl.log`).
    pub struct SslRecord = "ssl" {
        /// Version chosen, such as `TLSv12`; absent if the server never chose.
        pub version: Option<Text> = "version",
        /// Cipher suite chosen.
        pub cipher: Option<Text> = "cipher",
        /// Group of the key agreement.
        pub curve: Option<Text> = "curve",
        /// Host name the client asked for.
        pub server_name: Option<Text> = "server_name",
        /// Whether an earlier session was taken up again.
        pub resumed: bool = "resumed",
        /// Last alert sent in clear.
        pub last_alert: Option<Text> = "last_alert",
        /// Application protocol chosen, if the server said so in clear.
        pub next_protocol: Option<Text> = "next_protocol",
        /// Application protocols the client offered.
        pub client_alpns: Option<Vec<Text>> = "client_alpns",
        /// Whether the handshake was completed.
        pub established: bool = "established",
        /// Messages in clear by letter, the client's in capitals.
        pub ssl_history: Option<Text> = "ssl_history",
        /// SHA-256 fingerprints of the server's certificates.
        pub cert_chain_fps: Option<Vec<Text>> = "cert_chain_fps",
        /// SHA-256 fingerprints of the client's certificates.
        pub client_cert_chain_fps: Option<Vec<Text>> = "client_cert_chain_fps",
        /// Whom the server's certificate names.
        pub subject: Option<Text> = "subject",
        /// Who signed the server's certificate.
        pub issuer: Option<Text> = "issuer",
        /// Whom the client's certificate names.
        pub client_subject: Option<Text> = "client_subject",
        /// Who signed the client's certificate.
        pub client_issuer: Option<Text> = "client_issuer",
        /// Whether the server's certificate is for the host asked for (RFC 6125).
        pub sni_matches_cert: Option<bool> = "sni_matches_cert",
        /// JA4 fingerprint of the client's first hello.
        pub ja4: Option<Text> = "ja4",
        /// JA3 fingerprint of the client's first hello.
        pub ja3: Option<Text> = "ja3",
        /// JA3S fingerprint of the server's first hello.
        pub ja3s: Option<Text> = "ja3s",
        /// What it is for, where the handshake tells: `dns-over-tls`, `dns-over-https`, `dns-over-quic`, `tor`, or the name of
        /// a remote tool.
        pub purpose: Option<&'static str> = "purpose",
        /// Whether the client offered an encrypted hello, real or for show: then `server_name` is the outer name.
        pub ech: Option<bool> = "ech",
    }
}
