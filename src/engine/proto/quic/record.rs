//! The `quic` record.

use crate::record;
use crate::types::Text;

record! {
    /// One QUIC connection (Zeek's `quic.log`).
    pub struct QuicRecord = "quic" {
        /// Version, such as `1` or `quicv2`.
        pub version: Text = "version",
        /// First connection id the client gave the server, in hex.
        pub client_initial_dcid: Option<Text> = "client_initial_dcid",
        /// The client's own connection id, in hex.
        pub client_scid: Option<Text> = "client_scid",
        /// The server's own connection id, in hex.
        pub server_scid: Option<Text> = "server_scid",
        /// Host name the client asked for.
        pub server_name: Option<Text> = "server_name",
        /// Application protocol the client likes best.
        pub client_protocol: Option<Text> = "client_protocol",
        /// Packets with a long header by letter, the client's in capitals.
        pub history: Option<Text> = "history",
        /// JA4 fingerprint of the client's hello.
        pub ja4: Option<Text> = "ja4",
    }
}
