//! Names of numbers of RDP, spelt as Zeek spells them.
//!
//! Standard: \[MS-RDPBCGR\] 2.2.1.1.1, 2.2.1.2, 2.2.1.3.2, 2.2.1.4.3; \[MS-LCID\] 2.2.

use compact_str::format_compact;

use crate::types::Text;

/// Security protocol chosen.
pub(super) fn protocol(protocol: u32) -> Text {
    let name = match protocol {
        0 => "RDP",
        1 => "SSL",
        2 => "HYBRID",
        4 => "RDSTLS",
        8 => "HYBRID_EX",
        0x10 => "RDSAAD",
        other => return format_compact!("security_protocol-{other}"),
    };
    Text::const_new(name)
}

/// Why the server refused.
pub(super) fn failure(code: u32) -> Text {
    let name = match code {
        1 => "SSL_REQUIRED_BY_SERVER",
        2 => "SSL_NOT_ALLOWED_BY_SERVER",
        3 => "SSL_CERT_NOT_ON_SERVER",
        4 => "INCONSISTENT_FLAGS",
        5 => "HYBRID_REQUIRED_BY_SERVER",
        6 => "SSL_WITH_USER_AUTH_REQUIRED_BY_SERVER",
        other => return format_compact!("failure_code-{other}"),
    };
    Text::const_new(name)
}

/// Client by its build.
pub(super) fn build(build: u32) -> Text {
    let name = match build {
        419 => "RDP 4.0",
        2195 | 2221 => "RDP 5.0",
        2600 => "RDP 5.1",
        3790 => "RDP 5.2",
        6000 => "RDP 6.0",
        6001 => "RDP 6.1",
        6002 => "RDP 6.2",
        7600 => "RDP 7.0",
        7601 => "RDP 7.1",
        9200 => "RDP 8.0",
        9600 => "RDP 8.1",
        25189 | 25282 => "RDP 8.0 (Mac)",
        other => return format_compact!("client_build-{other}"),
    };
    Text::const_new(name)
}

/// Colour depth.
pub(super) fn depth(bits: u16) -> Option<&'static str> {
    Some(match bits {
        4 => "4bit",
        8 => "8bit",
        15 => "15bit",
        16 => "16bit",
        24 => "24bit",
        _ => return None,
    })
}

/// Encryption method.
pub(super) fn method(method: u32) -> Option<&'static str> {
    Some(match method {
        0 => "None",
        1 => "40bit",
        2 => "128bit",
        8 => "56bit",
        0x10 => "FIPS",
        _ => return None,
    })
}

/// Encryption level.
pub(super) fn level(level: u32) -> Option<&'static str> {
    Some(match level {
        0 => "None",
        1 => "Low",
        2 => "Client compatible",
        3 => "High",
        4 => "FIPS",
        _ => return None,
    })
}

/// Keyboard layout: the language is in the lower half.
pub(super) fn keyboard(layout: u32) -> Text {
    let language = layout & 0xffff;
    LANGUAGES
        .binary_search_by_key(&language, |(code, _)| *code)
        .ok()
        .and_then(|index| LANGUAGES.get(index))
        .map_or_else(
            || format_compact!("keyboard-{layout}"),
            |(_, name)| Text::const_new(name),
        )
}

const LANGUAGES: &[(u32, &str)] = &[
    (0x0401, "Arabic - Saudi Arabia"),
    (0x0402, "Bulgarian"),
    (0x0403, "Catalan"),
    (0x0404, "Chinese - Taiwan"),
    (0x0405, "Czech"),
    (0x0406, "Danish"),
    (0x0407, "German - Germany"),
    (0x0408, "Greek"),
    (0x0409, "English - United States"),
    (0x040a, "Spanish - Spain (Traditional Sort)"),
    (0x040b, "Finnish"),
    (0x040c, "French - France"),
    (0x040d, "Hebrew"),
    (0x040e, "Hungarian"),
    (0x040f, "Icelandic"),
    (0x0410, "Italian - Italy"),
    (0x0411, "Japanese"),
    (0x0412, "Korean"),
    (0x0413, "Dutch - Netherlands"),
    (0x0414, "Norwegian (Bokmål)"),
    (0x0415, "Polish"),
    (0x0416, "Portuguese - Brazil"),
    (0x0418, "Romanian"),
    (0x0419, "Russian"),
    (0x041a, "Croatian"),
    (0x041b, "Slovak"),
    (0x041d, "Swedish"),
    (0x041e, "Thai"),
    (0x041f, "Turkish"),
    (0x0421, "Indonesian"),
    (0x0422, "Ukrainian"),
    (0x0424, "Slovenian"),
    (0x0425, "Estonian"),
    (0x0426, "Latvian"),
    (0x0427, "Lithuanian"),
    (0x0429, "Persian"),
    (0x042a, "Vietnamese"),
    (0x0439, "Hindi"),
    (0x0804, "Chinese - People's Republic of China"),
    (0x0807, "German - Switzerland"),
    (0x0809, "English - United Kingdom"),
    (0x080a, "Spanish - Mexico"),
    (0x080c, "French - Belgium"),
    (0x0810, "Italian - Switzerland"),
    (0x0813, "Dutch - Belgium"),
    (0x0816, "Portuguese - Portugal"),
    (0x0c04, "Chinese - Hong Kong SAR"),
    (0x0c07, "German - Austria"),
    (0x0c09, "English - Australia"),
    (0x0c0a, "Spanish - Spain (Modern Sort)"),
    (0x0c0c, "French - Canada"),
    (0x1009, "English - Canada"),
    (0x100c, "French - Switzerland"),
    (0x1409, "English - New Zealand"),
    (0x1809, "English - Ireland"),
    (0x4009, "English - India"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_ascend_and_unknown_ones_stay_numbers() {
        assert!(LANGUAGES.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(keyboard(0x0001_0407), "German - Germany");
        assert_eq!(keyboard(0x7777), "keyboard-30583");
        assert_eq!(build(2600), "RDP 5.1");
        assert_eq!(build(1), "client_build-1");
    }
}
