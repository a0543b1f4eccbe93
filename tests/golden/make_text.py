"""Writes the captures of the golden cases about text protocols and small datagrams, as `make.py` does.

Usage: python3 tests/golden/make_text.py
The words are those of the RFCs' examples; names, addresses and secrets are made up.
"""

from make import A, ACK, B, ETHER, FIN, PSH, SYN, frame, ip4, pcap, struct, tcp, udp


def dialog(dport, turns, sport=50000, start=0.0):
    """A TCP conversation of A with B: handshake, turns as (from A?, bytes), both FINs."""
    out, seq, ack, at = [], 1000, 5000, start

    def send(from_a, flags, payload=b""):
        nonlocal seq, ack, at
        if from_a:
            packet = ip4(A, B, 6, tcp(A, B, sport, dport, seq, 0 if flags == SYN else ack, flags, payload))
            seq += len(payload) + bool(flags & (SYN | FIN))
        else:
            packet = ip4(B, A, 6, tcp(B, A, dport, sport, ack, seq, flags, payload))
            ack += len(payload) + bool(flags & (SYN | FIN))
        out.append((at, frame(from_a, packet)))
        at = round(at + 0.01, 6)

    send(True, SYN)
    send(False, SYN | ACK)
    send(True, ACK)
    for from_a, payload in turns:
        send(from_a, PSH | ACK, payload)
    send(True, FIN | ACK)
    send(False, FIN | ACK)
    send(True, ACK)
    return out


def datagrams(port, turns, sport=50000):
    out = []
    for at, (from_a, payload) in enumerate(turns):
        src, dst = (A, B) if from_a else (B, A)
        ports = (sport, port) if from_a else (port, sport)
        out.append((at, frame(from_a, ip4(src, dst, 17, udp(src, dst, *ports, payload)))))
    return out


C, S = True, False


def ftp():
    control = [
        (S, b"220 ProFTPD 1.3.5 Server (kontor) [10.1.0.53]\r\n"),
        (C, b"USER anna\r\n"), (S, b"331 Password required for anna\r\n"),
        (C, b"PASS geheim\r\n"), (S, b"230 User anna logged in\r\n"),
        (C, b"CWD /pub\r\n"), (S, b"250 CWD command successful\r\n"),
        (C, b"PASV\r\n"), (S, b"227 Entering Passive Mode (10,1,0,53,200,1).\r\n"),
        (C, b"RETR preise 2026.csv\r\n"), (S, b"150 Opening BINARY mode data connection for preise 2026.csv (12 bytes)\r\n"),
        (S, b"226 Transfer complete\r\n"), (C, b"QUIT\r\n"), (S, b"221 Goodbye.\r\n"),
    ]
    data = dialog(200 * 256 + 1, [(S, b"a;1\nb;2\nc;3\n")], sport=50001, start=0.112)
    pcap("ftp-download", ETHER, sorted(dialog(21, control) + data))


def mail():
    head = b"From: Anna <anna@kontor.example>\r\nTo: Bert <bert@ziel.example>,\r\n Carla <carla@ziel.example>\r\n"
    head += b"Subject: Preise\r\nMessage-ID: <1@pc-anna.kontor.example>\r\nX-Mailer: Postmann 3.1\r\nMIME-Version: 1.0\r\n"
    part = b"Content-Type: multipart/mixed; boundary=trenn\r\n\r\n--trenn\r\nContent-Type: text/plain\r\n\r\nanbei\r\n--trenn\r\n"
    part += b"Content-Type: text/csv\r\nContent-Disposition: attachment; filename*=utf-8''preise%20f%C3%BCr%20Bert.csv\r\n\r\na;1\r\n--trenn--\r\n"
    pcap("smtp-mail", ETHER, dialog(25, [
        (S, b"220 mail.ziel.example ESMTP Postfix\r\n"),
        (C, b"EHLO pc-anna.kontor.example\r\n"), (S, b"250-mail.ziel.example\r\n250-AUTH LOGIN\r\n250 PIPELINING\r\n"),
        (C, b"AUTH LOGIN\r\n"), (S, b"334 VXNlcm5hbWU6\r\n"),
        (C, b"YW5uYQ==\r\n"), (S, b"334 UGFzc3dvcmQ6\r\n"), (C, b"Z2VoZWlt\r\n"), (S, b"235 2.7.0 Authentication successful\r\n"),
        (C, b"MAIL FROM:<anna@kontor.example> SIZE=480\r\nRCPT TO:<bert@ziel.example>\r\nRCPT TO:<carla@ziel.example>\r\nDATA\r\n"),
        (S, b"250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n250 2.1.5 Ok\r\n354 End data with <CR><LF>.<CR><LF>\r\n"),
        (C, head + part + b".\r\n"), (S, b"250 2.0.0 Ok: queued as 4F0A\r\n"), (C, b"QUIT\r\n"), (S, b"221 2.0.0 Bye\r\n"),
    ]))
    pcap("pop3-mail", ETHER, dialog(110, [
        (S, b"+OK Postmann POP3 server ready\r\n"),
        (C, b"USER bert\r\n"), (S, b"+OK\r\n"), (C, b"PASS geheim\r\n"), (S, b"+OK 1 message\r\n"),
        (C, b"LIST\r\n"), (S, b"+OK\r\n1 480\r\n.\r\n"), (C, b"RETR 1\r\n"), (S, b"+OK 480 octets\r\n" + head + part + b".\r\n"),
        (C, b"QUIT\r\n"), (S, b"+OK\r\n"),
    ]))
    text = head + part
    pcap("imap-mail", ETHER, dialog(143, [
        (S, b"* OK [CAPABILITY IMAP4rev1 ID] Postmann ready.\r\n"),
        (C, b'a1 ID ("name" "Thunderbird" "version" "128.3")\r\n'), (S, b"* ID NIL\r\na1 OK ID completed\r\n"),
        (C, b'a2 LOGIN bert "geheim"\r\n'), (S, b"a2 OK Logged in\r\n"),
        (C, b"a3 SELECT INBOX\r\n"), (S, b"* 1 EXISTS\r\na3 OK [READ-WRITE] Select completed\r\n"),
        (C, b"a4 UID FETCH 1 BODY[]\r\n"), (S, b"* 1 FETCH (UID 1 BODY[] {%d}\r\n" % len(text) + text + b")\r\na4 OK Fetch completed\r\n"),
        (C, b"a5 LOGOUT\r\n"), (S, b"* BYE\r\na5 OK Logout completed\r\n"),
    ]))


def small():
    def tlv(tag, *parts):
        body = b"".join(parts)
        return bytes([tag, len(body)]) + body

    def binding(last, value):
        return tlv(0x30, tlv(6, bytes([0x2B, 6, 1, 2, 1, 1, last, 0])), value)

    def message(pdu, *bindings):
        numbers = tlv(2, b"\x26") + tlv(2, b"\0") * 2
        return tlv(0x30, tlv(2, b"\1"), tlv(4, b"public"), tlv(pdu, numbers, tlv(0x30, *bindings)))

    null = tlv(5)
    ask = message(0xA0, *[binding(n, null) for n in (1, 3, 5)])
    tell = message(0xA2, binding(1, tlv(4, b"Kontor Switch 24 v2.1")), binding(3, tlv(0x43, b"\x0e\x10")), binding(5, tlv(4, b"sw-keller")))
    pcap("snmp-agent", ETHER, datagrams(161, [(C, ask), (S, tell)]))

    sent = struct.pack("!II", 1_800_000_000 + 2_208_988_800, 0)
    ask = b"\xe3\0\x06\xec" + bytes(36) + sent
    tell = b"\x24\x02\x06\xe9" + struct.pack("!II4s", 0x600, 0x1000, bytes([192, 0, 2, 123])) + sent * 4
    pcap("ntp-clock", ETHER, datagrams(123, [(C, ask), (S, tell)], sport=123))

    pcap("syslog-lines", ETHER, datagrams(514, [
        (C, b"<86>Jan 15 08:00:00 pc-anna sshd[812]: Accepted publickey for anna from 10.1.0.7 port 50822 ssh2"),
        (C, b"<165>1 2027-01-15T08:00:01.003Z pc-anna backup 4711 ID47 - login to nas with password=geheim failed"),
    ]))
    pcap("tftp-boot", ETHER, datagrams(69, [
        (C, b"\0\1boot/pxelinux.0\0octet\0tsize\0000\0blksize\0001428\0"),
        (S, b"\0\5\0\1File not found\0"),
    ]))


def calls():
    head = b"Via: SIP/2.0/UDP 10.1.0.5:50000;branch=z9hG4bK776\r\nFrom: Anna <sip:21@kontor.example>;tag=19\r\n"
    ids = b"Call-ID: a84b4c76@10.1.0.5\r\nCSeq: 1 INVITE\r\n"
    invite = b"INVITE sip:22@kontor.example SIP/2.0\r\n" + head + b"To: <sip:22@kontor.example>\r\n" + ids
    invite += b"User-Agent: Fernsprecher 7\r\nContent-Length: 0\r\n\r\n"
    reply = head + b"To: <sip:22@kontor.example>;tag=77\r\n" + ids + b"Server: Anlage 2\r\nContent-Length: 0\r\n\r\n"
    ack = b"ACK sip:22@kontor.example SIP/2.0\r\n" + head + ids.replace(b"INVITE", b"ACK") + b"Content-Length: 0\r\n\r\n"
    pcap("sip-call", ETHER, datagrams(5060, [
        (C, invite), (S, b"SIP/2.0 180 Ringing\r\n" + reply), (S, b"SIP/2.0 486 Busy Here\r\n" + reply), (C, ack),
    ]))
    pcap("irc-chat", ETHER, dialog(6667, [
        (S, b":irc.kontor.example NOTICE AUTH :*** Looking up your hostname\r\n"),
        (C, b"NICK anna\r\nUSER anna 0 * :Anna Albers\r\n"),
        (S, b":irc.kontor.example 001 anna :Welcome\r\n:irc.kontor.example 004 anna irc.kontor.example ngircd-26 ov om\r\n"),
        (C, b"JOIN #kueche geheim\r\n"), (S, b":anna!~anna@10.1.0.5 JOIN :#kueche\r\n"),
        (C, b"PRIVMSG #kueche :Kaffee?\r\n"), (C, b"QUIT :bis morgen\r\n"),
    ]))
    pcap("telnet-login", ETHER, dialog(23, [
        (S, b"\xff\xfd\x18\xff\xfb\x01"), (C, b"\xff\xfb\x18\xff\xfd\x01\xff\xfa\x18\x00XTERM\xff\xf0"),
        (S, b"\r\nKontor Switch 24\r\nUser Access Verification\r\n\r\nUsername: "),
        (C, b"admin\r\n"), (S, b"admin\r\nPassword: "), (C, b"geheim\r\n"), (S, b"\r\n% Login invalid\r\n\r\nUsername: "),
        (C, b"anna\r\n"), (S, b"anna\r\nPassword: "), (C, b"geheim2\r\n"), (S, b"\r\nsw-keller>"), (C, b"exit\r\n"),
    ]))


def machines():
    def mbap(tid, pdu):
        return struct.pack("!HHHB", tid, 0, len(pdu) + 1, 17) + pdu

    pcap("modbus-write", ETHER, dialog(502, [
        (C, mbap(1, bytes.fromhex("03006b0003"))), (S, mbap(1, bytes.fromhex("0306022b00000064"))),
        (C, mbap(2, bytes.fromhex("0600010003"))), (S, mbap(2, bytes.fromhex("8602"))),
    ]))

    def crc(data):
        value = 0
        for byte in data:
            value ^= byte
            for _ in range(8):
                value = value >> 1 ^ (0xA6BC if value & 1 else 0)
        return struct.pack("<H", ~value & 0xFFFF)

    def link(control, fragment):
        head = struct.pack("<BBBBHH", 5, 0x64, len(fragment) + 5, control, 4, 3)
        blocks = [fragment[at : at + 16] for at in range(0, len(fragment), 16)]
        return head + crc(head) + b"".join(block + crc(block) for block in blocks)

    crob = bytes.fromhex("c1c2050c0128010003000301640000006400000000")
    pcap("dnp3-operate", ETHER, dialog(20000, [
        (C, link(0xC4, bytes.fromhex("c0c1013c0206"))), (S, link(0x44, bytes.fromhex("c0c1818000"))),
        (C, link(0xC4, crob)), (S, link(0x44, b"\xc1\xc2\x81\0\0" + crob[3:])),
    ]))

    def text(value):
        return struct.pack("!H", len(value)) + value

    def packet(kind, body):
        return bytes([kind, len(body)]) + body

    connect = text(b"MQTT") + b"\x04\xc2\0\x3c" + text(b"thermometer-1") + text(b"keller") + text(b"geheim")
    pcap("mqtt-session", ETHER, dialog(1883, [
        (C, packet(0x10, connect)), (S, b"\x20\x02\0\0"),
        (C, packet(0x82, b"\0\1" + text(b"kontor/heizung/#") + b"\0")), (S, b"\x90\x03\0\1\0"),
        (C, packet(0x30, text(b"kontor/keller/temperatur") + b"18.5")), (C, b"\xe0\0"),
    ]))


if __name__ == "__main__":
    for make in (ftp, mail, small, calls, machines):
        make()
