//! Kerberos messages, as far as they are in clear.
//!
//! Standard: RFC 4120 §5; PA-FOR-USER \[MS-SFU\] 2.2.1; ETYPE-INFO RFC 4120 §5.2.7.4; user to user
//!           draft-swift-win2k-krb-user2user-03 (TGT-REQ, TGT-REP).
//! Bounds:   256 bytes a name of eight parts at most, 16 encryptions, 32 padata.
//! Secrets:  what is encrypted is passed over where it lies.

use compact_str::format_compact;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::proto::ber::{self, OCTET_STRING, SEQUENCE, Values};
use crate::types::{Text, Timestamp, heap, text};

/// Longest name kept.
const NAME_LEN_MAX: usize = 256;
/// Parts of a name; three are common.
const PARTS_MAX: usize = 8;
/// Encryptions listed; there are about a dozen.
const ETYPES_MAX: usize = 16;
/// Padata looked at.
const PADATA_MAX: usize = 32;
/// Host addresses looked at.
const ADDRESSES_MAX: usize = 8;

/// AS-REQ.
pub(crate) const AS_REQ: u8 = 10;
/// AS-REP.
pub(crate) const AS_REP: u8 = 11;
/// TGS-REQ.
pub(crate) const TGS_REQ: u8 = 12;
/// TGS-REP.
pub(crate) const TGS_REP: u8 = 13;
/// AP-REQ.
pub(crate) const AP_REQ: u8 = 14;
/// AP-REP.
pub(crate) const AP_REP: u8 = 15;
/// TGT-REQ of user to user authentication.
pub(crate) const TGT_REQ: u8 = 16;
/// TGT-REP of the same.
pub(crate) const TGT_REP: u8 = 17;
/// KRB-ERROR.
pub(crate) const ERROR: u8 = 30;

/// What a message says. Which fields it has depends on its type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    /// msg-type.
    pub(crate) kind: u8,
    /// Client's name.
    pub(super) client: Option<Text>,
    /// Client's realm; in a request the realm that is asked.
    pub(super) realm: Option<Text>,
    /// Service, its parts joined by `/`.
    pub(super) service: Option<Text>,
    /// Service and encryption of the ticket within.
    pub(super) ticket: Option<(Option<Text>, Option<i64>)>,
    /// Encryption of the part beside the ticket: reply's, authenticator's.
    pub(super) etype: Option<i64>,
    /// How the client proves itself in an AS-REQ, and with which encryption.
    pub(super) preauth: Option<(&'static str, Option<i64>)>,
    /// Encryptions offered; in replies and errors those the KDC has keys for.
    pub(super) etypes: Vec<i64>,
    /// kdc-options or ap-options, the first bit on top.
    pub(super) options: u32,
    pub(super) from: Option<Timestamp>,
    pub(super) till: Option<Timestamp>,
    pub(super) nonce: Option<i64>,
    pub(super) error: Option<i64>,
    /// Whom a ticket is asked for, with the realm.
    pub(super) for_user: Option<Text>,
    /// NetBIOS name of the client, in place of an address.
    pub(super) netbios: Option<Text>,
}

heap!(Message: client, realm, service, ticket, etypes, for_user, netbios);

/// Reads one message; `None` if `data` is none.
pub(crate) fn read(data: &[u8]) -> Option<Message> {
    let value = Values::new(data).next()?;
    let (kind, body) = match value.tag {
        tag @ 0x60..=0x7e => (tag & 0x1f, ber::inside(value.body, SEQUENCE)?),
        SEQUENCE => (0, value.body),
        _ => return None,
    };
    let fields = Values::new(body);
    let number = |tag| ber::integer(fields.first_of(tag)?);
    let (version, told) = if matches!(kind, AS_REQ | TGS_REQ) {
        (number(0xa1)?, number(0xa2)?)
    } else {
        (number(0xa0)?, number(0xa1)?)
    };
    let told = u8::try_from(told).ok()?;
    if version != 5 || (kind != told && kind != 0) {
        return None;
    }
    let mut message = Message {
        kind: told,
        ..Message::default()
    };
    match told {
        AS_REQ | TGS_REQ => message.request(fields),
        AS_REP | TGS_REP => message.reply(fields),
        AP_REQ => message.ap_request(fields),
        AP_REP => message.etype = fields.first_of(0xa2).and_then(etype),
        TGT_REQ => message.service = fields.first_of(0xa2).and_then(principal),
        TGT_REP => message.ticket = fields.first_of(0xa2).and_then(ticket),
        ERROR => message.error(fields),
        _ => {}
    }
    Some(message)
}

impl Message {
    /// KDC-REQ.
    fn request(&mut self, fields: Values<'_>) {
        if let Some(list) = fields.first_of(0xa3) {
            self.padata(list);
        }
        let Some(body) = fields.first_of(0xa4).and_then(|b| ber::inside(b, SEQUENCE)) else {
            return;
        };
        let fields = Values::new(body);
        self.options = fields.first_of(0xa0).map_or(0, flags);
        self.client = fields.first_of(0xa1).and_then(principal);
        self.realm = fields.first_of(0xa2).and_then(string);
        self.service = fields.first_of(0xa3).and_then(principal);
        self.from = fields.first_of(0xa4).and_then(time);
        self.till = fields.first_of(0xa5).and_then(time);
        self.nonce = fields.first_of(0xa7).and_then(ber::integer);
        if let Some(list) = fields.first_of(0xa8).and_then(|b| ber::inside(b, SEQUENCE)) {
            let numbers = Values::new(list).take(ETYPES_MAX);
            self.etypes = numbers.filter_map(|v| ber::number(v.body)).collect();
        }
        self.netbios = fields.first_of(0xa9).and_then(netbios);
    }

    /// KDC-REP.
    fn reply(&mut self, fields: Values<'_>) {
        if let Some(list) = fields.first_of(0xa2) {
            self.padata(list);
        }
        self.realm = fields.first_of(0xa3).and_then(string);
        self.client = fields.first_of(0xa4).and_then(principal);
        self.ticket = fields.first_of(0xa5).and_then(ticket);
        self.service = self.ticket.as_ref().and_then(|(name, _)| name.clone());
        self.etype = fields.first_of(0xa6).and_then(etype);
    }

    fn ap_request(&mut self, fields: Values<'_>) {
        self.options = fields.first_of(0xa2).map_or(0, flags);
        self.ticket = fields.first_of(0xa3).and_then(ticket);
        self.service = self.ticket.as_ref().and_then(|(name, _)| name.clone());
        self.etype = fields.first_of(0xa4).and_then(etype);
    }

    fn error(&mut self, fields: Values<'_>) {
        self.error = fields.first_of(0xa6).and_then(ber::integer);
        self.realm = fields.first_of(0xa7).and_then(string);
        self.client = fields.first_of(0xa8).and_then(principal);
        self.service = fields.first_of(0xaa).and_then(principal);
        // METHOD-DATA with KDC_ERR_PREAUTH_REQUIRED and its like; others put other things there.
        if let Some(data) = fields.first_of(0xac) {
            self.padata(ber::inside(data, OCTET_STRING).unwrap_or_default());
        }
    }

    /// A list of PA-DATA.
    fn padata(&mut self, list: &[u8]) {
        let list = ber::inside(list, SEQUENCE).unwrap_or_default();
        for item in Values::new(list).take(PADATA_MAX) {
            let fields = Values::new(item.body);
            let Some(kind) = fields.first_of(0xa1).and_then(ber::integer) else {
                continue;
            };
            let value = fields
                .first_of(0xa2)
                .and_then(|b| ber::inside(b, OCTET_STRING));
            self.padatum(kind, value.unwrap_or_default());
        }
    }

    fn padatum(&mut self, kind: i64, value: &[u8]) {
        match kind {
            // PA-TGS-REQ
            1 => {
                if let Some(shown) = read(value).filter(|m| m.kind == AP_REQ) {
                    (self.ticket, self.etype) = (shown.ticket, shown.etype);
                }
            }
            // PA-ENC-TIMESTAMP, PA-PK-AS-REQ, PA-FX-FAST, PA-ENCRYPTED-CHALLENGE
            2 if !value.is_empty() => self.preauth = Some(("timestamp", etype(value))),
            16 if !value.is_empty() => self.preauth = Some(("certificate", None)),
            136 if !value.is_empty() => {
                self.preauth.get_or_insert(("armoured", None));
            }
            138 if !value.is_empty() => self.preauth = Some(("challenge", etype(value))),
            // PA-ETYPE-INFO, PA-ETYPE-INFO2
            11 | 19 => {
                let list = ber::inside(value, SEQUENCE).unwrap_or_default();
                for entry in Values::new(list).take(ETYPES_MAX) {
                    let etype = Values::new(entry.body)
                        .first_of(0xa0)
                        .and_then(ber::integer);
                    let new = etype.filter(|etype| !self.etypes.contains(etype));
                    self.etypes.extend(new);
                }
                self.etypes.truncate(ETYPES_MAX);
            }
            // PA-FOR-USER
            129 => {
                let fields = Values::new(ber::inside(value, SEQUENCE).unwrap_or_default());
                let user = fields.first_of(0xa0).and_then(principal);
                let realm = fields.first_of(0xa1).and_then(string);
                self.for_user = user.map(|user| full(&user, realm.as_deref()));
            }
            _ => {}
        }
    }
}

/// `name/REALM`.
pub(super) fn full(name: &str, realm: Option<&str>) -> Text {
    format_compact!("{name}/{}", realm.unwrap_or_default())
}

/// PrincipalName.
fn principal(field: &[u8]) -> Option<Text> {
    let fields = Values::new(ber::inside(field, SEQUENCE)?);
    let parts = ber::inside(fields.first_of(0xa1)?, SEQUENCE)?;
    let mut name = Text::default();
    for (index, part) in Values::new(parts).take(PARTS_MAX).enumerate() {
        if index > 0 {
            name.push('/');
        }
        let room = NAME_LEN_MAX.saturating_sub(name.len());
        name.push_str(&text(part.body, room));
    }
    (!name.is_empty()).then_some(name)
}

/// KerberosString or Realm.
fn string(field: &[u8]) -> Option<Text> {
    /// GeneralString.
    const GENERAL: u8 = 0x1b;
    Some(text(ber::inside(field, GENERAL)?, NAME_LEN_MAX))
}

/// Ticket: its service and encryption.
fn ticket(field: &[u8]) -> Option<(Option<Text>, Option<i64>)> {
    /// `[APPLICATION 1]`.
    const TICKET: u8 = 0x61;
    let fields = Values::new(ber::inside(ber::inside(field, TICKET)?, SEQUENCE)?);
    let service = fields.first_of(0xa2).and_then(principal);
    Some((service, fields.first_of(0xa3).and_then(etype)))
}

/// Encryption of EncryptedData.
fn etype(field: &[u8]) -> Option<i64> {
    ber::integer(Values::new(ber::inside(field, SEQUENCE)?).first_of(0xa0)?)
}

/// KerberosFlags: at least 32 bits, behind a byte that says how many of the last are unused.
fn flags(field: &[u8]) -> u32 {
    /// BIT STRING.
    const BITS: u8 = 3;
    let bits = ber::inside(field, BITS).and_then(|bits| bits.get(1..));
    bits.and_then(|bits| bits.first_chunk())
        .map_or(0, |bits| u32::from_be_bytes(*bits))
}

/// KerberosTime, `20370913024805Z`.
fn time(field: &[u8]) -> Option<Timestamp> {
    /// GeneralizedTime.
    const TIME: u8 = 0x18;
    let text = str::from_utf8(ber::inside(field, TIME)?.get(..14)?).ok()?;
    let part = |at: usize| text.get(at..at.checked_add(2)?)?.parse::<i8>().ok();
    let year = text.get(..4)?.parse::<i16>().ok()?;
    let time = DateTime::new(year, part(4)?, part(6)?, part(8)?, part(10)?, part(12)?, 0).ok()?;
    let time = time.to_zoned(TimeZone::UTC).ok()?.timestamp();
    Some(Timestamp::from_secs(time.as_second()))
}

/// The NetBIOS name among HostAddresses (address type 20, RFC 4120 §7.5.3): 15 characters and a suffix.
fn netbios(field: &[u8]) -> Option<Text> {
    let list = ber::inside(field, SEQUENCE)?;
    Values::new(list).take(ADDRESSES_MAX).find_map(|item| {
        let fields = Values::new(item.body);
        let kind = ber::integer(fields.first_of(0xa0)?)?;
        let name = ber::inside(fields.first_of(0xa1)?, OCTET_STRING)?;
        let name = name.get(..15)?.trim_ascii_end();
        (kind == 20 && !name.is_empty()).then(|| text(name, NAME_LEN_MAX))
    })
}
