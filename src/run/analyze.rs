//! `tapir analyze`: capture files in, one folder of results and one screen of answer out.

use std::path::PathBuf;
use std::time::Instant;

use jiff::tz::TimeZone;
use serde::Serialize;
use tapir_capture::{FileSource, InputOptions, SourceError};
use tapir_engine::device::{Home, Net};
use tapir_engine::service::Catalogue;
use tapir_engine::types::{Held, Seed, Timestamp};
use tapir_engine::{Analysis, AnalysisSettings, PolicySettings, TrackerConfig, TrackerStats};
use tapir_message::{Breach, Device, Incident, Memory, ServiceUse, Stats};

use super::memory::{self, Resident};
use super::models::{self, ModelsError};
use super::output::{Output, OutputError};
use super::pipeline::{self, Taken, Threads};
use super::replay::{RecordMismatch, Site};
use super::services::{self, ServicesError};
use super::tally::{Tally, stats};
use super::writing::{EFFECTS_BATCH, ToWriter, Written};
use crate::report::{self, Summary};
use crate::store::{self, StateError};

/// What to analyse, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Capture files or folders of them.
    pub inputs: Vec<PathBuf>,
    /// Where results go; only the answer is given without it.
    pub out: Option<PathBuf>,
    /// Threads that track flows.
    pub workers: usize,
    /// Folder of models instead of those shipped.
    pub models: Option<PathBuf>,
    /// Catalogue of services instead of the one shipped.
    pub services: Option<PathBuf>,
    /// Services or categories that the site allows; the record's if it is one, else none.
    pub sanctioned: Option<Vec<String>>,
    /// Those that it does not; likewise.
    pub unsanctioned: Option<Vec<String>>,
    /// Folder that carries baselines from run to run.
    pub state: Option<PathBuf>,
    /// Home networks; the record's if it is one, else the private ranges.
    pub home: Option<Vec<Net>>,
    /// Part of every id; the record's if it is one, else `tapir`.
    pub sensor_id: Option<String>,
    /// Where hours and workdays come from; the record's if it is one, else UTC.
    pub time_zone: Option<TimeZone>,
    /// Take a live run's record even where models or state are not those of that run.
    pub force: bool,
    /// Parse payload; without, there are flows and what follows from them.
    pub protocols: bool,
    /// Hash programs, archives and documents; as the record says if it is one, else yes.
    pub hash_files: Option<bool>,
    /// BPF filter.
    pub filter: Option<String>,
    /// Merge overlapping files by time instead of reading one after another.
    pub merge: bool,
    /// Key of the hash tables; it changes nothing that is written out.
    pub hash_key: u64,
    /// Whether to show progress on the terminal.
    pub progress: bool,
}

/// Why an analysis failed.
#[derive(Debug, thiserror::Error)]
pub enum AnalyzeError {
    /// Input cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Models do not load.
    #[error(transparent)]
    Models(#[from] ModelsError),
    /// The catalogue of services does not load.
    #[error(transparent)]
    Services(#[from] ServicesError),
    /// State cannot be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// Results cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The record is of a run with something else.
    #[error(transparent)]
    Record(#[from] RecordMismatch),
}

/// What an analysis found.
#[derive(Debug)]
pub struct Outcome {
    /// Final state of every breach, in order of first emission.
    pub breaches: Vec<Breach>,
    /// Final state of every incident.
    pub incidents: Vec<Incident>,
    /// Inventory.
    pub devices: Vec<Device>,
    /// Who used which service, by service and device.
    pub services: Vec<ServiceUse>,
    /// Counters.
    pub stats: Stats,
    /// Bytes by hour.
    pub traffic: Vec<(Timestamp, u64)>,
    /// How long was learned, in words.
    pub learning: String,
    /// Days of traffic it was learned from.
    pub site_days: f64,
    /// Hash and number of the models.
    pub models_hash: String,
    /// See `models_hash`.
    pub models: usize,
    /// Names of the inputs as given; for a record, the port it was taken at.
    pub inputs: Vec<String>,
    /// Part of every id.
    pub sensor_id: String,
    /// Where hours and workdays come from.
    pub time_zone: TimeZone,
    /// Figures of this run.
    pub figures: RunFigures,
}

/// Figures of one run: `run.json`, the one file outside the byte-identity promise.
#[derive(Clone, Debug, Serialize)]
pub struct RunFigures {
    /// Version of Tapir.
    pub version: &'static str,
    /// BLAKE3 over the models.
    pub models: String,
    /// Tracker threads.
    pub workers: usize,
    /// Packets read.
    pub packets: u64,
    /// Wall time, monotonic.
    pub wall_s: f64,
    /// CPU time of the process, user and system.
    pub cpu_s: f64,
    /// Packets by CPU second.
    pub packets_per_cpu_s: f64,
    /// Peak resident memory.
    pub peak_rss_bytes: u64,
    /// Where it was.
    pub memory: Memory,
}

/// Runs an analysis and writes its results.
///
/// # Errors
/// Input, models, state or output cannot be used; nothing half-written is left behind.
pub fn analyze(options: &Options) -> Result<Outcome, AnalyzeError> {
    let started = Instant::now();
    let models = models::load(options.models.as_deref())?;
    let (models_hash, models_count) = (models.hash().to_owned(), models.len());
    let catalogue = services::load(options.services.as_deref())?;
    let saved = store::load(options.state.as_deref())?;
    let input = InputOptions {
        merge: options.merge,
        filter: options.filter.clone(),
    };
    let source = FileSource::open(&options.inputs, &input)?;
    let comment = source.record_comment();
    let site = Site::new(options, comment, (&models_hash, catalogue.hash()), &saved)?;
    let catalogue = services::said(&catalogue, &site.sanctioned, &site.unsanctioned)?;
    let output = Output::open(options.out.as_deref(), &site.sensor_id)?;
    let mut analysis = Analysis::new(settings(&site, options, catalogue), models, saved);
    let mut tally = Tally::new(options.progress);
    let config = TrackerConfig {
        seed: Seed(options.hash_key),
        protocols: options.protocols,
        files: site.hash_files,
        ..TrackerConfig::default()
    };
    let (start, before) = (Resident::now(), analysis.held());
    let through = flow_through(
        source,
        &mut tally,
        options.workers.max(1),
        &config,
        &mut analysis,
        output,
    )?;
    tally.clear();
    let stats = stats(
        &through.source.report(),
        &tally,
        &through.trackers,
        &analysis,
        &through.written.output.counts(),
        analysis.mirror(true),
    );
    let held = through.held();
    let memory = memory::account("program", (start, &before), (tally.resident, &held));
    let site_days = analysis.site_days();
    let outcome = Outcome {
        breaches: through.written.breaches,
        incidents: through.written.incidents,
        devices: through.devices,
        services: through.services,
        traffic: tally.traffic(),
        figures: figures(
            &models_hash,
            options.workers,
            stats.packets,
            started,
            memory,
        ),
        stats,
        learning: super::learning(site_days),
        site_days,
        models_hash,
        models: models_count,
        inputs: site.inputs,
        sensor_id: site.sensor_id,
        time_zone: site.time_zone,
    };
    write(&outcome, through.written.output)?;
    if let Some(folder) = &options.state {
        store::save(folder, &analysis.save())?;
    }
    Ok(outcome)
}

/// What the operator decided, as the analysis takes it.
fn settings(site: &Site, options: &Options, services: Catalogue) -> AnalysisSettings {
    AnalysisSettings {
        sensor_id: site.sensor_id.clone(),
        home: Home::new(site.home.clone()),
        time_zone: site.time_zone.clone(),
        seed: Seed(options.hash_key),
        own: site.own.clone(),
        services,
        // A file is over: there is nothing left to act on.
        response: PolicySettings::default(),
    }
}

impl Outcome {
    /// The outcome as the report sees it.
    #[must_use]
    pub fn summary<'a>(&'a self, out: Option<&'a str>) -> Summary<'a> {
        Summary {
            sensor_id: &self.sensor_id,
            time_zone: &self.time_zone,
            stats: &self.stats,
            devices: &self.devices,
            services: &self.services,
            breaches: &self.breaches,
            incidents: &self.incidents,
            traffic: &self.traffic,
            version: env!("CARGO_PKG_VERSION"),
            models_hash: &self.models_hash,
            models: self.models,
            site_days: self.site_days,
            learning: &self.learning,
            out_dir: out,
            inputs: &self.inputs,
        }
    }
}

/// Writes every file of the output folder and moves it into place.
fn write(outcome: &Outcome, output: Output) -> Result<(), OutputError> {
    output.lines("devices.jsonl", &outcome.devices)?;
    output.lines("services.jsonl", &outcome.services)?;
    output.lines("breaches.jsonl", &outcome.breaches)?;
    output.lines("incidents.jsonl", &outcome.incidents)?;
    output.json("stats.json", &outcome.stats)?;
    output.json("run.json", &outcome.figures)?;
    output.file("report.html", &report::html(&outcome.summary(None)))?;
    output.commit()
}

/// What is left when all of the input has gone through.
struct Through {
    source: FileSource,
    trackers: Vec<TrackerStats>,
    /// What the analysis held when the input was over.
    analysis: Vec<Held>,
    devices: Vec<Device>,
    services: Vec<ServiceUse>,
    written: Written,
}

impl Through {
    /// What all parts held in memory.
    fn held(&self) -> Vec<Held> {
        let mut held = self.analysis.clone();
        held.extend(self.trackers.iter().flat_map(|tracker| &tracker.held));
        held.push(self.written.output.held());
        held
    }
}

/// Source to trackers to analysis to writer. On one core all of them are one thread.
fn flow_through(
    source: FileSource,
    tally: &mut Tally,
    workers: usize,
    config: &TrackerConfig,
    analysis: &mut Analysis,
    output: Output,
) -> Result<Through, AnalyzeError> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = match (workers, cores) {
        (1, 1) => Threads::One,
        _ => Threads::Workers(workers),
    };
    std::thread::scope(|scope| {
        let mut writer = match threads {
            Threads::One => ToWriter::here(output),
            Threads::Workers(_) => ToWriter::thread(scope, output),
        };
        let room = || Vec::with_capacity(EFFECTS_BATCH);
        analysis.take(room());
        let mut listening = true;
        let mut held = Vec::new();
        let read = pipeline::run(source, tally, threads, config, |taken| {
            let over = matches!(taken, Taken::End(_));
            match taken {
                Taken::Observation(observation) => analysis.observe(observation),
                Taken::End(ts) => {
                    held = analysis.held();
                    analysis.finish(ts);
                }
            }
            if (over || analysis.waiting() >= EFFECTS_BATCH) && listening {
                listening = writer.send(analysis.take(room()));
            }
            listening
        });
        // What was found is put together while the logs go to the disk.
        let last = writer.over();
        let (devices, services) = (analysis.devices(), analysis.service_uses());
        let written = last.written()?;
        let (source, trackers) = read?;
        Ok(Through {
            source,
            trackers,
            analysis: held,
            devices,
            services,
            written,
        })
    })
}

/// Figures of the run so far.
fn figures(
    models: &str,
    workers: usize,
    packets: u64,
    started: Instant,
    memory: Memory,
) -> RunFigures {
    use nix::sys::resource::{UsageWho, getrusage};
    let wall_s = started.elapsed().as_secs_f64();
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok();
    #[expect(clippy::cast_precision_loss, reason = "seconds and packets of one run")]
    let cpu_s = usage.map_or(0.0, |usage| {
        let seconds = |t: nix::sys::time::TimeVal| t.tv_sec() as f64 + t.tv_usec() as f64 / 1e6;
        seconds(usage.user_time()) + seconds(usage.system_time())
    });
    #[expect(clippy::cast_precision_loss, reason = "packets of one run")]
    let packets_per_cpu_s = if cpu_s > 0.0 {
        (packets as f64 / cpu_s).round()
    } else {
        0.0
    };
    let peak_kib = usage.map_or(0, |usage| usage.max_rss());
    RunFigures {
        version: env!("CARGO_PKG_VERSION"),
        models: models.to_owned(),
        workers,
        packets,
        wall_s,
        cpu_s,
        packets_per_cpu_s,
        peak_rss_bytes: u64::try_from(peak_kib).unwrap_or(0).saturating_mul(1024),
        memory,
    }
}
