//! The catalogue of services: the one shipped in the binary, or a file; with what the site says of them.

use std::path::{Path, PathBuf};

use tapir_engine::model::ModelError;
use tapir_engine::service::{Catalogue, WrongWord};

use crate::config::{ConfigError, ConfigErrors, Settings, Word};

/// The shipped catalogue, so that the binary needs no file beside it.
const SHIPPED: (&str, &str) = (
    "catalogue/services.toml",
    include_str!("../../catalogue/services.toml"),
);

/// Why there is no catalogue to work with.
#[derive(Debug, thiserror::Error)]
pub enum ServicesError {
    /// The file cannot be read.
    #[error("{}: cannot read the catalogue: {error}; give a file as catalogue/services.toml with --services or as services.file", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A catalogue that does not check, all mistakes at once.
    #[error("{}", lines(.0))]
    Refused(Vec<ModelError>),
    /// Words of the site's that nothing is called by.
    #[error(transparent)]
    Words(#[from] ConfigErrors),
}

fn lines(errors: &[ModelError]) -> String {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// Loads the catalogue in `file`, or the shipped one.
///
/// # Errors
/// The file cannot be read or does not check.
pub(super) fn load(file: Option<&Path>) -> Result<Catalogue, ServicesError> {
    let loaded = match file {
        None => Catalogue::load(SHIPPED.0, SHIPPED.1),
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| ServicesError::Read {
                path: path.to_owned(),
                error,
            })?;
            Catalogue::load(&path.display().to_string(), &text)
        }
    };
    loaded.map_err(ServicesError::Refused)
}

/// The catalogue of a configuration, with what that says of it.
///
/// # Errors
/// The file cannot be read or does not check, or a word is neither a service nor a category.
pub fn configured(settings: &Settings) -> Result<Catalogue, ServicesError> {
    let services = &settings.services;
    let catalogue = load(services.file.as_deref())?;
    let (yes, no) = (texts(&services.sanctioned), texts(&services.unsanctioned));
    let place = |wrong: &WrongWord| {
        let named = |words: &[Word], key: &'static str| {
            let at = words.iter().rfind(|word| word.text == wrong.word)?;
            Some((key, at.line))
        };
        // Of a word that stands in both lists the second one is too much.
        named(&services.unsanctioned, "services.unsanctioned")
            .or_else(|| named(&services.sanctioned, "services.sanctioned"))
            .unwrap_or(("services", 0))
    };
    let told = |wrong: &WrongWord| {
        let (key, line) = place(wrong);
        ConfigError {
            path: settings.path.clone(),
            line,
            key: key.to_owned(),
            text: sentence(wrong),
        }
    };
    judged(&catalogue, &yes, &no, told)
}

/// The catalogue with what the command line says of it.
///
/// # Errors
/// A word is neither a service nor a category.
pub(super) fn said(
    catalogue: &Catalogue,
    yes: &[String],
    no: &[String],
) -> Result<Catalogue, ServicesError> {
    let told = |wrong: &WrongWord| ConfigError {
        path: None,
        line: 0,
        key: if no.contains(&wrong.word) {
            "--unsanctioned".to_owned()
        } else {
            "--sanctioned".to_owned()
        },
        text: sentence(wrong),
    };
    let [yes, no] = [yes, no].map(|words| words.iter().map(String::as_str).collect::<Vec<_>>());
    judged(catalogue, &yes, &no, told)
}

fn judged(
    catalogue: &Catalogue,
    yes: &[&str],
    no: &[&str],
    told: impl Fn(&WrongWord) -> ConfigError,
) -> Result<Catalogue, ServicesError> {
    let judged = catalogue.judged(yes, no);
    judged.map_err(|wrong| ConfigErrors(wrong.iter().map(told).collect()).into())
}

fn texts(words: &[Word]) -> Vec<&str> {
    words.iter().map(|word| word.text.as_str()).collect()
}

fn sentence(wrong: &WrongWord) -> String {
    format!("found \"{}\"; {}", wrong.word, wrong.text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Overrides;

    fn of(text: &str) -> Result<Catalogue, String> {
        let path = Path::new("tapir.toml");
        let settings = Settings::of_text(Some(path), text, &Overrides::default()).unwrap();
        configured(&settings).map_err(|error| error.to_string())
    }

    #[test]
    fn what_the_site_says_of_a_service_goes_before_its_category() {
        let catalogue = of("[services]\nsanctioned = [\"onedrive\"]\nunsanctioned = [\"storage\"]");
        let catalogue = catalogue.unwrap();
        let said = |name| {
            let found = catalogue.find(name).and_then(|ix| catalogue.get(ix));
            found.unwrap().sanctioned
        };
        assert_eq!(said("onedrive.live.com"), Some(true));
        assert_eq!(said("mega.nz"), Some(false));
        assert_eq!(said("github.com"), None);
    }

    #[test]
    fn a_wrong_word_is_told_with_its_place_and_a_suggestion() {
        let wrong = of(
            "[services]\nsanctioned = [\n  \"dropbx\",\n  \"mail\",\n]\nunsanctioned = [\"mail\"]",
        );
        assert_eq!(
            wrong.unwrap_err(),
            "tapir.toml:3: key \"services.sanctioned\": found \"dropbx\"; no service or category of this name; \
             did you mean \"dropbox\"?\n\
             tapir.toml:6: key \"services.unsanctioned\": found \"mail\"; said twice; say of each service or \
             category once whether it is sanctioned"
        );
        let missing = of("[services]\nfile = \"none.toml\"").unwrap_err();
        assert!(
            missing.starts_with("none.toml: cannot read the catalogue"),
            "{missing}"
        );
    }
}
