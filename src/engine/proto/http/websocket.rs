//! The `websocket` record: a connection that turns from HTTP to WebSocket.
//!
//! Standard: RFC 6455 §4.

use super::head::Fields;
use super::record::HttpRecord;
use crate::record;
use crate::types::{Text, heap};

record! {
    /// One connection that became a WebSocket (Zeek's `websocket.log`).
    pub struct WebSocketRecord = "websocket" {
        /// `Host` header of the request.
        pub host: Option<Text> = "host",
        /// Target of the request.
        pub uri: Option<Text> = "uri",
        /// `User-Agent` header of the request.
        pub user_agent: Option<Text> = "user_agent",
        /// Protocol the server chose.
        pub subprotocol: Option<Text> = "subprotocol",
        /// Protocols the client offered.
        pub client_protocols: Option<Text> = "client_protocols",
        /// Extensions the server chose.
        pub server_extensions: Option<Text> = "server_extensions",
        /// Extensions the client offered.
        pub client_extensions: Option<Text> = "client_extensions",
    }
}

/// What a client offered in its request.
#[derive(Debug)]
pub(super) struct Offer {
    protocols: Option<Text>,
    extensions: Option<Text>,
}

heap!(Offer: protocols, extensions);

impl Offer {
    /// The offer in a request's header fields, if there is one.
    pub(super) fn of(fields: &mut Fields) -> Option<Box<Self>> {
        fields.is_websocket.then(|| {
            Box::new(Self {
                protocols: fields.websocket_protocol.take(),
                extensions: fields.websocket_extensions.take(),
            })
        })
    }

    /// The record, once the server has agreed.
    pub(super) fn agreed(self, request: &HttpRecord, fields: &mut Fields) -> WebSocketRecord {
        WebSocketRecord {
            host: request.host.clone(),
            uri: request.uri.clone(),
            user_agent: request.user_agent.clone(),
            subprotocol: fields.websocket_protocol.take(),
            client_protocols: self.protocols,
            server_extensions: fields.websocket_extensions.take(),
            client_extensions: self.extensions,
        }
    }
}
