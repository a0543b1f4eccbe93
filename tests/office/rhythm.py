"""The calendar of the office: which device does what, and when.

Everything here is a list of Events drawn from one seeded generator; no packets are touched.
"""
import calendar
from dataclasses import dataclass

SECOND = 1_000_000
HOUR, DAY = 3600 * SECOND, 86400 * SECOND
MONDAY = calendar.timegm((2026, 11, 9, 0, 0, 0)) * SECOND
BEGIN = MONDAY + 6 * HOUR
END = MONDAY + 9 * DAY + 18 * HOUR
LAST_DAY = 9
MACHINES = ["nas", "drucker", "kamera", "telefon"]
SURFER = "pc-jansen"
BEACONER, READER, STRANGER = "pc-albers", "pc-mertens", "raspberrypi"
# What a person does next, and how often out of a hundred.
HABITS = {"web": 69, "smb": 15, "up": 4, "print": 4, "off": 1.5, "nx": 2, "webbig": 1}
PERSONAL = {"pc-brandt": {"ssh": 5, "smblist": 1}, "pc-mertens": {"finance": 4}, "pc-ostermann": {"finance": 5}}
# Conversations that name their user; nobody else can have them.
OWN = ("smb", "finance", "ssh", "smblist")
# Office people spend most of their visits on few sites.
VISIT_WEIGHTS = [30, 18, 12, 9, 7, 6, 5, 4, 4, 3, 2]
THINK_MEDIAN, THINK_SPREAD = 15 * 60, 1.0


@dataclass(order=True)
class Event:
    when: int
    order: int
    label: str
    device: str
    incident: str = ""


class Rhythm:
    def __init__(self, rng, recordings, pcs):
        self.rng, self.pcs = rng, pcs
        self.kinds = {}
        for r in recordings:
            self.kinds.setdefault(r.kind, []).append(r)
        self.length = {r.label: r.length for r in recordings}
        self.events = []
        self.fresh = list(self.kinds["new"])
        rng.shuffle(self.fresh)
        self.known = {pc: [] for pc in pcs}       # small sites that a PC has seen before
        self.seen = {pc: set() for pc in pcs}     # visits to large sites likewise
        self.taste = {pc: rng.sample(self.kinds["web"], len(self.kinds["web"])) for pc in pcs}
        self.last_lease = {}
        self.presence = {}

    def add(self, when, label, device, incident=""):
        """Keeps what fits between the first and the last minute."""
        if BEGIN <= when and when + self.length[label] < END - SECOND:
            self.events.append(Event(int(when), len(self.events), label, device, incident))

    def pick(self, kind, device=None):
        pool = [r for r in self.kinds[kind] if device is None or r.host == device]
        return self.rng.choice(pool).label

    def all(self):
        self.machines()
        for day in range(LAST_DAY + 1):
            if day % 7 < 5:
                for pc in self.pcs:
                    self.person(pc, day)
        self.incidents()
        return sorted(self.events)

    # --- machines that never sleep -------------------------------------------------------------

    def every(self, kind, device, period, jitter, first):
        when = BEGIN + first * SECOND
        while when < END:
            self.add(when, self.pick(kind, device), device)
            when += period * SECOND + int(self.rng.gauss(0, jitter) * SECOND)

    def machines(self):
        for device in MACHINES:
            self.every("dhcp-renew", device, 12 * 3600, 240, self.rng.uniform(60, 3000))
        for device in ["fs", *MACHINES]:
            self.every("ntp", device, 1024, 0.4, self.rng.uniform(5, 1000))
        self.every("sip", "telefon", 540, 0.3, self.rng.uniform(5, 250))
        self.camera()
        for device, hour in (("nas", 4.1), ("drucker", 7.2), ("fs", 5.3)):
            for day in range(LAST_DAY + 1):
                when = MONDAY + day * DAY + int((hour + self.rng.uniform(0, 0.1)) * HOUR)
                self.add(when, self.pick("status", device), device)
        for recording in self.kinds["backup"]:
            date = int(recording.detail[len("sicherung-2026-11-"):][:2])
            self.add(MONDAY + (date - 9) * DAY + int(1.5 * HOUR) + self.rng.randint(0, 90 * SECOND),
                     recording.label, "fs")

    def camera(self):
        """One connection holds twelve reports; the next begins where the thirteenth would be."""
        when = BEGIN + 20 * SECOND
        while when < END:
            self.add(when, self.pick("camera", "kamera"), "kamera")
            when += 12 * 60 * SECOND + int(self.rng.gauss(0, 0.02) * SECOND)

    # --- people --------------------------------------------------------------------------------

    def clock(self, day, hours):
        return MONDAY + day * DAY + int(hours * HOUR)

    def person(self, pc, day):
        rng = self.rng
        last = day == LAST_DAY
        if rng.random() < 0.05 and not last:
            return
        arrive = self.clock(day, rng.gauss(8.75, 25 / 60))
        leave = self.clock(day, rng.gauss(17.5, 40 / 60))
        if last:
            # Everybody is in by ten on the last day; two have to stay for what happens there.
            arrive = min(arrive, self.clock(day, 9.6))
            if pc == BEACONER:
                leave = max(leave, self.clock(day, 17.7))
        lunch = self.clock(day, rng.gauss(12.4, 0.25))
        lunch_end = lunch + int(rng.uniform(28, 55) * 60 * SECOND)
        if last and lunch < self.clock(day, 11.2):
            lunch = self.clock(day, 11.2)
        self.presence[(pc, day)] = (arrive, leave)
        self.switch_on(pc, arrive)
        self.every_hour(pc, arrive, leave)
        self.new_sites(pc, day, arrive, leave)
        self.uploads(pc, arrive, leave)
        self.work(pc, arrive + 90 * SECOND, leave, lunch, lunch_end, last)

    def switch_on(self, pc, arrive):
        """A lease of 24 hours that has run out is asked for from the beginning."""
        before = self.last_lease.get(pc)
        kind = "dhcp-again" if before and arrive - before < DAY else "dhcp-first"
        self.last_lease[pc] = arrive
        self.add(arrive, self.pick(kind, pc), pc)

    def every_hour(self, pc, arrive, leave):
        when = arrive + int(self.rng.uniform(20, 70) * SECOND)
        while when < leave:
            self.add(when, self.pick("update"), pc)
            when += HOUR + int(self.rng.gauss(0, 8) * SECOND)

    def new_sites(self, pc, day, arrive, leave):
        """One person reads all over the web every day; the others find something new now and then."""
        if pc == SURFER:
            count = self.rng.randint(5, 7)
        else:
            count = 0 if day == LAST_DAY else int(self.rng.random() < 0.55)
        for _ in range(count):
            if not self.fresh:
                return
            label = self.fresh.pop().label
            when = self.rng.randint(arrive + 600 * SECOND, leave)
            self.add(when, label, pc)
            if self.rng.random() < 0.4:
                self.add(when + int(self.rng.uniform(60, 5000) * SECOND), label, pc)
            self.known[pc].append(label)

    def uploads(self, pc, arrive, leave):
        """At least one parcel a day, so that everybody has a normal amount of sending."""
        self.add(self.rng.randint(arrive + 1200 * SECOND, leave), self.pick("up"), pc)

    def work(self, pc, when, leave, lunch, lunch_end, last):
        habits = {**HABITS, **PERSONAL.get(pc, {})}
        while when < leave:
            if lunch < when < lunch_end:
                when = lunch_end + int(self.rng.uniform(0, 240) * SECOND)
            what = self.rng.choices(list(habits), list(habits.values()))[0]
            label = self.choose(what, pc, last)
            self.add(when, label, pc)
            think = THINK_MEDIAN * self.rng.lognormvariate(0, THINK_SPREAD)
            when += self.length[label] + int(max(4, min(think, 5400)) * SECOND)

    def choose(self, what, pc, last):
        """The next conversation. On the last day a person does only what he or she has done before."""
        if what != "web":
            label = self.pick(what, pc if what in OWN else None)
            if not last or label in self.seen[pc]:
                self.seen[pc].add(label)
                return label
        return self.choose_site(pc, last)

    def choose_site(self, pc, last):
        if self.known[pc] and self.rng.random() < 0.04:
            return self.rng.choice(self.known[pc])
        favourites = self.taste[pc][:len(VISIT_WEIGHTS)]
        if last:
            favourites = [r for r in favourites if r.label in self.seen[pc]]
        label = self.rng.choices(favourites, VISIT_WEIGHTS[:len(favourites)])[0].label
        self.seen[pc].add(label)
        return label

    # --- the last day --------------------------------------------------------------------------

    @staticmethod
    def last_day(hours, minutes, seconds):
        return MONDAY + LAST_DAY * DAY + (hours * 3600 + minutes * 60 + seconds) * SECOND

    def incidents(self):
        at = self.last_day
        self.add(at(10, 12, 9), "stranger", STRANGER, "new-device")
        self.add(at(10, 25, 31), "sweep", STRANGER, "sweep")
        self.add(at(11, 5, 17), "credential", READER, "credential-file")
        self.add(at(15, 10, 43), "upload", BEACONER, "upload")
        beacons = self.kinds["beacon"]
        when, stop, number = at(11, 30, 4), at(17, 30, 0), 0
        while when < stop:
            self.add(when, beacons[number % len(beacons)].label, BEACONER, "beacon")
            number += 1
            when += int(90 * self.rng.uniform(0.8, 1.2) * SECOND)
