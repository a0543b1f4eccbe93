//! Offloads that would change frames before they are captured: switched off, or said.
//!
//! Standard: `linux/ethtool.h`, the commands that take a number; ethtool(8) for the remedies.
//! Output:   a sentence for each offload that stays on.
//! Not done: merging by the card under its newer name (`rx-gro-hw`) is only told apart by the
//!           counter of frames beyond the MTU.

use crate::group::Reserve;
use crate::live_error::LiveError;
use crate::ring;

/// Switches merging of segments (GRO, LRO) and taking VLAN tags off by the card off on an interface.
/// Needs CAP_NET_ADMIN where one of them is on.
///
/// # Errors
///
/// [`LiveError`] if there is no such interface or no socket to ask with.
pub fn switch_offloads_off(interface: &str) -> Result<Vec<String>, LiveError> {
    let reserve = Reserve::open(1)?;
    let Some(socket) = reserve.first() else {
        return Ok(Vec::new());
    };
    ring::ask(socket, interface, ring::Question::Index).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => LiveError::no_interface(interface),
        _ => LiveError::system(interface, "asking about the interface", error),
    })?;
    let mut still_on = Vec::new();
    for offload in &OFFLOADS {
        let ask = || ring::ethtool(socket, interface, offload.get, 0);
        // A driver that does not know the command does not have the offload.
        let Ok(before) = ask() else { continue };
        if before & offload.bit == 0 {
            continue;
        }
        let refused = ring::ethtool(socket, interface, offload.set, before & !offload.bit).err();
        if ask().is_ok_and(|after| after & offload.bit == 0) {
            continue;
        }
        let why = refused.map_or_else(|| "the driver keeps it on".to_owned(), |e| e.to_string());
        still_on.push(format!(
            "{interface}: {} could not be switched off ({why}); {}; try `ethtool -K {interface} {} \
             off`",
            offload.name, offload.effect, offload.flag
        ));
    }
    Ok(still_on)
}

struct Offload {
    name: &'static str,
    /// Its name in ethtool(8).
    flag: &'static str,
    effect: &'static str,
    get: u32,
    set: u32,
    bit: u32,
}

const MERGED: &str = "frames are captured merged, not as they were on the wire";

/// `ETHTOOL_GGRO` and `ETHTOOL_SGRO` speak of one offload, `ETHTOOL_GFLAGS` and `ETHTOOL_SFLAGS` of
/// several at once.
const OFFLOADS: [Offload; 3] = [
    Offload {
        name: "generic receive offload",
        flag: "gro",
        effect: MERGED,
        get: 0x2b,
        set: 0x2c,
        bit: 1,
    },
    Offload {
        name: "large receive offload",
        flag: "lro",
        effect: MERGED,
        get: 0x25,
        set: 0x26,
        bit: 1 << 15,
    },
    Offload {
        name: "VLAN offload",
        flag: "rxvlan",
        effect: "tags are put back from the card's note of them",
        get: 0x25,
        set: 0x26,
        bit: 1 << 8,
    },
];
