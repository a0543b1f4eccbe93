//! What the daemon answers, as a person reads it.
//!
//! Input:  answers of the control socket; their texts may come from the wire and are escaped here.
//! Output: text for a terminal of so many columns, in the site's time zone. No clock is read.

mod breaches;
mod device;
mod devices;
mod event;
mod explain;
mod incidents;
mod merges;
mod mirror;
mod protocols;
mod responses;
mod services;
mod status;
mod table;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

use jiff::tz::TimeZone;
use tapir_engine::types::escaped;

use crate::control::{Answer, Site};
use crate::report::screen::Screen;

pub(crate) use event::event;

/// Narrower than this and the columns make no sense.
const WIDTH_MIN: usize = 60;
/// Columns of an id that is enough to name it.
const ID_SHOWN: usize = 8;

/// How the reader reads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// Columns.
    pub(crate) width: usize,
    /// Whether to write ANSI colours.
    pub(crate) color: bool,
    /// Whether only some were asked for: then an empty list says so.
    pub(crate) filtered: bool,
}

/// An answer as text.
pub(crate) fn answer(answer: &Answer, look: Look) -> String {
    let mut screen = Screen {
        out: String::new(),
        width: look.width.max(WIDTH_MIN),
        color: look.color,
    };
    let page = &mut screen;
    match answer {
        Answer::Devices {
            site,
            total,
            devices,
        } => devices::show(page, &zone(site), devices, *total, look.filtered),
        Answer::Device { site, portrait } => device::show(page, &zone(site), portrait),
        Answer::Merges { site, merges } => merges::show(page, &zone(site), merges),
        Answer::Breaches {
            site,
            total,
            breaches,
        } => breaches::show(page, site, &zone(site), breaches, *total, look.filtered),
        Answer::Services {
            site,
            total,
            services,
        } => services::show(page, &zone(site), services, *total, look.filtered),
        Answer::Incidents {
            site,
            total,
            incidents,
        } => incidents::show(page, &zone(site), incidents, *total, look.filtered),
        Answer::Mirror { site, mirror } => mirror::show(page, site, &zone(site), mirror),
        Answer::Protocols { site, protocols } => protocols::show(page, site, protocols),
        Answer::Status { site, status } => status::show(page, site, &zone(site), status),
        Answer::Responses {
            site,
            mode,
            stopped,
            total,
            responses,
        } => responses::show(page, &zone(site), (*mode, *stopped), responses, *total),
        Answer::Explanation { site, explanation } => {
            explain::show(page, site, &zone(site), explanation);
        }
        Answer::Event { event } => return self::event(event, &TimeZone::UTC, look),
        Answer::Watching { site } => {
            page.paragraph("", 0, &format!("Watching {}.", site.sensor_id), 2)
        }
        Answer::Done { text } => page.paragraph("", 0, text, 10),
        Answer::Refused { refusal } => page.paragraph("", 0, &refusal.text, 10),
    }
    screen.out
}

/// The zone of a site; UTC if this program does not know it.
pub(crate) fn zone(site: &Site) -> TimeZone {
    TimeZone::get(&site.time_zone).unwrap_or(TimeZone::UTC)
}

/// The beginning of an id, as commands take it.
fn short_id(id: &str) -> String {
    escaped(&id.chars().take(ID_SHOWN).collect::<String>())
}

/// How many of a list are shown, if not all.
fn footer(screen: &mut Screen, shown: usize, total: usize) {
    if shown < total {
        let text = format!("{shown} of {total} shown, the newest; --limit N shows more");
        screen.line(&[("2", &text)]);
    }
}
