//! Hashes of files that cross real networks, as others have them.
//!
//! What it shows: files read and written over SMB, attached to mails and fetched over FTP have in `files.log` the
//! names and the SHA-256 that an independent dissector gives what it takes out of the same captures; what came out of
//! turn has none; nothing is told where files are not followed.
//! How: the program runs over shared captures. The hashes are those of `sha256sum` over what `tshark --export-objects`
//! (4.0.17; `smb`, `ftp-data`, `imf`) wrote, of a mail's parts as Python's `email` decodes them.

use std::fs;

use serde_json::Value;

use crate::support::{corpus, tapir};

/// Capture, protocol, and the files in the order of their beginning: name, and hash where one is to be had.
type Fact = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

const FACTS: [Fact; 9] = [
    (
        "CVE-2021-1675_cve-2021-1675_863fb6.pcap",
        "SMB",
        &[
            (
                "shell-cmd.dll",
                "2229cbad8b07bdb0c477506014539b6852be49099579fe0f0be562f3aa04dd7c",
            ),
            ("shell-cmd.dll", ""),
        ],
    ),
    (
        "PCAP-ATTACK_LM_psexec_smb_dcerpc_epm_svcctl_771897.pcapng",
        "SMB",
        &[(
            "PSEXESVC.exe",
            "141b2190f51397dbd0dfde0e3904b264c91b6f81febc823ff0c33da980b69944",
        )],
    ),
    (
        // SMB 1.
        "acandeias_metasploit-psexec_d3a509.pcap",
        "SMB",
        &[(
            r"\LFkViWXf.exe",
            "338c34a4b72da90b5083db964c75924e9243e531227a86304e7f6740c3b36225",
        )],
    ),
    (
        "elcabezzonn_mmcexec_08a6d9.pcap",
        "SMB",
        &[(
            "__1506613937.95",
            "81b2b4bf2a2354ca9f8a44b5bb8651eb39b1ea82cc44a70eb7154afe47f499ea",
        )],
    ),
    (
        "otrf_covenant_copy_smb_CreateRequest_2020-09-22145302_1412dd.pcap",
        "SMB",
        &[(
            r"ProgramData\GruntHTTP.exe",
            "32c9597d44e4872b8f275ab8a09f6ff81273b808e6289d7fba87a2c079471830",
        )],
    ),
    (
        // Opened a second time it is read from its end.
        "packethunting_smb2_putty_xfer_2d0977.pcap",
        "SMB",
        &[
            (
                "putty.exe",
                "cfa4f56807405fd36e406688feb970a0d0d4854456ba2da72e4a33a27b01d9ae",
            ),
            ("putty.exe", ""),
        ],
    ),
    (
        "acandeias_Misc3_b87256.pcap",
        "SMTP",
        &[(
            "hping",
            "7c191e8f999d1023cccc504e276efa8fbcdf32b4b6ce9fb8ad2f17cad6221415",
        )],
    ),
    (
        "packethunting_confidential-email-attachment_501367.pcap",
        "SMTP",
        &[(
            "PacketBeard Labs Roadmap - CONFIDENTIAL.pdf",
            "adfe684ee4006ecadb1dce322f3ed7cf93e16710e7720297e1b392446416d785",
        )],
    ),
    (
        "zeek_pe-single_1a39f7.pcap",
        "FTP_DATA",
        &[(
            "VMwareXferlogs.exe",
            "b53d48d42cfcddf6fdb9a39ef0f7a1d01b9d6388b8b4ff6d4d7bc9423f87ca8c",
        )],
    ),
];

/// Name and hash of the files of one protocol.
fn told(capture: &str, protocol: &str, more: &[&str]) -> Option<Vec<(String, String)>> {
    let folder = corpus("files")?;
    let room = tempfile::tempdir().expect("a folder");
    let out = room.path().join("out");
    let capture = folder.join("pcaps").join(capture);
    let mut args = vec!["analyze".into(), capture.into_os_string(), "--out".into()];
    args.push(out.clone().into_os_string());
    args.extend(more.iter().map(Into::into));
    let ran = tapir(&args);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let text = fs::read_to_string(out.join("files.log")).unwrap_or_default();
    let rows = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let said = |row: &Value, field: &str| row[field].as_str().unwrap_or_default().to_owned();
    let rows = rows.filter(|row| row["source"] == protocol);
    Some(
        rows.map(|row| (said(&row, "filename"), said(&row, "sha256")))
            .collect(),
    )
}

#[test]
fn files_have_the_hashes_that_others_find() {
    for (capture, protocol, files) in FACTS {
        let Some(found) = told(capture, protocol, &[]) else {
            return;
        };
        let found: Vec<_> = found
            .iter()
            .map(|(name, hash)| (name.as_str(), hash.as_str()))
            .collect();
        assert_eq!(found, files, "{capture}");
    }
}

#[test]
fn nothing_is_told_of_files_that_are_not_followed() {
    for (capture, protocol, _) in FACTS {
        let Some(found) = told(capture, protocol, &["--hash-files", "false"]) else {
            return;
        };
        assert_eq!(found, [], "{capture}");
    }
}
