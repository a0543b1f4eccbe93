//! Real servers on `fs` and real clients on the PCs.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::until;
use crate::support::office::{Office, can};

/// Servers that are up.
#[derive(Debug)]
pub(crate) struct Servers {
    folder: tempfile::TempDir,
}

const SMB_CONF: &str = "[global]\nworkgroup = KONTOR\nserver role = standalone server\n\
    map to guest = Bad User\nguest account = nobody\nlog level = 0\n\
    interfaces = eth0\nbind interfaces only = yes\nsmb ports = 445\ndisable spoolss = yes\n";

/// A web server that asks no resolver for its own name.
const WEB_SERVER: &str = "import http.server, os, socket, socketserver, sys\n\
    os.chdir(sys.argv[1])\n\
    server = socketserver.ThreadingTCPServer\n\
    server.allow_reuse_address = True\n\
    server.address_family = socket.AF_INET6 if ':' in sys.argv[2] else socket.AF_INET\n\
    handler = http.server.SimpleHTTPRequestHandler\n\
    server((sys.argv[2], 80), handler).serve_forever()\n";

impl Servers {
    /// Starts a web server, an SSH server and a file server on `fs`.
    pub(crate) fn start(office: &mut Office, test: &str) -> Option<Self> {
        let needs = [
            "curl",
            "ssh",
            "ssh-keygen",
            "/usr/sbin/sshd",
            "smbclient",
            "smbd",
            "python3",
        ];
        if !can(test, &needs) {
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name).display().to_string();
        for name in ["www", "share", "samba", "samba/private"] {
            fs::create_dir_all(at(name)).expect("a folder");
        }
        fs::write(at("www/small"), "small\n".repeat(100)).expect("a file");
        fs::write(at("www/canary.bin"), vec![7_u8; 64 << 20]).expect("a file");
        fs::write(at("www/large.bin"), vec![9_u8; 64 << 20]).expect("a file");
        fs::write(at("share/plan.txt"), "the plan\n").expect("a file");
        fs::write(at("share/canary.dat"), vec![5_u8; 64 << 20]).expect("a file");
        Self::start_ssh(office, &at("host_key"), &at("sshd_config"));
        Self::start_smb(office, &folder);
        let servers = Self { folder };
        servers.web(office, "10.77.0.10");
        for port in ["80", "22", "445"] {
            until(&format!("a server listens at {port}"), || {
                let listening = office.inside("fs", "ss", &["-Htln", &format!("sport = :{port}")]);
                (!listening.trim().is_empty()).then_some(())
            });
        }
        Some(servers)
    }

    /// Serves the same pages at another address of `fs`.
    pub(crate) fn web(&self, office: &mut Office, address: &str) {
        let pages = self.folder.path().join("www").display().to_string();
        office.start("fs", "python3", &["-c", WEB_SERVER, &pages, address]);
        until("a web server listens", || {
            let listening = office.inside("fs", "ss", &["-Htln", "sport = :80"]);
            listening.contains(address).then_some(())
        });
    }

    /// What it takes to sign in to `fs` with a key: arguments before the command.
    pub(crate) fn ssh_args(&self) -> Vec<String> {
        let at = |name: &str| self.folder.path().join(name).display().to_string();
        let known = format!("UserKnownHostsFile={}", at("known"));
        let options = ["BatchMode=yes", "StrictHostKeyChecking=no", &known];
        let options = options
            .iter()
            .flat_map(|o| ["-o".to_owned(), (*o).to_owned()]);
        let key = [
            "-i".to_owned(),
            at("user_key"),
            "root@10.77.0.10".to_owned(),
        ];
        options.chain(key).collect()
    }

    fn start_ssh(office: &mut Office, key: &str, config: &str) {
        let user = key.replace("host_key", "user_key");
        for key in [key, &user] {
            let args = ["-q", "-t", "ed25519", "-N", "", "-f", key];
            office.inside("fs", "ssh-keygen", &args);
        }
        let text = format!(
            "HostKey {key}\nPidFile none\nListenAddress 10.77.0.10\nUsePAM no\n\
             AuthorizedKeysFile {user}.pub\nStrictModes no\n"
        );
        fs::write(config, text).expect("a file");
        fs::create_dir_all("/run/sshd").expect("the folder sshd separates privileges with");
        office.start("fs", "/usr/sbin/sshd", &["-D", "-e", "-f", config]);
    }

    fn start_smb(office: &mut Office, folder: &tempfile::TempDir) {
        let root = folder.path().join("samba").display().to_string();
        let share = folder.path().join("share").display().to_string();
        let mut text = String::from(SMB_CONF);
        for (key, sub) in [
            ("private dir", "private"),
            ("lock directory", "."),
            ("state directory", "."),
            ("cache directory", "."),
            ("pid directory", "."),
            ("ncalrpc dir", "ncalrpc"),
        ] {
            text.push_str(&format!("{key} = {root}/{sub}\n"));
        }
        text.push_str(&format!("log file = {root}/log\n"));
        text.push_str(&format!(
            "[data]\npath = {share}\nguest ok = yes\nread only = yes\n"
        ));
        let config = format!("{root}/smb.conf");
        fs::write(&config, text).expect("a file");
        // The guest has to reach the share through the test's own folder; keys in it stay private.
        let open = |path: &Path, mode| {
            let mode = Permissions::from_mode(mode);
            fs::set_permissions(path, mode).expect("the test's own folder");
        };
        open(folder.path(), 0o711);
        open(Path::new(&share), 0o755);
        open(&Path::new(&share).join("plan.txt"), 0o644);
        open(&Path::new(&share).join("canary.dat"), 0o644);
        office.start(
            "fs",
            "smbd",
            &["--foreground", "--no-process-group", "-s", &config],
        );
    }

    /// One of everything: a page, a login that is refused, a file.
    pub(crate) fn visit(&self, office: &Office) {
        let page = office.inside("pc1", "curl", &["-sS", "http://10.77.0.10/small"]);
        assert!(page.starts_with("small"), "{page}");
        let known = self.folder.path().join("known").display().to_string();
        let hosts = format!("UserKnownHostsFile={known}");
        let args = [
            "-o",
            "BatchMode=yes",
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            &hosts,
        ];
        let refused = office.run(
            "pc2",
            "ssh",
            &[&args[..], &["nobody@10.77.0.10", "true"]].concat(),
        );
        assert!(!refused.status.success());
        let got = office.run(
            "pc1",
            "smbclient",
            &[
                "-N",
                "-s",
                "/dev/null",
                "//10.77.0.10/data",
                "-c",
                "get plan.txt /dev/null",
            ],
        );
        assert!(
            got.status.success(),
            "{}{}",
            String::from_utf8_lossy(&got.stdout),
            String::from_utf8_lossy(&got.stderr)
        );
    }
}
