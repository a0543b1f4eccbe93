//! The page holds no element that came from the wire, and is the same for the same summary.

use super::super::fixture::{Office, hostile};
use super::*;

/// Writes the pages where `TAPIR_REPORT_OUT` says, to be looked at.
fn page(name: &str, office: &Office) -> String {
    let text = render(&office.summary()).unwrap();
    if let Some(dir) = std::env::var_os("TAPIR_REPORT_OUT") {
        std::fs::write(
            std::path::Path::new(&dir).join(format!("{name}.html")),
            &text,
        )
        .unwrap();
    }
    text
}

/// Names of all tags, those that close themselves with a trailing slash, by a reader that knows
/// nothing of the template.
fn tags(page: &str) -> Vec<String> {
    let mut out = Vec::new();
    for piece in page.split('<').skip(1) {
        let tag = piece.split('>').next().unwrap_or_default();
        let name = tag.split([' ', '/']).find(|part| !part.is_empty());
        let start = if tag.starts_with('/') { "/" } else { "" };
        let end = if tag.ends_with('/') { "/" } else { "" };
        out.push(format!("{start}{}{end}", name.unwrap_or_default()));
    }
    out
}

#[test]
fn base64_is_rfc_4648() {
    for (bytes, text) in [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
    ] {
        assert_eq!(base64(bytes.as_bytes()), text);
    }
}

#[test]
fn the_policy_names_the_style_sheet_of_the_page() {
    let page = page("office", &Office::new());
    let start = page.find("<style>").unwrap() + "<style>".len();
    let end = page.find("</style>").unwrap();
    let hash = base64(&Sha256::digest(&page.as_bytes()[start..end]));
    assert!(page.contains(&format!("style-src 'sha256-{hash}'")));
    assert!(!page.contains("style=") && !page.contains("<script"));
}

#[test]
fn every_tag_is_closed_in_its_turn() {
    const VOID: [&str; 2] = ["meta", "!DOCTYPE"];
    for (name, office) in [
        ("office", Office::new()),
        ("quiet", Office::quiet()),
        ("empty", Office::empty()),
        ("hostile", hostile()),
        ("many", Office::new().times(100)),
    ] {
        let page = page(name, &office);
        let mut open: Vec<String> = Vec::new();
        for tag in tags(&page) {
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop().as_deref(), Some(name), "{name}");
            } else if !VOID.contains(&tag.as_str()) && !tag.ends_with('/') {
                open.push(tag);
            }
        }
        assert!(open.is_empty(), "{name}: {open:?}");
    }
}

/// The same story told with hostile names gives the same kinds of elements, none of them the wire's.
#[test]
fn no_element_and_no_control_character_comes_from_the_wire() {
    let page = page("hostile", &hostile());
    for tag in tags(&page) {
        assert!(!["script", "img"].contains(&tag.as_str()), "{tag}");
    }
    for c in page.chars() {
        assert!(c == '\n' || !tapir_engine::types::is_hostile(c), "{c:?}");
    }
    assert!(page.contains("\\u202ecod.exe") && page.contains("&lt;script&gt;"));
    // The wire's braces are text, not template.
    assert!(page.contains("{{ 7*7 }}"));
}

#[test]
fn the_same_summary_gives_the_same_page() {
    assert_eq!(
        page("office", &Office::new()),
        page("office", &Office::new())
    );
}

#[test]
fn nothing_found_reads_as_an_answer() {
    let quiet = page("quiet", &Office::quiet());
    assert!(quiet.contains("cannot show what is normal here."));
    assert!(!quiet.contains("id=\"why\""));
    let empty = page("empty", &Office::empty());
    assert!(empty.contains("No packet was read, so there is nothing to say."));
}

#[test]
fn long_lists_are_cut_and_counted() {
    let page = page("many", &Office::new().times(100));
    assert!(page.contains("and 300 more breaches in breaches.jsonl"));
}
