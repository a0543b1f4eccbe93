# Starts the office's servers; sourced by record.sh. Needs HERE and WORK, and the office must be up.
# shellcheck shell=bash
in_ns() { "$HERE/office.sh" in "$@"; }
# In a session of its own: some servers, told to stop, signal their whole process group.
in_background() { setsid "$HERE/office.sh" in "$@" >>"$WORK/log/background.log" 2>&1 & }

all_sites() { awk '!/^#/ && NF' "$HERE/sites.txt"; python3 "$HERE/content.py" names; }

# One certificate for each name, from the office's own authority. All begin before the composed
# days do, whatever the clock of the recording says.
make_certificates() {
  local ca="$WORK/ca" name
  mkdir -p "$ca/new" && : >"$ca/index.txt" && echo 1000 >"$ca/serial"
  cat >"$ca/ca.conf" <<CONF
[ca]
default_ca = office
[office]
database = $ca/index.txt
new_certs_dir = $ca/new
serial = $ca/serial
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
CONF
  local key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
  openssl req -x509 "${key[@]}" -keyout "$ca/ca.key" -out "$ca/ca.pem" -days 3650 \
    -subj "/CN=Leuchtturm Trust Services ECC" 2>/dev/null
  for name in $(all_sites | awk '$3 ~ /^tls/ {print $1}'); do
    openssl req -new "${key[@]}" -keyout "$ca/$name.key" -out "$ca/$name.csr" \
      -subj "/CN=$name" -addext "subjectAltName=DNS:$name" 2>/dev/null
    openssl ca -batch -config "$ca/ca.conf" -cert "$ca/ca.pem" -keyfile "$ca/ca.key" -notext \
      -startdate 20260901000000Z -enddate 20271001000000Z -in "$ca/$name.csr" -out "$ca/$name.pem" 2>/dev/null
  done
}

start_dnsmasq() {
  {
    echo "no-resolv
no-hosts
no-daemon
no-ping
interface=eth0
bind-interfaces
dhcp-authoritative
dhcp-range=10.77.0.100,10.77.0.199,24h
dhcp-option=option:router,10.77.0.1
dhcp-option=option:ntp-server,203.0.113.5
domain=kontor.example
dhcp-leasefile=$WORK/dnsmasq.leases
local=/example/
local-ttl=300
user=root
host-record=drucker-og.kontor.example,10.77.9.20
host-record=gw.kontor.example,10.77.0.1
host-record=fs.kontor.example,10.77.0.10"
    awk '!/^#/ && NF && $1 != "gw" && $1 != "fs" {print "dhcp-host=" $3 "," $2 ",24h"}' "$HERE/hosts.txt"
    all_sites | awk '{print "host-record=" $1 "," $2}'
  } >"$WORK/dnsmasq.conf"
  in_background gw dnsmasq -C "$WORK/dnsmasq.conf"
}

# The internet's web servers, and the printer's. A body is read to its end before the answer is
# given (request buffering), so that every upload crosses the wire whole.
start_nginx() {
  local head="daemon off; error_log $WORK/log/nginx.log; events { worker_connections 512; }"
  local http="access_log off; server_tokens off; keepalive_timeout 75s; keepalive_requests 1000;
    client_max_body_size 100m; client_body_temp_path $WORK/tmp; proxy_temp_path $WORK/tmp;
    fastcgi_temp_path $WORK/tmp; uwsgi_temp_path $WORK/tmp; scgi_temp_path $WORK/tmp;
    types { text/html html; text/plain txt; application/javascript js; application/ipp ipp; }"
  local place="location / { if (\$request_method !~ ^(GET|HEAD)\$) { proxy_pass http://127.0.0.1:8099; } root $WORK/www; }"
  {
    echo "$head pid $WORK/nginx-net.pid; http { $http"
    echo "server { listen 127.0.0.1:8099; location / { return 204; } }"
    all_sites | awk -v ca="$WORK/ca" -v place="$place" '$3 != "udp" {
      printf "server { listen %s:80; server_name %s; %s }\n", $2, $1, place }
      $3 ~ /^tls/ { protocol = $3 == "tls12" ? "TLSv1.2" : "TLSv1.3"
      printf "server { listen %s:443 ssl; server_name %s; ssl_protocols %s; ssl_certificate %s/%s.pem; ssl_certificate_key %s/%s.key; %s }\n", \
        $2, $1, protocol, ca, $1, ca, $1, place }'
    echo "}"
  } >"$WORK/nginx-net.conf"
  echo "$head pid $WORK/nginx-printer.pid; http { $http
    server { listen 127.0.0.1:8099; root $WORK/files; location / { try_files /answer.ipp =404; } }
    server { listen 10.77.0.30:631; location /ipp/print { proxy_pass http://127.0.0.1:8099/answer.ipp; proxy_method GET; } } }" \
    >"$WORK/nginx-printer.conf"
  in_background net nginx -c "$WORK/nginx-net.conf"
  in_background drucker nginx -c "$WORK/nginx-printer.conf"
}

# Accounts exist inside the server's namespace only: its /etc/passwd is a bind-mounted copy.
make_accounts() {
  local etc="/etc/netns/tpd-$1" uid=5000 user
  mkdir -p "$WORK/home" && chmod 755 "$WORK/home"
  for f in passwd group shadow; do cp "/etc/$f" "$etc/$f"; done
  for user in sicherung $(awk '!/^#/ && $6 && $6 != "-" {print $6}' "$HERE/hosts.txt"); do
    uid=$((uid + 1))
    echo "$user:x:$uid:100::$WORK/home:/bin/bash" >>"$etc/passwd"
    echo "$user:*:20000:0:99999:7:::" >>"$etc/shadow"
  done
}

# Not encrypted, as in many small offices: names of files can be seen on the wire.
start_samba() {
  local host=$1 dir="$WORK/samba-$1" share user
  shift
  mkdir -p "$dir"/{private,lock,state,cache,pid,ncalrpc}
  {
    echo "[global]
  netbios name = ${host^^}
  workgroup = KONTOR
  server role = standalone server
  server min protocol = SMB2
  server smb encrypt = off
  disable netbios = yes
  smb ports = 445
  disable spoolss = yes
  load printers = no
  private dir = $dir/private
  lock directory = $dir/lock
  state directory = $dir/state
  cache directory = $dir/cache
  pid directory = $dir/pid
  ncalrpc dir = $dir/ncalrpc
  log file = $dir/log
  force user = root"
    for share in "$@"; do
      mkdir -p "$WORK/share/$share"
      printf '[%s]\n  path = %s\n  read only = no\n' "$share" "$WORK/share/$share"
    done
  } >"$dir/smb.conf"
  for user in sicherung $(awk '!/^#/ && $6 && $6 != "-" {print $6}' "$HERE/hosts.txt"); do
    printf 'Kontor-%s\nKontor-%s\n' "$user" "$user" |
      in_ns "$host" pdbedit -s "$dir/smb.conf" -a -t "$user" >>"$WORK/log/pdbedit.log" 2>&1
  done
  in_background "$host" smbd -F -s "$dir/smb.conf"
}

start_sshd() {
  local dir="$WORK/ssh"
  mkdir -p "$dir" /run/sshd
  ssh-keygen -q -t ed25519 -N '' -f "$dir/host" && ssh-keygen -q -t ed25519 -N '' -C brandt -f "$dir/user"
  cat >"$dir/sshd.conf" <<CONF
ListenAddress 10.77.0.10
HostKey $dir/host
AuthorizedKeysFile $dir/user.pub
StrictModes no
UsePAM no
PidFile none
CONF
  in_background fs /usr/sbin/sshd -D -e -f "$dir/sshd.conf"
}

start_servers() {
  in_background isp python3 "$HERE/wan.py" lan-side net-side
  in_background net python3 "$HERE/netsvc.py" ntp-server 203.0.113.5
  in_background net python3 "$HERE/netsvc.py" sip-server 203.0.113.6
  start_dnsmasq
  make_accounts fs
  make_accounts nas
  start_samba fs buero austausch
  start_sshd
}
