#!/usr/bin/env python3
"""Builds every table that Tapir ships from its source, and writes packaging/DATA-LICENCES.

Usage: packaging/data.py [FOLDER | --record]

FOLDER holds the files of Debian's ieee-data; without it the package is downloaded from the configured Debian mirror, in
the version below. --record builds nothing and writes only what there is: after a change to a table of our own.
"""
import datetime
import hashlib
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
LICENCES = ROOT / "packaging/DATA-LICENCES"
OUI = "src/engine/device/oui.tsv"
IEEE_DATA = "20220827.1"

# Path, source, licence, date of the source; without a date it is the project's own, as old as its last change.
TABLES = [
    (
        OUI,
        f"IEEE registries MA-L, MA-M and MA-S, as Debian's ieee-data {IEEE_DATA} has them; packaging/oui/make.py",
        "public domain: IEEE asserts no copyright in the listing and does not restrict its distribution",
        "2022-08-27",
    ),
    (
        "catalogue/services.toml",
        "the project's own work: names that services are publicly reached by",
        "Apache-2.0",
        None,
    ),
    (
        "src/engine/device/evidence.tsv",
        "the project's own work: what evidence says of a device, from own observations and makers' public documents",
        "Apache-2.0",
        None,
    ),
    (
        "src/engine/proto/dcerpc/interfaces.txt",
        "the project's own work: names of fact from Microsoft's open specifications, C706 and IEC 61158-6-10",
        "Apache-2.0",
        None,
    ),
    (
        "demo/office.pcap.zst",
        "the project's own recording of real programs round a real switch; tests/office",
        "Apache-2.0",
        None,
    ),
]

HEAD = """\
What Tapir ships as data, where it comes from and under which licence. Written by `make data`; a test holds it to
the source tree.
"""

TAIL = """\
Looked at for later use, and not shipped:

Public suffixes: Debian's publicsuffix, Public Suffix List, MPL-2.0. May be shipped with its licence; changes to the
  list itself would have to be published. Nothing uses it: the catalogue needs no list of suffixes.
Address to country: Debian's tor-geoipdb, made from the IPFire Location database, CC BY-SA 4.0. May be shipped with
  attribution; a changed table has to stay under the same licence. It has countries, no autonomous systems.
Address to autonomous system: no package of Debian with a clear licence was found.

Not to be used: GeoLite2 (its licence binds whoever gets it to delete old copies), trackerdb (its share-alike licence forbids
commercial use), p0f.fp (LGPL-2.1).
"""


def ieee_data(folder: pathlib.Path) -> pathlib.Path:
    """Downloads the package into a folder and gives the folder of its files."""
    subprocess.run(["apt-get", "-q", "download", f"ieee-data={IEEE_DATA}"], cwd=folder, check=True)
    (package,) = folder.glob("ieee-data_*.deb")
    subprocess.run(["dpkg-deb", "-x", package, folder], check=True)
    return folder / "usr/share/ieee-data"


def make_oui(source: pathlib.Path) -> None:
    """Writes the table of vendors."""
    maker = [sys.executable, ROOT / "packaging/oui/make.py", source]
    made = subprocess.run(maker, check=True, stdout=subprocess.PIPE).stdout
    (ROOT / OUI).write_bytes(made)


def listed() -> dict[str, tuple[str, str]]:
    """Hash and date of each table as they were written last."""
    found, path, date = {}, "", ""
    for line in LICENCES.read_text().splitlines() if LICENCES.exists() else []:
        key, _, value = line.partition(": ")
        if key == "File":
            path = value
        elif key == "Date":
            date = value
        elif key == "SHA-256":
            found[path] = (value, date)
    return found


def main() -> None:
    if sys.argv[1:] == ["--record"]:
        pass
    elif len(sys.argv) > 1:
        make_oui(pathlib.Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            make_oui(ieee_data(pathlib.Path(folder)))
    before = listed()
    parts = [HEAD]
    for path, source, licence, date in TABLES:
        digest = hashlib.sha256((ROOT / path).read_bytes()).hexdigest()
        known, since = before.get(path, ("", ""))
        today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
        date = date or (since if known == digest else today)
        parts.append(
            f"File: {path}\nSource: {source}\nLicence: {licence}\nDate: {date}\nSHA-256: {digest}\n"
        )
    LICENCES.write_text("\n".join([*parts, TAIL]))


if __name__ == "__main__":
    main()
