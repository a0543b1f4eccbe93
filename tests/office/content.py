"""Makes what the office's servers hold, and the plan of web visits to record.

    content.py www DIR      pages of all sizes that the plan asks for
    content.py share DIR    the file server's shares
    content.py files DIR    files that clients send: uploads, backups, print jobs
    content.py plan         one line for each visit:  label kind host url...
    content.py names        the names of the small made-up sites:  name address mode
Everything depends on SEED only, so that a second run makes the same bytes.
"""
import pathlib
import random
import struct
import sys

SEED = 20261109
PCS = ["pc-mertens", "pc-albers", "pc-jansen", "pc-brandt",
       "pc-ostermann", "pc-petersen", "nb-wulff", "nb-hinrichs"]
POPULAR = ["www.nordwind.example", "www.zeitblatt.example", "www.lieferant-krause.example",
           "portal.steuerbuero-ahlers.example", "shop.bueroklammer.example", "www.wetterhahn.example",
           "karte.wegweiser.example", "www.bahnauskunft.example", "mail.posthaus.example"]
FIRST = ["alpen", "birken", "deich", "eichen", "fjord", "garten", "hafen", "insel", "kiefern",
         "linden", "moor", "quell", "rosen", "seen"]
LAST = ["atelier", "bank", "blick", "forum", "hof", "kontor", "laden", "markt"]
WORDS = ("der die das und mit von auf Angebot Rechnung Lieferung Termin Kunde Auftrag Menge Preis "
         "Lager Versand Montag Dienstag Freitag Woche Muster Papier Holz Blech Farbe Stück Karton "
         "Palette Abholung Zahlung offen erledigt bitte prüfen geliefert bestellt").split()
VISITS_PER_SITE = 4
SMALL_SITES = 96
BIG_PAGES = [150_000, 380_000]


def sentences():
    """The stock phrases of the office. Real letters repeat themselves too; so they compress well."""
    rng = random.Random(SEED)
    return [" ".join(rng.choice(WORDS) for _ in range(rng.randint(7, 22))) + f" {rng.randint(1, 9999)}.\n"
            for _ in range(260)]


STOCK = sentences()


def prose(rng, size):
    """Office German of exactly `size` bytes."""
    parts, have = [], 0
    while have < size:
        parts.append(rng.choice(STOCK).encode())
        have += len(parts[-1])
    return b"".join(parts)[:size]


def table(rng, size, name):
    """A dump of a customer table: long, regular, and therefore small when compressed."""
    towns = ["Emden", "Leer", "Aurich", "Norden", "Jever", "Varel"]
    terms = "".join(STOCK[:14]).replace("\n", " ")
    parts, have, row = [f"-- dump of table {name}\n".encode()], 0, 0
    while have < size:
        parts.append(f"INSERT INTO {name} VALUES ({row:08d}, '{towns[row // 50 % 6]}', 'active', "
                     f"{rng.randint(0, 99):02d}, '{terms}');\n".encode())
        have += len(parts[-1])
        row += 1
    return b"".join(parts)


def biff(rows):
    """A real, if old, Excel sheet (BIFF2): BOF, one LABEL record for each cell, EOF."""
    out = [struct.pack("<HHHH", 0x0009, 4, 2, 0x0010)]
    for y, row in enumerate(rows):
        for x, cell in enumerate(row):
            text = cell.encode("latin-1")
            out.append(struct.pack("<HHHH3sB", 0x0004, 8 + len(text), y, x, b"\0\0\0", len(text)) + text)
    out.append(struct.pack("<HH", 0x000A, 0))
    return b"".join(out)


def small_sites():
    """Names nobody knows yet: (name, address, mode)."""
    rng = random.Random(SEED + 1)
    names = [f"www.{a}{b}.example" for a in FIRST for b in LAST]
    rng.shuffle(names)
    return [(name, f"198.51.100.{100 + i}", "http" if i % 3 == 2 else "tls13")
            for i, name in enumerate(names[:SMALL_SITES])]


def page_size(rng, median, spread, most):
    return int(min(most, max(2000, rng.lognormvariate(0, spread) * median)))


def plan():
    """Yields (label, kind, host, urls); page sizes have a heavy tail, as pages have."""
    rng = random.Random(SEED + 2)
    number = 0
    for site in POPULAR:
        for k in range(VISITS_PER_SITE):
            size = page_size(rng, 6500, 0.9, 60_000)
            urls = [f"https://{site}/{size}.html"]
            if rng.random() < 0.45:
                urls.append(f"https://cdn.brise.example/{page_size(rng, 5000, 0.7, 30_000)}.html")
            yield f"web-{number:03d}", "web", PCS[number % len(PCS)], urls
            number += 1
    for size in BIG_PAGES:
        yield f"webbig-{size}", "webbig", PCS[number % len(PCS)], [f"https://karte.wegweiser.example/{size}.html"]
        number += 1
    for i, (name, _, mode) in enumerate(small_sites()):
        scheme = "http" if mode == "http" else "https"
        url = f"{scheme}://{name}/{page_size(rng, 2600, 0.4, 9000)}.html"
        yield f"new-{i:03d}", "new", PCS[i % len(PCS)], [url]


def make_www(target):
    target.mkdir(parents=True, exist_ok=True)
    rng = random.Random(SEED + 3)
    sizes = {int(url.rsplit("/", 1)[1][:-5]) for _, _, _, urls in plan() for url in urls}
    for size in sorted(sizes):
        (target / f"{size}.html").write_bytes(prose(rng, size))
    (target / "pruefung.txt").write_bytes(b"stand=2026-11-07\nneu=0\nnaechste=3600\n")
    (target / "liste.js").write_bytes(prose(rng, 640))


def make_share(target):
    rng = random.Random(SEED + 4)

    def put(path, data):
        path = target / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    for k in range(8):
        put(f"buero/angebote/angebot-2026-{101 + k}.doc", prose(rng, rng.randint(9_000, 60_000)))
        put(f"buero/protokolle/protokoll-kw{38 + k}.txt", prose(rng, rng.randint(3_000, 18_000)))
        put(f"buero/vorlagen/vorlage-{k}.dot", prose(rng, rng.randint(6_000, 25_000)))
        rows = [[f"RE-{k}{i:03d}", rng.choice(WORDS), f"{rng.randint(10, 9000)},00"] for i in range(rng.randint(80, 400))]
        put(f"buero/finance/rechnungen-{k + 1:02d}.xls", biff(rows))
        put(f"austausch/liste-{k}.csv", prose(rng, rng.randint(2_000, 30_000)))
    # Made-up secrets in the kind of file that every office has.
    secrets = [["System", "User", "Password"]]
    for name in ("Bank portal", "Router", "NAS admin", "Web shop", "Tax portal", "Alarm system", "Domain registrar"):
        word = rng.choice(["Sommer", "Winter", "Kontor", "Deich"])
        secrets.append([name, rng.choice(["admin", "kontor", "finance"]), f"{word}{rng.randint(2019, 2026)}!"])
    put("buero/finance/passwords.xls", biff(secrets))


def make_files(target):
    target.mkdir(parents=True, exist_ok=True)
    rng = random.Random(SEED + 5)
    for k in range(16):
        (target / f"up-{k:02d}.txt").write_bytes(prose(rng, int(rng.uniform(25_000, 170_000))))
    for k in range(10):
        (target / f"sicherung-2026-11-{9 + k:02d}.sql").write_bytes(table(rng, rng.randint(1_000_000, 1_900_000), "belege"))
    (target / "kunden.sql").write_bytes(table(rng, 26_000_000, "kunden"))
    for k in range(4):
        ipp = (bytes([2, 0]) + struct.pack(">HI", 2, k + 1) + b"\x01"
               + attribute(0x47, "attributes-charset", "utf-8") + attribute(0x48, "attributes-natural-language", "de")
               + attribute(0x45, "printer-uri", "ipp://drucker.kontor.example/ipp/print")
               + attribute(0x42, "job-name", f"brief-{k}") + b"\x03")
        text = b"%!PS-Adobe-3.0\n/Courier 11 selectfont\n" + prose(rng, rng.randint(5_000, 40_000)) + b"showpage\n"
        (target / f"job-{k}.ipp").write_bytes(ipp + text)
    (target / "answer.ipp").write_bytes(
        bytes([2, 0]) + struct.pack(">HI", 0, 1) + b"\x01" + attribute(0x47, "attributes-charset", "utf-8")
        + attribute(0x48, "attributes-natural-language", "de") + b"\x03")


def attribute(tag, name, value):
    """One IPP attribute."""
    return (struct.pack(">BH", tag, len(name)) + name.encode()
            + struct.pack(">H", len(value)) + value.encode())


def main():
    what = sys.argv[1]
    if what == "plan":
        for label, kind, host, urls in plan():
            print(label, kind, host, *urls)
    elif what == "names":
        for row in small_sites():
            print(*row)
    else:
        {"www": make_www, "share": make_share, "files": make_files}[what](pathlib.Path(sys.argv[2]))


main()
