"""Writes the captures of the golden cases about sign-ins.

Usage: python3 tests/golden/make_signin.py
Every message is built here after its standard; secrets in them say so.
"""

import base64
import struct

from make import A, ACK, B, ETHER, FIN, PSH, SYN, frame, ip4, labels, pcap, tcp, udp


def exchange(steps, sport, dport, start=0.0):
    """A TCP conversation in which each piece is acknowledged."""
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
    for from_a, payload in steps:
        send(from_a, PSH | ACK, payload)
        send(not from_a, ACK)
    send(True, FIN | ACK)
    send(False, FIN | ACK)
    send(True, ACK)
    return out


def datagrams(steps, sport, dport, start=0.0):
    out = []
    for n, (from_a, data) in enumerate(steps):
        packet = ip4(A, B, 17, udp(A, B, sport, dport, data)) if from_a else ip4(B, A, 17, udp(B, A, dport, sport, data))
        out.append((round(start + n * 0.01, 6), frame(from_a, packet)))
    return out


def der(tag, *parts):
    body = b"".join(parts)
    if len(body) < 128:
        return bytes([tag, len(body)]) + body
    return bytes([tag, 0x82]) + struct.pack("!H", len(body)) + body


def integer(value):
    return der(2, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def tagged(number, *parts):
    return der(0xA0 | number, *parts)


def seq(*parts):
    return der(0x30, *parts)


# --- Kerberos, RFC 4120 §5 ---


def string(text):
    return der(0x1B, text.encode())


def principal(*parts):
    return seq(tagged(0, integer(1)), tagged(1, seq(*(string(part) for part in parts))))


def encrypted(etype):
    return seq(tagged(0, integer(etype)), tagged(2, der(4, b"SECRET-CIPHER")))


def ticket(service, etype):
    fields = tagged(0, integer(5)) + tagged(1, string("KONTOR.EXAMPLE")) + tagged(2, principal(*service)) + tagged(3, encrypted(etype))
    return der(0x61, seq(fields))


def padata(kind, value):
    return seq(tagged(1, integer(kind)), tagged(2, der(4, value)))


def kdc_request(kind, client, service, proof=()):
    body = tagged(0, der(3, b"\x00\x40\x81\x00\x10"))
    if client:
        body += tagged(1, principal(client))
    body += tagged(2, string("KONTOR.EXAMPLE")) + tagged(3, principal(*service))
    body += tagged(5, der(0x18, b"20370913024805Z")) + tagged(7, integer(0x1234567))
    body += tagged(8, seq(*(integer(etype) for etype in (18, 17, 23))))
    return der(0x60 | kind, seq(tagged(1, integer(5)), tagged(2, integer(kind)), tagged(3, seq(*proof)), tagged(4, seq(body))))


def kdc_reply(kind, client, service, ticket_etype, etype):
    fields = tagged(0, integer(5)) + tagged(1, integer(kind)) + tagged(3, string("KONTOR.EXAMPLE"))
    fields += tagged(4, principal(client)) + tagged(5, ticket(service, ticket_etype)) + tagged(6, encrypted(etype))
    return der(0x60 | kind, seq(fields))


def krb_error(code, service):
    info = seq(seq(tagged(0, integer(18))), seq(tagged(0, integer(23))))
    fields = tagged(0, integer(5)) + tagged(1, integer(30)) + tagged(4, der(0x18, b"20270115080000Z")) + tagged(5, integer(1))
    fields += tagged(6, integer(code)) + tagged(9, string("KONTOR.EXAMPLE")) + tagged(10, principal(*service))
    return der(0x7E, seq(fields, tagged(12, der(4, seq(padata(19, info))))))


def ap_request(service, ticket_etype, etype):
    fields = tagged(0, integer(5)) + tagged(1, integer(14)) + tagged(2, der(3, b"\x00\x20\x00\x00\x00"))
    return der(0x6E, seq(fields, tagged(3, ticket(service, ticket_etype)), tagged(4, encrypted(etype))))


def ap_reply():
    return der(0x6F, seq(tagged(0, integer(5)), tagged(1, integer(15)), tagged(2, encrypted(18))))


def kerberos():
    tgt = ("krbtgt", "KONTOR.EXAMPLE")
    share = ("cifs", "fs.kontor.example")
    refused = [(True, kdc_request(10, "meier", tgt)), (False, krb_error(25, tgt))]
    signed_in = [
        (True, kdc_request(10, "meier", tgt, [padata(2, encrypted(23))])),
        (False, kdc_reply(11, "meier", tgt, 18, 23)),
    ]
    used = [
        (True, kdc_request(12, None, share, [padata(1, ap_request(tgt, 18, 23))])),
        (False, kdc_reply(13, "meier", share, 23, 18)),
    ]
    framed = [(up, struct.pack("!I", len(m)) + m) for up, m in signed_in + used]
    machine = [(True, kdc_request(10, "PC5$", tgt, [padata(2, encrypted(18))])), (False, kdc_reply(11, "PC5$", tgt, 18, 18))]
    pcap("kerberos-sign-in", ETHER, datagrams(refused, 50010, 88) + exchange(framed, 50011, 88, 1.0) + datagrams(machine, 50012, 88, 2.0))


# --- SPNEGO and NTLM, RFC 4178 §4.2, [MS-NLMP] 2.2.1 ---


def wide(text):
    return text.encode("utf-16-le")


def ntlm_challenge():
    pairs = b""
    for kind, value in ((2, "KONTOR"), (1, "SRV"), (3, "srv.kontor.example"), (5, "kontor.example")):
        pairs += struct.pack("<HH", kind, len(wide(value))) + wide(value)
    pairs += b"\0\0\0\0"
    head = b"NTLMSSP\0" + struct.pack("<IHHII8s8sHHI", 2, 0, 0, 56, 0x02000001, b"SECRETSE", b"", len(pairs), len(pairs), 56)
    return head + bytes([10, 0]) + struct.pack("<H", 20348) + b"\0\0\0\x0f" + pairs


def ntlm_authenticate(user):
    fields, payload, at = b"", b"", 72
    for value in (b"SECRET-LM", b"SECRET-NT", wide("KONTOR"), wide(user), wide("PC5"), b""):
        fields += struct.pack("<HHI", len(value), len(value), at + len(payload))
        payload += value
    version = bytes([10, 0]) + struct.pack("<H", 19045) + b"\0\0\0\x0f"
    return b"NTLMSSP\0\x03\0\0\0" + fields + struct.pack("<I", 0x02000001) + version + payload


def negotiate(token):
    mechanisms = tagged(0, seq(der(6, bytes.fromhex("2b06010401823702020a"))))
    return der(0x60, der(6, bytes.fromhex("2b0601050502")), tagged(0, seq(mechanisms, tagged(2, der(4, token)))))


def negotiated(state, token=None):
    fields = tagged(0, der(10, bytes([state])))
    return tagged(1, seq(fields, tagged(2, der(4, token)) if token else b""))


def http():
    def ask(token):
        value = base64.b64encode(token).decode()
        head = f"POST /wsman HTTP/1.1\r\nHost: srv.kontor.example:5985\r\nAuthorization: Negotiate {value}\r\nContent-Length: 0\r\n\r\n"
        return True, head.encode()

    def answer(status, token=None):
        field = f"WWW-Authenticate: Negotiate {base64.b64encode(token).decode()}\r\n" if token else ""
        return False, f"HTTP/1.1 {status}\r\n{field}Content-Length: 0\r\n\r\n".encode()

    def sign_in(user, end):
        hello = negotiate(b"NTLMSSP\0\x01\0\0\0" + bytes(24))
        return [
            ask(hello),
            answer("401 Unauthorized", negotiated(1, ntlm_challenge())),
            ask(negotiated(1, ntlm_authenticate(user))),
            end,
        ]

    good = sign_in("meier", answer("200 OK", negotiated(0)))
    bad = sign_in("gast", answer("401 Unauthorized"))
    oid = der(6, bytes.fromhex("2a864886f712010202"))
    shown = der(0x60, oid, b"\x01\0", ap_request(("HTTP", "srv.kontor.example"), 18, 18))
    ticket_used = [ask(negotiate(shown)), answer("200 OK", negotiated(0, der(0x60, oid, b"\x02\0", ap_reply())))]
    frames = exchange(good, 50020, 5985) + exchange(bad, 50021, 5985, 1.0) + exchange(ticket_used, 50022, 5985, 2.0)
    pcap("http-negotiate", ETHER, frames)


# --- TKEY, RFC 2930 §2 and RFC 3645 §3.1: a sign-in at a name server ---


def tkey(response, rcode, name, key):
    """A message about the key `name`, whose one record carries a token in mode 3."""
    rdata = labels("gss-tsig") + struct.pack("!IIHHH", 1_800_000_000, 1_800_086_400, 3, 0, len(key)) + key + b"\0\0"
    counts = (1, 1, 0, 0) if response else (1, 0, 0, 1)
    head = struct.pack("!HHHHHH", 0x77, (0x8000 if response else 0) | rcode, *counts)
    record = b"\xc0\x0c" + struct.pack("!HHIH", 249, 255, 0, len(rdata)) + rdata
    return head + labels(name) + struct.pack("!HH", 249, 255) + record


def name_server():
    oid = der(6, bytes.fromhex("2a864886f712010202"))
    shown = der(0x60, oid, b"\x01\0", ap_request(("DNS", "dc.kontor.example"), 18, 18))
    proved = der(0x60, oid, b"\x02\0", ap_reply())
    let_in = [
        (True, tkey(False, 0, "1-ms-7.1-a.kontor", negotiate(shown))),
        (False, tkey(True, 0, "1-ms-7.1-a.kontor", negotiated(0, proved))),
    ]
    refused = [
        (True, tkey(False, 0, "2-ms-7.1-b.kontor", negotiate(b"NTLMSSP\0\x01\0\0\0" + bytes(24)))),
        (False, tkey(True, 0, "2-ms-7.1-b.kontor", negotiated(1, ntlm_challenge()))),
        (True, tkey(False, 0, "2-ms-7.1-b.kontor", negotiated(1, ntlm_authenticate("gast")))),
        (False, tkey(True, 5, "2-ms-7.1-b.kontor", b"")),
    ]
    framed = [[(up, struct.pack("!H", len(m)) + m) for up, m in steps] for steps in (let_in, refused)]
    pcap("dns-sign-in", ETHER, exchange(framed[0], 50030, 53) + exchange(framed[1], 50031, 53, 1.0))


# --- LDAP, RFC 4511 §4 ---


def octets(text):
    return der(4, text.encode())


def ldap_message(number, operation):
    return seq(integer(number), operation)


def equal(attribute, value):
    return tagged(3, octets(attribute), octets(value))


def ldap_search(base, scope, condition, attributes):
    fixed = der(10, bytes([scope])) + der(10, b"\0") + integer(0) + integer(0) + der(1, b"\0")
    return der(0x63, octets(base), fixed, condition, seq(*(octets(a) for a in attributes)))


def ldap_result(tag, code, text="", more=b""):
    return der(tag, der(10, bytes([code])), octets(""), octets(text), more)


def ldap():
    bind = der(0x60, integer(3), octets("CN=meier,DC=kontor,DC=example"), der(0x80, b"SECRET-PASSWORD"))
    roast = tagged(0, equal("objectClass", "user"), der(0x87, b"servicePrincipalName"))
    entry = der(0x64, octets("CN=svc,DC=kontor,DC=example"), seq(seq(octets("cn"), der(0x31, octets("SECRET-VALUE")))))
    change = seq(der(10, b"\x02"), seq(octets("unicodePwd"), der(0x31, octets("SECRET-VALUE"))))
    steps = [
        (True, ldap_message(1, bind)),
        (False, ldap_message(1, ldap_result(0x61, 0))),
        (True, ldap_message(2, ldap_search("DC=kontor,DC=example", 2, roast, ["cn", "servicePrincipalName"]))),
        (False, ldap_message(2, entry) + ldap_message(2, entry) + ldap_message(2, ldap_result(0x65, 0))),
        (True, ldap_message(3, der(0x66, octets("CN=chef,DC=kontor,DC=example"), seq(change)))),
        (False, ldap_message(3, ldap_result(0x67, 50, "00000005: SecErr"))),
        (True, ldap_message(4, der(0x42))),
    ]
    where = tagged(0, equal("DnsDomain", "kontor.example."), equal("Host", "PC5"), equal("NtVer", "\x16"))
    found = ldap_message(7, der(0x64, octets(""))) + ldap_message(7, ldap_result(0x65, 0))
    ping = [(True, ldap_message(7, ldap_search("", 0, where, ["Netlogon"]))), (False, found)]

    def sasl(token):
        return der(0x60, integer(3), octets(""), tagged(3, octets("GSS-SPNEGO"), der(4, token)))

    hidden = b"\x05\x04\x06\xff\0\0\0\x1c" + bytes(8) + b"SECRET-SEALED" * 4
    sealed = [
        (True, ldap_message(1, sasl(negotiate(ntlm_authenticate("meier"))))),
        (False, ldap_message(1, ldap_result(0x61, 0, "", der(0x87, negotiated(0))))),
        (True, struct.pack("!I", len(hidden)) + hidden),
    ]
    frames = datagrams(ping, 50030, 389) + exchange(steps, 50031, 389, 1.0) + exchange(sealed, 50032, 389, 2.0)
    pcap("ldap-search-and-seal", ETHER, frames)


# --- RDP, [MS-RDPBCGR] 2.2.1 ---


def tpkt(x224, rest):
    return struct.pack("!BBH", 3, 0, 4 + len(x224) + len(rest)) + x224 + rest


def rdp():
    def connect(kind, rest):
        return tpkt(bytes([6 + len(rest), kind, 0, 0, 0, 0, 0]), rest)

    def block(kind, body):
        return struct.pack("<HH", kind, 4 + len(body)) + body

    core = struct.pack("<IHHHHII32s", 0x00080004, 1920, 1080, 0xCA01, 0xAA03, 0x407, 2600, wide("PC5"))
    core += struct.pack("<III64sHHIHHH64s", 4, 0, 12, b"", 0xCA01, 1, 0, 24, 7, 1, wide("69712-783"))
    net = struct.pack("<I8sI8sI", 2, b"rdpdr", 0x80800000, b"cliprdr", 0xC0A00000)
    blocks = block(0xC001, core) + block(0xC003, net)
    initial = b"\x7f\x65\x82\x01\x94" + b"Duca" + struct.pack("!H", 0x8000 | len(blocks)) + blocks
    security = struct.pack("<IIII4sII", 2, 2, 4, 8, b"rand", 0x80000001, 1)
    blocks = block(0x0C01, struct.pack("<I", 0x00080004)) + block(0x0C02, security)
    response = b"\x7f\x66\x82\x01\x45\x0a\x01\x00" + b"McDn" + bytes([len(blocks)]) + blocks
    clear = [
        (True, connect(0xE0, b"Cookie: mstshash=meier\r\n")),
        (False, connect(0xD0, b"")),
        (True, tpkt(b"\x02\xf0\x80", initial)),
        (False, tpkt(b"\x02\xf0\x80", response)),
    ]
    refused = [
        (True, connect(0xE0, b"Cookie: mstshash=gast\r\n" + struct.pack("<BBHI", 1, 0, 8, 0))),
        (False, connect(0xD0, struct.pack("<BBHI", 3, 0, 8, 5))),
    ]
    pcap("rdp-in-clear", ETHER, exchange(clear, 50040, 3389) + exchange(refused, 50041, 3389, 1.0))


# --- RADIUS, RFC 2865 §5, RFC 2866 §5 ---


def radius_message(code, number, *attributes):
    body = b"".join(bytes([kind, 2 + len(value)]) + value for kind, value in attributes)
    return struct.pack("!BBH16s", code, number, 20 + len(body), b"SECRET-AUTHENTIC") + body


def radius():
    # NAS-IP-Address, Calling-Station-Id, User-Name, User-Password, CHAP-Password.
    who = [(4, bytes([10, 1, 0, 1])), (31, b"02-14-00-00-00-05")]
    good = [
        (True, radius_message(1, 1, (1, b"meier"), (2, b"SECRET-PASSWORD!"), *who)),
        (False, radius_message(2, 1, (8, bytes([10, 1, 9, 9])), (18, b"Willkommen"), (25, b"x"))),
        (True, radius_message(1, 2, (1, b"gast"), (3, b"SECRET-CHAPPASSWD"), *who)),
        (False, radius_message(3, 2, (18, b"no"))),
    ]
    account = [
        (True, radius_message(4, 3, (1, b"meier"), (40, bytes([0, 0, 0, 1])), (44, b"s1"), *who)),
        (False, radius_message(5, 3)),
    ]
    pcap("radius-access", ETHER, datagrams(good, 50050, 1812) + datagrams(account, 50051, 1813, 1.0))


# --- SOCKS, RFC 1928, RFC 1929, SOCKS 4A ---


def socks():
    web = b"GET / HTTP/1.1\r\nHost: www.kontor.example\r\n\r\n"
    page = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    name = b"www.kontor.example"
    five = [
        (True, b"\x05\x02\x00\x02"),
        (False, b"\x05\x02"),
        (True, b"\x01\x05meier\x0fSECRET-PASSWORD"),
        (False, b"\x01\x00"),
        (True, b"\x05\x01\x00\x03" + bytes([len(name)]) + name + b"\x00\x50"),
        (False, b"\x05\x00\x00\x01\x0a\x01\x00\x35\xc0\x00"),
        (True, web),
        (False, page),
    ]
    four = [
        (True, b"\x04\x01\x00\x50\x00\x00\x00\x01meier\x00" + name + b"\x00"),
        (False, b"\x00\x5a\x00\x50\xc0\x00\x02\x0a"),
        (True, web),
        (False, page),
    ]
    pcap("socks-web", ETHER, exchange(five, 50060, 1080) + exchange(four, 50061, 1080, 1.0))


for make in (kerberos, http, name_server, ldap, rdp, radius, socks):
    make()
