//! Whom a clause of a rule means: networks, or names with `*` and `?`.

use std::net::IpAddr;

use crate::device::Net;
use crate::model::Globs;

/// Networks and globs over names; empty means nobody.
#[derive(Clone, Debug, Default)]
pub struct Whom {
    nets: Vec<Net>,
    globs: Option<Globs>,
    texts: Vec<String>,
}

impl Whom {
    /// What the texts mean: whatever reads as an address or network is one, all else is a glob.
    ///
    /// # Errors
    /// The globs are too long together.
    pub fn new<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let (mut whom, mut globs) = (Self::default(), Vec::new());
        for text in texts {
            match text.parse() {
                Ok(net) => whom.nets.push(net),
                Err(_) => globs.push(text),
            }
            whom.texts.push(text.to_owned());
        }
        if !globs.is_empty() {
            whom.globs = Some(Globs::new(globs.into_iter())?);
        }
        Ok(whom)
    }

    /// Everybody.
    #[must_use]
    pub fn everybody() -> Self {
        Self::new(std::iter::once("*")).unwrap_or_default()
    }

    /// Whether an address or a name is meant.
    #[must_use]
    pub fn holds(&self, addr: Option<IpAddr>, name: &str) -> bool {
        let addr = addr.map(|addr| addr.to_canonical());
        addr.is_some_and(|addr| self.nets.iter().any(|net| net.contains(addr)))
            || self.globs.as_ref().is_some_and(|globs| globs.matches(name))
    }

    /// As it was written.
    #[must_use]
    pub fn texts(&self) -> &[String] {
        &self.texts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_names_stand_side_by_side() {
        let whom = Whom::new(["10.0.0.0/8", "pc-*"].into_iter()).unwrap();
        assert!(whom.holds("10.9.8.7".parse().ok(), "printer"));
        assert!(whom.holds(None, "PC-7"));
        assert!(!whom.holds("192.0.2.1".parse().ok(), "printer"));
        assert!(!Whom::default().holds("10.0.0.1".parse().ok(), ""));
        assert!(Whom::everybody().holds(None, ""));
    }
}
