//! `sense`: frames in, notices and records out. It opens its ports, gives up its privileges, asks `serve`
//! for what was known before, and only then reads its first frame.
//!
//! Threads: one a queue (frames to observations), one for the analysis, one that writes to `serve`, one
//! that reads from it, and with responses one between the fast socket and the injection port.

mod account;
mod drops;
mod engine;
mod live;
mod merge;
mod open;
mod outbox;
mod port;
mod queue;
mod relay;
mod responder;
mod rulings;
mod told;

use std::sync::{Arc, mpsc};

use tapir_capture::{Armed, Awake, Epochs};
use tapir_message::{Ruling, ToSense, VERSION};

use self::engine::{Command, Engine};
use self::merge::Merge;
use self::open::Ports;
use self::outbox::{Outbox, outbox};
use self::port::Port;
use self::queue::{Queue, Shared, State};
use self::responder::{Responses, responder};
use super::link::{self, LinkError};
use super::worker::{Worker, to_analysis};
use super::{RunError, daemon, name_thread, privilege};
use crate::config::Settings;

/// Runs until `serve` says stop.
///
/// # Errors
/// Ports, rules or models cannot be used, or `serve` speaks another language.
pub fn sense(settings: &Settings) -> Result<(), RunError> {
    let (to_serve, mut from_serve) = link::open(daemon::link_end().map_err(RunError::System)?);
    let opened = open::open(settings)?;
    let awake = opened.response.is_some().then(hasten).flatten();
    privilege::drop_all()?;
    let (out, mut writer) = outbox(to_serve, opened.used, &settings.sensor.id);
    let responses = match opened.response {
        Some(ports) => {
            let (responses, thread) = responder(ports, awake, out.clone())?;
            writer.tell(responses.clone());
            spawn("respond", move || thread.run());
            // That thread alone keeps the priority this one got before its privileges went.
            Armed::usual().map_err(RunError::System)?;
            Some(responses)
        }
        None => None,
    };
    let writer = std::thread::spawn(move || {
        name_thread("writer");
        writer.run()
    });
    out.hello();
    let greeting = greeting(&mut from_serve, &out)?;
    let (to_engine, commands) = mpsc::channel();
    let reader = Reader {
        from: from_serve,
        out: out.clone(),
        responses: responses.clone(),
        to_engine,
    };
    std::thread::spawn(move || {
        if let Err(error) = reader.run() {
            tracing::error!(%error, "The serving process cannot be heard.");
            std::process::abort();
        }
    });
    for note in opened.prepared.notes() {
        tracing::warn!("{note}");
    }
    let mut engine = Engine::new(
        settings,
        opened.prepared,
        &greeting.state,
        out,
        responses,
        commands,
    )?;
    engine.stopped(greeting.stopped);
    engine.ruled_before(greeting.rulings);
    match opened.ports {
        Ports::Ring(ports) => watch(ports, &opened.epochs, engine),
        Ports::Libpcap(ports) => watch(ports, &opened.epochs, engine),
    }?;
    match writer.join() {
        Ok(written) => written.map_err(RunError::from),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Has resets sent before anything else this box does; what the system does not allow is done without.
fn hasten() -> Option<Awake> {
    if let Err(error) = Armed::urgent() {
        tracing::info!(%error, "Resets are sent at the usual priority.");
    }
    let awake = Awake::open();
    if let Err(error) = &awake {
        tracing::info!(%error, "Idle cores may sleep while an action stands; resets may be later.");
    }
    awake.ok()
}

/// What must be known before the first frame.
#[derive(Debug, Default)]
struct Greeting {
    state: String,
    /// Who has stopped all responses, if somebody has.
    stopped: Option<String>,
    /// What people said of devices since the state was saved.
    rulings: Vec<Ruling>,
}

/// Waits for what was known before, for numbers, and for the word to begin.
fn greeting(from: &mut link::Receiver, out: &Outbox) -> Result<Greeting, RunError> {
    let mut greeting = Greeting::default();
    loop {
        let Some(message) = from.receive(None)? else {
            continue;
        };
        match message {
            ToSense::Hello { version } if version != VERSION => {
                return Err(LinkError::Version(version).into());
            }
            // A `serve` that was started after our first word has not heard it.
            ToSense::Hello { .. } => out.hello(),
            ToSense::State(text) => greeting.state = text,
            ToSense::Numbers { next, until } => out.numbers(next, until),
            ToSense::Begin => return Ok(greeting),
            ToSense::Journalled { number } => out.journalled(number),
            // What was meant for a predecessor.
            ToSense::Approve { .. } | ToSense::Revert { .. } => {}
            // The last word before `Begin` is how it stands.
            ToSense::StopResponses { who } => greeting.stopped = Some(who),
            ToSense::ResumeResponses { .. } => greeting.stopped = None,
            ToSense::Ruling(ruling) => greeting.rulings.push(ruling),
            ToSense::Stop => return Err(RunError::StoppedBeforeBegin),
        }
    }
}

/// Reads what `serve` says and passes it to whom it concerns.
struct Reader {
    from: link::Receiver,
    out: Outbox,
    responses: Option<Responses>,
    to_engine: mpsc::Sender<Command>,
}

impl Reader {
    fn run(mut self) -> Result<(), RunError> {
        loop {
            let Some(message) = self.from.receive(None)? else {
                continue;
            };
            let command = match message {
                ToSense::Hello { version } if version != VERSION => {
                    return Err(LinkError::Version(version).into());
                }
                ToSense::Hello { .. } => {
                    self.out.resend();
                    Command::TellAll
                }
                ToSense::Numbers { next, until } => {
                    self.out.numbers(next, until);
                    continue;
                }
                ToSense::Journalled { number } => {
                    self.out.journalled(number);
                    continue;
                }
                ToSense::State(_) | ToSense::Begin => continue,
                ToSense::Approve { decision, who } => Command::Approve { decision, who },
                ToSense::Revert { decision, who } => {
                    if let Some(responses) = &self.responses {
                        responses.revert(decision.clone(), who.clone());
                    }
                    Command::Revert { decision, who }
                }
                ToSense::StopResponses { who } => {
                    if let Some(responses) = &self.responses {
                        responses.stop(who.clone());
                    }
                    Command::StopResponses { who }
                }
                ToSense::ResumeResponses { .. } => {
                    if let Some(responses) = &self.responses {
                        responses.resume();
                    }
                    Command::ResumeResponses
                }
                ToSense::Ruling(ruling) => Command::Ruling(ruling),
                ToSense::Stop => Command::End,
            };
            if self.to_engine.send(command).is_err() {
                return Ok(());
            }
        }
    }
}

/// A thread whose failure ends the process, so that the supervisor starts it anew.
fn spawn(name: &'static str, run: impl FnOnce() -> Result<(), RunError> + Send + 'static) {
    std::thread::spawn(move || {
        name_thread(name);
        if let Err(error) = run() {
            tracing::error!(thread = name, %error, "A thread cannot go on.");
            std::process::abort();
        }
    });
}

/// Reads all queues until the run ends.
fn watch<P: Port>(ports: Vec<P>, epochs: &Arc<Epochs>, mut engine: Engine) -> Result<(), RunError> {
    let prompt = engine.acts();
    let shared = Shared::new(ports.len());
    std::thread::scope(|scope| {
        let (mut answers, mut ends, mut threads) = (Vec::new(), Vec::new(), Vec::new());
        for (index, port) in ports.into_iter().enumerate() {
            let (to_analysis, answer) = to_analysis();
            let worker = Worker::new(&engine.tracker(), to_analysis);
            let (end, ended) = mpsc::channel();
            answers.push(answer);
            ends.push(end);
            let queue = Queue {
                port,
                epochs: Arc::clone(epochs),
                worker,
                record: engine.record_sender(index),
                end: ended,
                index,
                prompt,
                state: State::default(),
            };
            let shared = &shared;
            threads.push(scope.spawn(move || {
                name_thread(&format!("tracker-{index}"));
                queue.run(shared)
            }));
        }
        let ran = engine.run(Merge::new(answers), &shared, epochs, &ends);
        let mut tallies = Vec::new();
        for thread in threads {
            match thread.join() {
                Ok(tally) => tallies.push(tally),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        ran?;
        engine.finish(&shared, tallies);
        Ok(())
    })
}
