//! The catalogue finds what a look at every domain would find; wrong files are told with their places.

use proptest::prelude::*;

use super::*;

const SHIPPED: &str = include_str!("../../../catalogue/services.toml");

const SMALL: &str = r#"
[storage]
drop = { name = "Drop", owner = "Drop", domains = ["drop.com", "drop-cdn.net"] }
drop-box = { name = "Drop Box", owner = "Drop", domains = ["box.drop.com"], exact = ["www.drop.com"] }

[mail]
post = { name = "Post", owner = "Post", domains = ["co.uk", "a.b.c.d.e.f.g.h"] }
"#;

fn small() -> Catalogue {
    Catalogue::load("small.toml", SMALL).unwrap()
}

fn id(catalogue: &Catalogue, name: &str) -> Option<String> {
    let ix = catalogue.find(name)?;
    Some(catalogue.get(ix)?.id.to_string())
}

#[test]
fn the_longest_suffix_on_a_label_boundary_wins() {
    let catalogue = small();
    let found = |name| id(&catalogue, name);
    assert_eq!(found("drop.com").as_deref(), Some("drop"));
    assert_eq!(found("A.b.DROP.com.").as_deref(), Some("drop"));
    assert_eq!(found("box.drop.com").as_deref(), Some("drop-box"));
    assert_eq!(found("x.y.box.drop.com").as_deref(), Some("drop-box"));
    assert_eq!(found("www.drop.com").as_deref(), Some("drop-box"));
    // Below an exact name the shorter one holds.
    assert_eq!(found("x.www.drop.com").as_deref(), Some("drop"));
    assert_eq!(found("x.co.uk").as_deref(), Some("post"));
    for name in [
        "",
        ".",
        "com",
        "xdrop.com",
        "drop.com.evil.example",
        "10.0.0.1",
        "drop.com..",
    ] {
        assert_eq!(found(name), None, "{name}");
    }
    assert_eq!(found("z.a.b.c.d.e.f.g.h").as_deref(), Some("post"));
    assert_eq!(found("b.c.d.e.f.g.h"), None);
    let long = format!("{}.drop.com", "x.".repeat(124));
    assert_eq!(found(&long), None);
}

/// What [`Catalogue::find`] says, by looking at every domain.
fn naive(catalogue: &Catalogue, name: &str) -> Option<ServiceIx> {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let fits = |domain: &&Domain| {
        let text = &*domain.text;
        name == text || (!domain.exact && name.ends_with(&format!(".{text}")))
    };
    let fitting = catalogue.domains.all.iter().filter(fits);
    fitting.max_by_key(|d| d.text.len()).map(|d| d.service)
}

proptest! {
    #[test]
    fn it_finds_what_a_look_at_every_domain_finds(
        labels in prop::collection::vec("[abAB-]{0,3}|drop|box|www|com|co|uk|drop-cdn|net|[c-h]", 0..10),
        dot in any::<bool>(),
    ) {
        let catalogue = small();
        let name = labels.join(".") + if dot { "." } else { "" };
        prop_assert_eq!(catalogue.find(&name), naive(&catalogue, &name), "{}", name);
    }

    #[test]
    fn nor_does_it_differ_on_the_shipped_one(
        pick in any::<prop::sample::Index>(),
        before in "([a-z]{1,4}\\.){0,3}|[a-z]{1,3}|-",
        after in "(\\.[a-z]{2})?",
    ) {
        static SHIPPED_ONCE: std::sync::LazyLock<Catalogue> =
            std::sync::LazyLock::new(|| Catalogue::load("services.toml", SHIPPED).unwrap());
        let catalogue = &*SHIPPED_ONCE;
        let domain = &catalogue.domains.all[pick.index(catalogue.domains.all.len())].text;
        let name = format!("{before}{domain}{after}");
        prop_assert_eq!(catalogue.find(&name), naive(catalogue, &name), "{}", name);
    }

    #[test]
    fn no_text_is_too_odd(text in ".{0,300}") {
        let _any = small().find(&text);
        let _any = Catalogue::load("odd.toml", &text);
    }
}

#[test]
fn the_shipped_catalogue_is_large_and_names_what_people_ask_for() {
    let catalogue = Catalogue::load("services.toml", SHIPPED).unwrap();
    assert!(catalogue.len() >= 200, "{} services", catalogue.len());
    for (category, _) in CATEGORIES {
        let has = |service: &Service| service.category == *category;
        assert!(
            catalogue.services().iter().any(has),
            "nothing in {category}"
        );
    }
    for (name, wanted) in [
        ("kontor.sharepoint.com", "sharepoint"),
        ("outlook.office365.com", "outlook"),
        ("teams.microsoft.com", "teams"),
        ("docs.google.com", "google-docs"),
        ("www.google.com", "google"),
        ("chatgpt.com", "chatgpt"),
        ("api.openai.com", "openai-api"),
        ("claude.ai", "claude"),
        ("gemini.google.com", "gemini"),
        ("relay-1.net.anydesk.com", "anydesk"),
        ("router1.teamviewer.com", "teamviewer"),
        ("g.api.mega.co.nz", "mega"),
        ("bucket.s3.eu-central-1.amazonaws.com", "aws-s3"),
        ("ec2.eu-central-1.amazonaws.com", "aws"),
        ("gist.github.com", "gist"),
        ("dns.google", "google-dns"),
    ] {
        assert_eq!(id(&catalogue, name).as_deref(), Some(wanted), "{name}");
    }
}

#[test]
fn no_domain_of_the_shipped_catalogue_says_what_another_of_the_same_service_says() {
    let catalogue = Catalogue::load("services.toml", SHIPPED).unwrap();
    for domain in &catalogue.domains.all {
        let above = domain.text.split_once('.').map(|(_, above)| above);
        let covered = above.and_then(|above| naive(&catalogue, above)) == Some(domain.service);
        assert!(!covered, "{} is meant without it", domain.text);
    }
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let text = r#"[storag]
[storage]
Drop = { name = "Drop", owner = "Drop", domains = ["drop.com"] }
mail = { name = "Mail", owner = "x", domains = ["mail.example"] }
a = { name = "", owner = "x", domains = ["*.a.com", "A.com", "com", "10.0.0.1", "a..com"] }
b = { name = "B", owner = "x" }
c = { name = "C", ownr = "x", domains = "c.com" }
d = 7
[chat]
e = { name = "E", owner = "x", domains = ["e.com", "e.com"] }
[code]
e = { name = "E", owner = "x", exact = ["f.com"] }
"#;
    let errors = Catalogue::load("c.toml", text).unwrap_err();
    let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let wanted = [
        (
            "c.toml:1:2",
            "unknown category \"storag\"; did you mean \"storage\"?",
        ),
        ("c.toml:3:", "an id is 1 to 32 small letters"),
        ("c.toml:4:", "\"mail\" is a category"),
        ("c.toml:5:", "name is a text of 1 to 80 characters"),
        ("c.toml:5:", "has a star"),
        ("c.toml:5:", "\"A.com\" is no host name"),
        ("c.toml:5:", "\"com\" has 1 labels"),
        ("c.toml:5:", "\"10.0.0.1\" is an address"),
        ("c.toml:5:", "\"a..com\" is no host name"),
        ("c.toml:6:", "\"b\" has no domain"),
        ("c.toml:7:", "unknown key \"ownr\"; did you mean \"owner\"?"),
        ("c.toml:7:", "missing key \"owner\": whose it is"),
        ("c.toml:7:", "domains must be a list of texts; found string"),
        ("c.toml:8:", "d must be"),
        ("c.toml:10:", "\"e.com\" belongs to \"e\" already"),
        ("c.toml:12:", "\"e\" is there already in line 10"),
    ];
    for (place, what) in wanted {
        let has = |line: &&String| line.starts_with(place) && line.contains(what);
        assert!(
            told.iter().any(|line| has(&line)),
            "{place} {what}\n{}",
            told.join("\n")
        );
    }
    assert_eq!(told.len(), wanted.len(), "{}", told.join("\n"));
    for (text, what) in [
        ("", "no service in it"),
        ("[storage", "c.toml:1:"),
        ("storage = 3", "storage must be a table of services"),
        (
            "[mail]\na = { name = \"a\", owner = \"a\", domains = [\"a.com\"] }\na = 1",
            "c.toml:3:",
        ),
    ] {
        let errors = Catalogue::load("c.toml", text).unwrap_err();
        assert!(
            errors[0].to_string().contains(what),
            "{text}: {}",
            errors[0]
        );
    }
}

#[test]
fn what_is_too_much_is_refused() {
    let large = format!("# {}", "x".repeat(1 << 20));
    assert!(
        Catalogue::load("c.toml", &large).unwrap_err()[0]
            .to_string()
            .contains("at most")
    );
    let mut many = "[mail]\n".to_owned();
    for n in 0..4_097 {
        many.push_str(&format!(
            "s{n} = {{ name = \"s\", owner = \"s\", domains = [\"s{n}.com\"] }}\n"
        ));
    }
    let errors = Catalogue::load("c.toml", &many).unwrap_err();
    assert!(
        errors[0].to_string().contains("more than 4096 services"),
        "{}",
        errors[0]
    );
}

#[test]
fn the_site_says_what_is_sanctioned() {
    let catalogue = small().judged(&["drop-box"], &["storage"]).unwrap();
    let said = |name| {
        catalogue
            .get(catalogue.find(name).unwrap())
            .unwrap()
            .sanctioned
    };
    assert_eq!(said("box.drop.com"), Some(true));
    assert_eq!(said("drop.com"), Some(false));
    assert_eq!(said("x.co.uk"), None);
    let wrong = small()
        .judged(&["drp", "mail"], &["mail", "nothing-like-it"])
        .unwrap_err();
    let texts: Vec<String> = wrong
        .iter()
        .map(|w| format!("{}: {}", w.word, w.text))
        .collect();
    assert_eq!(texts.len(), 3, "{texts:?}");
    assert!(texts[0].ends_with("did you mean \"drop\"?"), "{texts:?}");
    assert!(texts[1].contains("said twice"), "{texts:?}");
    assert!(texts[2].contains("or one of ads, ai,"), "{texts:?}");
}
