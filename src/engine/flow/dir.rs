//! The two directions of a flow.

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dir {
    /// The originator.
    Orig,
    /// The responder.
    Resp,
}

impl Dir {
    /// The other side.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Orig => Self::Resp,
            Self::Resp => Self::Orig,
        }
    }
}
