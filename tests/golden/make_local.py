"""Writes the captures of the golden cases about what devices of one network tell each other, as `make.py` does.

Usage: python3 tests/golden/make_local.py
Layouts are those of the RFCs and standards named; names and addresses are made up.
"""

import ipaddress

from make import A, B, ETHER, MAC_A, MAC_B, checksum, ether, ip4, ip6, labels, pcap, pseudo, struct, udp
from make_text import datagrams, dialog

LINK_A, LINK_B = "fe80::14:ff:fe00:5", "fe80::14:ff:fe00:53"
C, S = True, False


def packed(addr):
    return ipaddress.ip_address(addr).packed


def group(addr):
    """The hardware address of an IPv6 group (RFC 2464 section 7)."""
    return b"\x33\x33" + packed(addr)[12:]


def dhcpv6():
    """RFC 8415: solicit, advertise, request, reply; RFC 4704, RFC 3646."""

    def option(code, *parts):
        value = b"".join(parts)
        return struct.pack("!HH", code, len(value)) + value

    client = option(1, bytes.fromhex("000100012aee63bd"), MAC_A)
    server = option(2, bytes.fromhex("000100012a0b5a10"), MAC_B)
    about = option(39, b"\0", labels("pc-anna")[:-1]) + option(16, struct.pack("!IH", 311, 8), b"MSFT 5.0")
    about += option(6, struct.pack("!HHHH", 24, 23, 17, 39))
    times = struct.pack("!III", 0x02140000, 3600, 5400)
    given = option(3, times, option(5, packed("fd00:1::1002"), struct.pack("!II", 4500, 7500)))
    served = option(23, packed("fd00:1::53")) + option(24, labels("kontor.example"))
    turns = [
        (C, b"\x01\x9d\xe0\x3f" + option(8, b"\0\0") + client + option(3, times[:4], bytes(8)) + about),
        (S, b"\x02\x9d\xe0\x3f" + client + server + given + served),
        (C, b"\x03\x9d\xe0\x40" + option(8, b"\0\0") + client + server + given + about),
        (S, b"\x07\x9d\xe0\x40" + client + server + given + served),
    ]
    frames = []
    for at, (asks, payload) in enumerate(turns):
        if asks:
            src, dst, ports, macs = LINK_A, "ff02::1:2", (546, 547), (MAC_A, group("ff02::1:2"))
        else:
            src, dst, ports, macs = LINK_B, LINK_A, (547, 546), (MAC_B, MAC_A)
        frames.append((at * 0.25, ether(*macs, 0x86DD, ip6(src, dst, 17, udp(src, dst, *ports, payload)))))
    pcap("dhcpv6-join", ETHER, frames)


def icmp6(src, dst, message, hops=255, mac=MAC_B):
    """An ICMPv6 message; what speaks to the link alone has the highest hop limit (RFC 4861 section 6.1.2)."""
    check = checksum(pseudo(src, dst, 58, len(message)) + message)
    packet = ip6(src, dst, 58, message[:2] + struct.pack("!H", check) + message[4:])
    return ether(mac, group(dst) if dst.startswith("ff") else MAC_A, 0x86DD, packet[:7] + bytes([hops]) + packet[8:])


def routers():
    """RFC 4861: a router advertises, again, and stops; another one advertises; one from afar; a redirect."""

    def advertisement(lifetime, prefix, mac, dns):
        out = b"\x86\0\0\0" + struct.pack("!BBHII", 64, 0x40, lifetime, 0, 0)
        out += b"\1\1" + mac + b"\5\1\0\0" + struct.pack("!I", 1500)
        out += struct.pack("!BBBBIII", 3, 4, 64, 0xC0, 86400, 14400, 0) + packed(prefix)
        return out + struct.pack("!BBHI", 25, 3, 0, 1800) + packed(dns)

    nodes = "ff02::1"
    ours = advertisement(1800, "fd00:1::", MAC_B, "fd00:1::53")
    rogue = advertisement(9000, "2001:db8:bad::", MAC_A, "2001:db8:bad::53")
    redirect = b"\x89\0\0\0" + bytes(4) + packed(LINK_A) + packed("fd00:2::7") + b"\2\1" + MAC_A
    pcap("ndp-routers", ETHER, [
        (0, icmp6(LINK_A, "ff02::2", b"\x85\0\0\0" + bytes(4) + b"\1\1" + MAC_A, mac=MAC_A)),
        (0.1, icmp6(LINK_B, nodes, ours)),
        (10, icmp6(LINK_B, nodes, ours)),
        (20, icmp6(LINK_A, nodes, rogue, mac=MAC_A)),
        (21, icmp6("fe80::99", nodes, rogue, hops=64, mac=MAC_A)),
        (30, icmp6(LINK_B, "fe80::14:ff:fe00:7", redirect)),
        (40, icmp6(LINK_B, nodes, advertisement(0, "fd00:1::", MAC_B, "fd00:1::53"))),
    ])


def ports():
    """IEEE 802.1AB and CDP: a switch names itself and the mirror port, every 30 seconds; a telephone does so by CDP."""

    def lldp(kind, *parts):
        value = b"".join(parts)
        return struct.pack("!H", kind << 9 | len(value)) + value

    def cdp(kind, *parts):
        value = b"".join(parts)
        return struct.pack("!HH", kind, len(value) + 4) + value

    switch, chassis = bytes.fromhex("021400000a24"), bytes.fromhex("021400000a00")
    said = lldp(1, b"\4", chassis) + lldp(2, b"\5gi1/0/24") + lldp(3, struct.pack("!H", 120)) + lldp(4, b"Tapir")
    said += lldp(5, b"sw-keller") + lldp(6, b"Kontor Switch 24 v2.1") + lldp(7, struct.pack("!HH", 0x14, 4))
    said += lldp(8, b"\5\1", packed("10.1.0.2"), b"\2\0\0\0\x18\0") + lldp(127, bytes.fromhex("0080c201000c")) + b"\0\0"
    phone = bytes.fromhex("021400000b01")
    told = b"\2\xb4\0\0" + cdp(1, b"SEP021400000B01") + cdp(2, bytes.fromhex("000000010101cc0004"), packed("10.1.0.71"))
    told += cdp(3, b"Port 1") + cdp(4, struct.pack("!I", 0x90)) + cdp(5, b"SIP78.12.1") + cdp(6, b"Cisco IP Phone 7841")
    told = b"\xaa\xaa\x03\0\0\x0c\x20\0" + told
    lldp_group, cdp_group = bytes.fromhex("0180c200000e"), bytes.fromhex("01000ccccccc")
    frames = [(at, ether(switch, lldp_group, 0x88CC, said)) for at in (0, 30, 60)]
    frames.append((10, ether(phone, cdp_group, len(told), told, [(0x8100, 12)])))
    frames.append((70, ether(switch, lldp_group, 0x88CC, said[9:])))
    pcap("link-discovery", ETHER, sorted(frames))


def services():
    """UPnP Device Architecture 2.0 section 1, WS-Discovery 1.1 section 4: who searches, and what answers."""

    def head(*lines):
        return "\r\n".join(lines + ("", "")).encode()

    router, box = "urn:schemas-upnp-org:device:InternetGatewayDevice:1", "UPnP/1.0 Kontor-Box/7.2"
    uuid = "uuid:f5c1d177-62e5-45d1-a6e7-c412f504c74a"
    place = "LOCATION: http://10.1.0.53:5431/igd.xml"
    search = head("M-SEARCH * HTTP/1.1", "HOST: 239.255.255.250:1900", 'MAN: "ssdp:discover"', "MX: 1", "ST: " + router, "USER-AGENT: Browser/75.0 Windows")
    answer = head("HTTP/1.1 200 OK", "CACHE-CONTROL: max-age=3000", "EXT:", place, "SERVER: " + box, "ST: " + router, f"USN: {uuid}::{router}")
    alive = [
        head("NOTIFY * HTTP/1.1", "HOST: 239.255.255.250:1900", "CACHE-CONTROL: max-age=3000", place, "SERVER: " + box, "NT: " + kind, f"USN: {uuid}::{kind}", "NTS: ssdp:alive")
        for kind in ("upnp:rootdevice", router, "urn:schemas-upnp-org:service:WANIPConnection:1")
    ]
    space = "http://schemas.xmlsoap.org/ws/2005/04/discovery"

    def envelope(action, body):
        out = f'<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope" xmlns:wsd="{space}">'
        out += f"<soap:Header><wsa:Action>{space}/{action}</wsa:Action></soap:Header><soap:Body>{body}</soap:Body></soap:Envelope>"
        return out.encode()

    named = "<wsa:EndpointReference><wsa:Address>urn:uuid:143b0898-3ffa-4e5b-baa7-d58c4371935e</wsa:Address></wsa:EndpointReference>"
    hello = envelope("Hello", f"<wsd:Hello>{named}<wsd:Types>wsdp:Device pub:Computer</wsd:Types></wsd:Hello>")
    probe = envelope("Probe", "<wsd:Probe><wsd:Types>wsdp:Device</wsd:Types></wsd:Probe>")
    group = "239.255.255.250"
    talk = [(0, A, group, 50001, 1900, search), (0.1, B, A, 1900, 50001, answer)]
    talk += [(1 + at / 10, B, group, 1900, 1900, one) for at, one in enumerate(alive)]
    talk += [(2, A, group, 50002, 3702, probe), (2.1, A, group, 50002, 3702, probe), (3, A, group, 50003, 3702, hello)]
    frames = []
    for at, src, dst, sport, dport, payload in talk:
        mac, to = MAC_A if src == A else MAC_B, MAC_A if dst == A else bytes.fromhex("01005e7ffffa")
        frames.append((at, ether(mac, to, 0x0800, ip4(src, dst, 17, udp(src, dst, sport, dport, payload)))))
    pcap("ssdp-and-ws-discovery", ETHER, frames)


def screen():
    """RFC 6143 section 7: a screen behind a password, and one that refuses it."""
    greeting = b"RFB 003.008\n"
    init = struct.pack("!HH", 1280, 800) + bytes.fromhex("20180001 00ff00ff00ff 100800 000000".replace(" ", "")) + struct.pack("!I", 12) + b"anna@pc-anna"
    way_in = [(S, greeting), (C, greeting), (S, b"\2\2\x13"), (C, b"\2"), (S, b"challengechallen"), (C, b"responseresponse")]
    shown = way_in + [(S, bytes(4)), (C, b"\1"), (S, init)]
    refused = way_in + [(S, struct.pack("!II", 1, 6) + b"denied")]
    frames = dialog(5900, shown) + dialog(5900, refused, sport=50001, start=1)
    pcap("rfb-screen", ETHER, frames)


def downloads():
    """RFC 9112: a program at once and in chunks, a document sent up, one that breaks off; a page is no such file."""
    program = b"MZ\x90\0" + bytes(range(256)) * 8
    named = b'Content-Disposition: attachment; filename="setup.exe"\r\n'
    fixed = b"HTTP/1.1 200 OK\r\n" + named + b"Content-Length: %d\r\n\r\n" % len(program) + program
    chunks = b"".join(b"%x\r\n" % len(part) + part + b"\r\n" for part in (program[:700], program[700:])) + b"0\r\n\r\n"
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
    page = b"HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n<html>a page</html>\r\n"
    document = b"%PDF-1.7\n" + b"preise " * 40
    upload = b"PUT /ablage/preise.pdf HTTP/1.1\r\nHost: www.kontor.example\r\nContent-Length: %d\r\n\r\n" % len(document) + document
    cut = b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\nPK\3\4" + bytes(96)

    def ask(path):
        return b"GET " + path + b" HTTP/1.1\r\nHost: www.kontor.example\r\n\r\n"

    turns = [(C, ask(b"/setup.exe")), (S, fixed[:1000]), (S, fixed[1000:]), (C, ask(b"/")), (S, page), (C, ask(b"/again.exe")), (S, chunked)]
    turns += [(C, upload), (S, b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"), (C, ask(b"/a.zip")), (S, cut)]
    pcap("files-over-http", ETHER, dialog(80, turns))


def files_of_another():
    """RFC 5531, RFC 1833, RFC 1813: portmap is asked, a folder is mounted, files in it are looked up and renamed."""
    portmap, nfs, mount = 100000, 100003, 100005

    def opaque(data):
        return struct.pack("!I", len(data)) + data + bytes(-len(data) % 4)

    sys_auth = struct.pack("!II", 1, 28) + struct.pack("!I", 7) + opaque(b"pc-anna") + struct.pack("!III", 1000, 1000, 0)

    def call(xid, program, version, procedure, args=b"", auth=bytes(8)):
        return struct.pack("!IIIIII", xid, 0, 2, program, version, procedure) + auth + bytes(8) + args

    def reply(xid, result=b"", state=0):
        return struct.pack("!IIIIII", xid, 1, 0, 0, 0, state) + result

    def marked(message):
        return struct.pack("!I", 1 << 31 | len(message)) + message

    asked = [(C, call(1, portmap, 2, 3, struct.pack("!IIII", mount, 3, 17, 0))), (S, reply(1, struct.pack("!I", 20048)))]
    handle = opaque(b"h" * 28)
    mounted = [(C, call(2, mount, 3, 1, opaque(b"/export/ablage"), sys_auth)), (S, reply(2, struct.pack("!I", 0) + handle + struct.pack("!II", 1, 1)))]
    old, new = handle + opaque(b"preise 2026.csv"), handle + opaque(b"preise 2026.csv.locked")
    turns = [
        (C, marked(call(3, nfs, 3, 3, old, sys_auth))), (S, marked(reply(3, bytes(4) + handle + bytes(8)))),
        (C, marked(call(4, nfs, 3, 7, handle + struct.pack("!QII", 0, 1200, 2) + opaque(b"z" * 1200), sys_auth))), (S, marked(reply(4, bytes(12) + struct.pack("!II", 1200, 2) + bytes(8)))),
        (C, marked(call(5, nfs, 3, 14, old + new, sys_auth))), (S, marked(reply(5, bytes(20)))),
        (C, marked(call(6, nfs, 9, 0))), (S, marked(reply(6, struct.pack("!II", 2, 4), state=2))),
    ]
    frames = datagrams(111, asked) + [(at + 2, one) for at, one in datagrams(20048, mounted)]
    pcap("nfs-rename", ETHER, frames + dialog(2049, turns, start=5))


def media():
    """RFC 3550, RFC 3551: a call's voice both ways with its reports; a datagram that looks so once and then does not."""

    def voice(sequence, ssrc, kind=8):
        return struct.pack("!BBHII", 0x80, kind, sequence & 0xFFFF, 160 * sequence & 0xFFFFFFFF, ssrc) + b"\xd5" * 160

    report = struct.pack("!BBHI", 0x80, 201, 1, 7) + struct.pack("!BBHI", 0x81, 202, 4, 7) + b"\1\x09anna@pc-a\0"
    talk = [(True, 0x88)] + [(n % 2 == 0, 8) for n in range(9)]
    turns = [(from_a, voice(65533 + n, 7 if from_a else 9, kind)) for n, (from_a, kind) in enumerate(talk)]
    frames = [(at * 0.02, one) for at, one in datagrams(16384, turns, sport=4000)]
    frames += datagrams(16385, [(C, report), (S, report)], sport=4001)
    frames += [(at + 3, one) for at, one in datagrams(9999, [(C, voice(5, 7)), (C, voice(5, 8))], sport=5000)]
    pcap("rtp-call", ETHER, sorted(frames))


def call():
    """RFC 3261, RFC 4317 section 2.1: a call whose voice has a codec by agreement (RFC 3551 section 6), so that its content
    alone does not tell it; the same over TCP, where the description comes later than the head."""

    def describe(who, port):
        return f"v=0\r\no=- 1 1 IN IP4 {who}\r\ns=-\r\nc=IN IP4 {who}\r\nt=0 0\r\nm=audio {port} RTP/AVP 97\r\na=rtpmap:97 iLBC/8000\r\n"

    def message(start, ident, over, who=None, port=0):
        body = describe(who, port) if who else ""
        kind = "Content-Type: application/sdp\r\n" if who else ""
        about = f"Via: SIP/2.0/{over} {A};branch=z9hG4bK{ident}\r\nFrom: <sip:anna@kontor.example>;tag=1\r\n"
        about += f"To: <sip:bert@kontor.example>;tag=2\r\nCall-ID: {ident}@kontor.example\r\nCSeq: 1 INVITE\r\n"
        return f"{start}\r\n{about}{kind}Content-Length: {len(body)}\r\n\r\n".encode(), body.encode()

    invite, ok = "INVITE sip:bert@kontor.example SIP/2.0", "SIP/2.0 200 OK"

    def voice(port, peer, start):
        turns = [(n % 2 == 0, struct.pack("!BBHII", 0x80, 97, n, 240 * n, 7 + n % 2) + b"\x55" * 50) for n in range(4)]
        reports = [(C, struct.pack("!BBHI", 0x80, 201, 1, 7) + b"\x55" * 8)]
        both = [(start + at * 0.02, one) for at, one in datagrams(peer, turns, sport=port)]
        return both + [(start + 1, one) for _, one in datagrams(peer + 1, reports, sport=port + 1)]

    turns = [(C, b"".join(message(invite, "a", "UDP", A, 4000))), (S, b"".join(message(ok, "a", "UDP", B, 16400)))]
    frames = [(at * 0.5, one) for at, one in datagrams(5060, turns, sport=5060)] + voice(4000, 16400, 1)
    ask, answer = message(invite, "b", "TCP", A, 4100), message(ok, "b", "TCP", B, 16500)
    frames += dialog(5060, [(C, ask[0]), (C, ask[1]), (S, answer[0]), (S, answer[1])], start=5) + voice(4100, 16500, 6)
    # What nobody has announced has no name.
    frames += [(at + 10, one) for at, one in datagrams(16600, [(C, b"\x80\x61" + b"\x55" * 60)], sport=4200)]
    pcap("sip-media", ETHER, sorted(frames))


for make in (dhcpv6, routers, ports, services, screen, downloads, files_of_another, media, call):
    make()
