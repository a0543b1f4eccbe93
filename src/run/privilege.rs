//! Privileges are given up once what needs them is open.
//!
//! First form: all capabilities of the process, for good. Threads started later have none either; the
//! user stays the one that started the daemon. Confinement of files and system calls comes later.

use caps::CapSet;

use super::RunError;

/// Drops every capability; called before any thread is started.
pub(super) fn drop_all() -> Result<(), RunError> {
    let refused = |error: caps::errors::CapsError| {
        RunError::System(std::io::Error::other(format!("capabilities: {error}")))
    };
    // The bounding set needs a capability to change, so it goes first; without it there is none to lose.
    if caps::has_cap(None, CapSet::Effective, caps::Capability::CAP_SETPCAP).map_err(refused)? {
        caps::clear(None, CapSet::Bounding).map_err(refused)?;
    }
    for set in [
        CapSet::Ambient,
        CapSet::Effective,
        CapSet::Permitted,
        CapSet::Inheritable,
    ] {
        caps::clear(None, set).map_err(refused)?;
    }
    Ok(())
}
