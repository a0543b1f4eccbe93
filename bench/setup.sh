#!/usr/bin/env bash
# Installs what the bench compares with: tcpdump, and Suricata 7, which Debian 12 has in its backports
# suite only. That suite is read from the archive this machine already uses, through a sources list of
# its own that is gone afterwards: the machine's own lists are not touched.
set -euo pipefail

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# Prints the archive's entries for the released suite in one-line form, given the suite's name.
archive() {
    local suite=$1 file
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ -f "$file" ] || continue
        grep -hE "^deb .* $suite +([a-z-]+ +)*main" "$file" || true
    done
    for file in /etc/apt/sources.list.d/*.sources; do
        [ -f "$file" ] || continue
        awk -v RS= -v suite="$suite" '{
            uri = suites = parts = key = ""; n = split($0, line, "\n")
            for (i = 1; i <= n; i++) {
                name = tolower(line[i]); sub(/:.*/, "", name)
                value = line[i]; sub(/^[^:]*: */, "", value)
                if (name == "uris") uri = value
                if (name == "suites") suites = " " value " "
                if (name == "components") parts = " " value " "
                if (name == "signed-by") key = "[signed-by=" value "] "
            }
            if (index(suites, " " suite " ") && index(parts, " main "))
                print "deb " key uri " " suite " main"
        }' "$file"
    done
}

missing=()
command -v tcpdump >/dev/null || missing+=(tcpdump)
command -v suricata >/dev/null || missing+=(suricata)
if [ ${#missing[@]} = 0 ]; then
    echo "bench: tcpdump and suricata are there"
    exit 0
fi
if [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null; then
    echo "bench: run as root, or install yourself: ${missing[*]} (suricata is in the backports suite)" >&2
    exit 1
fi

. /etc/os-release
work=$(mktemp -d)
trap 'as_root rm -rf "$work"' EXIT
archive "$VERSION_CODENAME" | head -n 1 >"$work/suites.list"
if [ ! -s "$work/suites.list" ]; then
    echo "bench: no archive of $VERSION_CODENAME found in /etc/apt; install ${missing[*]} yourself" >&2
    exit 1
fi
sed "s/ $VERSION_CODENAME main/ $VERSION_CODENAME-backports main/" "$work/suites.list" >"$work/more"
cat "$work/more" >>"$work/suites.list"
mkdir -p "$work/lists/partial"
chmod -R a+rX "$work"
apt=(apt-get -q -o "Dir::Etc::sourcelist=$work/suites.list" -o Dir::Etc::sourceparts=-
    -o "Dir::State::lists=$work/lists" -o APT::Sandbox::User=root)
as_root "${apt[@]}" update
as_root env DEBIAN_FRONTEND=noninteractive "${apt[@]}" install -y --no-install-recommends \
    -t "$VERSION_CODENAME-backports" "${missing[@]}"
suricata -V
