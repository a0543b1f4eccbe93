//! The same capture gives the same bytes, however the work is divided.
//!
//! What it shows: the output folder is byte for byte the same (`run.json` excepted, which tells of the
//! run) with 1, 2 and 4 workers, on one core, under two hash keys, and with the capture cut into three files.
//! How: the program runs over the demo capture and, where they are, over 42 shared captures of many
//! kinds; every folder is compared with the first. Of all other shared captures: 1, 2 and 4 workers.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::frames::{End, SYN, Segment, end, pcap, tcp, udp};
use crate::support::tunnels::Way;
use crate::support::{corpus, demo, files, run, shared_captures, tapir_command};

/// Shared captures, by what is odd about them.
const CAPTURES: [&str; 42] = [
    // Link types: cooked, loopback, raw, several in one file, and two that are not decoded.
    "PcapPlusPlus_sll_0038b0.pcap",
    "acandeias_nmapSV_c34823.pcap",
    "zeek_linux_dlt_sll2_da2e00.pcap",
    "malcolm_OPCUA-Binary_265823.pcap",
    "wireshark_tls-fragmented-handshakes_08418b.pcap",
    "nDPI_psiphon3_ca5a59.pcap",
    "PcapPlusPlus_many_interfaces-1_3a5206.pcapng",
    "wireshark_wpa-eap-tls_520f7f.pcap",
    "scapy_candump_gmlan_scanner_114779.pcap",
    // Fragments of both versions, tunnels, headers that lie.
    "malcolm_Tunnels_3f5d93.pcap",
    "nDPI_dnscrypt-v1-and-resolver-pings_12741d.pcap",
    "markofu_ipfragments_7755e6.pcap",
    "zeek_ipv6-reassembly-state-leak_1ebf86.pcap",
    "nDPI_fuzz-2020-02-16-11740_95629f.pcapng",
    // Packets in packets, and links that name the network layer themselves.
    "ja4_gre-erspan-vxlan_5bbdb3.pcap",
    "ja4_tcpdump-geneve_cc040d.pcap",
    "zeek_gtp8_teredo_181aa8.pcap",
    "zeek_gtp2_different_udp_port_a1b3ee.pcap",
    "zeek_Teredo_738988.pcap",
    "zeek_mixed-vlan-mpls_1f0a9b.pcap",
    "zeek_mpls-6in6-broken_2527f1.pcap",
    "zeek_pbb_cc4e9f.pcap",
    "malcolm_Telnet_60baaa.pcap",
    "nDPI_BGP_redist_842ee7.pcap",
    "zeek_nflog-http_1a3892.pcap",
    "zeek_handshake_49207b.pcap",
    // VLAN tags, one or two, and frames without IP.
    "curated-pcaps_tcp_0_1000_20190821_f44192.pcap",
    "mercury_pppoe_double_vlan_tagging_dd4a13.pcap",
    "malcolm_dns_caa_records_40181e.pcap",
    "iti_Sample_File_GOOSE_7d0ab6.pcap",
    // Times that run back.
    "malcolm_SSL_2a3f90.pcap",
    "tcpdump_babel_update_oobr_20be9e.pcap",
    "malcolm_multiport_scan_654458.pcap",
    // Intrusions.
    "elcabezzonn_ultra_lab_03-14_e54b9e.pcapng",
    "otrf_empire_dcsync_dcerpc_drsuapi_DsGetNCChanges_2020-09-21185829_47efc7.pcap",
    "wireshark-tutorial-Dridex-traffic_2020-09-24-Dridex-infection-traffic_8e6701.pcap",
    "elcabezzonn_wmi-service-remote_3cedf0.pcap",
    "markofu_ftp-crack_501e6e.pcap",
    "sip_captures_Forensic_challenge_4_568c11.pcap",
    // Ordinary days.
    "elcabezzonn_mantak_e3078a.pcap",
    "malcolm_BACnet_Host_b65d11.pcap",
    "acandeias_Misc5_2c1df2.pcapng",
];

/// At least so many of them are classic pcap, in order of time, and so can be cut.
const CUT_MIN: usize = 15;

/// (workers, hash key); the first is what the others are compared with.
const WAYS: [(u8, u64); 7] = [
    (1, 1),
    (1, 2),
    (2, 1),
    (2, 2),
    (4, 1),
    (4, 2),
    (ON_ONE_CORE, 2),
];
/// In place of workers: one of them, and one core, on which all is done by one thread.
const ON_ONE_CORE: u8 = 0;

/// What every shared capture is read with, odd or not.
const WORKERS: [(u8, u64); 3] = [(1, 1), (2, 1), (4, 1)];
/// The corpus has more captures than that.
const CORPUS_MIN: usize = 900;

#[test]
fn the_demo_gives_the_same_bytes_every_way() {
    let room = tempfile::tempdir().expect("a folder");
    let packed = fs::read(demo()).expect("the demo capture");
    let whole = room.path().join("office.pcap");
    fs::write(&whole, zstd::decode_all(packed.as_slice()).expect("zstd")).expect("room");
    let mut complaints = Vec::new();
    let cut = compare(&whole, room.path(), &mut complaints);
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    assert!(cut, "the demo capture was not cut");
}

#[test]
fn shared_captures_give_the_same_bytes_every_way() {
    let Some(corpus) = corpus("determinism corpus") else {
        return;
    };
    let captures: Vec<PathBuf> = CAPTURES
        .iter()
        .map(|name| corpus.join("pcaps").join(name))
        .collect();
    let cut = AtomicUsize::new(0);
    let complaints = two_at_a_time(&captures, |capture, room, found| {
        if compare(capture, room, found) {
            cut.fetch_add(1, Ordering::Relaxed);
        }
    });
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    let cut = cut.into_inner();
    assert!(cut >= CUT_MIN, "only {cut} captures could be cut");
}

#[test]
fn every_shared_capture_gives_the_same_bytes_with_more_workers() {
    let Some(corpus) = corpus("determinism of every capture") else {
        return;
    };
    let mut captures = shared_captures(&corpus);
    let count = captures.len();
    assert!(count >= CORPUS_MIN, "only {count} captures");
    // The others are read with these too.
    captures.retain(|capture| !CAPTURES.contains(&name_of(capture).as_str()));
    let complaints = two_at_a_time(&captures, |capture, room, found| {
        compare_ways(capture, room, &WORKERS, found);
    });
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Checks each capture in a folder of its own; all that is complained of.
fn two_at_a_time(
    captures: &[PathBuf],
    check: impl Fn(&Path, &Path, &mut Vec<String>) + Sync,
) -> Vec<String> {
    let (complaints, next) = (Mutex::new(Vec::new()), AtomicUsize::new(0));
    let work = || {
        while let Some(capture) = captures.get(next.fetch_add(1, Ordering::Relaxed)) {
            let room = tempfile::tempdir().expect("a folder");
            let mut found = Vec::new();
            check(capture, room.path(), &mut found);
            complaints.lock().expect("no panic").append(&mut found);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    complaints.into_inner().expect("no panic")
}

/// Two dozen rounds of frames that all came at one time: what must be sorted would be the whole file.
#[test]
fn a_flood_at_one_time_gives_the_same_bytes_every_way() {
    let room = tempfile::tempdir().expect("a folder");
    let mut frames = Vec::new();
    for n in 0..48_000_u32 {
        // Multiplication by an odd number scatters the addresses, each used twice.
        let [_, b, c, d] = (n / 2).wrapping_mul(0x9e37_79b1).to_be_bytes();
        let from = end(
            &format!("10.{b}.{c}.{d}"),
            1_024 + u16::try_from(n % 7).expect("small"),
        );
        let to = end("10.0.0.1", 80);
        frames.push((
            1_700_000_000_000_000,
            match n % 3 {
                0 => udp(from, to, 0, b"x"),
                1 => tcp(
                    from,
                    to,
                    0,
                    Segment {
                        flags: SYN,
                        seq: n,
                        ack: 0,
                    },
                    b"",
                ),
                // ARP: frames without IP go to the first worker.
                _ => arp(from),
            },
        ));
    }
    let whole = room.path().join("flood.pcap");
    fs::write(&whole, pcap(1, &frames)).expect("room");
    let mut complaints = Vec::new();
    compare(&whole, room.path(), &mut complaints);
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// The same conversations outside and inside tunnels of every kind, between many ends, at the same
/// times; and a station that is announced through several of them at once.
#[test]
fn tunnels_give_the_same_bytes_every_way() {
    let room = tempfile::tempdir().expect("a folder");
    let mut frames = Vec::new();
    for n in 0..4_000_u32 {
        let micros = 1_700_000_000_000_000 + u64::from(n / 16) * 500_000;
        let [_, _, c, d] = (n % 97).wrapping_mul(0x9e37_79b1).to_be_bytes();
        let client = end(
            &format!("10.1.{c}.{d}"),
            1_024 + u16::try_from(n % 97).expect("small"),
        );
        let server = end("10.1.0.1", 9_999);
        let (from, to) = if n % 2 == 0 {
            (client, server)
        } else {
            (server, client)
        };
        let inner = if n % 11 == 0 {
            arp(from)
        } else {
            udp(from, to, 0, b"x")
        };
        // Labels, a session and IP in IP want a packet, not an announcement.
        let way = Way::ALL[n as usize / 2 % if n % 11 == 0 { 2 } else { Way::ALL.len() }];
        let near = end(&format!("192.0.2.{}", 1 + n / 2 % 5), 0);
        let far = end("198.51.100.1", 0);
        let (near, far) = if n % 2 == 0 { (near, far) } else { (far, near) };
        let id = u16::try_from(n / 32 % 3).expect("small");
        let tunnelled = way.around(near, far, id, &inner);
        frames.push((micros, inner));
        frames.push((micros, tunnelled));
    }
    let whole = room.path().join("tunnels.pcap");
    fs::write(&whole, pcap(1, &frames)).expect("room");
    let mut complaints = Vec::new();
    compare(&whole, room.path(), &mut complaints);
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    let all = analyze(&whole, &room.path().join("again"), WAYS[0]);
    let conns = String::from_utf8_lossy(&all["conn.log"]);
    for name in [
        "vxlan:2",
        "geneve:0",
        "gtp:1",
        "gre:2",
        "erspan:1",
        "ipip",
        "mpls:16/1",
        "pppoe:2",
    ] {
        assert!(conns.contains(&format!("\"tunnel\":\"{name}\"")), "{name}");
    }
}

/// An ARP announcement of an end's address.
fn arp(from: End) -> Vec<u8> {
    let IpAddr::V4(addr) = from.addr else {
        panic!("ARP is for IPv4")
    };
    let head = [0, 1, 8, 0, 6, 4, 0, 2];
    [
        &[0xff; 6][..],
        &from.mac,
        &[8, 6],
        &head,
        &from.mac,
        &addr.octets(),
        &[0; 6],
        &addr.octets(),
    ]
    .concat()
}

/// Compares every way of reading a capture with the first; true if it could also be cut.
fn compare(capture: &Path, room: &Path, complaints: &mut Vec<String>) -> bool {
    let first = compare_ways(capture, room, &WAYS, complaints);
    let name = name_of(capture);
    // The parts stand in a folder of the capture's own name: that is the name the report shows.
    let parts = room.join("parts").join(&name);
    let bytes = fs::read(capture).expect("a readable capture");
    let Some(cut) = in_three(&bytes) else {
        return false;
    };
    fs::create_dir_all(&parts).expect("room");
    for (number, part) in cut.iter().enumerate() {
        fs::write(parts.join(format!("part{number}.pcap")), part).expect("room");
    }
    let other = analyze(&parts, &room.join("cut"), (2, 3));
    differences(
        &format!("{name}, in three files"),
        &first,
        &other,
        complaints,
    );
    true
}

/// Compares these ways of reading a capture with the first of them; what that gave.
fn compare_ways(
    capture: &Path,
    room: &Path,
    ways: &[(u8, u64)],
    complaints: &mut Vec<String>,
) -> BTreeMap<String, Vec<u8>> {
    let name = name_of(capture);
    let first = analyze(capture, &room.join("first"), ways[0]);
    assert!(first.contains_key("stats.json"), "{name}: no stats.json");
    for (number, way) in ways.iter().enumerate().skip(1) {
        let other = analyze(capture, &room.join(format!("way{number}")), *way);
        let (workers, key) = way;
        differences(
            &format!("{name}, {workers} workers, key {key}"),
            &first,
            &other,
            complaints,
        );
    }
    first
}

fn name_of(capture: &Path) -> String {
    let name = capture.file_name().expect("a name");
    name.to_string_lossy().into_owned()
}

/// The files of the output folder but for `run.json`.
fn analyze(input: &Path, out: &Path, (workers, key): (u8, u64)) -> BTreeMap<String, Vec<u8>> {
    let mut command = match workers {
        ON_ONE_CORE => on_one_core(&tapir_command()),
        _ => tapir_command(),
    };
    // The report tells the input as it was named: here, by its last part.
    let ran = run(command
        .current_dir(input.parent().expect("a folder"))
        .args([
            "analyze",
            "--workers",
            &workers.max(1).to_string(),
            "--hash-key",
            &key.to_string(),
        ])
        .arg(input.file_name().expect("a name"))
        .arg("--out")
        .arg(out));
    assert_eq!(ran.code, Some(0), "{}: {}", input.display(), ran.stderr);
    let mut files = files(out);
    assert!(files.remove("run.json").is_some(), "no run.json");
    files
}

/// The same command on the first core it may use.
fn on_one_core(command: &Command) -> Command {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let allowed = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let cores = allowed.expect("a list of cores").trim();
    let first = cores.split([',', '-']).next().expect("a core");
    let mut pinned = Command::new("taskset");
    pinned.args(["-c", first]).arg(command.get_program());
    pinned
}

/// Tells of each file that is missing, new or different, with the first line that differs.
fn differences(
    way: &str,
    first: &BTreeMap<String, Vec<u8>>,
    other: &BTreeMap<String, Vec<u8>>,
    complaints: &mut Vec<String>,
) {
    let names: std::collections::BTreeSet<&String> = first.keys().chain(other.keys()).collect();
    for name in names {
        let (Some(one), Some(two)) = (first.get(name), other.get(name)) else {
            complaints.push(format!("{way}: {name} is only in one folder"));
            continue;
        };
        if one != two {
            let (one, two) = (String::from_utf8_lossy(one), String::from_utf8_lossy(two));
            let lines = one.lines().zip(two.lines()).enumerate();
            let place = lines.into_iter().find(|(_, (a, b))| a != b).map_or_else(
                || "one is longer".to_owned(),
                |(line, (a, b))| {
                    format!("line {}:\n  {}\n  {}", line + 1, shortened(a), shortened(b))
                },
            );
            complaints.push(format!("{way}: {name} differs, {place}"));
        }
    }
}

fn shortened(line: &str) -> String {
    line.chars().take(400).collect()
}

/// A classic pcap cut at record boundaries into three files of about as many records each. None if it
/// is not one, is short or damaged, or if parts sorted by their first time would come in another order.
fn in_three(file: &[u8]) -> Option<[Vec<u8>; 3]> {
    let (head, mut rest) = file.split_at_checked(24)?;
    let big_endian = match head.get(..4)? {
        [0xd4, 0xc3, 0xb2, 0xa1] | [0x4d, 0x3c, 0xb2, 0xa1] => false,
        [0xa1, 0xb2, 0xc3, 0xd4] | [0xa1, 0xb2, 0x3c, 0x4d] => true,
        _ => return None,
    };
    let word = |record: &[u8], at: usize| {
        let bytes: [u8; 4] = record.get(at..at + 4)?.try_into().ok()?;
        Some(if big_endian {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        })
    };
    let mut records = Vec::new();
    while !rest.is_empty() {
        let len = 16 + usize::try_from(word(rest, 8)?).ok()?;
        let (record, after) = rest.split_at_checked(len)?;
        records.push(record);
        rest = after;
    }
    let third = records.len().div_ceil(3).max(1);
    let parts: Vec<&[&[u8]]> = records.chunks(third).collect();
    let [a, b, c] = parts.as_slice() else {
        return None;
    };
    let first = |part: &[&[u8]]| Some((word(part.first()?, 0)?, word(part.first()?, 4)?));
    let in_order = first(a)? < first(b)? && first(b)? < first(c)?;
    in_order.then(|| [a, b, c].map(|part| [&[head], *part].concat().concat()))
}

/// Cutting loses nothing and invents nothing.
#[test]
fn a_cut_capture_is_still_all_there() {
    let frames: Vec<(u64, Vec<u8>)> = (0_u8..8)
        .map(|n| (1_000_000 + u64::from(n), vec![n; usize::from(n) + 1]))
        .collect();
    let whole = pcap(1, &frames);
    let parts = in_three(&whole).expect("cut");
    let joined: Vec<u8> = parts.iter().flat_map(|part| part[24..].to_vec()).collect();
    assert_eq!(joined, whole[24..]);
    assert!(parts.iter().all(|part| part[..24] == whole[..24]));
    assert!(
        in_three(&whole[..whole.len() - 1]).is_none(),
        "a damaged file is not cut"
    );
    assert!(in_three(b"\x0a\x0d\x0d\x0a pcapng is not classic pcap").is_none());
}
