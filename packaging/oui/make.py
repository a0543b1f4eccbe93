#!/usr/bin/env python3
"""Makes src/engine/device/oui.tsv from the IEEE registries that Debian packages (`ieee-data`).

Usage: packaging/oui/make.py [/usr/share/ieee-data] > src/engine/device/oui.tsv
One line a block: hex prefix (6, 7 or 9 digits), tab, organisation; sorted by prefix.
"""
import csv
import pathlib
import re
import sys

SUFFIX = re.compile(
    r"[\s,.]+(inc|incorporated|ltd|limited|llc|gmbh|corp|corporation|co|company|ag|sa|srl|bv|ab|oy|as|"
    r"s\.?a\.?|s\.?r\.?l|pty|plc|kg|pte|sdn|bhd)\.?$",
    re.IGNORECASE,
)


def short(name: str) -> str:
    """An organisation's name without its legal form, at most 40 characters."""
    name = " ".join(name.split())
    while True:
        cut = SUFFIX.sub("", name).rstrip(" ,.")
        if cut == name or len(cut) < 2:
            return name[:40]
        name = cut


def main() -> None:
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "/usr/share/ieee-data")
    blocks = {}
    for file in ("oui.csv", "mam.csv", "oui36.csv"):
        with open(folder / file, encoding="utf-8", newline="") as rows:
            for row in csv.DictReader(rows):
                name = row["Organization Name"].strip()
                if name and name != "Private" and name != "IEEE Registration Authority":
                    blocks[row["Assignment"].lower()] = short(name)
    for prefix in sorted(blocks):
        sys.stdout.write(f"{prefix}\t{blocks[prefix]}\n")


if __name__ == "__main__":
    main()
