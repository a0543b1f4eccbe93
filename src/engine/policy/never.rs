//! The never-list: whom no action may touch, whoever authorised it.
//!
//! Built in: loopback, unspecified, broadcast, multicast and link-local addresses, and the site's
//! infrastructure as far as it shows itself: routers, and devices of the site that serve DNS, DHCP or
//! a directory. Told: networks in the settings, networks and names in the rule.

use std::net::IpAddr;

use tapir_message::Device;

use super::case::Party;
use super::whom::Whom;
use crate::device::Net;

/// Why an address may never be touched, whoever holds it.
pub(super) fn by_kind(addr: IpAddr) -> Option<&'static str> {
    let addr = addr.to_canonical();
    if addr.is_loopback() {
        return Some("a loopback address");
    }
    if addr.is_unspecified() {
        return Some("the unspecified address");
    }
    if addr.is_multicast() {
        return Some("a multicast address");
    }
    match addr {
        IpAddr::V4(v4) if v4.is_broadcast() => Some("the broadcast address"),
        IpAddr::V4(v4) if v4.is_link_local() => Some("a link-local address"),
        IpAddr::V6(v6) if v6.is_unicast_link_local() => Some("a link-local address"),
        _ => None,
    }
}

/// Why a device belongs to the infrastructure, by what is claimed of it.
#[must_use]
pub fn by_claims(device: &Device) -> Option<String> {
    const SERVES: [&str; 6] = ["dns", "dhcp", "kerberos", "ldap", "directory", "ntp"];
    device.claims.iter().find_map(|claim| {
        let claim = claim.claim.as_str();
        match claim {
            "router" => Some("is a router".to_owned()),
            "forwards for other networks" => Some(claim.to_owned()),
            _ => {
                let service = claim.strip_prefix("serves ")?;
                let known = SERVES.contains(&service.to_ascii_lowercase().as_str());
                known.then(|| claim.to_owned())
            }
        }
    })
}

/// Why one of `parties` may not be touched; `None` if all may.
pub(super) fn refusal(parties: &[Party], nets: &[Net]) -> Option<String> {
    parties.iter().find_map(|party| {
        if let Some(kind) = by_kind(party.addr) {
            return Some(format!("{} is {kind}, never touched", party.addr));
        }
        if let Some(why) = &party.infrastructure {
            return Some(format!("{} is on the never-list: it {why}", called(party)));
        }
        let listed = nets
            .iter()
            .any(|net| net.contains(party.addr.to_canonical()));
        listed.then(|| {
            format!(
                "{} is on the never-list of the configuration",
                called(party)
            )
        })
    })
}

/// Why the rule's own never-list forbids one of `parties`.
pub(super) fn by_rule(parties: &[Party], never: &Whom, rule: &str) -> Option<String> {
    let listed = |party: &&Party| never.holds(Some(party.addr), &party.name);
    let party = parties.iter().find(listed)?;
    Some(format!(
        "{} is on the never-list of rule {rule}",
        called(party)
    ))
}

/// Name and address.
fn called(party: &Party) -> String {
    let addr = party.addr.to_string();
    if party.name.is_empty() || party.name == addr {
        addr
    } else {
        format!("{} ({addr})", party.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_are_nobodys_are_never_touched() {
        for (text, never) in [
            ("127.0.0.1", true),
            ("::1", true),
            ("0.0.0.0", true),
            ("224.0.0.251", true),
            ("ff02::fb", true),
            ("255.255.255.255", true),
            ("169.254.3.4", true),
            ("fe80::1", true),
            ("::ffff:127.0.0.1", true),
            ("192.0.2.1", false),
            ("2001:db8::1", false),
        ] {
            assert_eq!(by_kind(text.parse().unwrap()).is_some(), never, "{text}");
        }
    }

    #[test]
    fn configured_networks_hold_both_ends() {
        let party = |addr: &str| Party {
            addr: addr.parse().unwrap(),
            name: "siem".to_owned(),
            infrastructure: None,
        };
        let nets = ["198.51.100.0/24".parse().unwrap()];
        let parties = [party("10.0.0.5"), party("198.51.100.7")];
        let told = refusal(&parties, &nets).unwrap();
        assert_eq!(
            told,
            "siem (198.51.100.7) is on the never-list of the configuration"
        );
        assert_eq!(refusal(&[party("10.0.0.5")], &nets), None);
    }
}
