//! Handshake messages that another protocol carries: QUIC's CRYPTO frames have no TLS records.
//!
//! Input:    whole messages without their 4-byte header, in the order of the handshake.
//! Output:   as `Tls`: one `ssl` record, clues; the carrier says when.
//! Bounds:   as `handshake`.

use super::handshake::{Session, Transport};
use crate::proto::{Dir, Out};
use crate::types::{Text, Timestamp, heap};

/// One session, told of by its carrier.
#[derive(Debug)]
pub(in crate::proto) struct Carried {
    session: Session,
    started: Option<Timestamp>,
}

heap!(Carried: session);

impl Carried {
    /// A session over `transport`.
    pub(in crate::proto) fn new(transport: Transport) -> Self {
        Self {
            session: Session::over(transport),
            started: None,
        }
    }

    /// Takes one message.
    pub(in crate::proto) fn message(&mut self, kind: u8, body: &[u8], dir: Dir, out: &mut Out<'_>) {
        self.started.get_or_insert(out.ts);
        self.session.message(kind, body, dir, out);
    }

    /// Takes an alert in clear; true if it ends the session.
    pub(in crate::proto) fn alert(&mut self, level: u8, description: u8, dir: Dir) -> bool {
        self.session.alert(level, description, dir)
    }

    /// Takes a ChangeCipherSpec.
    pub(in crate::proto) fn change_cipher_spec(&mut self, dir: Dir) {
        self.session.change_cipher_spec(dir);
    }

    /// The handshake is complete.
    pub(in crate::proto) fn establish(&mut self, out: &mut Out<'_>) {
        if self.session.is_heard && !self.session.record.established {
            self.session.establish(out);
        }
    }

    /// The host name the client asked for.
    pub(in crate::proto) fn server_name(&self) -> Option<Text> {
        self.session.record.server_name.clone()
    }

    /// The application protocol the client likes best.
    pub(in crate::proto) fn client_protocol(&self) -> Option<Text> {
        self.session.record.client_alpns.as_ref()?.first().cloned()
    }

    /// The fingerprint of the client's hello.
    pub(in crate::proto) fn ja4(&self) -> Option<Text> {
        self.session.record.ja4.clone()
    }

    /// Emits the record, once, if there was a hello.
    pub(in crate::proto) fn emit(&mut self, out: &mut Out<'_>) {
        if std::mem::take(&mut self.session.is_heard) {
            let record = self.session.record(out.flow);
            out.record(self.started.unwrap_or(out.ts), record);
        }
    }
}
