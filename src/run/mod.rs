//! Where rooms are joined: threads, queues, files.

pub mod analyze;
mod models;
mod output;
mod pipeline;
mod record_line;
mod tally;

pub use analyze::{AnalyzeError, Options, Outcome, analyze};
pub use models::{ModelsError, load as load_models};
pub use output::OutputError;
