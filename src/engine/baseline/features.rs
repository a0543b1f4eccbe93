//! What is counted in every device-hour.
//!
//! A feature is one row of [`FEATURES`]; its place there is its index everywhere.

use crate::record;
use crate::types::Text;

/// What a count is measured against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exposure {
    /// The hour of day and kind of day.
    Hour,
    /// Another feature of the same window: failures given flows.
    Given(Feature),
}

/// Index of a count feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Feature {
    /// Flows originated.
    Flows,
    /// KiB sent to addresses outside.
    KibOutOutside,
    /// KiB received from outside.
    KibInOutside,
    /// KiB sent to devices of the site.
    KibOutInside,
    /// First contacts: address and port never spoken to before.
    FirstContacts,
    /// First contacts that failed.
    FailedContacts,
    /// DNS queries.
    DnsQueries,
    /// DNS answers `NXDOMAIN`.
    DnsNxdomain,
    /// Files opened, read, written, renamed or deleted over SMB.
    SmbFiles,
}

/// All features with what they are measured against, in the order of [`Feature`].
pub(super) const FEATURES: [(Feature, Exposure); 9] = [
    (Feature::Flows, Exposure::Hour),
    (Feature::KibOutOutside, Exposure::Hour),
    (Feature::KibInOutside, Exposure::Hour),
    (Feature::KibOutInside, Exposure::Hour),
    (Feature::FirstContacts, Exposure::Given(Feature::Flows)),
    (
        Feature::FailedContacts,
        Exposure::Given(Feature::FirstContacts),
    ),
    (Feature::DnsQueries, Exposure::Hour),
    (Feature::DnsNxdomain, Exposure::Given(Feature::DnsQueries)),
    (Feature::SmbFiles, Exposure::Hour),
];

impl Feature {
    /// As an index.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// Counts of one device in one hour.
pub(super) type Counts = [u64; FEATURES.len()];

record! {
    /// One device-hour with every count and its surprise (−ln p).
    pub struct Window = "window" {
        /// Flows originated.
        pub flows: u64 = "flows",
        /// KiB sent outside.
        pub kib_out_outside: u64 = "kib_out_outside",
        /// KiB received from outside.
        pub kib_in_outside: u64 = "kib_in_outside",
        /// KiB sent to devices of the site.
        pub kib_out_inside: u64 = "kib_out_inside",
        /// First contacts.
        pub first_contacts: u64 = "first_contacts",
        /// First contacts that failed.
        pub failed_contacts: u64 = "failed_contacts",
        /// DNS queries.
        pub dns_queries: u64 = "dns_queries",
        /// DNS answers NXDOMAIN.
        pub dns_nxdomain: u64 = "dns_nxdomain",
        /// SMB file operations.
        pub smb_files: u64 = "smb_files",
        /// Surprise of `flows`.
        pub s_flows: f64 = "s_flows",
        /// Surprise of `kib_out_outside`.
        pub s_kib_out_outside: f64 = "s_kib_out_outside",
        /// Surprise of `kib_in_outside`.
        pub s_kib_in_outside: f64 = "s_kib_in_outside",
        /// Surprise of `kib_out_inside`.
        pub s_kib_out_inside: f64 = "s_kib_out_inside",
        /// Surprise of `first_contacts` given `flows`.
        pub s_first_contacts: f64 = "s_first_contacts",
        /// Surprise of `failed_contacts` given `first_contacts`.
        pub s_failed_contacts: f64 = "s_failed_contacts",
        /// Surprise of `dns_queries`.
        pub s_dns_queries: f64 = "s_dns_queries",
        /// Surprise of `dns_nxdomain` given `dns_queries`.
        pub s_dns_nxdomain: f64 = "s_dns_nxdomain",
        /// Surprise of `smb_files`.
        pub s_smb_files: f64 = "s_smb_files",
        /// Days of baseline behind it.
        pub days: f64 = "days",
    }
}

impl Window {
    /// A row from counts and their surprises.
    #[must_use]
    pub fn new(c: &Counts, s: &[f64; FEATURES.len()], days: f64) -> Self {
        let [flows, kib_out_outside, kib_in_outside, kib_out_inside, ..] = *c;
        let [
            ..,
            first_contacts,
            failed_contacts,
            dns_queries,
            dns_nxdomain,
            smb_files,
        ] = *c;
        let [
            s_flows,
            s_kib_out_outside,
            s_kib_in_outside,
            s_kib_out_inside,
            ..,
        ] = *s;
        let [
            ..,
            s_first_contacts,
            s_failed_contacts,
            s_dns_queries,
            s_dns_nxdomain,
            s_smb_files,
        ] = *s;
        Self {
            flows,
            kib_out_outside,
            kib_in_outside,
            kib_out_inside,
            first_contacts,
            failed_contacts,
            dns_queries,
            dns_nxdomain,
            smb_files,
            s_flows,
            s_kib_out_outside,
            s_kib_in_outside,
            s_kib_out_inside,
            s_first_contacts,
            s_failed_contacts,
            s_dns_queries,
            s_dns_nxdomain,
            s_smb_files,
            days,
        }
    }
}

record! {
    /// A device sent outside far more than it and its peers do.
    pub struct Upload = "upload" {
        /// Payload bytes sent outside in this hour so far.
        pub bytes_out: u64 = "bytes_out",
        /// What this device usually sends in such an hour, bytes.
        pub usual: u64 = "usual",
        /// What the site's devices usually send in such an hour, bytes.
        pub peers_usual: u64 = "peers_usual",
        /// −ln p of the hour under the device's own counts.
        pub surprise: f64 = "surprise",
        /// Days of baseline behind it.
        pub days: f64 = "days",
        /// Where most of it went.
        pub endpoint: Text = "endpoint",
        /// Share of it that went there, 0–1.
        pub share: f64 = "share",
    }
}
