//! The `ntlm` record.

use crate::record;
use crate::types::Text;

record! {
    /// One NTLM sign-in (Zeek's `ntlm.log`); no hash and no response is kept.
    pub struct Ntlm = "ntlm" {
        /// Account; absent for an anonymous sign-in.
        pub username: Option<Text> = "username",
        /// What the client calls itself.
        pub hostname: Option<Text> = "hostname",
        /// Domain of the account.
        pub domainname: Option<Text> = "domainname",
        /// NetBIOS name of the server.
        pub server_nb_computer_name: Option<Text> = "server_nb_computer_name",
        /// DNS name of the server.
        pub server_dns_computer_name: Option<Text> = "server_dns_computer_name",
        /// DNS name of the server's forest.
        pub server_tree_name: Option<Text> = "server_tree_name",
        /// Whether the server accepted it; absent if no answer was seen.
        pub success: Option<bool> = "success",
        /// NTSTATUS of a refusal.
        pub status: Option<Text> = "status",
    }
}
