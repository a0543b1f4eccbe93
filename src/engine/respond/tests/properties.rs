//! What holds for any segment and any bytes.

use proptest::prelude::*;
use tapir_message::Action;

use super::*;

/// An end after RFC 5961 §3.2: a reset counts only at exactly the next byte expected.
struct Peer {
    next: u32,
    dead: bool,
}

impl Peer {
    fn take(&mut self, told: &Told) {
        self.dead |= told.seq == self.next;
    }
}

proptest! {
    #[test]
    fn strict_peers_die_of_any_segment_in_order(
        (seq, ack) in any::<(u32, u32)>(), len in 0_usize..1_400, fin in any::<bool>()
    ) {
        let mut table = table_with(Action::ResetFlow);
        let flags = if fin { ACK | FIN } else { ACK };
        let seg = Seg::client(flags, seq, ack, len);
        let next = seq.wrapping_add(len as u32).wrapping_add(u32::from(fin));
        let mut server = Peer { next, dead: false };
        let mut client = Peer { next: ack, dead: false };
        for told in answers(&mut table, 1, &seg) {
            if told.dst == SERVER { server.take(&told) } else { client.take(&told) }
        }
        prop_assert!(server.dead && client.dead);
    }

    #[test]
    fn no_bytes_can_make_it_panic(
        at_ in 0_usize..120, bytes in proptest::collection::vec(any::<u8>(), 0..40),
        cut in 0_usize..120, v6 in any::<bool>(), held in any::<bool>()
    ) {
        let action = if held { Action::HoldPair } else { Action::ResetFlow };
        let mut table = KillTable::new();
        table.insert(at(0), entry_of(action, 0, v6, true));
        let seg = Seg { v6, ..Seg::client(ACK, 1, 2, 30) };
        let mut frame = seg.frame();
        for (slot, byte) in frame.iter_mut().skip(at_).zip(&bytes) {
            *slot = *byte;
        }
        frame.truncate(frame.len().saturating_sub(cut % frame.len()));
        let mut out = Resets::new();
        table.on_frame(at(1), &frame, &mut out);
        table.on_frame(at(2), &bytes, &mut out);
        prop_assert!(out.len() <= 2);
        table.advance(at(2_000));
        table.take_changes();
    }
}
