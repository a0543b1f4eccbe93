#!/usr/bin/env python3
"""Composes ten days of an office out of its recordings; one seed gives one capture, byte for byte.

    compose.py [--recordings work/rec] [--out ../../demo] [--seed N] [--level 19]

Writes office.pcap.zst and truth.json.
"""
import argparse
import hashlib
import json
import pathlib
import random
import struct
import subprocess
import time

import rhythm
import wire

HERE = pathlib.Path(__file__).resolve().parent
KEEP_ARP = ("dhcp-first", "dhcp-again", "dhcp-renew", "stranger", "sweep")
WORKPLACES = ("workstation", "laptop", "admin-pc")
CREDENTIAL, UPLOADED = "finance\\passwords.xls", "kunden.sql"


def read_table(path, *columns):
    rows = [line.split() for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return [dict(zip(columns, row)) for row in rows]


def read_recordings(folder, devices):
    recordings, macs = [], {d["hostname"]: wire.mac_bytes(d["mac"]) for d in devices}
    # A set of lines: what was recorded again is listed again.
    for line in sorted(set((folder / "index.txt").read_text().splitlines())):
        label, kind, host, detail = line.split(" ", 3)
        frames = wire.read_pcap(folder / f"{label}.pcap")
        if kind == "dhcp-renew":
            # The client was told to renew every few seconds; one renewal is the conversation.
            frames = [f for f in frames if f.protocol == wire.UDP][:2]
        if kind == "camera":
            frames = only_first_names(frames)
        recordings.append(wire.Recording(label, kind, host, macs[host], detail, frames, kind in KEEP_ARP))
    return recordings


def only_first_names(frames):
    """The camera's recording is long; what it asks for after the first second belongs to something else."""
    return [f for f in frames if f.protocol != wire.UDP or f.when < frames[0].when + rhythm.SECOND]


class Composer:
    def __init__(self, devices, recordings, seed):
        self.devices = {d["hostname"]: d for d in devices}
        self.recordings = {r.label: r for r in recordings}
        self.rng = random.Random(seed)
        pcs = [d["hostname"] for d in devices if d["role"] in WORKPLACES]
        self.calendar = rhythm.Rhythm(random.Random(seed + 1), recordings, pcs)
        self.ports, self.arp_seen, self.names_seen, self.seen = {}, {}, {}, {}
        self.by_mac = {wire.mac_bytes(d["mac"]): d["hostname"] for d in devices}
        self.arp_template = self.find_arp(devices)
        self.frames, self.incidents = [], {}
        self.rewriter = wire.Rewriter(self.rng, self.distances(), self.take_port)

    def find_arp(self, devices):
        """A recorded ARP question and its answer, the pattern for all others."""
        for recording in self.recordings.values():
            arps = [f for f in recording.frames if f.data[12:14] == b"\x08\x06"]
            for question, answer in zip(arps, arps[1:]):
                if question.data[0:6] == b"\xff" * 6 and answer.data[21] == 2:
                    return question, answer
        raise ValueError("no recording holds a whole ARP exchange")

    def distances(self):
        """In the recordings every server is one hop away; each gets a distance of its own."""
        far = random.Random("distances")
        found = {f.src for r in self.recordings.values() for f in r.frames if f.is_ip}
        found = {a for a in found if a[0] in (198, 203)}
        return {a: 64 - far.randint(7, 17) for a in sorted(found)}

    def take_port(self, device, when):
        """A client port that the device has not used in the last hour."""
        used = self.ports.setdefault(device, {})
        while True:
            port = self.rng.randint(wire.EPHEMERAL, 60999)
            if when - used.get(port, -rhythm.HOUR) >= rhythm.HOUR:
                used[port] = when
                return port

    def addresses(self, recording, device):
        """Recorded host to device; names inside the frames must not speak of the recorded host."""
        if recording.host == device:
            return {}
        if recording.kind not in ("web", "webbig", "new", "up", "update", "print", "off", "nx"):
            raise ValueError(f"{recording.label} names its host and cannot be lent to {device}")
        old, new = self.devices[recording.host], self.devices[device]
        return {wire.mac_bytes(old["mac"]): wire.mac_bytes(new["mac"]),
                wire.ip_bytes(old["ip"]): wire.ip_bytes(new["ip"])}

    def resolve(self, device, peer, when):
        """An ARP exchange goes before the first packet to a neighbour whose entry has aged."""
        if when < self.arp_seen.get((device, peer), 0):
            return
        self.arp_seen[(device, peer)] = when + self.rng.randint(20, 50) * 60 * rhythm.SECOND
        ends = [(wire.mac_bytes(self.devices[n]["mac"]), wire.ip_bytes(self.devices[n]["ip"])) for n in (device, peer)]
        question, answer = wire.arp_pair(self.arp_template, *ends)
        gap = self.rng.randint(60, 160)
        self.keep(when - gap - self.rng.randint(8, 30), question)
        self.keep(when - self.rng.randint(4, 8), answer)

    def knows_name(self, event, kind):
        """Daemons keep an address for hours; people's programs in the recordings ask each time."""
        if kind not in ("ntp", "sip"):
            return False
        if event.when < self.names_seen.get((event.device, kind), 0):
            return True
        self.names_seen[(event.device, kind)] = event.when + self.rng.randint(6, 9) * rhythm.HOUR
        return False

    def keep(self, when, data):
        self.frames.append((when, len(self.frames), wire.padded(data)))
        sender = self.by_mac.get(data[6:12])
        first, last = self.seen.get(sender, (when, when))
        self.seen[sender] = (min(first, when), max(last, when))

    def lay(self, event):
        recording = self.recordings[event.label]
        event.when = wire.same_phase(event.when, recording.start)
        alone = event.incident in ("sweep", "new-device")
        placed = self.rewriter.place(recording, event.when, event.device, self.addresses(recording, event.device),
                                     keep_ports=alone, skip_names=self.knows_name(event, recording.kind))
        last = event.when
        for when, data in placed:
            neighbour = self.by_mac.get(data[0:6])
            if neighbour and data[12:14] == b"\x08\x00" and not alone and self.by_mac[data[6:12]] == event.device:
                self.resolve(event.device, neighbour, when)
            self.keep(when, data)
            last = when
        if event.incident:
            span = self.incidents.setdefault(event.incident, {"t0": event.when, "t1": last, "count": 0})
            span["t1"], span["count"] = max(span["t1"], last), span["count"] + 1

    def compose(self):
        self.events = self.calendar.all()
        for event in self.events:
            self.lay(event)
        self.frames.sort()

    def write(self, out):
        """Strictly rising times: a frame that coincides with another is put a microsecond later."""
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        before = 0
        for when, _, data in self.frames:
            before = max(when, before + 1)
            out.write(struct.pack("<IIII", before // 10**6, before % 10**6, len(data), len(data)) + data)

    # --- truth ---------------------------------------------------------------------------------

    def sweep_facts(self):
        """First contacts over TCP, and how many of them found nobody or a closed port."""
        stranger = wire.ip_bytes(self.devices[rhythm.STRANGER]["ip"])
        asked, silent, closed = set(), set(), set()
        for f in self.recordings["sweep"].frames:
            if f.protocol == wire.TCP:
                out = f.src == stranger
                key = (f.dst, f.dport) if out else (f.src, f.sport)
                if out and f.flags & 0x12 == 2:
                    asked.add(key)
                    silent.add(key)
                elif not out:
                    silent.discard(key)
                    if f.flags & 4:
                        closed.add(key)
        return {"first_contacts": len(asked), "unanswered": len(silent), "refused": len(closed),
                "addresses": len({address for address, _ in asked})}

    def incident_list(self):
        facts = {
            "new-device": {"devices": [rhythm.STRANGER], "peer": None},
            "sweep": {"devices": [rhythm.STRANGER], "peer": ["10.77.0.0/24", "10.77.8.0/24"], **self.sweep_facts()},
            "credential-file": {"devices": [rhythm.READER, "fs"], "peer": "10.77.0.10", "share": "buero",
                                "file": CREDENTIAL},
            "beacon": {"devices": [rhythm.BEACONER], "peer": "203.0.113.66", "name": "static.kiesel-cdn.example",
                       "period_s": 90, "jitter": 0.2},
            "upload": {"devices": [rhythm.BEACONER], "peer": "203.0.113.77", "name": "ablage.fernweh.example",
                       "file": UPLOADED,
                       "bytes": self.recordings["upload"].sent_by(wire.ip_bytes(self.devices[rhythm.BEACONER]["ip"]))},
        }
        rows = []
        for kind, fact in facts.items():
            span = self.incidents[kind]
            fact["addresses"] = [self.devices[name]["ip"] for name in fact["devices"]]
            rows.append({"kind": kind, "t0": stamp(span["t0"]), "t1": stamp(span["t1"]),
                         "t0_us": span["t0"], "t1_us": span["t1"], "count": span["count"], **fact})
        return sorted(rows, key=lambda row: row["t0_us"])

    def negatives(self):
        """Harmless things that look like something, so that false alarms can be counted."""
        rows = [("keep-alive", ["kamera"], "api.wolke.example", "camera", 60),
                ("time", ["fs", *rhythm.MACHINES], "time.uhr.example", "ntp", 1024),
                ("registration", ["telefon"], "sip.klang.example", "sip", 540),
                ("update-check", self.calendar.pcs, "update.fenster.example", "update", 3600),
                ("nightly-backup", ["fs"], "nas", "backup", 86400),
                ("printer-switched-off", self.calendar.pcs, "10.77.9.20", "off", None),
                ("unknown-name", self.calendar.pcs, None, "nx", None),
                ("many-new-sites", [rhythm.SURFER], "198.51.100.100-198.51.100.199", "new", None),
                ("file-shares-listed", ["pc-brandt"], "10.77.0.10", "smblist", None)]
        out = []
        for kind, devices, peer, source, period in rows:
            count = sum(1 for e in self.events
                        if self.recordings[e.label].kind == source and e.device in devices)
            out.append({"kind": kind, "devices": devices, "peer": peer, "period_s": period, "conversations": count})
        return out

    def truth(self, raw, seed):
        devices = []
        for name, d in self.devices.items():
            first, last = self.seen[name]
            devices.append({**d, "first": stamp(first), "last": stamp(last), "first_us": first, "last_us": last})
        return {
            "capture": {"file": "office.pcap.zst", "sha256_uncompressed": hashlib.sha256(raw).hexdigest(),
                        "bytes_uncompressed": len(raw), "packets": len(self.frames), "seed": seed,
                        "begin": stamp(self.frames[0][0]), "end": stamp(self.frames[-1][0]), "time_zone": "UTC"},
            "devices": devices, "incidents": self.incident_list(), "hard_negatives": self.negatives(),
            "presence": [{"device": pc, "arrive": stamp(a), "leave": stamp(b)}
                         for (pc, _), (a, b) in sorted(self.calendar.presence.items(), key=lambda p: p[1])],
        }


def stamp(micros):
    """2026-11-18T10:12:09.000000Z"""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(micros // 10**6)) + f".{micros % 10**6:06d}Z"


def main():
    options = argparse.ArgumentParser(description="Composes ten days of an office out of its recordings.")
    options.add_argument("--recordings", type=pathlib.Path, default=HERE / "work" / "rec")
    options.add_argument("--out", type=pathlib.Path, default=HERE.parent.parent / "demo")
    options.add_argument("--seed", type=int, default=20261109)
    options.add_argument("--level", type=int, default=19)
    chosen = options.parse_args()
    devices = read_table(HERE / "hosts.txt", "hostname", "ip", "mac", "vendor", "role", "person")
    composer = Composer(devices, read_recordings(chosen.recordings, devices), chosen.seed)
    composer.compose()
    chosen.out.mkdir(parents=True, exist_ok=True)
    target = chosen.out / "office.pcap"
    with target.open("wb") as out:
        composer.write(out)
    raw = target.read_bytes()
    truth = composer.truth(raw, chosen.seed)
    (chosen.out / "truth.json").write_text(json.dumps(truth, indent=1, ensure_ascii=False) + "\n")
    # A window of 64 MB finds what recurs on other days; readers accept up to 128 MB without being told.
    subprocess.run(["zstd", "-q", "-f", "--rm", f"-{chosen.level}", "--long=26", str(target)], check=True)
    packed = (chosen.out / "office.pcap.zst").stat().st_size
    print(f"{len(composer.frames)} packets, {len(raw)} bytes, {packed} compressed, {len(composer.events)} conversations")


if __name__ == "__main__":
    main()
