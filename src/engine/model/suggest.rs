//! "Did you mean": the known name nearest to a mistyped one.
//!
//! Measure: restricted Damerau-Levenshtein distance, so that a swap of two neighbours counts as one.
//! Bounds:  names longer than 64 characters get no suggestion.

/// Longest name that is compared.
const NAME_CHARS_MAX: usize = 64;

/// `; did you mean "name"?`, or nothing if no candidate is near.
#[must_use]
pub fn did_you_mean<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> String {
    closest(name, candidates).map_or_else(String::new, |near| format!("; did you mean \"{near}\"?"))
}

/// The nearest candidate, the earlier of equals; none if a third of the name or more is different.
#[must_use]
pub fn closest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name: Vec<char> = name.chars().take(NAME_CHARS_MAX + 1).collect();
    if name.len() > NAME_CHARS_MAX {
        return None;
    }
    let near_enough = (name.len() / 3).max(1);
    candidates
        .filter_map(|candidate| {
            let letters: Vec<char> = candidate.chars().take(NAME_CHARS_MAX).collect();
            let distance = distance(&name, &letters);
            (distance <= near_enough && distance < letters.len()).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at =
                |line: &[usize], column: usize| line.get(column).copied().unwrap_or(usize::MAX / 2);
            let mut best = (at(&above, j) + usize::from(x != y))
                .min(at(&above, j + 1) + 1)
                .min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_neighbour_and_only_the_neighbour() {
        let known = ["name", "action", "size", "path"];
        assert_eq!(closest("nmae", known.into_iter()), Some("name"));
        assert_eq!(closest("sise", known.into_iter()), Some("size"));
        assert_eq!(closest("actoin", known.into_iter()), Some("action"));
        assert_eq!(closest("vendor", known.into_iter()), None);
        assert_eq!(closest("", known.into_iter()), None);
        assert_eq!(closest(&"n".repeat(9_999), known.into_iter()), None);
    }

    #[test]
    fn distances_worked_out_by_hand() {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        for (a, b, steps) in [
            ("", "", 0),
            ("", "ab", 2),
            ("ab", "ba", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(&chars(a), &chars(b)), steps, "{a} {b}");
        }
    }
}
