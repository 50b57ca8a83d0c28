//! `explain`: one buyer's story, from the journal alone.
//!
//! Owns what belongs to the story: what the user asked and was answered, how the SKUs stood that it
//! could not have and who held them, and what came back of them later and who got it. An operator
//! may see everybody, so other users are named. Reads by a replay that is watched, beside a live
//! server. Never writes. Read `story`, `shelf` for the SKUs, `page` for how it is shown.

mod page;
mod shelf;
mod story;

use crate::inspect::{Span, Trouble, read_with};
use crate::progress::Progress;
use crate::recheck::is_pruned;
use doorbuster::domain::model::event::Record;
use doorbuster::domain::state::tables::State;
use doorbuster::engine::replay::{self, From, Replayed};
pub(crate) use page::print;
use std::path::Path;
use story::Story;
pub(crate) use story::Wanted;

pub(crate) fn explain(data: &Path, wanted: Wanted, span: Span) -> Result<Story, Trouble> {
    let Wanted { user, sku, key } = wanted;
    let mut story = Story::of(user.clone(), sku.clone(), key.clone());
    let whole = Span { from: From::Genesis, ..span };
    let replayed = match run(data, whole, &mut story) {
        Err(error) if is_pruned(&error) && span.from != From::Genesis => {
            story = Story::of(user, sku, key);
            run(data, Span { from: From::OldestSnapshot, ..span }, &mut story)
        }
        done => done,
    };
    let replayed = read_with(span, |_| replayed)?;
    story.end(&replayed.state);
    if story.entries.is_empty() && story.orders_now.is_empty() {
        return Err(Trouble::NotThere(story.silence()));
    }
    Ok(story)
}

fn run(data: &Path, span: Span, story: &mut Story) -> Result<Replayed, replay::ReplayError> {
    let mut progress = Progress::new();
    let mut report = |sequence| progress.at(sequence);
    let mut watch = |state: &State, record: &Record, stamp| story.look(state, record, stamp);
    replay::replay_watched(data, span.from, span.until, &mut report, Some(&mut watch))
}
