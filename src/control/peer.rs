//! Who is at the other end, and what they may do: told by the kernel, not by them.

use std::ffi::CString;
use std::io;
use std::os::unix::net::UnixStream;

use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use tapir_engine::types::escaped;

/// The group whose members may look.
pub const READERS: &str = "tapir";

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// Everything.
    All,
    /// Look, without one-time codes.
    Looks,
    /// Nothing.
    Nothing,
}

/// Somebody at the other end.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    /// For the decision log: `anna (uid 1000)`.
    pub(super) who: String,
    /// Process id at the time of connecting.
    pub(super) pid: i32,
    /// What they may do.
    pub(super) rights: Rights,
}

impl Peer {
    /// Asks the kernel who connected.
    pub(super) fn of(stream: &UnixStream) -> io::Result<Self> {
        let told = getsockopt(stream, sockopt::PeerCredentials)?;
        let uid = Uid::from_raw(told.uid());
        // A user database that does not answer leaves the number, which is what counts.
        let user = User::from_uid(uid).ok().flatten();
        let name = user.as_ref().map_or("?", |user| user.name.as_str());
        Ok(Self {
            who: format!("{} (uid {uid})", escaped(name)),
            pid: told.pid(),
            rights: rights(uid, Gid::from_raw(told.gid()), user.as_ref()),
        })
    }
}

fn rights(uid: Uid, gid: Gid, user: Option<&User>) -> Rights {
    if uid.is_root() || uid == Uid::effective() {
        return Rights::All;
    }
    let Some(readers) = Group::from_name(READERS).ok().flatten() else {
        return Rights::Nothing;
    };
    // Groups by the database: a process may have been started before its user joined the group.
    let listed = || {
        let user = user?;
        let name = CString::new(user.name.as_str()).ok()?;
        let groups = getgrouplist(&name, user.gid).ok()?;
        groups.contains(&readers.gid).then_some(())
    };
    if gid == readers.gid || listed().is_some() {
        Rights::Looks
    } else {
        Rights::Nothing
    }
}
