"""Reads recorded frames, and writes them again for another place and another time.

This file knows only as much of the protocols as re-addressing needs. On purpose it shares no code
with the sensor: a mistake made in both would hide itself.
"""
import ipaddress
import re
import struct
import time

NTP_EPOCH = 2_208_988_800
TCP, UDP = 6, 17
DATE = re.compile(rb"(?<=\r\nDate: )\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT")
# What a phone makes up anew for each registration: branch and tag.
SIP_NUMBERS = (b"4151923570", b"3318904761")
EPHEMERAL = 32768


def ip_bytes(text):
    return ipaddress.IPv4Address(text).packed


def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))


def sum16(data):
    """The ones' complement sum of 16-bit words: the number that the words spell, modulo 65535."""
    if len(data) % 2:
        data += b"\0"
    return int.from_bytes(data, "big") % 65535


def checksum(total):
    """The checksum for a sum. A sum of zero words never occurs: headers are never all zero."""
    rest = total % 65535
    return 0 if rest == 0 else 65535 - rest


class Frame:
    """One recorded frame and where its parts begin."""

    def __init__(self, when, data):
        self.when, self.data = when, data      # microseconds since the epoch
        self.is_ip = data[12:14] == b"\x08\x00"
        self.protocol = 0
        if not self.is_ip:
            return
        header = (data[14] & 15) * 4
        # Short frames are padded on the wire; the IP length says where the packet ends.
        self.data = data = data[:14 + struct.unpack_from(">H", data, 16)[0]]
        self.l4 = 14 + header
        self.src, self.dst = data[26:30], data[30:34]
        self.protocol = data[23]
        if self.protocol in (TCP, UDP):
            self.sport, self.dport = struct.unpack_from(">HH", data, self.l4)
            length = (data[self.l4 + 12] >> 4) * 4 if self.protocol == TCP else 8
            self.body = self.l4 + length
            self.body_sum = sum16(data[self.body:])
            self.flags = data[self.l4 + 13] if self.protocol == TCP else 0

    def is_name_query(self):
        return self.protocol == UDP and 53 in (self.sport, self.dport)

    def flow(self):
        """The same key for both directions."""
        ends = sorted([(self.src, self.sport), (self.dst, self.dport)])
        return (self.protocol, *ends)


def read_pcap(path):
    """All frames of a classic little-endian capture with microseconds."""
    raw = path.read_bytes()
    if raw[:4] != b"\xd4\xc3\xb2\xa1":
        raise ValueError(f"{path}: not a little-endian microsecond capture")
    at, frames = 24, []
    while at < len(raw):
        seconds, micros, kept, size = struct.unpack_from("<IIII", raw, at)
        if kept != size:
            raise ValueError(f"{path}: a frame is cut short")
        frames.append(Frame(seconds * 1_000_000 + micros, raw[at + 16:at + 16 + kept]))
        at += 16 + kept
    return frames


class Recording:
    """One labelled conversation."""

    def __init__(self, label, kind, host, mac, detail, frames, keep_arp):
        self.label, self.kind, self.host, self.detail = label, kind, host, detail
        self.frames = self.own_flows([f for f in frames if keep_arp or f.is_ip], mac)
        if not self.frames:
            raise ValueError(f"{label}: nothing was recorded")
        self.start = self.frames[0].when
        self.length = self.frames[-1].when - self.start

    @staticmethod
    def own_flows(frames, mac):
        """Leaves out what others did meanwhile: TCP that the host did not begin in this recording,
        and, where a TCP conversation follows the question for a name, all other UDP."""
        begun = {f.flow() for f in frames if f.protocol == TCP and f.flags & 0x12 == 0x02 and f.data[6:12] == mac}
        kept = [f for f in frames if f.protocol != TCP or f.flow() in begun]
        if begun:
            kept = [f for f in kept if f.protocol != UDP or f.is_name_query()]
        return kept

    def sent_by(self, address):
        """Bytes of TCP content that this address sent."""
        return sum(len(f.data) - f.body for f in self.frames if f.protocol == TCP and f.src == address)


def difference16(new, old):
    """How much the ones' complement sum grows when `old` becomes `new`."""
    return (sum16(new) - sum16(old)) % 65535


class FlowChange:
    """What one flow gets anew. Index 0 is the side that began, index 1 the other.

    A free choice is made so that copies of a recording stay alike for the compressor: sequence numbers
    move by multiples of 65536, identifications by multiples of 256, and the second side's sequence number
    takes back what port and addresses added to the TCP checksum. It halves the size of the capture.
    """

    def __init__(self, first, rng, new_port, addresses):
        self.client = (first.src, first.sport)
        self.port = first.sport
        if new_port is not None and first.sport >= EPHEMERAL:
            self.port = new_port
        moved = sum(difference16(addresses.get(a, a), a) for a in (first.src, first.dst))
        mine = rng.getrandbits(16)
        theirs = -(moved + self.port - first.sport + mine) % 65535
        self.seq = (mine << 16, theirs << 16)
        self.clock = (rng.getrandbits(31), rng.getrandbits(31))
        self.ip_id = (rng.getrandbits(8) << 8, rng.getrandbits(8) << 8)


def same_phase(when, recorded):
    """The moment nearest to `when` whose microseconds differ from the recorded ones by a multiple of
    65536. Chance is left in steps of 66 ms, and two of three bytes of each fraction recur."""
    fraction = recorded % 1_000_000
    want, base = when % 1_000_000, when - when % 1_000_000
    choices = range(fraction % 65536, 1_000_000, 65536)
    return base + min(choices, key=lambda c: abs(c - want))


class Rewriter:
    """Lays one recording over the composed days."""

    def __init__(self, rng, ttl_of, take_port):
        self.rng, self.ttl_of, self.take_port = rng, ttl_of, take_port

    def place(self, recording, begin, device, addresses, keep_ports=False, skip_names=False):
        """Yields (time, frame). `addresses` maps recorded MACs and IPs of the host to the device's."""
        flows = {}
        self.number = self.rng.getrandbits(32)
        for frame in recording.frames:
            when = begin + frame.when - recording.start
            if skip_names and frame.is_name_query():
                continue
            if not frame.is_ip:
                yield when, frame.data
                continue
            change = None
            if frame.protocol in (TCP, UDP):
                key = frame.flow()
                change = flows.get(key)
                if change is None:
                    port = None if keep_ports else self.take_port(device, begin)
                    change = flows[key] = FlowChange(frame, self.rng, port, addresses)
            yield when, self.rewrite(frame, change, addresses, when)

    def rewrite(self, frame, change, addresses, when):
        data = bytearray(frame.data)
        for at in (0, 6):
            data[at:at + 6] = addresses.get(frame.data[at:at + 6], frame.data[at:at + 6])
        for at in (26, 30):
            data[at:at + 4] = addresses.get(frame.data[at:at + 4], frame.data[at:at + 4])
        data[22] = self.ttl_of.get(frame.src, data[22])
        if change is not None:
            self.rewrite_transport(frame, change, data, when)
        number = struct.unpack_from(">H", data, 18)[0]
        if number and change is not None:
            side = 0 if (frame.src, frame.sport) == change.client else 1
            # Zero means "not used" and must not appear by chance.
            struct.pack_into(">H", data, 18, (number + change.ip_id[side]) & 0xFFFF or 1)
        data[24:26] = b"\0\0"
        struct.pack_into(">H", data, 24, checksum(sum16(bytes(data[14:frame.l4]))))
        if change is not None:
            self.close_transport(frame, data)
        return bytes(data)

    def rewrite_transport(self, frame, change, data, when):
        side = 0 if (frame.src, frame.sport) == change.client else 1
        struct.pack_into(">H", data, frame.l4 + side * 2, change.port)
        if frame.protocol == TCP:
            seq, ack = struct.unpack_from(">II", data, frame.l4 + 4)
            seq = (seq + change.seq[side]) & 0xFFFFFFFF
            if frame.flags & 0x10:
                ack = (ack + change.seq[1 - side]) & 0xFFFFFFFF
            struct.pack_into(">II", data, frame.l4 + 4, seq, ack)
            self.rewrite_options(frame, change, side, data)
        self.rewrite_body(frame, data, when)

    @staticmethod
    def rewrite_options(frame, change, side, data):
        """Time stamps and selective acknowledgements follow the shifted clocks and numbers."""
        at = frame.l4 + 20
        while at < frame.body and data[at] != 0:
            if data[at] == 1:
                at += 1
                continue
            kind, size = data[at], data[at + 1]
            if kind == 8:
                value, echo = struct.unpack_from(">II", data, at + 2)
                value = (value + change.clock[side]) & 0xFFFFFFFF
                if echo:
                    echo = (echo + change.clock[1 - side]) & 0xFFFFFFFF
                struct.pack_into(">II", data, at + 2, value, echo)
            elif kind == 5:
                for edge in range(at + 2, at + size, 4):
                    number = struct.unpack_from(">I", data, edge)[0]
                    struct.pack_into(">I", data, edge, (number + change.seq[1 - side]) & 0xFFFFFFFF)
            at += size

    def rewrite_body(self, frame, data, when):
        """Transaction numbers and clear-text clocks; each replacement has the length of the old text."""
        ports = (frame.sport, frame.dport)
        body = frame.body
        if frame.protocol == UDP and 53 in ports:
            number = struct.unpack_from(">H", data, body)[0]
            struct.pack_into(">H", data, body, (number + self.number) & 0xFFFF)
        elif frame.protocol == UDP and 67 in ports:
            number = struct.unpack_from(">I", data, body + 4)[0]
            struct.pack_into(">I", data, body + 4, number ^ self.number)
        elif frame.protocol == UDP and 123 in ports:
            shift_ntp(data, body, when - frame.when)
        elif frame.protocol == UDP and 5060 in ports:
            for k, old in enumerate(SIP_NUMBERS):
                new = b"%010d" % ((self.number * (k + 3)) % 10**10)
                data[body:] = bytes(data[body:]).replace(old, new)
        elif frame.protocol == TCP and data[body:body + 5] == b"HTTP/":
            then = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(when // 1_000_000)).encode()
            data[body:] = DATE.sub(then, bytes(data[body:]))

    @staticmethod
    def close_transport(frame, data):
        """The checksum over pseudo header, header and content."""
        place = frame.l4 + (16 if frame.protocol == TCP else 6)
        if frame.protocol == UDP and data[place:place + 2] == b"\0\0":
            return
        data[place:place + 2] = b"\0\0"
        same = data[frame.body:] == frame.data[frame.body:]
        body_sum = frame.body_sum if same else sum16(bytes(data[frame.body:]))
        total = (sum16(bytes(data[26:34])) + frame.protocol + len(data) - frame.l4
                 + sum16(bytes(data[frame.l4:frame.body])) + body_sum)
        value = checksum(total)
        if frame.protocol == UDP and value == 0:
            value = 0xFFFF
        struct.pack_into(">H", data, place, value)


def shift_ntp(data, body, micros):
    """Moves the four clock readings of an NTP message by the same amount as the message itself."""
    for at in range(body + 16, body + 48, 8):
        reading = int.from_bytes(data[at:at + 8], "big")
        if reading:
            reading += (micros << 32) // 1_000_000
            data[at:at + 8] = (reading & (1 << 64) - 1).to_bytes(8, "big")


def arp_pair(template, asker, asked):
    """A question and its answer in the shape of a recorded pair; asker and asked are (mac, ip)."""
    question, answer = (bytearray(f.data) for f in template)
    question[6:12] = question[22:28] = answer[0:6] = answer[32:38] = asker[0]
    question[28:32] = answer[38:42] = asker[1]
    answer[6:12] = answer[22:28] = asked[0]
    question[38:42] = answer[28:32] = asked[1]
    return bytes(question), bytes(answer)


def padded(data):
    """No frame on a cable is shorter than 60 bytes without its checksum."""
    return data if len(data) >= 60 else data + b"\0" * (60 - len(data))
