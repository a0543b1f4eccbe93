//! The mirror's grade in one line.

use tapir_message::Mirror;

/// The grade and its worst reason.
pub(crate) fn mirror_line(mirror: &Mirror) -> String {
    let Some(grade) = mirror.grade else {
        return "- (too little was seen to judge)".to_owned();
    };
    let reason = match mirror.causes.as_slice() {
        [] => "every packet once, both directions of every flow".to_owned(),
        [one] => one.text.trim_end_matches('.').to_owned(),
        [one, more @ ..] => {
            let text = one.text.trim_end_matches('.');
            format!("{text} (and {} more)", more.len())
        }
    };
    format!("{}  {reason}", grade.letter())
}
