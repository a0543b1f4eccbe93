"""Writes the captures of the hand-made golden cases, byte for byte the same each time.

Usage: python3 tests/golden/make.py
Every header is built here with `struct`; lengths and checksums are right unless a case is about
their being wrong. `split-client-hello` takes its ClientHello from `tls-visit/in.pcap`.
"""

import ipaddress
import pathlib
import struct
import uuid

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


def client_hello():
    data = (HERE / "tls-visit" / "in.pcap").read_bytes()[24:]
    while data:
        size = struct.unpack("<I", data[8:12])[0]
        packet, data = data[16 : 16 + size], data[16 + size :]
        if packet[12:14] == b"\x08\x00" and packet[23] == 6:
            start = 14 + 20 + (packet[46] >> 4) * 4
            if packet[start : start + 2] == b"\x16\x03":
                return packet[start:]
    raise ValueError("no ClientHello in tls-visit")


def split():
    hello = client_hello()
    third = len(hello) // 3
    parts = [hello[:third], hello[third : 2 * third], hello[2 * third :]]
    whole = talk(dport=443, b="198.51.100.11", up=parts, down=())
    # Order on the wire: first, third, second segment; the answers in between stay.
    order = [0, 1, 2, 3, 4, 7, 5, 6, 8, 9, 10, 11]
    times = [at for at, _, _ in whole]
    frames = [(at, frame(whole[n][1], whole[n][2])) for at, n in zip(times, order)]
    pcap("split-client-hello", ETHER, frames)


def quic():
    """The packets of RFC 9001 §A.2 and §A.3, and of RFC 9369 §A.2 and §A.3, then packets of the session."""
    vectors = HERE.parents[1] / "src" / "engine" / "proto" / "quic" / "testdata"
    answers = {
        "rfc9001": """cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a5816b6394100f37a1c69797554780bb38cc5a9
            9f5ede4cf73c3ec2493a1839b3dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84022f8ef4cdd93795d77d06ed
            bb7aaf2f58891850abbdca3d20398c276456cbc42158407dd074ee""",
        "rfc9369": """dc6b3343cf0008f067a5502a4262b5004075d92faaf16f05d8a4398c47089698baeea26b91eb761d9b89237bbf872630179153
            58230035f7fd3945d88965cf17f9af6e16886c61bfc703106fbaf3cb4cfa52382dd16a393e42757507698075b2c984c707f0a0812d8cd5a688
            1eaf21ceda98f4bd23f6fe1a3e2c43edd9ce7ca84bed8521e2e140""",
    }
    session = bytes.fromhex("41f067a5502a4262b5") + b"z" * 30
    frames, server = [], "198.51.100.11"
    for n, (name, answer) in enumerate(answers.items()):
        hello = (vectors / f"{name}_a2.bin").read_bytes()
        sport, port = 50000 + n, (443, 8443)[n]
        steps = [(True, hello), (False, bytes.fromhex(answer)), (False, session), (True, session), (False, session)]
        for step, (up, payload) in enumerate(steps):
            a, b, p, q = (A, server, sport, port) if up else (server, A, port, sport)
            frames.append((n + step * 0.01, frame(up, ip4(a, b, 17, udp(a, b, p, q, payload)))))
    pcap("quic-visit", ETHER, frames)


def exchange(turns, sport, dport, step=0.01):
    """A TCP conversation whose payloads go to and fro: (from a?, payload)."""
    out, seq, ack, at = [], 1000, 5000, 0.0

    def send(from_a, flags, payload=b""):
        nonlocal seq, ack, at
        if from_a:
            packet = ip4(A, B, 6, tcp(A, B, sport, dport, seq, 0 if flags == SYN else ack, flags, payload))
            seq += len(payload) + bool(flags & (SYN | FIN))
        else:
            packet = ip4(B, A, 6, tcp(B, A, dport, sport, ack, seq, flags, payload))
            ack += len(payload) + bool(flags & (SYN | FIN))
        out.append((at, frame(from_a, packet)))
        at = round(at + step, 6)

    send(True, SYN)
    send(False, SYN | ACK)
    send(True, ACK)
    for from_a, payload in turns:
        send(from_a, PSH | ACK, payload)
    send(True, FIN | ACK)
    send(False, FIN | ACK)
    send(True, ACK)
    return out


SVCCTL = uuid.UUID("367abb81-9844-35f1-ad32-98f038001003")
TASKS = uuid.UUID("86d35949-83c9-4044-b424-db363231fd0c")
EPMAPPER = uuid.UUID("e1af8308-5d1f-11c9-91a4-08002b14a0fa")
NDR = uuid.UUID("8a885d04-1ceb-11c9-9fe8-08002b104860")


def pdu(kind, call, body):
    """A connection-oriented PDU of one fragment (C706 12.6.3)."""
    return struct.pack("<BBBBIHHI", 5, 0, kind, 3, 0x10, 16 + len(body), 0, call) + body


def rpc_bind(interface, version=1):
    syntax = NDR.bytes_le + struct.pack("<I", 2)
    context = struct.pack("<HBB", 0, 1, 0) + interface.bytes_le + struct.pack("<I", version) + syntax
    return pdu(11, 1, struct.pack("<HHIBBH", 4280, 4280, 0, 1, 0, 0) + context)


def rpc_ack(address):
    body = struct.pack("<HHIH", 4280, 4280, 1, len(address) + 1) + address.encode() + b"\0"
    body += b"\0" * (-len(body) % 4)
    return pdu(12, 1, body + struct.pack("<BBHHH", 1, 0, 0, 0, 0) + NDR.bytes_le + struct.pack("<I", 2))


def rpc_call(call, operation, stub=b"\xaa" * 40):
    return pdu(0, call, struct.pack("<IHH", len(stub), 0, operation) + stub)


def rpc_answer(call, stub=b"\0" * 24):
    return pdu(2, call, struct.pack("<IHBB", len(stub), 0, 0, 0) + stub)


def rpc_fault(call, status):
    return pdu(3, call, struct.pack("<IHBBII", 32, 0, 0, 0, status, 0))


def netbios(message):
    return struct.pack("!I", len(message)) + message


def smb2(command, message, body, response=False):
    """A command of SMB 2 ([MS-SMB2] 2.2.1.2); tree 3, session 7."""
    head = struct.pack("<4sHHIHHIIQIIQ16s", b"\xfeSMB", 64, 1, 0, command, 1, int(response), 0, message, 0, 3, 7, b"")
    return netbios(head + body)


def smb1(command, exchange, words, data, response=False):
    """A message of SMB 1 ([MS-CIFS] 2.2.3) with UTF-16 names; tree 3, user 7."""
    head = struct.pack("<4sBIBH12xHHHH", b"\xffSMB", command, 0, 0x80 * response, 0xC001, 3, 9, 7, exchange)
    return netbios(head + bytes([len(words) // 2]) + words + struct.pack("<H", len(data)) + data)


def service_by_smb2():
    def data(structure, offset, payload, file, rest):
        return struct.pack("<HHIQ", structure, offset, len(payload), 0) + file + rest + payload

    file, share = b"\x08" * 16, r"\\srv\IPC$".encode("utf-16le")
    opened = struct.pack("<HBBI", 89, 0, 0, 1) + b"\0" * 56 + file + b"\0" * 8
    pipe = "svcctl".encode("utf-16le")
    create = struct.pack("<H38xIHH8x", 57, 0, 120, len(pipe)) + pipe
    turns = [
        (True, smb2(3, 1, struct.pack("<HHHH", 9, 0, 72, len(share)) + share)),
        (False, smb2(3, 1, struct.pack("<HBBIII", 16, 2, 0, 0, 0, 0x1F01FF), True)),
        (True, smb2(5, 2, create)),
        (False, smb2(5, 2, opened, True)),
    ]
    asks = [(rpc_bind(SVCCTL, 2), rpc_ack(r"\PIPE\ntsvcs")), (rpc_call(2, 15), rpc_answer(2))]
    asks += [(rpc_call(3, 12, b"\xaa" * 900), rpc_answer(3)), (rpc_call(4, 19), rpc_answer(4))]
    for n, (ask, answer) in enumerate(asks):
        # A write and a read each; the last by FSCTL_PIPE_TRANSCEIVE.
        if n < 3:
            turns.append((True, smb2(9, 10 + n, data(49, 112, ask, file, b"\0" * 16))))
            turns.append((False, smb2(9, 10 + n, struct.pack("<HHIQ", 17, 0, len(ask), 0), True)))
            turns.append((True, smb2(8, 20 + n, data(49, 0x50, b"", file, b"\0" * 17))))
            turns.append((False, smb2(8, 20 + n, struct.pack("<HBBIII", 17, 80, 0, len(answer), 0, 0) + answer, True)))
        else:
            body = struct.pack("<HHI", 57, 0, 0x11C017) + file
            turns.append((True, smb2(11, 30, body + struct.pack("<II24x", 120, len(ask)) + ask)))
            body = struct.pack("<HHI", 49, 0, 0x11C017) + file
            turns.append((False, smb2(11, 30, body + struct.pack("<IIII8x", 112, 0, 112, len(answer)) + answer, True)))
    turns.append((True, smb2(6, 40, struct.pack("<HHI", 24, 0, 0) + file)))
    turns.append((False, smb2(6, 40, struct.pack("<H58x", 60), True)))
    return turns


def service_by_smb1():
    def name(text):
        return b"\0" + text.encode("utf-16le") + b"\0\0"

    def create(exchange, text, file, size):
        words = struct.pack("<BBHBH34xI5x", 0xFF, 0, 0, 0, 2 * len(text), 0)
        yield True, smb1(0xA2, exchange, words, name(text))
        words = struct.pack("<BBHBHI40xQ5x", 0xFF, 0, 0, 0, file, 2, size)
        yield False, smb1(0xA2, exchange, words, b"", True)

    def write(exchange, file, payload):
        words = struct.pack("<BBHH14xHHI", 0xFF, 0, 0, file, len(payload), 64, 0)
        yield True, smb1(0x2F, exchange, words, b"\0" + payload)
        yield False, smb1(0x2F, exchange, struct.pack("<BBHHHI", 0xFF, 0, 0, len(payload), 0, 0), b"", True)

    def close(exchange, file):
        yield True, smb1(4, exchange, struct.pack("<HI", file, 0), b"")
        yield False, smb1(4, exchange, b"", b"", True)

    def connect(exchange, path, service):
        words = struct.pack("<BBHHH", 0xFF, 0, 0, 0, 1)
        yield True, smb1(0x75, exchange, words, name(path) + b"?????\0")
        yield False, smb1(0x75, exchange, struct.pack("<BBHH", 0xFF, 0, 0, 1), service + b"\0", True)

    def transact(exchange, file, ask, answer):
        data = name("\\PIPE\\") + ask
        words = struct.pack("<22xHHHHH", len(ask), 67 + len(data) - len(ask), 2, 0x26, file)
        yield True, smb1(0x25, exchange, words, data)
        yield False, smb1(0x25, exchange, struct.pack("<12xHHI", len(answer), 55, 0), answer, True)

    return [
        *connect(1, r"\\srv\ADMIN$", b"A:"),
        *create(2, r"\svc.exe", 5, 0),
        *write(3, 5, b"MZ" + b"\0" * 500),
        *close(4, 5),
        # SMB_COM_DELETE: a format byte before the name.
        (True, smb1(6, 9, b"\0\0", b"\x04" + r"\svc.exe".encode("utf-16le") + b"\0\0")),
        (False, smb1(6, 9, b"", b"", True)),
        *connect(5, r"\\srv\IPC$", b"IPC"),
        *create(6, r"\svcctl", 6, 0),
        *write(7, 6, rpc_bind(SVCCTL, 2)),
        *transact(8, 6, rpc_call(2, 12), rpc_answer(2)),
    ]


def remote_calls():
    mapper = [(True, rpc_bind(EPMAPPER, 3)), (False, rpc_ack("135"))]
    mapper += [(True, rpc_call(2, 3)), (False, rpc_answer(2))]
    tasks = [(True, rpc_bind(TASKS)), (False, rpc_ack("49155"))]
    # Arguments of 6,000 bytes go in two fragments; the answer is that it may not be.
    first, last = bytearray(rpc_call(2, 1, b"\xaa" * 4000)), bytearray(rpc_call(2, 1, b"\xaa" * 2000))
    first[3], last[3] = 1, 2
    tasks += [(True, bytes(first[:1400])), (True, bytes(first[1400:2800])), (True, bytes(first[2800:]))]
    tasks += [(True, bytes(last[:1400])), (True, bytes(last[1400:])), (False, rpc_fault(2, 5))]
    frames = []
    talks = [(mapper, 135), (tasks, 49155), (service_by_smb2(), 445), (service_by_smb1(), 445)]
    for n, (turns, port) in enumerate(talks):
        frames += [(n * 2 + at, f) for at, f in exchange(turns, 50100 + n, port)]
    pcap("dce-rpc-and-old-smb", ETHER, frames)


def h2(kind, flags, stream, body=b""):
    """A frame of HTTP/2 (RFC 9113 §4.1)."""
    return struct.pack("!I", len(body))[1:] + struct.pack("!BBI", kind, flags, stream) + body


def web():
    """HTTP/2 in clear with the header blocks of RFC 7541 §C.4, a WebSocket, and a program sent as text."""
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + h2(4, 0, 0)
    first = bytes.fromhex("828684418cf1e3c2e5f23a6ba0ab90f4ff")
    again = bytes.fromhex("828684be5886a8eb10649cbf")
    up = [preface + h2(1, 5, 1, first) + h2(1, 5, 3, again)]
    # :status 200 is entry 8 and 404 entry 13 of the static table; content-length is entry 28.
    ok = b"\x88" + b"\x0f\x0d\x0241"
    down = [h2(4, 0, 0) + h2(1, 4, 1, ok) + h2(0, 1, 1, b"x" * 41) + h2(1, 5, 3, b"\x8d")]
    frames = [(at, frame(a, p)) for at, a, p in talk(sport=50010, dport=8080, up=up, down=down)]
    ask = b"""GET /chat HTTP/1.1
Host: kontor.example
User-Agent: Mozilla/5.0
Upgrade: websocket
Connection: Upgrade
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
Sec-WebSocket-Protocol: chat, superchat
Sec-WebSocket-Version: 13

"""
    agree = b"""HTTP/1.1 101 Switching Protocols
Upgrade: websocket
Connection: Upgrade
Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
Sec-WebSocket-Protocol: chat

"""
    lines = [text.replace(b"\n", b"\r\n") for text in (ask, agree)]
    turned = talk(sport=50011, dport=80, up=lines[:1], down=lines[1:] + [b"\x81\x05hello"])
    frames += [(at + 1, frame(a, p)) for at, a, p in turned]
    ask = b"GET /bericht.txt HTTP/1.1\r\nHost: kontor.example\r\n\r\n"
    tell = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 64\r\n\r\n"
    down = [tell, b"MZ\x90\0" + b"\0" * 60]
    frames += [(at + 2, frame(a, p)) for at, a, p in talk(sport=50012, dport=80, up=[ask], down=down)]
    pcap("web-http2-websocket", ETHER, frames)


def dtls_message(kind, number, body):
    """A handshake message in a record of DTLS 1.2 (RFC 6347 §4.1, §4.2.2)."""
    length = struct.pack("!I", len(body))[1:]
    message = bytes([kind]) + length + struct.pack("!H", number) + bytes(3) + length + body
    return struct.pack("!BHHHIH", 22, 0xFEFD, 0, 0, number, len(message)) + message


def tunnels():
    """STUN with the messages of RFC 5769 (integrity left out), DTLS, WireGuard, IKE, OpenVPN, BitTorrent."""
    server, frames = "198.51.100.11", []

    def say(at, sport, port, steps):
        for step, (up, payload) in enumerate(steps):
            a, b, p, q = (A, server, sport, port) if up else (server, A, port, sport)
            frames.append((at + step * 0.01, frame(up, ip4(a, b, 17, udp(a, b, p, q, payload)))))

    mark = bytes.fromhex("2112a442b7e7a701bc34d686fa87dfae")
    ask = bytes.fromhex("00010014") + mark + bytes.fromhex("80220010") + b"STUN test client"
    tell = bytes.fromhex("0101001c") + mark + bytes.fromhex("8022000b") + b"test vector "
    tell += bytes.fromhex("002000080001a147e112a643")
    say(0, 50020, 3478, [(True, ask), (False, tell)])
    name = b"vpn.kontor.example"
    names = struct.pack("!HHHBH", 0, len(name) + 5, len(name) + 3, 0, len(name)) + name

    def hello(cookie):
        start = b"\xfe\xfd" + b"\x55" * 32 + b"\0" + bytes([len(cookie)]) + cookie
        return start + bytes.fromhex("0004c02bc02f0100") + struct.pack("!H", len(names)) + names

    chosen = b"\xfe\xfd" + b"\x66" * 32 + bytes.fromhex("00c02b00")
    sealed = struct.pack("!BHHHIH", 22, 0xFEFD, 1, 0, 0, 40) + b"\xee" * 40
    steps = [(True, dtls_message(1, 0, hello(b""))), (False, dtls_message(3, 0, b"\xfe\xff\x02\7\7"))]
    steps += [(True, dtls_message(1, 1, hello(b"\7\7"))), (False, dtls_message(2, 1, chosen))]
    say(1, 50021, 4433, steps + [(True, sealed), (False, sealed)])
    say(2, 50022, 51820, [(True, b"\1\0\0\0" + b"\x15" * 144), (False, b"\2\0\0\0" + b"\x16" * 88)])
    say(3, 50023, 500, [(True, b"\x09" * 8 + bytes(8) + bytes.fromhex("212022080000000000000020") + bytes(4))])
    say(4, 50024, 1194, [(True, b"\x38" + b"\x11" * 8 + bytes(5))])
    say(5, 50025, 6881, [(True, b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe")])
    pcap("tunnels-by-handshake", ETHER, frames)


def relays():
    """TURN (RFC 8656: an allocation, a channel, data in it), RustDesk's registration, DERP behind HTTP."""
    server, frames = "198.51.100.11", []

    def turn(kind, attributes=()):
        body = b"".join(struct.pack("!HH", at, len(v)) + v + bytes(-len(v) % 4) for at, v in attributes)
        return struct.pack("!HHI", kind, len(body), 0x2112A442) + b"\x14" * 12 + body

    def place(text, port):
        mixed = bytes(a ^ b for a, b in zip(bytes(map(int, text.split("."))), bytes.fromhex("2112a442")))
        return struct.pack("!BBH", 0, 1, port ^ 0x2112) + mixed

    over_udp, peer = (0x19, b"\x11\0\0\0"), (0x12, place("203.0.113.9", 40000))
    known = (6, b"SECRET-name"), (0x14, b"kontor.example"), (8, b"\x77" * 20)
    given = (0x16, place(server, 49152)), (0x20, place("192.0.2.1", 61000)), (0x0D, struct.pack("!I", 600))
    steps = [
        (True, turn(0x0003, [over_udp])),
        (False, turn(0x0113, [(9, b"\0\0\4\x01Unauthorized"), (0x14, b"kontor.example"), (0x15, b"nonce")])),
        (True, turn(0x0003, [over_udp, *known])),
        (False, turn(0x0103, [*given, (0x8022, b"Relay 1.0")])),
        (True, turn(0x0008, [peer, *known])), (False, turn(0x0108)),
        (True, turn(0x0009, [(0x0C, b"\x40\0\0\0"), peer, *known])), (False, turn(0x0109)),
        (True, b"\x40\0\0\4ping"), (False, b"\x40\0\0\4pong"),
    ]
    for step, (up, payload) in enumerate(steps):
        a, b, p, q = (A, server, 50030, 3478) if up else (server, A, 3478, 50030)
        frames.append((step * 0.01, frame(up, ip4(a, b, 17, udp(a, b, p, q, payload)))))
    for step, (up, payload) in enumerate([(True, b"\x32\x0b\x0a\x09123456789"), (False, b"\x3a\x02\x10\x01")]):
        a, b, p, q = (A, server, 50031, 21116) if up else (server, A, 21116, 50031)
        frames.append((1 + step * 0.01, frame(up, ip4(a, b, 17, udp(a, b, p, q, payload)))))
    ask = b"GET /derp HTTP/1.1\r\nHost: relay.kontor.example\r\nUpgrade: DERP\r\nConnection: Upgrade\r\n\r\n"
    agreed = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: DERP\r\nConnection: Upgrade\r\n\r\n"
    key = b"\1\0\0\0\x28DERP\xf0\x9f\x94\x91" + b"\x44" * 32
    told = exchange([(True, ask), (False, agreed), (False, key), (True, b"\2\0\0\0\x50" + b"\xee" * 80)], 50032, 3340)
    pcap("relays", ETHER, frames + [(at + 2, one) for at, one in told])


if __name__ == "__main__":
    for make in (vlan, ipv6, links, files, mirror, losses, refused, pause, split, quic, remote_calls, web, tunnels, relays):
        make()
