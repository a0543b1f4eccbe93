"""Writes the captures of the golden cases about files that cross by other ways than HTTP/1, as `make.py` does.

Usage: python3 tests/golden/make_files.py
Layouts are those of the standards named; names and contents are made up.
"""

import base64
import quopri

from make import A, B, ETHER, exchange, frame, h2, pcap, smb2, struct, talk
from make_text import dialog

C, S = True, False
# A DOS header whose last field leads to the new one at its end.
PROGRAM = b"MZ\x90\0" + bytes(56) + struct.pack("<I", 64) + b"PE\0\0" + bytes(range(256)) * 8
DOCUMENT = b"%PDF-1.7\n" + b"preise " * 40
ARCHIVE = b"PK\3\4" + bytes(296)
SCRIPT = b"#!/bin/sh\n. /etc/os-release\n./los --jetzt\n"
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(92)


def shared():
    """[MS-SMB2]: written and read in pieces, read twice, with a hole, over what was written; a picture is no such file."""
    turns, number = [], 0

    def command(kind, ask, answer):
        nonlocal number
        number += 1
        turns.extend([(C, smb2(kind, number, ask)), (S, smb2(kind, number, answer, True))])

    def opened(name, file, size, action=1):
        wide = name.encode("utf-16le")
        answer = struct.pack("<HBBI40xQ8x", 89, 0, 0, action, size) + file + bytes(8)
        command(5, struct.pack("<H38xIHH8x", 57, 0, 120, len(wide)) + wide, answer)

    def write(file, at, data):
        ask = struct.pack("<HHIQ", 49, 112, len(data), at) + file + bytes(16) + data
        command(9, ask, struct.pack("<HHIQ", 17, 0, len(data), 0))

    def read(file, at, data):
        ask = struct.pack("<HBBIQ", 49, 80, 0, len(data), at) + file + bytes(17)
        command(8, ask, struct.pack("<HBBIII", 17, 80, 0, len(data), 0, 0) + data)

    def close(file):
        command(6, struct.pack("<HHI", 24, 0, 0) + file, struct.pack("<H58x", 60))

    share = r"\\srv\ablage".encode("utf-16le")
    command(3, struct.pack("<HHHH", 9, 0, 72, len(share)) + share, struct.pack("<HBBIII", 16, 1, 0, 0, 0, 0x1F01FF))
    one, two, three, four, five = (bytes([n]) * 16 for n in range(1, 6))
    opened("setup.exe", one, 0, 2)
    end = struct.pack("<HBBIHHI", 33, 1, 20, 8, 96, 0, 0) + one + struct.pack("<Q", len(PROGRAM))
    command(17, end, struct.pack("<H", 2))
    write(one, 0, PROGRAM[:1000])
    write(one, 1000, PROGRAM[1000:])
    close(one)
    opened("preise.pdf", two, len(DOCUMENT))
    read(two, 0, DOCUMENT[:64])
    read(two, 0, DOCUMENT)
    close(two)
    opened("alt.zip", three, len(ARCHIVE))
    read(three, 0, ARCHIVE[:100])
    read(three, 200, ARCHIVE[200:])
    close(three)
    opened("neu.exe", four, 0, 2)
    write(four, 0, PROGRAM[:1000])
    write(four, 64, b"NE")
    write(four, 1000, PROGRAM[1000:])
    close(four)
    opened("bild.png", five, len(PICTURE))
    read(five, 0, PICTURE)
    close(five)
    pcap("files-over-smb", ETHER, exchange(turns, 50000, 445))


def attached():
    """RFC 2045: base64, quoted-printable and a plain part with dots before its lines; a picture is no such file."""
    letter = b"{\\rtf1\\ansi Gr\xfc\xdfe = K\xfcsse }\r\nzweite Zeile\r\n"

    def part(kind, name, encoding, body):
        head = b"--trenn\r\nContent-Type: %s\r\nContent-Disposition: attachment; filename=%s\r\n" % (kind, name)
        return head + b"Content-Transfer-Encoding: %s\r\n\r\n%s\r\n" % (encoding, body)

    def in_base64(data):
        return base64.encodebytes(data).replace(b"\n", b"\r\n").removesuffix(b"\r\n")

    quoted = quopri.encodestring(letter.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n").removesuffix(b"\r\n")
    script = SCRIPT.replace(b"\n", b"\r\n").replace(b"\r\n.", b"\r\n..").removesuffix(b"\r\n")
    mail = b"From: anna@kontor.example\r\nTo: bert@ziel.example\r\nSubject: Dateien\r\nMIME-Version: 1.0\r\n"
    mail += b"Content-Type: multipart/mixed; boundary=trenn\r\n\r\n--trenn\r\nContent-Type: text/plain\r\n\r\nanbei\r\n"
    mail += part(b"application/pdf", b"preise.pdf", b"base64", in_base64(DOCUMENT))
    mail += part(b"image/png", b"bild.png", b"base64", in_base64(PICTURE))
    mail += part(b"text/plain", b"brief.txt", b"quoted-printable", quoted)
    mail += part(b"text/plain", b"los.sh", b"7bit", script) + b"--trenn--\r\n.\r\n"
    pieces = [(C, mail[at:at + 700]) for at in range(0, len(mail), 700)]
    cut = b"MIME-Version: 1.0\r\nContent-Type: application/zip; name=a.zip\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    pcap("files-over-smtp", ETHER, dialog(25, [
        (S, b"220 mail.ziel.example ESMTP Postfix\r\n"), (C, b"EHLO pc-anna.kontor.example\r\n"), (S, b"250 PIPELINING\r\n"),
        (C, b"MAIL FROM:<anna@kontor.example>\r\nRCPT TO:<bert@ziel.example>\r\nDATA\r\n"), (S, b"250 Ok\r\n250 Ok\r\n354 End data\r\n"),
        *pieces, (S, b"250 Ok: queued as 4F0A\r\n"),
        (C, b"MAIL FROM:<anna@kontor.example>\r\nRCPT TO:<bert@ziel.example>\r\nDATA\r\n"), (S, b"250 Ok\r\n250 Ok\r\n354 End data\r\n"),
        (C, cut + in_base64(ARCHIVE)[:100] + b"\r\n"),
    ]))


def transferred():
    """RFC 959: a file fetched, one sent up over a connection that the server opens, one cut short; one without FTP."""
    control = [
        (S, b"220 ProFTPD 1.3.5 Server (kontor) [10.1.0.53]\r\n"),
        (C, b"USER anna\r\n"), (S, b"331 Password required for anna\r\n"), (C, b"PASS geheim\r\n"), (S, b"230 User anna logged in\r\n"),
        (C, b"PASV\r\n"), (S, b"227 Entering Passive Mode (10,1,0,53,200,1).\r\n"),
        (C, b"RETR preise.pdf\r\n"), (S, b"150 Opening BINARY mode data connection for preise.pdf (%d bytes)\r\n" % len(DOCUMENT)),
        (S, b"226 Transfer complete\r\n"),
        (C, b"PORT 10,1,0,5,200,2\r\n"), (S, b"200 PORT command successful\r\n"),
        (C, b"STOR los.sh\r\n"), (S, b"150 Opening BINARY mode data connection for los.sh\r\n"), (S, b"226 Transfer complete\r\n"),
        (C, b"PASV\r\n"), (S, b"227 Entering Passive Mode (10,1,0,53,200,3).\r\n"),
        (C, b"RETR alt.zip\r\n"), (S, b"150 Opening BINARY mode data connection for alt.zip (%d bytes)\r\n" % len(ARCHIVE)),
        (S, b"426 Connection closed; transfer aborted\r\n"), (C, b"QUIT\r\n"), (S, b"221 Goodbye.\r\n"),
    ]
    frames = dialog(21, control)
    frames += dialog(51201, [(S, DOCUMENT[:100]), (S, DOCUMENT[100:])], sport=50001, start=0.1)
    opened = talk(sport=20, dport=51202, a=B, b=A, up=(), down=[SCRIPT])
    frames += [(round(at + 0.15, 6), frame(not from_b, packet)) for at, from_b, packet in opened]
    frames += dialog(51203, [(S, ARCHIVE[:200])], sport=50003, start=0.2)
    frames += dialog(4444, [(S, PROGRAM[:1000]), (S, PROGRAM[1000:])], sport=50004, start=9)
    pcap("files-over-ftp", ETHER, sorted(frames))


def streamed():
    """RFC 9113: a program in two frames, one padded; a document sent up meanwhile; an archive that is broken off."""

    def field(name, value):
        return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value

    def ask(method, path):
        return method + field(b":path", path) + b"\x86" + field(b":authority", b"kontor.example")

    # :method GET is entry 2, POST 3, :scheme http 6, :status 200 entry 8 of the static table.
    ok = b"\x88" + field(b"content-length", b"%d" % len(PROGRAM))
    ok += field(b"content-disposition", b'attachment; filename="setup.exe"')
    padded = b"\x05" + PROGRAM[1000:] + bytes(5)
    turns = [
        (C, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + h2(4, 0, 0) + h2(1, 5, 1, ask(b"\x82", b"/setup"))),
        (S, h2(4, 0, 0) + h2(1, 4, 1, ok) + h2(0, 0, 1, PROGRAM[:1000])),
        (C, h2(1, 4, 3, ask(b"\x83", b"/ablage")) + h2(0, 0, 3, DOCUMENT[:5]) + h2(0, 1, 3, DOCUMENT[5:])),
        (S, h2(0, 9, 1, padded) + h2(1, 5, 3, b"\x88")),
        (C, h2(1, 5, 5, ask(b"\x82", b"/alt.zip"))),
        (S, h2(1, 4, 5, b"\x88") + h2(0, 0, 5, ARCHIVE[:100]) + h2(3, 0, 5, bytes(4))),
    ]
    pcap("files-over-http2", ETHER, dialog(8080, turns))


if __name__ == "__main__":
    for make in (shared, attached, transferred, streamed):
        make()
