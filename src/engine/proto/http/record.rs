//! The `http` record.

use crate::record;
use crate::types::Text;

record! {
    /// One request with its response (Zeek's `http.log`).
    pub struct HttpRecord = "http" {
        /// Which request of the flow this is, from 1.
        pub trans_depth: u64 = "trans_depth",
        /// Method of the request.
        pub method: Option<Text> = "method",
        /// `Host` header, with its port if it has one.
        pub host: Option<Text> = "host",
        /// Target of the request as sent, percent-encoding untouched; user names and the values of parameters
        /// like `password` or `token` cut out.
        pub uri: Option<Text> = "uri",
        /// `Referer` header.
        pub referrer: Option<Text> = "referrer",
        /// Version of the request, of the response if that is all there is.
        pub version: Option<Text> = "version",
        /// `User-Agent` header.
        pub user_agent: Option<Text> = "user_agent",
        /// `Origin` header.
        pub origin: Option<Text> = "origin",
        /// Length of the request's body in bytes.
        pub request_body_len: u64 = "request_body_len",
        /// Length of the response's body in bytes.
        pub response_body_len: u64 = "response_body_len",
        /// Status code.
        pub status_code: Option<u16> = "status_code",
        /// Reason phrase.
        pub status_msg: Option<Text> = "status_msg",
        /// Last informational (1xx) status code.
        pub info_code: Option<u16> = "info_code",
        /// Its reason phrase.
        pub info_msg: Option<Text> = "info_msg",
        /// Whether credentials crossed in clear; they are not kept.
        pub authorization: bool = "authorization",
        /// How: name of the scheme, `userinfo` or `query` if they stood in the target, `other`.
        pub auth_scheme: Option<&'static str> = "auth_scheme",
        /// Header fields that tell of a proxy, as `NAME -> value`.
        pub proxied: Option<Vec<Text>> = "proxied",
        /// Identifiers of the request's body in `files`.
        pub orig_fuids: Option<Vec<Text>> = "orig_fuids",
        /// File name the request's header suggests.
        pub orig_filenames: Option<Vec<Text>> = "orig_filenames",
        /// Content type of the request's body, by its first bytes or else as its header has it.
        pub orig_mime_types: Option<Vec<Text>> = "orig_mime_types",
        /// Identifiers of the response's body in `files`.
        pub resp_fuids: Option<Vec<Text>> = "resp_fuids",
        /// File name the response's header suggests.
        pub resp_filenames: Option<Vec<Text>> = "resp_filenames",
        /// Content type of the response's body, by its first bytes or else as its header has it.
        pub resp_mime_types: Option<Vec<Text>> = "resp_mime_types",
    }
}
