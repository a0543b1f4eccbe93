"""Writes the captures of the hand-made golden cases, byte for byte the same each time.

Usage: python3 tests/golden/make.py
Every header is built here with `struct`; lengths and checksums are right unless a case is about
their being wrong. `split-client-hello` takes its ClientHello from `tls-visit/in.pcap`.
"""

import ipaddress
import pathlib
import struct

HERE = pathlib.Path(__file__).parent
T0 = 1_800_000_000  # 2027-01-15T08:00:00Z
A, B = "10.1.0.5", "10.1.0.53"
MAC_A, MAC_B = bytes.fromhex("021400000005"), bytes.fromhex("021400000053")
ETHER, LOOP, RAW, SLL, SLL2, USER0 = 1, 0, 101, 113, 276, 147
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def pseudo(src, dst, proto, length):
    src, dst = ipaddress.ip_address(src), ipaddress.ip_address(dst)
    if src.version == 4:
        return src.packed + dst.packed + struct.pack("!BBH", 0, proto, length)
    return src.packed + dst.packed + struct.pack("!II", length, proto)


def udp(src, dst, sport, dport, payload):
    head = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0)
    check = checksum(pseudo(src, dst, 17, len(head + payload)) + head + payload) or 0xFFFF
    return struct.pack("!HHHH", sport, dport, 8 + len(payload), check) + payload


def tcp(src, dst, sport, dport, seq, ack, flags, payload=b""):
    def head(check):
        return struct.pack("!HHIIBBHHH", sport, dport, seq, ack, 0x50, flags, 64240, check, 0)

    check = checksum(pseudo(src, dst, 6, 20 + len(payload)) + head(0) + payload)
    return head(check) + payload


def ip4(src, dst, proto, payload, ttl=64, ident=1):
    src, dst = ipaddress.ip_address(src).packed, ipaddress.ip_address(dst).packed

    def head(check):
        return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), ident, 0x4000, ttl, proto, check, src, dst)

    return head(checksum(head(0))) + payload


def ip6(src, dst, following, payload):
    src, dst = ipaddress.ip_address(src).packed, ipaddress.ip_address(dst).packed
    return struct.pack("!IHBB16s16s", 6 << 28, len(payload), following, 64, src, dst) + payload


def ether(src, dst, kind, payload, tags=()):
    out = dst + src
    for tpid, vlan in tags:
        out += struct.pack("!HH", tpid, vlan)
    return out + struct.pack("!H", kind) + payload


def labels(name):
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"


def dns_query(ident, name, kind=1):
    return struct.pack("!HHHHHH", ident, 0x0100, 1, 0, 0, 0) + labels(name) + struct.pack("!HH", kind, 1)


def dns_answer(ident, name, answers, kind=1):
    out = struct.pack("!HHHHHH", ident, 0x8180, 1, len(answers), 0, 0)
    out += labels(name) + struct.pack("!HH", kind, 1)
    for rdata in answers:
        out += struct.pack("!HHHIH", 0xC00C, kind, 1, 300, len(rdata)) + rdata
    return out


def pcap(case, link, frames, order="<", nanos=False, cut=None):
    unit = 10**9 if nanos else 10**6
    out = struct.pack(order + "IHHIIII", 0xA1B23C4D if nanos else 0xA1B2C3D4, 2, 4, 0, 0, 65535, link)
    for at, frame in frames:
        ticks = round(at * unit)
        out += struct.pack(order + "IIII", T0 + ticks // unit, ticks % unit, len(frame), len(frame)) + frame
    folder = HERE / case
    folder.mkdir(exist_ok=True)
    (folder / "in.pcap").write_bytes(out[:cut])


def lookup(name="www.kontor.example", ident=0x1234, sport=40000):
    """A DNS question and its answer as IPv4 packets."""
    ask = ip4(A, B, 17, udp(A, B, sport, 53, dns_query(ident, name)))
    tell = ip4(B, A, 17, udp(B, A, 53, sport, dns_answer(ident, name, [bytes([192, 0, 2, 10])])))
    return ask, tell


def talk(sport=50000, dport=7777, a=A, b=B, up=(b"x" * 100,), down=(b"y" * 200,), step=0.01):
    """A whole TCP conversation: handshake, requests, answers, both FINs. (time, from a?, packet)."""
    out, seq, ack, at = [], 1000, 5000, 0.0

    def send(from_a, flags, payload=b""):
        nonlocal seq, ack, at
        if from_a:
            packet = ip4(a, b, 6, tcp(a, b, sport, dport, seq, 0 if flags == SYN else ack, flags, payload))
            seq += len(payload) + bool(flags & (SYN | FIN))
        else:
            packet = ip4(b, a, 6, tcp(b, a, dport, sport, ack, seq, flags, payload))
            ack += len(payload) + bool(flags & (SYN | FIN))
        out.append((at, from_a, packet))
        at = round(at + step, 6)

    send(True, SYN)
    send(False, SYN | ACK)
    send(True, ACK)
    for payload in up:
        send(True, PSH | ACK, payload)
        send(False, ACK)
    for payload in down:
        send(False, PSH | ACK, payload)
        send(True, ACK)
    send(True, FIN | ACK)
    send(False, FIN | ACK)
    send(True, ACK)
    return out


def frame(from_a, packet, tags=()):
    src, dst = (MAC_A, MAC_B) if from_a else (MAC_B, MAC_A)
    return ether(src, dst, 0x86DD if packet[0] >> 4 == 6 else 0x0800, packet, tags)


def vlan():
    frames = [(at, frame(up, p, [(0x8100, 12)])) for at, up, p in talk()]
    inner = talk(sport=50001)
    frames += [(at + 1, frame(up, p, [(0x88A8, 100), (0x8100, 12)])) for at, up, p in inner]
    frames += [(at + 2, frame(up, p)) for at, up, p in talk()]
    pcap("vlan-qinq", ETHER, frames)


def ipv6():
    a, b = "fd00:1::5", "fd00:1::53"
    # Hop-by-hop (router alert), then destination options (padding), then UDP.
    ask = udp(a, b, 40000, 53, dns_query(7, "www.kontor.example", 28))
    hop = bytes([60, 0, 5, 2, 0, 0, 1, 0])
    dest = bytes([17, 0, 1, 4, 0, 0, 0, 0])
    frames = [(0, frame(True, ip6(a, b, 0, hop + dest + ask)))]
    # Forty addresses make 1,156 bytes; sent in two fragments, the second first.
    many = [ipaddress.ip_address(f"2001:db8::{n:x}").packed for n in range(1, 41)]
    tell = udp(b, a, 53, 40000, dns_answer(7, "www.kontor.example", many, 28))
    cut = 600

    def part(offset, more, data):
        return ip6(b, a, 44, struct.pack("!BBHI", 17, 0, offset | more, 0xABCD) + data)

    frames.append((0.02, frame(False, part(cut, 0, tell[cut:]))))
    frames.append((0.03, frame(False, part(0, 1, tell[:cut]))))
    pcap("ipv6-extensions-fragments", ETHER, frames)


def links():
    ask, tell = lookup()

    def sll(kind, mac, packet):
        return struct.pack("!HHH8sH", kind, 1, 6, mac + b"\0\0", 0x0800) + packet

    def sll2(kind, mac, packet):
        return struct.pack("!HHIHBB8s", 0x0800, 0, 2, 1, kind, 6, mac + b"\0\0") + packet

    pcap("link-cooked-v1", SLL, [(0, sll(4, MAC_A, ask)), (0.02, sll(0, MAC_B, tell))])
    pcap("link-cooked-v2", SLL2, [(0, sll2(4, MAC_A, ask)), (0.02, sll2(0, MAC_B, tell))])
    pcap("link-raw-ip", RAW, [(0, ask), (0.02, tell)])
    family = struct.pack("<I", 2)
    pcap("link-loopback", LOOP, [(0, family + ask), (0.02, family + tell)])
    pcap("link-unknown", USER0, [(0, frame(True, ask)), (0.02, frame(False, tell))])


def files():
    ask, tell = lookup()
    frames = [(0.000000001, frame(True, ask)), (0.020000002, frame(False, tell))]
    pcap("pcap-nanoseconds-big-endian", ETHER, frames, ">", True)
    # The last record announces 94 bytes and ends after 50 of them.
    frames = [(0, frame(True, ask)), (0.02, frame(False, tell)), (1, frame(True, lookup(sport=40001)[0]))]
    whole = 24 + sum(16 + len(f) for _, f in frames)
    pcap("file-truncated", ETHER, frames, cut=whole - len(frames[2][1]) + 50)


def mirror():
    frames = []
    for at, up, packet in talk(up=[b"x" * 100] * 4, down=[b"y" * 200] * 12):
        frames.append((at, frame(up, packet)))
        # The switch has routed the copy: TTL one less, other hardware addresses.
        copy = packet[:8] + bytes([63]) + packet[9:10] + b"\0\0" + packet[12:]
        copy = copy[:10] + struct.pack("!H", checksum(copy[:20])) + copy[12:]
        frames.append((at + 0.0002, ether(MAC_B[:5] + b"\x99", MAC_A[:5] + b"\x99", 0x0800, copy)))
    pcap("mirror-both-ways", ETHER, frames)
    frames = [(at, frame(up, p)) for at, up, p in talk() if up]
    pcap("mirror-one-way", ETHER, frames)
    frames = [(at, frame(up, p)) for at, up, p in talk() if not up]
    pcap("mirror-one-way-answers", ETHER, [(at - frames[0][0], f) for at, f in frames])


def losses():
    whole = talk(up=[b"x" * 100], down=[b"y" * 200] * 4)
    # 0 SYN, 1 SYN-ACK, 2 ACK, 3 request, 4 ACK, 5 7 9 11 answers each with its ACK after, FINs.
    frames = [(at, frame(up, p)) for at, up, p in whole]
    late = frames[:6] + [(frames[5][0] + 0.005, frames[5][1])] + frames[6:]
    # The third answer was sent (it is acknowledged) but not captured.
    pcap("retransmission-gap", ETHER, late[:10] + late[11:])


def refused():
    a, b = A, B
    frames = [
        (0, frame(True, ip4(a, b, 6, tcp(a, b, 50000, 81, 100, 0, SYN)))),
        (0.001, frame(False, ip4(b, a, 6, tcp(b, a, 81, 50000, 0, 101, RST | ACK)))),
        (1, frame(True, ip4(a, b, 6, tcp(a, b, 50001, 82, 100, 0, SYN)))),
        (2, frame(True, ip4(a, b, 6, tcp(a, b, 50001, 82, 100, 0, SYN)))),
    ]
    # S1, then a reset by the originator: RSTO; by the responder: RSTR.
    for n, from_a in ((2, True), (3, False)):
        for at, up, p in talk(sport=50000 + n)[:5]:
            frames.append((10 * n + at, frame(up, p)))
        seq, ack = 1101, 5001
        end = tcp(a, b, 50000 + n, 7777, seq, ack, RST | ACK) if from_a else tcp(b, a, 7777, 50000 + n, ack, seq, RST | ACK)
        packet = ip4(a, b, 6, end) if from_a else ip4(b, a, 6, end)
        frames.append((10 * n + 1, frame(from_a, packet)))
    # Established and still open at the end: S1.
    frames += [(40 + at, frame(up, p)) for at, up, p in talk(sport=50004)[:5]]
    pcap("tcp-states", ETHER, frames)


def pause():
    ask, tell = lookup()
    frames = [(0, frame(True, ask)), (0.02, frame(False, tell))]
    # Three days later, on what may be another network: nobody watched in between.
    other = bytes.fromhex("021400000077")
    ask = ip4("10.1.0.77", B, 17, udp("10.1.0.77", B, 40000, 53, dns_query(9, "www.kontor.example")))
    frames.append((3 * 86_400, ether(other, MAC_B, 0x0800, ask)))
    pcap("long-pause", ETHER, frames)


def split():
    data = (HERE / "tls-visit" / "in.pcap").read_bytes()[24:]
    hello = None
    while data and hello is None:
        size = struct.unpack("<I", data[8:12])[0]
        packet, data = data[16 : 16 + size], data[16 + size :]
        if packet[12:14] == b"\x08\x00" and packet[23] == 6:
            start = 14 + 20 + (packet[46] >> 4) * 4
            if packet[start : start + 2] == b"\x16\x03":
                hello = packet[start:]
    third = len(hello) // 3
    parts = [hello[:third], hello[third : 2 * third], hello[2 * third :]]
    whole = talk(dport=443, b="198.51.100.11", up=parts, down=())
    # Order on the wire: first, third, second segment; the answers in between stay.
    order = [0, 1, 2, 3, 4, 7, 5, 6, 8, 9, 10, 11]
    times = [at for at, _, _ in whole]
    frames = [(at, frame(whole[n][1], whole[n][2])) for at, n in zip(times, order)]
    pcap("split-client-hello", ETHER, frames)


if __name__ == "__main__":
    for make in (vlan, ipv6, links, files, mirror, losses, refused, pause, split):
        make()
