//! Oddities that leave open what a receiver took for true.
//!
//! Each is told as a `weird` record, once a flow, those of fragments once a pair of addresses. Names are Zeek's where Zeek has one.
//! Bounds: a bit each, 24 for flows.

/// A set of oddities, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weirds(u32);

macro_rules! weirds {
    ($($(#[$doc:meta])* $id:ident = $bit:literal, $name:literal;)*) => {
        impl Weirds {
            $($(#[$doc])* pub const $id: Self = Self(1 << $bit);)*

            /// Each with the name it is told by.
            const NAMES: &'static [(Self, &'static str)] = &[$((Self::$id, $name)),*];
        }
    };
}

weirds! {
    /// A SYN came again with another sequence number before it was answered.
    SYN_SEQ_JUMP = 0, "SYN_seq_jump";
    /// A SYN with another sequence number inside a connection.
    SYN_INSIDE_CONNECTION = 1, "SYN_inside_connection";
    /// A SYN carried data.
    SYN_WITH_DATA = 2, "SYN_with_data";
    /// A SYN-ACK acknowledged something else than the SYN.
    BAD_SYN_ACK = 3, "bad_SYN_ack";
    /// Both ends sent a SYN that acknowledged nothing; a split handshake looks the same.
    SIMULTANEOUS_OPEN = 4, "simultaneous_open";
    /// SYN and FIN together.
    BAROQUE_SYN = 5, "baroque_SYN";
    /// SYN or FIN together with RST.
    CHRISTMAS = 6, "TCP_christmas";
    /// The originator sent data before its SYN was answered.
    DATA_BEFORE_ESTABLISHED = 7, "data_before_established";
    /// A segment lies before the first byte, or farther ahead than any window reaches.
    MISORDER = 8, "TCP_seq_underflow_or_misorder";
    /// Data marked urgent: whether the last byte of it is part of the stream is the receiver's choice.
    URGENT = 9, "urgent_data";
    /// A FIN at a place where its sender is not.
    INAPPROPRIATE_FIN = 10, "inappropriate_FIN";
    /// Data behind a FIN.
    DATA_AFTER_FIN = 11, "data_after_FIN";
    /// The sender of a RST, or what it reset, went on.
    DATA_AFTER_RESET = 12, "data_after_reset";
    /// A RST too far from what is expected to be believed.
    RST_OUT_OF_WINDOW = 13, "RST_out_of_window";
    /// A RST that acknowledges what was never sent.
    BAD_RST_ACK = 14, "bad_RST_ack";
    /// A RST whose TTL is lower than that of its sender's other packets: it may not come as far.
    RST_TTL_JUMP = 15, "RST_TTL_jump";
    /// The same for a FIN.
    FIN_TTL_JUMP = 16, "FIN_TTL_jump";
    /// A RST with bytes, which belong to no stream.
    RST_WITH_DATA = 17, "RST_with_data";
    /// A SYN, FIN or RST is signed and its connection is not: a receiver drops it (RFC 2385 §2).
    UNEXPECTED_SIGNATURE = 18, "unexpected_TCP_signature";
    /// A SYN, FIN or RST with a wrong checksum from a sender that has shown right ones.
    BAD_CHECKSUM = 19, "bad_TCP_checksum";
    /// Two copies of a byte differ.
    INCONSISTENT = 20, "inconsistent_retransmission";
    /// A router advertisement or redirect that did not begin on this link (RFC 4861 §6.1.2).
    NDP_NOT_FROM_LINK = 21, "ndp_not_from_link";

    /// Fragments of one packet overlap.
    FRAGMENT_OVERLAP = 24, "fragment_overlap";
    /// They overlap and differ.
    FRAGMENT_INCONSISTENCY = 25, "fragment_inconsistency";
    /// Two fragments are the last, bytes lie behind the last, or one in the middle is no multiple of eight.
    FRAGMENT_SIZE_INCONSISTENCY = 26, "fragment_size_inconsistency";
    /// A fragment that is not the last and smaller than any link asks for.
    SMALL_FRAGMENT = 27, "excessively_small_fragment";
    /// A fragment that ends behind the longest packet there is.
    LARGE_FRAGMENT = 28, "excessively_large_fragment";
    /// A fragment came so late that the others were given up: its receiver may have waited longer.
    LATE_FRAGMENT = 29, "fragment_after_timeout";
}

impl Weirds {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// Whether all of `other` are among these.
    #[inline]
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether there is none.
    #[inline]
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Adds `other`.
    #[inline]
    pub const fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Those of these that are not among `known`.
    #[inline]
    #[must_use]
    pub const fn without(self, known: Self) -> Self {
        Self(self.0 & !known.0)
    }

    /// As kept in a flow: without those of fragments.
    pub(super) const fn pack(self) -> [u8; 3] {
        let [a, b, c, _] = self.0.to_le_bytes();
        [a, b, c]
    }

    /// The reverse of `pack`.
    #[inline]
    pub(super) const fn unpack([a, b, c]: [u8; 3]) -> Self {
        Self(u32::from_le_bytes([a, b, c, 0]))
    }

    /// The names they are told by.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let named = Self::NAMES.iter();
        named
            .filter(move |(one, _)| self.has(*one))
            .map(|(_, name)| *name)
    }
}
