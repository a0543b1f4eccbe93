"""Writes the capture of the golden case about devices that change their addresses, as `make_text.py` does.

Usage: python3 tests/golden/make_devices.py
DHCP is that of RFC 2131 and RFC 2132, mDNS that of RFC 6762; names and addresses are made up.
"""

import ipaddress
import struct

from make import ETHER, ether, ip4, labels, pcap, udp
from make_signin import encrypted, kdc_reply, kdc_request, padata

ROUTER, CONTROLLER = "10.1.0.1", "10.1.0.53"
MACS = {ROUTER: bytes.fromhex("001422000001"), CONTROLLER: bytes.fromhex("001422000053")}
EVERYONE = b"\xff" * 6
MARK = b"\x63\x82\x53\x63"
WINDOWS, APPLE = ("MSFT 5.0", bytes([1, 3, 6, 15, 31, 33, 43, 44, 46, 47, 119, 121, 249, 252])), (None, bytes([1, 121, 3, 6, 15, 108, 114, 119, 252]))


def packed(addr):
    return ipaddress.ip_address(addr).packed


def lease(start, mac, addr, name, system):
    """Request and acknowledgement: the client asks for an address with its name and what it runs."""
    vendor, asked = system

    def option(code, value):
        return bytes([code, len(value)]) + value

    def message(op, given, *options):
        head = struct.pack("!BBBBIHH", op, 1, 6, 0, 0x5EED, 0, 0) + bytes(4) + given + bytes(8)
        return head + mac + bytes(10 + 64 + 128) + MARK + b"".join(options) + b"\xff"

    said = option(12, name.encode()) + (option(60, vendor.encode()) if vendor else b"") + option(55, asked)
    ask = message(1, bytes(4), option(53, b"\3"), option(61, b"\1" + mac), option(50, packed(addr)), said)
    times = option(51, struct.pack("!I", 3600)) + option(54, packed(ROUTER)) + option(1, b"\xff\xff\xff\0")
    tell = message(2, packed(addr), option(53, b"\5"), times)
    up = ip4("0.0.0.0", "255.255.255.255", 17, udp("0.0.0.0", "255.255.255.255", 68, 67, ask))
    down = ip4(ROUTER, addr, 17, udp(ROUTER, addr, 67, 68, tell))
    return [(start, ether(mac, EVERYONE, 0x0800, up)), (start + 0.1, ether(MACS[ROUTER], mac, 0x0800, down))]


def announce(start, mac, addr, name):
    """The owner's answer that nobody has asked for (RFC 6762 section 8.3)."""
    record = labels(f"{name}.local") + struct.pack("!HHIH", 1, 0x8001, 120, 4) + packed(addr)
    said = struct.pack("!HHHHHH", 0, 0x8400, 0, 1, 0, 0) + record
    packet = ip4(addr, "224.0.0.251", 17, udp(addr, "224.0.0.251", 5353, 5353, said), ttl=255)
    return [(start, ether(mac, bytes.fromhex("01005e0000fb"), 0x0800, packet))]


def sign_in(start, mac, addr, machine, port):
    """RFC 4120 section 3.1: the machine's own account."""
    service = ("krbtgt", "KONTOR.EXAMPLE")
    ask = kdc_request(10, machine, service, [padata(2, encrypted(18))])
    tell = kdc_reply(11, machine, service, 18, 18)
    up = ip4(addr, CONTROLLER, 17, udp(addr, CONTROLLER, port, 88, ask))
    down = ip4(CONTROLLER, addr, 17, udp(CONTROLLER, addr, 88, port, tell))
    return [(start, ether(mac, MACS[CONTROLLER], 0x0800, up)), (start + 0.1, ether(MACS[CONTROLLER], mac, 0x0800, down))]


def moves():
    dock, wireless = bytes.fromhex("001422000021"), bytes.fromhex("0a1422000022")
    frames = []
    # The same card, another lease; then another card, whose address the laptop has made up.
    for start, mac, addr, port in [(0, dock, "10.1.0.21", 50021), (300, dock, "10.1.0.22", 50022), (600, wireless, "10.1.0.23", 50023)]:
        frames += lease(start, mac, addr, "PC-ALBERS", WINDOWS)
        frames += announce(start + 1, mac, addr, "PC-ALBERS")
        frames += sign_in(start + 2, mac, addr, "PC-ALBERS$", port)
    # Two phones as they come out of the box: the second comes when the first has gone.
    for start, mac, addr in [(50, bytes.fromhex("1a1422000031"), "10.1.0.31"), (700, bytes.fromhex("1e1422000032"), "10.1.0.32")]:
        frames += lease(start, mac, addr, "iPhone", APPLE)
        frames += announce(start + 1, mac, addr, "iPhone")
    pcap("device-moves", ETHER, sorted(frames))


moves()
