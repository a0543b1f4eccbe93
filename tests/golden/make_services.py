"""Writes the captures of the golden cases about controllers and databases, as `make_text.py` does.

Usage: python3 tests/golden/make_services.py
S7comm and EtherNet/IP are the frames that libraries exchange, as others have published them; BACnet and the databases
follow the shared captures; names, addresses and secrets are made up.
"""

from make import ETHER, client_hello, pcap, struct
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
    ]))


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
    ], sport=47808))


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
    ]))


def tds():
    def packet(kind, body):
        return struct.pack("!BBHHBB", kind, 1, len(body) + 8, 0, 1, 0) + body

    def wide(text):
        return text.encode("utf-16-le")

    def login(host, user, password, program, server, library, database):
        names = [host, user, password, program, server, "", library, "", database]
        at, places, texts = 94, b"", b""
        for name in names:
            places += struct.pack("<HH", at, len(name))
            texts += wide(name)
            at += 2 * len(name)
        tail = unhex("021400000005") + struct.pack("<HHHHHHI", at, 0, at, 0, at, 0, 0)
        fixed = struct.pack("<IIIIIIBBBBII", at, 0x74000004, 4096, 7, 812, 0, 0xE0, 3, 0, 0, 0, 0x407)
        return fixed + places + tail + texts

    headers = unhex("1600000012000000020000000000000000000100 0000")
    ask = unhex("000015000601001b000102001c000c0300280004ff") + unhex("10000000000000") + b"MSSQLSERVER\0" + b"\x2c\x03\0\0"
    tell = unhex("00000b000601001100 01ff") + unhex("1000033e0000") + b"\x02"
    refused = b"\xaa" + struct.pack("<HIBBH", 12, 18456, 1, 14, 0) + b"\0\0\0\0" + unhex("fd0200000000000000 00000000")
    granted = b"\xad" + struct.pack("<H", 52) + b"\x01\x74\0\0\x04\x15" + wide("Microsoft SQL Server\0") + unhex("1000033e")
    pcap("tds-sign-in", ETHER, dialog(1433, [
        (C, packet(0x12, ask)), (S, packet(4, tell)),
        (C, packet(0x10, login("PC-ANNA", "sa", "geheim", "Lager", "10.1.0.53", "ODBC", "lager"))), (S, packet(4, refused)),
        (C, packet(0x10, login("PC-ANNA", "lager", "geheim2", "Lager", "10.1.0.53", "ODBC", "lager"))),
        (S, packet(4, granted + unhex("fd0000000000000000 00000000"))),
        (C, packet(1, headers + wide("SELECT name FROM kunden WHERE ort = 'geheim'"))), (S, packet(4, unhex("81010000000000 0800e73c000904d00034 04") + wide("name") + unhex("d1ffff fd1000c1000000000000000000"))),
        (C, packet(1, headers + wide("EXEC xp_cmdshell 'whoami'"))), (S, packet(4, unhex("fd0000000000000000 00000000"))),
        (C, packet(3, headers + b"\x07\0" + wide("sp_help") + b"\0\0")), (S, packet(4, unhex("7900000000fe0000e000 0000000000000000"))),
    ]))


def mysql():
    def packet(number, body):
        return struct.pack("<I", len(body))[:3] + bytes([number]) + body

    attributes = b"".join(bytes([len(word)]) + word for word in (b"_os", b"Linux", b"os_user", b"anna", b"program_name", b"mysql"))

    def sign_in(user):
        body = struct.pack("<IIB", 0x0019A68D, 1 << 24, 255) + bytes(23) + user + b"\0\x14" + b"\x55" * 20
        return packet(1, body + b"lager\0mysql_native_password\0" + bytes([len(attributes)]) + attributes)

    greeting = packet(0, b"\x0a8.0.36\0" + struct.pack("<I", 7) + b"challeng\0\xff\xff\xff\x02\0\xff\xdf\x15" + bytes(10) + b"e0123456789a\0mysql_native_password\0")
    pcap("mysql-sign-in", ETHER, dialog(3306, [
        (S, greeting), (C, sign_in(b"root")), (S, packet(2, b"\xff" + struct.pack("<H", 1045) + b"#28000Access denied")),
    ], sport=50000) + dialog(3306, [
        (S, greeting), (C, sign_in(b"lager")), (S, packet(2, unhex("00000002000000"))),
        (C, packet(0, b"\x03SELECT * FROM kunden WHERE name = 'geheim'")), (S, packet(1, b"\x01") + packet(2, b"\x03def")),
        (C, packet(0, b"\x03DROP TABLE kunden")), (S, packet(1, b"\xff" + struct.pack("<H", 1142) + b"#42000DROP command denied")),
        (C, packet(0, b"\x02archiv")), (S, packet(1, unhex("00000002000000"))), (C, packet(0, b"\x01")),
    ], sport=50001, start=1.0))


def postgresql():
    def message(kind, body):
        return kind + struct.pack("!I", len(body) + 4) + body

    def startup(user):
        return message(b"", struct.pack("!I", 196608) + b"user\0%s\0database\0lager\0application_name\0psql\0\0" % user)

    md5 = message(b"R", struct.pack("!I", 5) + b"salz")
    password = message(b"p", b"md5" + b"f" * 32 + b"\0")
    pcap("postgresql-sign-in", ETHER, dialog(5432, [
        (C, unhex("0000000804d2162f")), (S, b"N"), (C, startup(b"postgres")), (S, md5), (C, password),
        (S, message(b"E", b"SFATAL\0C28P01\0Mpassword authentication failed\0\0")),
    ]) + dialog(5432, [
        (C, startup(b"lager")), (S, md5), (C, password),
        (S, message(b"R", bytes(4)) + message(b"S", b"server_version\x0016.4\0") + message(b"Z", b"I")),
        (C, message(b"Q", b"select * from kunden where name = 'geheim'\0")),
        (S, message(b"T", bytes(2)) + message(b"D", bytes(2)) * 2 + message(b"C", b"SELECT 2\0") + message(b"Z", b"I")),
        (C, message(b"P", b"\0DROP TABLE kunden\0\0\0") + message(b"S", b"")),
        (S, message(b"1", b"") + message(b"E", b"SERROR\0C42501\0Mmust be owner\0\0") + message(b"Z", b"I")),
        (C, message(b"X", b"")),
    ], sport=50001, start=1.0) + dialog(5432, [
        (C, unhex("0000000804d2162f")), (S, b"S"), (C, client_hello()),
    ], sport=50002, start=2.0))


def redis():
    def command(*words):
        return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)

    info = b"# Server\r\nredis_version:7.2.4\r\n"
    pcap("redis-commands", ETHER, dialog(6379, [
        (C, command(b"AUTH", b"anna", b"falsch")), (S, b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"),
        (C, command(b"AUTH", b"geheim")), (S, b"+OK\r\n"),
        (C, command(b"INFO")), (S, b"$%d\r\n%s\r\n" % (len(info), info)),
        (C, command(b"GET", b"kunde:1") * 3), (S, b"$-1\r\n$6\r\ngeheim\r\n$-1\r\n"),
        (C, command(b"CONFIG", b"SET", b"dir", b"/tmp")), (S, b"-NOPERM this user has no permissions\r\n"),
        (C, b"QUIT\r\n"), (S, b"+OK\r\n"),
    ]))


def stratum():
    pcap("stratum-sign-in", ETHER, dialog(3333, [
        (C, b'{"id": 1, "method": "mining.subscribe", "params": ["cgminer/3.7.2"]}\n'), (S, b'{"error":null,"id":1,"result":[["mining.notify","ae68"],"00",8]}\n'),
        (C, b'{"id": 2, "method": "mining.authorize", "params": ["1BoatSLRHtKNngkdXEeobR76b53LETtpyT.pc-anna", "geheim"]}\n'),
        (S, b'{"error":null,"id":2,"result":true}\n'), (S, b'{"id":null,"method":"mining.notify","params":["1"]}\n'),
    ]))


if __name__ == "__main__":
    for make in (s7comm, bacnet, enip, tds, mysql, postgresql, redis, stratum):
        make()
