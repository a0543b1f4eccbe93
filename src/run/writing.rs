//! What the analysis makes, on its way to the output folder: on a thread of its own, or at once where
//! there is one core and a thread would only cost.
//!
//! Bounds: [`EFFECTS_QUEUE`] batches of about [`EFFECTS_BATCH`] effects wait.

use std::hint::black_box;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

use tapir_engine::Effect;
use tapir_message::{Breach, Incident};

use super::latest::Latest;
use super::output::{Output, OutputError};

/// Effects a batch to the writer, and batches in flight.
pub(super) const EFFECTS_BATCH: usize = 512;
const EFFECTS_QUEUE: usize = 4;
/// Effects whose memory is asked for at once.
const EFFECTS_FETCHED: usize = 16;

/// What the writer holds at the end.
pub(super) struct Written {
    pub(super) output: Output,
    pub(super) breaches: Vec<Breach>,
    pub(super) incidents: Vec<Incident>,
}

/// Writes records as they come and keeps the last state of every breach and incident.
pub(super) struct Writing {
    output: Output,
    breaches: Latest<Breach>,
    incidents: Latest<Incident>,
}

impl Writing {
    fn new(output: Output) -> Self {
        Self {
            output,
            breaches: Latest::default(),
            incidents: Latest::default(),
        }
    }

    fn batch(&mut self, batch: Vec<Effect>) -> Result<(), OutputError> {
        let mut batch = batch.into_iter();
        while let near @ [_, ..] = batch.as_slice() {
            // The memory of a few is asked for at once; one after the other each would be waited for.
            let near = near.iter().take(EFFECTS_FETCHED);
            black_box(near.fold(false, |all, effect| match effect {
                Effect::Record(record) => all ^ record.fetch(),
                _ => all,
            }));
            for effect in batch.by_ref().take(EFFECTS_FETCHED) {
                self.effect(effect)?;
            }
        }
        Ok(())
    }

    fn effect(&mut self, effect: Effect) -> Result<(), OutputError> {
        match effect {
            Effect::Record(record) => self.output.record(&record)?,
            Effect::Breach(breach) => self.breaches.put(breach.id.clone(), *breach),
            Effect::Incident(incident) => self.incidents.put(incident.id.clone(), *incident),
            // With responses off none is made.
            Effect::Decision(..) => {}
        }
        Ok(())
    }

    fn all(mut self, effects: &Receiver<Vec<Effect>>) -> Result<Written, OutputError> {
        for batch in effects {
            self.batch(batch)?;
        }
        self.written()
    }

    /// What was written, on the disk.
    fn written(mut self) -> Result<Written, OutputError> {
        self.output.close_logs()?;
        Ok(Written {
            output: self.output,
            breaches: self.breaches.items,
            incidents: self.incidents.items,
        })
    }
}

/// The way to what writes.
pub(super) enum ToWriter<'scope> {
    /// A thread.
    Thread {
        effects: SyncSender<Vec<Effect>>,
        thread: ScopedJoinHandle<'scope, Result<Written, OutputError>>,
    },
    /// Nobody else.
    Here(Box<Writing>, Result<(), OutputError>),
}

impl<'scope> ToWriter<'scope> {
    /// A thread that writes.
    pub(super) fn thread(scope: &'scope Scope<'scope, '_>, output: Output) -> Self {
        let (to_writer, effects) = sync_channel(EFFECTS_QUEUE);
        let thread = scope.spawn(move || {
            super::name_thread("writer");
            Writing::new(output).all(&effects)
        });
        Self::Thread {
            effects: to_writer,
            thread,
        }
    }

    /// Writes as it is told.
    pub(super) fn here(output: Output) -> Self {
        Self::Here(Box::new(Writing::new(output)), Ok(()))
    }

    /// Hands a batch over. False if the writer has failed; its error is what the run ends with.
    pub(super) fn send(&mut self, batch: Vec<Effect>) -> bool {
        match self {
            Self::Thread { effects, .. } => effects.send(batch).is_ok(),
            Self::Here(writing, result) => {
                if result.is_ok() {
                    *result = writing.batch(batch);
                }
                result.is_ok()
            }
        }
    }

    /// No more batches come. While a thread sees what it wrote to the disk, others may go on.
    pub(super) fn over(self) -> Last<'scope> {
        match self {
            Self::Thread { effects, thread } => {
                drop(effects);
                Last::Thread(thread)
            }
            Self::Here(writing, result) => Last::Here(writing, result),
        }
    }
}

/// What was handed the last batch.
pub(super) enum Last<'scope> {
    /// A thread.
    Thread(ScopedJoinHandle<'scope, Result<Written, OutputError>>),
    /// Nobody else.
    Here(Box<Writing>, Result<(), OutputError>),
}

impl Last<'_> {
    /// What was written, once all of it is on the disk.
    pub(super) fn written(self) -> Result<Written, OutputError> {
        match self {
            Self::Thread(thread) => thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Self::Here(writing, result) => result.and_then(|()| writing.written()),
        }
    }
}
