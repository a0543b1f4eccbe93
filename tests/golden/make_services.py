"""Writes the captures of the golden cases about controllers, as `make_text.py` does, and the
seeds of the fuzz target `streams` for the same talks.

Usage: python3 tests/golden/make_services.py, again whenever the list of protocols has changed.
S7comm and EtherNet/IP are the frames that libraries exchange, as others have published them; BACnet
follows the shared captures; names, addresses and secrets are made up.
"""

from make import ETHER, pcap, struct
from make_text import C, S, datagrams, dialog

unhex = bytes.fromhex


def s7comm():
    order = b"6ES7 315-2EH14-0AB0 "
    rows = b"\0\x01" + order + b"\0\xc0\0\x04\0\x01" + b"\0\x06" + order + b"\0\xc0\0\x04\0\x01"
    rows += b"\0\x07" + b" " * 20 + b"\0\xc0V\x03\x02\x06" + b"\0\x81Boot Loader         \0\0A \x09\x09"
    pcap("s7comm-stop", ETHER, dialog(102, [
        (C, unhex("0300001611e00000000100c0010ac1020100c2020101")), (S, unhex("0300001611d00001000100c0010ac1020100c2020101")),
        (C, unhex("0300001902f08032010000000000080000f0000001000101e0")), (S, unhex("0300001b02f080320300000000000800000000f0000001000101e0")),
        (C, unhex("0300002102f080320700000f00000800080001120411440100ff09000400110000")),
        (S, unhex("0300009902f080320700000f00000c007c000112081284010000000000ff09007800110000001c0004") + rows),
        (C, unhex("0300001f02f080320100000d00000e00000401120a10020004004d84000000")), (S, unhex("0300001902f080320300000d0000020004000004010a000004")),
        (C, unhex("0300002702f080320100000100000e00080501120a100200040001840000a00004002012345678")), (S, unhex("0300001602f0803203000001000002000100000501ff")),
        (C, unhex("0300002102f0803201000014000010000029000000000009") + b"P_PROGRAM"),
        (S, unhex("0300001402f08032030000140000010000000029")),
    ], name="s7comm"))


def bacnet():
    def link(function, body):
        return struct.pack("!BBH", 0x81, function, len(body) + 4) + body

    pcap("bacnet-write", ETHER, datagrams(47808, [
        (C, link(11, unhex("0120ffff00ff1008"))),
        (S, link(11, unhex("0120ffff00ff1000c4020005392205c491032104"))),
        (C, link(10, unhex("01040005050c0c020005391946"))),
        (S, link(10, unhex("010030050c0c0200053919463e750e00") + b"HeizReglerXL1\x3f")),
        (C, link(10, unhex("010400050d0c0c02000539194d"))),
        (S, link(10, unhex("0100300d0c0c02000539194d3e750800") + b"heizung\x3f")),
        (C, link(10, unhex("01040255740f0c004000011955") + unhex("3e44423000003f4908"))), (S, link(10, unhex("010020740f"))),
        (C, link(10, unhex("010402552914") + unhex("09021d0700") + b"geheim")), (S, link(10, unhex("0100502914911d911a"))),
        (C, link(5, unhex("0064"))), (S, link(0, unhex("0030"))),
    ], "bacnet", sport=47808))


def enip():
    def frame(command, session, body, context=b"\0" * 8):
        return struct.pack("<HHII8sI", command, len(body), session, 0, context, 0) + body

    def send(message):
        return frame(0x6F, 0xC699ABDF, unhex("00000000000002000000 0000b200") + struct.pack("<H", len(message)) + message)

    identity = unhex("01000002af120a010035000000000000000001000e003600140b60311a066c0014")
    identity += b"1756-L61/B LOGIX5561\xff"
    pcap("enip-set", ETHER, dialog(44818, [
        (C, frame(0x65, 0, unhex("01000000"))), (S, frame(0x65, 0xC699ABDF, unhex("01000000"))),
        (C, frame(0x63, 0, b"")), (S, frame(0x63, 0, unhex("01000c00") + struct.pack("<H", len(identity)) + identity)),
        (C, send(unhex("4c08910d") + b"PRODUCT_COUNT" + unhex("000100"))), (S, send(unhex("cc0005010000"))),
        (C, send(unhex("1003200124013007") + b"neuer")), (S, send(unhex("90000e00"))),
        (C, send(unhex("52022006 2401 0a0e 0400 0501 2001 0100 0100"))), (S, send(unhex("85000f00"))),
        (C, frame(0x66, 0xC699ABDF, b"")),
    ], name="enip"))


if __name__ == "__main__":
    for make in (s7comm, bacnet, enip):
        make()
