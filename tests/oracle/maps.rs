//! Which maps of the truth are compared with which fields of ours, and why the others are not.

/// What a map must reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tier {
    /// What an office is read by: 99 % found, 1 % extra.
    Office,
    /// The rest: 97 % found, 3 % extra.
    Other,
}

impl Tier {
    /// Least share found, and largest share extra, of the pairs wanted.
    pub(super) fn limits(self) -> (f64, f64) {
        match self {
            Self::Office => (0.99, 0.01),
            Self::Other => (0.97, 0.03),
        }
    }
}

/// A map of the truth and the field of ours that says the same; without one, `derived` says it.
pub(super) struct Map {
    pub(super) tier: Tier,
    pub(super) truth: &'static str,
    /// Names of logs, with blanks between if there are several; of fields just so.
    pub(super) log: &'static str,
    pub(super) field: &'static str,
}

const fn office(truth: &'static str, log: &'static str, field: &'static str) -> Map {
    let tier = Tier::Office;
    Map {
        tier,
        truth,
        log,
        field,
    }
}

const fn other(truth: &'static str, log: &'static str, field: &'static str) -> Map {
    let tier = Tier::Other;
    Map {
        tier,
        truth,
        log,
        field,
    }
}

pub(super) const MAPS: &[Map] = &[
    office("dns_qname", "dns.log", "query"),
    other("dns_qtype", "dns.log", "qtype"),
    other("dns_rcode", "dns.log", "rcode"),
    other("mdns_qname", "dns.log", "query"),
    other("llmnr_qname", "dns.log", "query"),
    other("nbns_name", "dns.log", ""),
    office("sni", "ssl.log", "server_name"),
    office("ja4", "ssl.log", "ja4"),
    other("ja3", "ssl.log", "ja3"),
    other("ja3s", "ssl.log", "ja3s"),
    other("alpn_offered", "ssl.log", "client_alpns"),
    other("quic_version", "quic.log", "version"),
    office("http_host", "http.log ssdp.log", "host"),
    office("http_uri", "http.log", "uri"),
    office("http_method", "http.log ssdp.log", "method methods"),
    other("http_status", "http.log ssdp.log", "status_code info_code"),
    other("http_user_agent", "http.log ssdp.log", "user_agent"),
    office("smb1_file", "smb_files.log", "name"),
    office("smb2_filename", "smb_files.log", "name"),
    other("smb1_path", "smb_mapping.log", "path"),
    other("smb2_tree", "smb_mapping.log", "path"),
    office("dhcp_hostname", "dhcp.log", "host_name"),
    other("dhcp_fqdn", "dhcp.log", "client_fqdn"),
    other("dhcp_mac", "dhcp.log", "mac"),
    other("dhcp_msg_type", "dhcp.log", "msg_types"),
    other("dhcp_vendor_class", "dhcp.log", "vendor_class"),
    other("lldp_name", "link_discovery.log", ""),
    other("cdp_device", "link_discovery.log", ""),
    office("krb_cname", "kerberos.log", ""),
    other("krb_sname", "kerberos.log", ""),
    other("krb_error", "kerberos.log", ""),
    other("krb_etype", "kerberos.log", ""),
    other("krb_msg_type", "kerberos.log", ""),
    office("ntlm_user", "ntlm.log", ""),
    office("ntlm_host", "ntlm.log", ""),
    other("ntlm_domain", "ntlm.log", ""),
    office("dcerpc_bind_uuid", "dce_rpc.log", "interface"),
    office("dcerpc_request_opnum", "dce_rpc.log", "opnum"),
    other("ldap_base", "ldap_search.log", "base_object"),
    other("ldap_op", "ldap.log ldap_search.log", ""),
    other("rdp_cookie", "rdp.log", ""),
    other("radius_user", "radius.log", ""),
    office("ssh_banner", "ssh.log", "client server"),
    other("hassh", "ssh.log", "hassh"),
    other("hassh_server", "ssh.log", "hasshServer"),
    office("ftp_cmd", "ftp.log", "command"),
    other("ftp_arg", "ftp.log", "command arg"),
    other("ftp_status", "ftp.log", "reply_code info_code"),
    office("smtp_cmd", "smtp.log", "commands"),
    other("smtp_param", "smtp.log", "helo mailfrom rcptto"),
    other("pop_cmd", "pop3.log", "commands"),
    other("imap_cmd", "imap.log", "commands"),
    other("irc_cmd", "irc.log", "command"),
    other("sip_method", "sip.log", "method"),
    other("sip_status", "sip.log", "status_code"),
    other("snmp_community", "snmp.log", "community_public"),
    other("tftp_file", "tftp.log", "fname"),
    other("mqtt_type", "mqtt.log", "types"),
    other("modbus_func", "modbus.log", "func_code"),
    other("dnp3_func", "dnp3.log", "request_code reply_code"),
];

/// What else the truth has, and where it is compared or why it is not.
const ELSEWHERE: &[(&str, &str)] = &[
    ("tcp_streams", "row of flows"),
    ("tcp_streams_with_handshake", "row of flows"),
    ("udp_flows", "row of flows"),
    ("packets", "exact, of every file"),
    ("vlan_ids", "`encapsulations`"),
    ("vxlan_vni", "`encapsulations`"),
    ("geneve_vni", "`encapsulations`"),
    ("mpls_label", "`encapsulations`"),
    ("pppoe_session", "`encapsulations`"),
    ("gre_proto", "`encapsulations`"),
    ("ipv4_fragments", "`encapsulations`"),
    ("ipv6_fragments", "`encapsulations`"),
    ("protocols", "says which files are compared"),
    (
        "truncated_packets",
        "says which files have comparable numbers",
    ),
    (
        "dns_msgs",
        "counts messages; a record of ours is a question with its answer",
    ),
    ("mdns_msgs", "as `dns_msgs`"),
    ("llmnr_msgs", "as `dns_msgs`"),
    ("http_req", "counts requests; the values are compared"),
    (
        "smb1_cmd",
        "numbers of commands, of which we tell those about trees and files",
    ),
    ("smb2_cmd_req", "as `smb1_cmd`"),
    ("smb2_cmd_resp", "as `smb1_cmd`"),
    ("smb2_nt_status", "as `smb1_cmd`"),
    (
        "tls_client_hellos",
        "counts hellos; their fingerprints are compared",
    ),
    ("tls_handshake_type", "as `tls_client_hellos`"),
    ("arp_ops", "we tell devices, not ARP packets"),
    ("arp_senders", "as `arp_ops`"),
    ("arp_ip_claimed_by_several_macs", "as `arp_ops`"),
    (
        "icmp_types",
        "Zeek's ports of an ICMP flow are those of its first packet",
    ),
    ("icmpv6_types", "as `icmp_types`"),
    ("ips", "counts addresses, also those inside ICMP and ARP"),
    ("macs", "as `ips`"),
    ("top_ips", "as `ips`"),
    ("tcp_streams_with_syn", "the handshake is compared"),
    ("tcp_streams_with_fin", "as `tcp_streams_with_syn`"),
    ("tcp_streams_with_rst", "as `tcp_streams_with_syn`"),
    ("tcp_payload_bytes", "counts what was sent twice"),
    ("tcp_server_ports", "of streams, which are compared"),
    ("udp_packets", "of flows, which are compared"),
    ("udp_low_ports", "as `udp_packets`"),
    ("wire_bytes", "we count what was captured"),
    ("duration_s", "a property of the file"),
    ("first_epoch", "a property of the file"),
    ("last_epoch", "a property of the file"),
    ("longest_gap_s", "a property of the file"),
    ("timestamps_going_back", "a property of the file"),
    ("tshark_exit", "of the witness itself"),
    ("tshark_stderr", "of the witness itself"),
];

/// Whether somebody knows what becomes of a key of the truth.
pub(super) fn is_known(key: &str) -> bool {
    let name = key
        .strip_suffix("_total")
        .or_else(|| key.strip_suffix("_set_sha256"));
    let name = name.unwrap_or(key);
    MAPS.iter().any(|map| map.truth == name) || ELSEWHERE.iter().any(|(truth, _)| *truth == name)
}
