//! Names of BACnet's numbers, and what each service does: `read`, `write` or `control`.
//!
//! Standard: ANSI/ASHRAE 135 clause 21 (services, objects, properties, errors), Annex J.2 (link layer).

/// Functions of the virtual link layer.
pub(super) fn link(function: u8) -> (&'static str, &'static str) {
    match function {
        0 => ("BVLC_Result", "read"),
        1 => ("Write_Broadcast_Distribution_Table", "control"),
        2 => ("Read_Broadcast_Distribution_Table", "read"),
        3 => ("Read_Broadcast_Distribution_Table_Ack", "read"),
        4 => ("Forwarded_NPDU", "read"),
        5 => ("Register_Foreign_Device", "control"),
        6 => ("Read_Foreign_Device_Table", "read"),
        7 => ("Read_Foreign_Device_Table_Ack", "read"),
        8 => ("Delete_Foreign_Device_Table_Entry", "control"),
        9 => ("Distribute_Broadcast_to_Network", "read"),
        10 => ("Original_Unicast_NPDU", "read"),
        11 => ("Original_Broadcast_NPDU", "read"),
        _ => ("unknown", "control"),
    }
}

/// Answers of the link layer (J.2.1.1).
pub(super) fn link_result(code: u16) -> &'static str {
    match code {
        0x00 => "successful-completion",
        0x10 => "write-broadcast-distribution-table-nak",
        0x20 => "read-broadcast-distribution-table-nak",
        0x30 => "register-foreign-device-nak",
        0x40 => "read-foreign-device-table-nak",
        0x50 => "delete-foreign-device-table-entry-nak",
        0x60 => "distribute-broadcast-to-network-nak",
        _ => "unknown",
    }
}

/// Kinds of messages (clause 20.1); `None` if there is no such kind.
pub(super) fn pdu_type(kind: u8) -> Option<&'static str> {
    const TYPES: [&str; 8] = [
        "CONFIRMED_REQUEST",
        "UNCONFIRMED_REQUEST",
        "SIMPLE_ACK",
        "COMPLEX_ACK",
        "SEGMENT_ACK",
        "ERROR_PDU",
        "REJECT_PDU",
        "ABORT_PDU",
    ];
    TYPES.get(usize::from(kind)).copied()
}

/// Services that are answered.
pub(super) fn confirmed(service: u8) -> (&'static str, &'static str) {
    let name = CONFIRMED.get(usize::from(service));
    let class = match service {
        7..=11 | 15 | 16 => "write",
        1..=6 | 12..=14 | 19 | 26 | 28..=33 => "read",
        // Acknowledged alarms, communication control, private transfers, restarts, terminals, keys, life safety.
        _ => "control",
    };
    (name.copied().unwrap_or("unknown"), class)
}

/// Services that are not answered.
pub(super) fn unconfirmed(service: u8) -> (&'static str, &'static str) {
    let name = UNCONFIRMED.get(usize::from(service));
    let class = match service {
        0..=3 | 5 | 7 | 8 | 11..=13 => "read",
        6 | 9 | 10 | 14 => "write",
        _ => "control",
    };
    (name.copied().unwrap_or("unknown"), class)
}

/// Reasons of a rejection (clause 18.9).
pub(super) fn reject(reason: u8) -> &'static str {
    REJECTS
        .get(usize::from(reason))
        .copied()
        .unwrap_or("unknown")
}

/// Reasons of an abortion (clause 18.10).
pub(super) fn abort(reason: u8) -> &'static str {
    ABORTS
        .get(usize::from(reason))
        .copied()
        .unwrap_or("unknown")
}

/// Codes of errors (clause 18).
pub(super) fn error(code: u32) -> Option<&'static str> {
    ERRORS.get(usize::try_from(code).ok()?).copied()
}

/// Kinds of objects.
pub(super) fn object(kind: u32) -> Option<&'static str> {
    OBJECTS.get(usize::try_from(kind).ok()?).copied()
}

/// Properties; the rare ones stay numbers.
pub(super) fn property(number: u32) -> Option<&'static str> {
    let at = PROPERTIES
        .binary_search_by_key(&number, |(known, _)| *known)
        .ok()?;
    PROPERTIES.get(at).map(|(_, name)| *name)
}

/// Services that are answered, by number.
const CONFIRMED: [&str; 34] = [
    "acknowledge_alarm",
    "confirmed_cov_notification",
    "confirmed_event_notification",
    "get_alarm_summary",
    "get_enrollment_summary",
    "subscribe_cov",
    "atomic_read_file",
    "atomic_write_file",
    "add_list_element",
    "remove_list_element",
    "create_object",
    "delete_object",
    "read_property",
    "read_property_conditional",
    "read_property_multiple",
    "write_property",
    "write_property_multiple",
    "device_communication_control",
    "confirmed_private_transfer",
    "confirmed_text_message",
    "reinitialize_device",
    "vt_open",
    "vt_close",
    "vt_data",
    "authenticate",
    "request_key",
    "read_range",
    "life_safety_operation",
    "subscribe_cov_property",
    "get_event_information",
    "subscribe_cov_property_multiple",
    "confirmed_cov_notification_multiple",
    "confirmed_audit_notification",
    "audit_log_query",
];

/// Services that are not answered, by number.
const UNCONFIRMED: [&str; 15] = [
    "i_am",
    "i_have",
    "unconfirmed_cov_notification",
    "unconfirmed_event_notification",
    "unconfirmed_private_transfer",
    "unconfirmed_text_message",
    "time_synchronization",
    "who_has",
    "who_is",
    "utc_time_synchronization",
    "write_group",
    "unconfirmed_cov_notification_multiple",
    "unconfirmed_audit_notification",
    "who_am_i",
    "you_are",
];

/// Reasons of a rejection, by number.
const REJECTS: [&str; 10] = [
    "other",
    "buffer-overflow",
    "inconsistent-parameters",
    "invalid-parameter-data-type",
    "invalid-tag",
    "missing-required-parameter",
    "parameter-out-of-range",
    "too-many-arguments",
    "undefined-enumeration",
    "unrecognized-service",
];

/// Reasons of an abortion, by number.
const ABORTS: [&str; 12] = [
    "other",
    "buffer-overflow",
    "invalid-apdu-in-this-state",
    "preempted-by-higher-priority-task",
    "segmentation-not-supported",
    "security-error",
    "insufficient-security",
    "window-size-out-of-range",
    "application-exceeded-reply-time",
    "out-of-resources",
    "tsm-timeout",
    "apdu-too-long",
];

/// Codes of errors, by number; 33 was withdrawn.
const ERRORS: [&str; 86] = [
    "other",
    "authentication-failed",
    "configuration-in-progress",
    "device-busy",
    "dynamic-creation-not-supported",
    "file-access-denied",
    "incompatible-security-levels",
    "inconsistent-parameters",
    "inconsistent-selection-criterion",
    "invalid-data-type",
    "invalid-file-access-method",
    "invalid-file-start-position",
    "invalid-operator-name",
    "invalid-parameter-data-type",
    "invalid-time-stamp",
    "key-generation-error",
    "missing-required-parameter",
    "no-objects-of-specified-type",
    "no-space-for-object",
    "no-space-to-add-list-element",
    "no-space-to-write-property",
    "no-vt-sessions-available",
    "property-is-not-a-list",
    "object-deletion-not-permitted",
    "object-identifier-already-exists",
    "operational-problem",
    "password-failure",
    "read-access-denied",
    "security-not-supported",
    "service-request-denied",
    "timeout",
    "unknown-object",
    "unknown-property",
    "unknown",
    "unknown-vt-class",
    "unknown-vt-session",
    "unsupported-object-type",
    "value-out-of-range",
    "vt-session-already-closed",
    "vt-session-termination-failure",
    "write-access-denied",
    "character-set-not-supported",
    "invalid-array-index",
    "cov-subscription-failed",
    "not-cov-property",
    "optional-functionality-not-supported",
    "invalid-configuration-data",
    "datatype-not-supported",
    "duplicate-name",
    "duplicate-object-id",
    "property-is-not-an-array",
    "abort-buffer-overflow",
    "abort-invalid-apdu-in-this-state",
    "abort-preempted-by-higher-priority-task",
    "abort-segmentation-not-supported",
    "abort-proprietary",
    "abort-other",
    "invalid-tag",
    "network-down",
    "reject-buffer-overflow",
    "reject-inconsistent-parameters",
    "reject-invalid-parameter-data-type",
    "reject-invalid-tag",
    "reject-missing-required-parameter",
    "reject-parameter-out-of-range",
    "reject-too-many-arguments",
    "reject-undefined-enumeration",
    "reject-unrecognized-service",
    "reject-proprietary",
    "reject-other",
    "unknown-device",
    "unknown-route",
    "value-not-initialized",
    "invalid-event-state",
    "no-alarm-configured",
    "log-buffer-full",
    "logged-value-purged",
    "no-property-specified",
    "not-configured-for-triggered-logging",
    "unknown-subscription",
    "parameter-out-of-range",
    "list-element-not-found",
    "busy",
    "communication-disabled",
    "success",
    "access-denied",
];

/// Kinds of objects, by number.
const OBJECTS: [&str; 65] = [
    "analog-input",
    "analog-output",
    "analog-value",
    "binary-input",
    "binary-output",
    "binary-value",
    "calendar",
    "command",
    "device",
    "event-enrollment",
    "file",
    "group",
    "loop",
    "multi-state-input",
    "multi-state-output",
    "notification-class",
    "program",
    "schedule",
    "averaging",
    "multi-state-value",
    "trend-log",
    "life-safety-point",
    "life-safety-zone",
    "accumulator",
    "pulse-converter",
    "event-log",
    "global-group",
    "trend-log-multiple",
    "load-control",
    "structured-view",
    "access-door",
    "timer",
    "access-credential",
    "access-point",
    "access-rights",
    "access-user",
    "access-zone",
    "credential-data-input",
    "network-security",
    "bitstring-value",
    "characterstring-value",
    "date-pattern-value",
    "date-value",
    "datetime-pattern-value",
    "datetime-value",
    "integer-value",
    "large-analog-value",
    "octetstring-value",
    "positive-integer-value",
    "time-pattern-value",
    "time-value",
    "notification-forwarder",
    "alert-enrollment",
    "channel",
    "lighting-output",
    "binary-lighting-output",
    "network-port",
    "elevator-group",
    "escalator",
    "lift",
    "staging",
    "audit-log",
    "audit-reporter",
    "color",
    "color-temperature",
];

/// Properties with their numbers, ascending.
const PROPERTIES: [(u32, &str); 127] = [
    (0, "acked-transition"),
    (1, "ack-required"),
    (2, "action"),
    (4, "active-text"),
    (6, "alarm-value"),
    (8, "all"),
    (10, "apdu-segment-timeout"),
    (11, "apdu-timeout"),
    (12, "application-software-version"),
    (13, "archive"),
    (16, "change-of-state-time"),
    (17, "notification-class"),
    (20, "controlled-variable-units"),
    (22, "cov-increment"),
    (23, "datelist"),
    (24, "daylights-savings-status"),
    (25, "deadband"),
    (26, "derivative-constant"),
    (28, "description"),
    (29, "description-of-halt"),
    (30, "device-address-binding"),
    (31, "device-type"),
    (33, "elapsed-active-time"),
    (35, "event-enable"),
    (36, "event-state"),
    (40, "feedback-value"),
    (41, "file-access-method"),
    (42, "file-size"),
    (43, "file-type"),
    (44, "firmware-revision"),
    (45, "high-limit"),
    (46, "inactive-text"),
    (52, "limit-enable"),
    (53, "list-of-group-members"),
    (56, "local-date"),
    (57, "local-time"),
    (58, "location"),
    (59, "low-limit"),
    (60, "manipulated-variable-reference"),
    (61, "maximum-output"),
    (62, "max-apdu-length-accepted"),
    (63, "max-info-frames"),
    (64, "max-master"),
    (65, "max-pres-value"),
    (67, "minimum-on-time"),
    (68, "minimum-output"),
    (69, "min-pres-value"),
    (70, "model-name"),
    (71, "modification-date"),
    (72, "notify-type"),
    (73, "number-of-APDU-retries"),
    (74, "number-of-states"),
    (75, "object-identifier"),
    (76, "object-list"),
    (77, "object-name"),
    (79, "object-type"),
    (80, "optional"),
    (81, "out-of-service"),
    (82, "output-units"),
    (83, "event-parameters"),
    (84, "polarity"),
    (85, "present-value"),
    (86, "priority"),
    (87, "priority-array"),
    (88, "priority-for-writing"),
    (90, "program-change"),
    (91, "program-location"),
    (92, "program-state"),
    (96, "protocol-object-types-supported"),
    (97, "protocol-services-supported"),
    (98, "protocol-version"),
    (99, "read-only"),
    (100, "reason-for-halt"),
    (102, "recipient-list"),
    (103, "reliability"),
    (104, "relinquish-default"),
    (105, "required"),
    (107, "segmentation-supported"),
    (108, "setpoint"),
    (110, "state-text"),
    (111, "status-flags"),
    (112, "system-status"),
    (113, "time-delay"),
    (115, "time-of-state-count-reset"),
    (116, "time-synchronization-recipients"),
    (117, "units"),
    (119, "utc-offset"),
    (120, "vendor-identifier"),
    (121, "vendor-name"),
    (123, "weekly-schedule"),
    (124, "attempted-samples"),
    (125, "average-value"),
    (126, "buffer-size"),
    (130, "event-time-stamp"),
    (131, "log-buffer"),
    (132, "log-device-object-property"),
    (133, "enable"),
    (134, "log-interval"),
    (139, "protocol-revision"),
    (141, "record-count"),
    (142, "start-time"),
    (143, "stop-time"),
    (144, "stop-when-full"),
    (145, "total-record-count"),
    (152, "active-cov-subscriptions"),
    (153, "backup-failure-timeout"),
    (155, "database-revision"),
    (160, "mode"),
    (161, "operation-expected"),
    (163, "silenced"),
    (164, "tracking-value"),
    (168, "profile-name"),
    (175, "accepted-modes"),
    (193, "align-intervals"),
    (195, "interval-offset"),
    (196, "last-restart-reason"),
    (197, "logging-type"),
    (202, "restart-notification-recipients"),
    (205, "trigger"),
    (212, "actual-shed-level"),
    (213, "duty-window"),
    (214, "expected-shed-level"),
    (215, "full-duty-baseline"),
    (218, "requested-shed-level"),
    (219, "shed-duration"),
    (220, "shed-level-descriptions"),
    (221, "shed-levels"),
];
