//! Models: what is worth a breach, as data.
//!
//! Input:  the text of TOML files (`models/README.md` describes them) and the engine's [`Schema`].
//! Output: [`Models`], typed and checked whole; conditions and sentences evaluated on [`Row`]s.
//! Bounds: 1,000 models, 64 KiB a file, 4 KiB and 32 levels a condition; beyond that a model is refused.
//! Errors: every mistake of every file at once, as `path:line:column: message`.

mod check;
mod check_lists;
mod error;
mod eval;
mod glob;
mod lexer;
mod load;
#[expect(
    clippy::module_inception,
    reason = "the room and its main type share the field's word"
)]
mod model;
mod models;
mod net;
mod parser;
mod reader;
mod reference;
mod schema;
mod suggest;
mod template;
mod trial;

pub use error::ModelError;
pub use eval::Condition;
pub(crate) use glob::Globs;
pub use model::{Calibration, Defeat, DeviceRole, LeastResponse, Model, cap};
pub use models::{ModelIndex, Models, Source};
pub(crate) use reader::{Key, Reader, Str};
pub use reference::reference;
pub use schema::{Common, Row, Schema};
pub use suggest::{closest, did_you_mean};
pub use template::Template;
pub use trial::{Expect, Trial, TrialRow};

#[cfg(test)]
#[path = "shipped_tests.rs"]
mod tests;
