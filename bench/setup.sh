#!/usr/bin/env bash
# Installs what the bench compares with: tcpdump, softflowd, ndpiReader, a C compiler, and Suricata 7, which
# Debian 12 has in its backports suite only. That suite is read from the archive this machine already uses, through a sources list of
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

# program:package
wanted=(tcpdump:tcpdump softflowd:softflowd ndpiReader:libndpi-bin gcc:gcc suricata:suricata)
PATH=$PATH:/usr/sbin
missing=()
for one in "${wanted[@]}"; do
    command -v "${one%:*}" >/dev/null || missing+=("${one#*:}")
done
if [ ${#missing[@]} = 0 ]; then
    echo "bench: all programs to compare with are there"
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
# One by one: what cannot be had does not keep the others away. Only Suricata is taken from backports.
failed=()
for package in "${missing[@]}"; do
    suite=$VERSION_CODENAME
    [ "$package" != suricata ] || suite=$VERSION_CODENAME-backports
    as_root env DEBIAN_FRONTEND=noninteractive "${apt[@]}" install -y --no-install-recommends -t "$suite" \
        "$package" || failed+=("$package")
done
if [ ${#failed[@]} != 0 ]; then
    echo "bench: could not be installed: ${failed[*]}" >&2
    exit 1
fi
