#!/usr/bin/env python3
"""Checks the composed capture with tshark, which knows nothing of the composer.

    verify.py [FOLDER]        default: ../../demo

Prints one line for each check and ends with 1 if any of them fails.
"""
import collections
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
MOST_BYTES = 5_000_000
FIELDS = ["frame.time_epoch", "frame.len", "frame.cap_len", "eth.src", "ip.src", "ip.dst", "tcp.stream",
          "tcp.srcport", "tcp.dstport", "tcp.flags", "tcp.len", "udp.srcport", "udp.dstport",
          "ip.checksum.status", "tcp.checksum.status", "udp.checksum.status", "_ws.malformed",
          "tcp.analysis.ack_lost_segment", "tcp.analysis.out_of_order", "smb2.filename",
          "tls.handshake.extensions_server_name", "dns.qry.name", "arp.src.proto_ipv4"]
OPTIONS = ["ip.check_checksum:TRUE", "tcp.check_checksum:TRUE", "udp.check_checksum:TRUE"]
FIN, SYN, RST, ACK = 1, 2, 4, 16
SECOND = 1_000_000
LAN = "10.77."
EPHEMERAL = 32768

failures = []


def check(name, good, note=""):
    print(("ok    " if good else "FAIL  ") + name + (f": {note}" if note != "" else ""))
    if not good:
        failures.append(name)


def rows_of(capture):
    command = ["tshark", "-n", "-r", str(capture), "-T", "fields", "-E", "occurrence=a"]
    for option in OPTIONS:
        command += ["-o", option]
    for field in FIELDS:
        command += ["-e", field]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as tshark:
        for line in tshark.stdout:
            row = dict(zip(FIELDS, line.rstrip("\n").split("\t")))
            seconds, _, part = row["frame.time_epoch"].partition(".")
            row["when"] = int(seconds) * SECOND + int(part[:6])
            yield row


class Stream:
    def __init__(self, row):
        self.begin = self.end = row["when"]
        self.key = (row["ip.src"], row["tcp.srcport"], row["ip.dst"], row["tcp.dstport"])
        self.flags, self.back = [], 0
        self.sent = 0

    def add(self, row):
        self.end = row["when"]
        flags = int(row["tcp.flags"], 16)
        if row["ip.src"] == self.key[0]:
            self.flags.append(flags)
            self.sent += int(row["tcp.len"])
        else:
            self.back |= flags

    def state(self):
        """How the stream went: whole, unanswered, refused, scanned or broken."""
        sent = 0
        for flags in self.flags:
            sent |= flags
        if self.flags[0] & (SYN | ACK) != SYN:
            return "broken"
        if not self.back:
            return "unanswered" if sent == SYN else "broken"
        if self.back & RST and not self.back & SYN:
            return "refused"
        if not self.back & SYN:
            return "broken"
        if sent & RST or self.back & RST:
            return "scanned" if not sent & ACK else "whole"
        return "whole" if sent & FIN and self.back & FIN else "broken"


def look_at_frames(capture):
    """One pass over all frames; returns what the checks need."""
    found = collections.defaultdict(list)
    streams, udp_last, days = {}, {}, collections.Counter()
    last, found["count"], found["owners"] = 0, 0, collections.defaultdict(set)
    found["seen"], found["asked"] = {}, {}
    for number, row in enumerate(rows_of(capture), 1):
        if row["when"] <= last:
            found["disordered"].append(number)
        last = row["when"]
        found["count"] = number
        days[last // (86400 * SECOND)] += 1
        if row["frame.len"] != row["frame.cap_len"] or int(row["frame.len"]) > 1514:
            found["cut"].append(number)
        if row["_ws.malformed"]:
            found["malformed"].append(number)
        if "0" in (row["ip.checksum.status"], row["tcp.checksum.status"], row["udp.checksum.status"]):
            found["checksum"].append(number)
        if row["tcp.analysis.ack_lost_segment"]:
            found["lost"].append(number)
        if row["tcp.analysis.out_of_order"]:
            found["late"].append(number)
        note_addresses(found, row)
        if row["smb2.filename"]:
            found["files"].append((last, row["ip.src"], row["smb2.filename"]))
        if row["tls.handshake.extensions_server_name"]:
            found["names"].append((last, row["ip.src"], row["tls.handshake.extensions_server_name"]))
        if row["dns.qry.name"]:
            found["asked"].setdefault((row["ip.dst" if row["udp.srcport"] == "53" else "ip.src"], row["dns.qry.name"]), last)
        if row["tcp.stream"]:
            stream = streams.setdefault(row["tcp.stream"], None) or Stream(row)
            streams[row["tcp.stream"]] = stream
            stream.add(row)
        elif row["udp.srcport"]:
            note_udp(found, udp_last, row)
    found["streams"] = list(streams.values())
    found["days"] = days
    return found


def note_addresses(found, row):
    first, _ = found["seen"].get(row["eth.src"], (row["when"], 0))
    found["seen"][row["eth.src"]] = (first, row["when"])
    source = row["ip.src"] or row["arp.src.proto_ipv4"]
    if source.startswith(LAN):
        found["owners"][source].add(row["eth.src"])


def note_udp(found, last, row):
    """A client port of UDP that comes again after seconds, but within two minutes, was reused."""
    ends = [(row["ip.src"], row["udp.srcport"]), (row["ip.dst"], row["udp.dstport"])]
    if max(int(ends[0][1]), int(ends[1][1])) < EPHEMERAL:
        return
    key = tuple(sorted(ends))
    if 10 * SECOND < row["when"] - last.get(key, 0) < 120 * SECOND:
        found["udp-reused"].append(key)
    last[key] = row["when"]


def check_form(found, truth):
    check("as many packets as the truth says", found["count"] == truth["capture"]["packets"], found["count"])
    for name, key in (("times rise strictly", "disordered"), ("no frame cut or larger than 1514", "cut"),
                      ("nothing malformed", "malformed"), ("all checksums good", "checksum"),
                      ("no segment acknowledged that was not seen", "lost"), ("no UDP port reused within 2 min", "udp-reused")):
        check(name, not found[key], found[key][:5] if found[key] else "")
    # The mirror itself may swap two frames under load, as it does in switches.
    check("hardly a segment out of order", len(found["late"]) <= found["count"] // 10_000, len(found["late"]))


def check_streams(found):
    states = collections.Counter(s.state() for s in found["streams"])
    broken = [s.key for s in found["streams"] if s.state() == "broken"]
    check("every TCP stream has a beginning and an end", not broken, broken[:5] or dict(states))
    reused, ends = [], {}
    for stream in sorted(found["streams"], key=lambda s: s.begin):
        if stream.begin - ends.get(stream.key, 0) < 120 * SECOND:
            reused.append(stream.key)
        ends[stream.key] = stream.end
    check("no TCP tuple used twice within 2 min", not reused, reused[:5] or "")


def check_devices(found, truth):
    for device in truth["devices"]:
        owners = found["owners"][device["ip"]]
        spans = found["seen"].get(device["mac"])
        good = owners == {device["mac"]} and spans is not None and max(
            abs(spans[0] - device["first_us"]), abs(spans[1] - device["last_us"])) < 1000
        if not good:
            check(f"device {device['hostname']}", False, (owners, spans))
    check("no other device on the network", len(found["seen"]) == len(truth["devices"]), len(found["seen"]))


def check_incidents(found, truth):
    facts = {i["kind"]: i for i in truth["incidents"]}
    address = {d["hostname"]: d["ip"] for d in truth["devices"]}
    stranger = next(d for d in truth["devices"] if d["role"] == "stranger")
    check("the stranger's first frame", abs(found["seen"][stranger["mac"]][0] - facts["new-device"]["t0_us"]) < 1000,
          facts["new-device"]["t0"])
    sweep = [s for s in found["streams"] if s.key[0] == stranger["ip"] and s.state() in ("unanswered", "refused")]
    failed = {(s.key[2], s.key[3]) for s in sweep if s.state() == "unanswered"}
    check("the sweep's unanswered first contacts", len(failed) >= 60 and len(failed) == facts["sweep"]["unanswered"], len(failed))
    reads = [(t, ip) for t, ip, name in found["files"] if "passwords.xls" in name]
    fact = facts["credential-file"]
    check("passwords.xls is named, then and only then", reads and all(
        fact["t0_us"] <= t <= fact["t1_us"] and ip in (address["fs"], address[fact["devices"][0]]) for t, ip in reads), len(reads))
    fact = facts["beacon"]
    hits = [t for t, ip, name in found["names"] if name == fact["name"] and ip == address[fact["devices"][0]]]
    gaps = [(b - a) / SECOND for a, b in zip(hits, hits[1:])]
    check("beacons", len(hits) == fact["count"] and 71 < min(gaps) and max(gaps) < 109,
          f"{len(hits)}, {min(gaps):.1f} to {max(gaps):.1f} s apart")
    to_rare = [s for s in found["streams"] if s.key[2] in (fact["peer"], facts["upload"]["peer"])]
    check("nobody went to the rare servers before", min(s.begin for s in to_rare) >= fact["t0_us"], len(to_rare))
    fact = facts["upload"]
    sent = sum(s.sent for s in found["streams"] if s.key[2] == fact["peer"])
    check("bytes of the upload", sent == fact["bytes"], sent)
    by_day = collections.Counter()
    for s in found["streams"]:
        if not s.key[2].startswith(LAN) and s.key[2] != fact["peer"]:
            by_day[(s.key[0], s.begin // (86400 * SECOND))] += s.sent
    most = max(by_day.values())
    check("the upload is far above anybody's day", sent > 10 * most, f"the next largest day sent {most} bytes")


def check_nothing_else_new(found, truth):
    """On the last day only the incidents and the reader of many sites may ask for new names."""
    facts = {i["kind"]: i for i in truth["incidents"]}
    address = {d["hostname"]: d["ip"] for d in truth["devices"]}
    surfer = next(n for n in truth["hard_negatives"] if n["kind"] == "many-new-sites")["devices"][0]
    expected = {(facts[k]["addresses"][0], facts[k]["name"]) for k in ("beacon", "upload")}
    midnight = facts["sweep"]["t0_us"] // (86400 * SECOND) * 86400 * SECOND
    new = {key for key, when in found["asked"].items() if when >= midnight} - expected
    odd = [key for key in new if key[0] not in (address[surfer], facts["sweep"]["addresses"][0])]
    check("no other new names on the last day", not odd, odd or f"{len(new)} new names of {surfer} and the stranger")


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent.parent / "demo"
    truth = json.loads((folder / "truth.json").read_text())
    packed = folder / "office.pcap.zst"
    check("small enough", packed.stat().st_size <= MOST_BYTES, packed.stat().st_size)
    with tempfile.TemporaryDirectory() as place:
        capture = pathlib.Path(place) / "office.pcap"
        subprocess.run(["zstd", "-q", "-d", str(packed), "-o", str(capture)], check=True)
        with capture.open("rb") as data:
            digest = hashlib.file_digest(data, "sha256").hexdigest()
        check("the bytes that the truth speaks of", digest == truth["capture"]["sha256_uncompressed"])
        found = look_at_frames(capture)
    check_form(found, truth)
    check_streams(found)
    check_devices(found, truth)
    check_incidents(found, truth)
    check_nothing_else_new(found, truth)
    print("packets a day:", *found["days"].values())
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
