//! What may not leave does not leave.

use super::cut::prepare;
use super::daemon::Daemon;
use super::{traffic, until};
use crate::support::office::Office;

/// Runs a canary download in `mode`; gives what the daemon says of responses, and the frames that left.
fn canary_in(mode: &str, args: &[&str]) -> Option<(String, u64)> {
    let test = format!("nothing leaves in mode {mode}");
    let mut office = Office::open(&test)?;
    let _traffic = traffic::Servers::start(&mut office, &test)?;
    let folder = tempfile::tempdir().expect("a folder");
    prepare(folder.path(), mode, "");
    let before = office.injected();
    let daemon = Daemon::start(&office, folder.path(), args);
    office.inside(
        "pc1",
        "curl",
        &["-sS", "-o", "/dev/null", "http://10.77.0.10/canary.bin"],
    );
    until("the breach is known", || {
        let breaches = daemon.json(&["show", "breaches"]);
        breaches.to_string().contains("TST-01").then_some(())
    });
    let responses = daemon.json(&["show", "responses"]).to_string();
    daemon.stop();
    Some((responses, office.injected() - before))
}

#[test]
fn off_decides_nothing_and_sends_nothing() {
    let Some((responses, sent)) = canary_in("off", &[]) else {
        return;
    };
    assert_eq!(sent, 0);
    assert!(!responses.contains("verdict"), "{responses}");
}

#[test]
fn shadow_says_what_it_would_have_done_and_sends_nothing() {
    let Some((responses, sent)) = canary_in("shadow", &["--inject", "inj0"]) else {
        return;
    };
    assert_eq!(sent, 0);
    assert!(responses.contains("would_act"), "{responses}");
}

/// The filter on the injection port stands whatever is written to the port.
#[test]
fn other_frames_written_to_the_injection_port_never_reach_the_wire() {
    let test = "other frames never reach the wire";
    let Some(mut office) = Office::open(test) else {
        return;
    };
    let Some(_traffic) = traffic::Servers::start(&mut office, test) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    prepare(folder.path(), "autonomous", "");
    let daemon = Daemon::start(&office, folder.path(), &["--inject", "inj0"]);
    let before = office.injected();
    // A SYN, an ARP request, a RST with the address of another: all from a raw socket on the port.
    let script = "import socket,struct\n\
        s=socket.socket(socket.AF_PACKET,socket.SOCK_RAW); s.bind(('inj0',0))\n\
        own=open('/sys/class/net/inj0/address').read().strip()\n\
        own=bytes.fromhex(own.replace(':',''))\n\
        def tcp(src,flags):\n\
        \x20ip=bytes([0x45,0,0,40,0,0,0,0,64,6,0,0,10,77,0,101,10,77,0,10])\n\
        \x20return b'\\x02\\x77\\0\\0\\0\\x01'+src+b'\\x08\\0'+ip+struct.pack('>HHIIBBHHH',1,2,3,4,80,flags,0,0,0)\n\
        arp=b'\\xff'*6+own+b'\\x08\\x06'+bytes(46)\n\
        for f in [tcp(own,2),tcp(own,24),arp,tcp(b'\\x02\\x77\\0\\0\\0\\x09',4)]:\n\
        \x20try: s.send(f); print('sent')\n\
        \x20except OSError as e: print('refused',e.errno)\n";
    let said = office.inside("sensor", "python3", &["-c", script]);
    assert_eq!(office.injected(), before, "{said}");
    assert_eq!(said.lines().count(), 4, "{said}");
    daemon.stop();
}
