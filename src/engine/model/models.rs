//! All models of an appliance, ready to be asked by kind of row.

use super::error::ModelError;
use super::load::{id_taken, read};
use super::model::Model;
use super::reader::Reader;
use super::schema::Schema;

/// Most models.
const MODELS_MAX: usize = 1_000;

/// One model file: its name and its text.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// As messages name it.
    pub path: &'a str,
    /// TOML.
    pub text: &'a str,
}

/// Place of a model in [`Models`], in the order of ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelIndex(pub u16);

/// Checked models, sorted by id.
#[derive(Debug)]
pub struct Models {
    models: Vec<Model>,
    kinds: Vec<(&'static str, Vec<ModelIndex>)>,
    /// A bit for each of the kinds.
    filter: u64,
    hash: String,
}

/// The bit of a kind's first letter and length.
fn bit(kind: &str) -> u64 {
    let first = kind.bytes().next().map_or(0, usize::from);
    1 << (first.wrapping_mul(7).wrapping_add(kind.len()) % 64)
}

impl Models {
    /// Reads and checks all files; all of them or none.
    ///
    /// # Errors
    ///
    /// All mistakes of all files, in the order of path, line and column.
    pub fn load(sources: &[Source<'_>], schema: &Schema) -> Result<Self, Vec<ModelError>> {
        let (mut found, mut errors) = (Vec::new(), Vec::new());
        for source in sources.iter().take(MODELS_MAX) {
            let mut reader = Reader::new(source.path, source.text);
            found.extend(read(&mut reader, schema).map(|(mut model, at)| {
                source.path.clone_into(&mut model.path);
                (model, at, source)
            }));
            errors.append(&mut reader.errors);
        }
        if let Some(beyond) = sources.get(MODELS_MAX) {
            let message = format!(
                "there are {} models; at most {MODELS_MAX} are allowed",
                sources.len()
            );
            errors.push(ModelError::at(beyond.path, beyond.text, 0, message));
        }
        found.sort_by(|(a, _, x), (b, _, y)| a.id.cmp(&b.id).then_with(|| x.path.cmp(y.path)));
        for (one, other) in found.iter().zip(found.iter().skip(1)) {
            if one.0.id == other.0.id {
                let (model, at, source) = other;
                errors.push(id_taken(
                    source.path,
                    source.text,
                    *at,
                    &model.id,
                    &one.0.path,
                ));
            }
        }
        if !errors.is_empty() {
            errors.sort();
            return Err(errors);
        }
        let hash = hash(found.iter().map(|(_, _, source)| source.text));
        let models: Vec<Model> = found.into_iter().map(|(model, ..)| model).collect();
        let kinds = by_kind(&models);
        Ok(Self {
            filter: kinds.iter().fold(0, |all, (kind, _)| all | bit(kind)),
            kinds,
            models,
            hash,
        })
    }

    /// All models in the order of ids.
    pub fn iter(&self) -> impl Iterator<Item = &Model> {
        self.models.iter()
    }

    /// Number of models.
    #[must_use]
    pub fn len(&self) -> usize {
        self.models.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.models.is_empty()
    }

    /// The models evaluated on rows of `kind`, in the order of ids.
    #[must_use]
    pub fn on(&self, kind: &str) -> &[ModelIndex] {
        // Hardly any kind has models: length and first letter tell that at once.
        if self.filter & bit(kind) == 0 {
            return &[];
        }
        let start = |text: &str| (text.len(), text.as_bytes().first().copied());
        let is = |name: &str| start(name) == start(kind) && name == kind;
        let found = self.kinds.iter().find(|(name, _)| is(name));
        found.map_or(&[], |(_, models)| models)
    }

    /// The model at `index`.
    #[must_use]
    pub fn get(&self, index: ModelIndex) -> Option<&Model> {
        self.models.get(usize::from(index.0))
    }

    /// The model called `id`.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&Model> {
        let found = self
            .models
            .binary_search_by(|model| model.id.as_str().cmp(id));
        found.ok().and_then(|at| self.models.get(at))
    }

    /// BLAKE3 of the files' texts in the order of ids, in hex. Where the files lie does not matter.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }
}

fn by_kind(models: &[Model]) -> Vec<(&'static str, Vec<ModelIndex>)> {
    let mut kinds: Vec<(&'static str, Vec<ModelIndex>)> = Vec::new();
    for (model, index) in models.iter().zip(0_u16..) {
        match kinds.iter_mut().find(|(kind, _)| *kind == model.on) {
            Some((_, indices)) => indices.push(ModelIndex(index)),
            None => kinds.push((model.on, vec![ModelIndex(index)])),
        }
    }
    kinds.sort_unstable_by_key(|(kind, _)| *kind);
    kinds
}

/// Lengths go in too, so that no two lists of files give the same bytes.
fn hash<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut hasher = blake3::Hasher::new();
    for text in texts {
        let len = u64::try_from(text.len()).unwrap_or(u64::MAX);
        hasher.update(&len.to_be_bytes()).update(text.as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}
