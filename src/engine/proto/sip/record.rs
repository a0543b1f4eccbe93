//! The `sip` record.

use crate::record;
use crate::types::Text;

record! {
    /// One request with one of its responses (Zeek's `sip.log`).
    pub struct SipRecord = "sip" {
        /// Which request of the flow this is, from 1; 0 if only the response was seen.
        pub trans_depth: u64 = "trans_depth",
        /// Method of the request, or of the `CSeq` of a response alone.
        pub method: Option<Text> = "method",
        /// Whom or what the request is for, passwords cut out.
        pub uri: Option<Text> = "uri",
        /// `Date` header of the request.
        pub date: Option<Text> = "date",
        /// `From` header of the request.
        pub request_from: Option<Text> = "request_from",
        /// `To` header of the request.
        pub request_to: Option<Text> = "request_to",
        /// `From` header of the response.
        pub response_from: Option<Text> = "response_from",
        /// `To` header of the response.
        pub response_to: Option<Text> = "response_to",
        /// `Reply-To` header.
        pub reply_to: Option<Text> = "reply_to",
        /// `Call-ID` header.
        pub call_id: Option<Text> = "call_id",
        /// `CSeq` header.
        pub seq: Option<Text> = "seq",
        /// `Subject` header of the request.
        pub subject: Option<Text> = "subject",
        /// `Via` headers of the request.
        pub request_path: Option<Vec<Text>> = "request_path",
        /// `Via` headers of the response.
        pub response_path: Option<Vec<Text>> = "response_path",
        /// `User-Agent` header of the request.
        pub user_agent: Option<Text> = "user_agent",
        /// Status code.
        pub status_code: Option<u16> = "status_code",
        /// Reason phrase.
        pub status_msg: Option<Text> = "status_msg",
        /// `Warning` header of the response.
        pub warning: Option<Text> = "warning",
        /// Length of the request's body in bytes, as it says.
        pub request_body_len: Option<u64> = "request_body_len",
        /// Length of the response's body in bytes, as it says.
        pub response_body_len: Option<u64> = "response_body_len",
        /// `Content-Type` header of the response, else of the request.
        pub content_type: Option<Text> = "content_type",
        /// Account in the request's credentials; the rest of them is not kept.
        pub user: Option<Text> = "user",
    }
}
