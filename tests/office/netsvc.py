"""Small services and clients for which the office has no program of its own.

    netsvc.py ntp-server ADDRESS      netsvc.py ntp NAME          one query, as a client asks it
    netsvc.py sip-server ADDRESS      netsvc.py sip NAME          one registration of the phone
    netsvc.py camera NAME BEATS       one HTTP connection, one status report each 60 s
"""
import json
import socket
import struct
import sys
import time

NTP_EPOCH = 2_208_988_800


def ntp_time(now):
    return struct.pack(">II", int(now) + NTP_EPOCH, int(now % 1 * 2**32))


def serve(address, port, answer):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, port))
    while True:
        data, peer = sock.recvfrom(2048)
        sock.sendto(answer(data, peer), peer)


def ntp_answer(data, _peer):
    now = time.time()
    head = struct.pack(">BBbbII4s", 0x24, 2, data[2], -20, 300, 900, b"\xc0\x00\x02\x37")
    return head + ntp_time(now - 41) + data[40:48] + ntp_time(now) + ntp_time(now)


def ntp_query(name):
    query = struct.pack(">BBbbII4s", 0x23, 0, 10, -20, 0, 0, b"\0" * 4) + b"\0" * 24 + ntp_time(time.time())
    ask(name, 123, query)


def ask(name, port, query):
    """Sends one datagram and waits for the answer; the name is asked for first, as programs do."""
    address = socket.getaddrinfo(name, port, socket.AF_INET, socket.SOCK_DGRAM)[0][4]
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(2)
    sock.connect(address)
    sock.send(query)
    return sock.recv(2048)


def sip_answer(data, _peer):
    keep = [line for line in data.decode().split("\r\n")[1:]
            if line.split(":")[0] in ("Via", "From", "Call-ID", "CSeq", "Contact", "Expires")]
    to = next(line for line in data.decode().split("\r\n") if line.startswith("To:"))
    lines = ["SIP/2.0 200 OK", *keep, to + ";tag=as5c0e21", "Server: klang-registrar", "Content-Length: 0", "", ""]
    return "\r\n".join(lines).encode()


def sip_register(name):
    lines = [f"REGISTER sip:{name} SIP/2.0",
             "Via: SIP/2.0/UDP 10.77.0.60:5060;branch=z9hG4bK4151923570;rport",
             f"From: <sip:21@{name}>;tag=3318904761", f"To: <sip:21@{name}>",
             "Call-ID: 0_1804289383@10.77.0.60", "CSeq: 1 REGISTER",
             "Contact: <sip:21@10.77.0.60:5060>", "Max-Forwards: 70",
             "User-Agent: Yealink SIP-T46U 108.86.0.45", "Expires: 600", "Content-Length: 0", "", ""]
    ask(name, 5060, "\r\n".join(lines).encode())


def camera(name, beats):
    """Head and body of a report leave in one segment, as small devices send them."""
    address = socket.getaddrinfo(name, 80, socket.AF_INET, socket.SOCK_STREAM)[0][4]
    line = socket.create_connection(address, timeout=10)
    body = json.dumps({"serial": "B8A44F12E73A", "state": "ok", "fps": 25, "motion": 0})
    report = (f"POST /v1/status HTTP/1.1\r\nHost: {name}\r\nUser-Agent: axis-o3c/1.4\r\n"
              f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode()
    # A steady clock: the reports come each 60 s, not 60 s plus the time that a report takes.
    start = time.monotonic()
    for beat in range(beats):
        time.sleep(max(0.0, start + beat * 60 - time.monotonic()))
        line.sendall(report)
        line.recv(4096)
    time.sleep(1)
    line.close()


def main():
    what, name = sys.argv[1:3]
    if what == "ntp-server":
        serve(name, 123, ntp_answer)
    elif what == "sip-server":
        serve(name, 5060, sip_answer)
    elif what == "camera":
        camera(name, int(sys.argv[3]))
    else:
        {"ntp": ntp_query, "sip": sip_register}[what](name)


main()
