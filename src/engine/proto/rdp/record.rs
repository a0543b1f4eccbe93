//! The `rdp` record.

use crate::record;
use crate::types::Text;

record! {
    /// One connection to a remote desktop (Zeek's `rdp.log`).
    pub struct RdpRecord = "rdp" {
        /// What the client's cookie says, mostly the first letters of the user's name.
        pub cookie: Option<Text> = "cookie",
        /// `encrypted` once TLS begins, `Success` or the refusal if it went on in clear.
        pub result: Option<&'static str> = "result",
        /// Security chosen: `RDP`, `SSL`, `HYBRID`, `HYBRID_EX`, or the reason of a refusal.
        pub security_protocol: Option<Text> = "security_protocol",
        /// Channels the client asks for, such as `rdpdr` for its drives and `cliprdr` for its clipboard.
        pub client_channels: Option<Vec<Text>> = "client_channels",
        /// Keyboard layout of the client, as a language.
        pub keyboard_layout: Option<Text> = "keyboard_layout",
        /// Version of the client.
        pub client_build: Option<Text> = "client_build",
        /// Name of the client.
        pub client_name: Option<Text> = "client_name",
        /// Product id of the client.
        pub client_dig_product_id: Option<Text> = "client_dig_product_id",
        /// Width of the desktop in pixels.
        pub desktop_width: Option<u16> = "desktop_width",
        /// Height of the desktop in pixels.
        pub desktop_height: Option<u16> = "desktop_height",
        /// Colour depth asked for.
        pub requested_color_depth: Option<&'static str> = "requested_color_depth",
        /// Kind of the server's certificate in clear: `RSA` or `X.509`.
        pub cert_type: Option<&'static str> = "cert_type",
        /// Number of its certificates.
        pub cert_count: Option<u32> = "cert_count",
        /// Whether that certificate is permanent.
        pub cert_permanent: Option<bool> = "cert_permanent",
        /// Encryption level the server chose.
        pub encryption_level: Option<&'static str> = "encryption_level",
        /// Encryption method the server chose.
        pub encryption_method: Option<&'static str> = "encryption_method",
        /// Securities the client offered.
        pub requested_protocols: Option<Vec<Text>> = "requested_protocols",
        /// Whether the client asks not to hand over its credentials (restricted admin mode).
        pub restricted_admin: Option<bool> = "restricted_admin",
    }
}
