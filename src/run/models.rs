//! The models: those shipped in the binary, or those of a folder.

use std::path::{Path, PathBuf};

use tapir_engine::model::{ModelError, Models, Schema, Source};

/// The shipped models, so that the binary needs no folder beside it; a test holds them to `models/`.
pub(crate) const SHIPPED: &[(&str, &str)] = &[
    (
        "models/command/rhythmic-beacon.toml",
        include_str!("../../models/command/rhythmic-beacon.toml"),
    ),
    (
        "models/device/unknown-thing.toml",
        include_str!("../../models/device/unknown-thing.toml"),
    ),
    (
        "models/exfil/large-upload.toml",
        include_str!("../../models/exfil/large-upload.toml"),
    ),
    (
        "models/exposure/credential-file.toml",
        include_str!("../../models/exposure/credential-file.toml"),
    ),
    (
        "models/recon/address-sweep.toml",
        include_str!("../../models/recon/address-sweep.toml"),
    ),
    (
        "models/sensor/mirror-wrong.toml",
        include_str!("../../models/sensor/mirror-wrong.toml"),
    ),
    (
        "models/sensor/packets-lost.toml",
        include_str!("../../models/sensor/packets-lost.toml"),
    ),
    (
        "models/sensor/parser-fault.toml",
        include_str!("../../models/sensor/parser-fault.toml"),
    ),
];

/// Folders below the models' folder at most.
const DEPTH_MAX: usize = 4;

/// Why there are no models to work with.
#[derive(Debug, thiserror::Error)]
pub enum ModelsError {
    /// The folder or a file in it cannot be read.
    #[error("{}: cannot read models: {error}; give a folder of .toml files with --models", path.display())]
    Read {
        /// Folder or file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The folder holds no model.
    #[error("{}: no .toml file in it or below; give a folder of models with --models", .0.display())]
    None(PathBuf),
    /// Models that do not check, all mistakes at once.
    #[error("{}", lines(.0))]
    Refused(Vec<ModelError>),
}

fn lines(errors: &[ModelError]) -> String {
    errors
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Loads the models of `folder`, or the shipped ones.
///
/// # Errors
/// The folder cannot be read, holds no model, or a model does not check.
pub fn load(folder: Option<&Path>) -> Result<Models, ModelsError> {
    let owned = match folder {
        None => SHIPPED
            .iter()
            .map(|(p, t)| ((*p).to_owned(), (*t).to_owned()))
            .collect(),
        Some(folder) => {
            let mut found = Vec::new();
            collect(folder, 0, &mut found)?;
            found.sort();
            if found.is_empty() {
                return Err(ModelsError::None(folder.to_owned()));
            }
            found
        }
    };
    let sources: Vec<Source<'_>> = owned
        .iter()
        .map(|(path, text)| Source { path, text })
        .collect();
    let schema = Schema::new(&tapir_engine::schemas());
    Models::load(&sources, &schema).map_err(ModelsError::Refused)
}

/// Reads every `.toml` file in `folder` and below.
fn collect(
    folder: &Path,
    depth: usize,
    found: &mut Vec<(String, String)>,
) -> Result<(), ModelsError> {
    let failed = |path: &Path, error| ModelsError::Read {
        path: path.to_owned(),
        error,
    };
    for entry in std::fs::read_dir(folder).map_err(|error| failed(folder, error))? {
        let path = entry.map_err(|error| failed(folder, error))?.path();
        if path.is_dir() && depth < DEPTH_MAX {
            collect(&path, depth + 1, found)?;
        } else if path.extension().is_some_and(|ext| ext == "toml") {
            let text = std::fs::read_to_string(&path).map_err(|error| failed(&path, error))?;
            found.push((path.display().to_string(), text));
        }
    }
    Ok(())
}
