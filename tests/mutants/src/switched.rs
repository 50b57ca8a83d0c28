//! Source text with all mutants in it, each where it is chosen and nowhere else.
//!
//! Owns what the copy says: a replaced piece becomes `{ if doorbuster_journal::mutant(7) { new }
//! else { old } }`, on the lines that it was on. Two mutants of one piece are two arms. Never reads
//! or writes a file. Next: `copy`.

use crate::mutant::{Edit, Made, Mutant};
use std::collections::BTreeMap;
use std::ops::Range;

/// The environment variable that says which mutant runs, by its number.
pub const CHOSEN: &str = "DOORBUSTER_MUTANT";

/// Behind the last line of the lowest crate of the copy, which every other one uses.
pub const SWITCH: &str = r#"
/// Returns whether this mutant runs.
#[must_use]
pub fn mutant(number: usize) -> bool {
    static CHOSEN: std::sync::LazyLock<Option<usize>> = std::sync::LazyLock::new(|| {
        let chosen = std::env::var("DOORBUSTER_MUTANT").ok();
        chosen.map(|number| number.parse().expect("the number of a mutant"))
    });
    *CHOSEN == Some(number)
}
"#;

/// The crate that has the switch, by its folder.
pub const LOWEST: &str = "journal/src/";

/// A row does not fit the source.
#[derive(Debug, thiserror::Error)]
pub enum Misfit {
    /// The source has changed.
    #[error("{mutant}: {file} has this {times} times, not once:\n{text}")]
    Text {
        /// Whose row.
        mutant: &'static str,
        /// Where it was looked for.
        file: &'static str,
        /// How often it is there.
        times: usize,
        /// What was looked for.
        text: String,
    },
    /// The row cannot be read.
    #[error("{mutant}: `«` and `»` stand once and in this order, or not at all:\n{text}")]
    Marks {
        /// Whose row.
        mutant: &'static str,
        /// Its text.
        text: &'static str,
    },
    /// Two rows replace what is not the same and not apart.
    #[error("{mutant} replaces a part of what {other} replaces in {file}")]
    Overlap {
        /// One.
        mutant: &'static str,
        /// The other.
        other: &'static str,
        /// Where.
        file: &'static str,
    },
}

/// What replaces one piece of a file.
struct Arm {
    piece: Range<usize>,
    number: usize,
    mutant: &'static str,
    edit: Edit,
}

/// The files that mutants change.
pub fn files(mutants: &[Mutant]) -> Vec<&'static str> {
    let edits = mutants.iter().flat_map(|mutant| edits(mutant));
    let mut files: Vec<_> = edits.map(|edit| edit.file).collect();
    files.sort_unstable();
    files.dedup();
    files
}

fn edits(mutant: &Mutant) -> &'static [Edit] {
    match mutant.made {
        Made::Edits(edits) => edits,
        Made::Lie => &[],
    }
}

/// The text of a file with all mutants in it.
///
/// # Errors
/// [`Misfit`] where a row does not fit it.
pub fn switched(mutants: &[Mutant], file: &str, source: &str) -> Result<String, Misfit> {
    let arms = arms(mutants, file, source)?;
    let switch = if file.starts_with(LOWEST) { "crate" } else { "doorbuster_journal" };
    let (mut text, mut end) = (String::new(), 0);
    for (piece, arms) in arms {
        text.push_str(&source[end..piece.0]);
        let old = &source[piece.0..piece.1];
        text.push_str("{ ");
        for arm in arms {
            let new = one_line(arm.edit.new);
            text.push_str(&format!("if {switch}::mutant({}) {{ {new} }} else ", arm.number));
        }
        text.push_str(&format!("{{ {old} }} }}"));
        end = piece.1;
    }
    text.push_str(&source[end..]);
    Ok(text)
}

/// So that what follows stays on its line.
fn one_line(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

/// The arms of a file, by the piece that they replace, in the order of the text.
fn arms(
    mutants: &[Mutant],
    file: &str,
    source: &str,
) -> Result<BTreeMap<(usize, usize), Vec<Arm>>, Misfit> {
    let mut pieces: BTreeMap<(usize, usize), Vec<Arm>> = BTreeMap::new();
    for (number, mutant) in mutants.iter().enumerate() {
        for edit in edits(mutant).iter().filter(|edit| edit.file == file) {
            let piece = find(mutant.name, edit, source)?;
            let arm = Arm { piece: piece.clone(), number, mutant: mutant.name, edit: *edit };
            pieces.entry((piece.start, piece.end)).or_default().push(arm);
        }
    }
    let all: Vec<&Arm> = pieces.values().filter_map(|arms| arms.first()).collect();
    for pair in all.windows(2) {
        if let [one, next] = pair
            && one.piece.end > next.piece.start
        {
            let (mutant, other, file) = (next.mutant, one.mutant, next.edit.file);
            return Err(Misfit::Overlap { mutant, other, file });
        }
    }
    Ok(pieces)
}

/// Where the piece is that an edit replaces.
fn find(mutant: &'static str, edit: &Edit, source: &str) -> Result<Range<usize>, Misfit> {
    let (before, piece, after) = marked(mutant, edit.old)?;
    let text = format!("{before}{piece}{after}");
    let mut places = source.match_indices(&text).map(|(place, _)| place);
    match (places.next(), places.count()) {
        (Some(place), 0) => {
            let start = place + before.len();
            Ok(start..start + piece.len())
        }
        (first, more) => {
            let times = usize::from(first.is_some()) + more;
            Err(Misfit::Text { mutant, file: edit.file, times, text })
        }
    }
}

/// What stands before, in and behind the marks.
fn marked(
    mutant: &'static str,
    text: &'static str,
) -> Result<(&'static str, &'static str, &'static str), Misfit> {
    if !text.contains(['«', '»']) {
        return Ok(("", text, ""));
    }
    let parts = text.split_once('«').and_then(|(before, rest)| {
        let (piece, after) = rest.split_once('»')?;
        Some((before, piece, after))
    });
    let clean = |parts: &(&str, &str, &str)| {
        [parts.0, parts.1, parts.2].iter().all(|part| !part.contains(['«', '»']))
    };
    parts.filter(clean).ok_or(Misfit::Marks { mutant, text })
}
