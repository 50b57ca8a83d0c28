//! States of several nodes, compared while they run: the writer tells the digest of each snapshot that
//! it takes, and a copy folds to the same sequence.
//!
//! Owns one question at a time to the snapshotter. A copy that has gone on, or has not come there,
//! leaves it: the next snapshot is compared again. Never judges what follows from a difference. Next:
//! `background::snapshotter`.

use crate::domain::model::ids::Sequence;
use crate::shared::snapshots::Snapshots;
use std::future::pending;
use std::sync::Arc;
use tokio::sync::oneshot::Receiver;

/// A digest of a state.
pub(super) type StateDigest = [u8; 32];

/// What came of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Digested {
    /// A snapshot was taken here: the copies are to compare it.
    Taken(Sequence, StateDigest),
    /// The state here differs from the writer's at this sequence.
    Differs(Sequence),
}

/// The digest that is asked for, and the one that waits.
pub(super) struct Digests {
    snapshots: Arc<Snapshots>,
    /// The newest snapshot of which the digest was asked for.
    told: Sequence,
    /// The writer's, until this node has settled as much.
    wanted: Option<(Sequence, StateDigest)>,
    asked: Option<DigestAsk>,
}

/// The digest of this sequence; to be compared with the writer's, where there is one.
struct DigestAsk {
    sequence: Sequence,
    theirs: Option<StateDigest>,
    answer: Receiver<Result<StateDigest, String>>,
}

impl Digests {
    pub(super) fn of(snapshots: Arc<Snapshots>) -> Self {
        let told = snapshots.sequence().unwrap_or(0);
        Self { snapshots, told, wanted: None, asked: None }
    }

    /// The writer has this digest at a sequence. Of several the newest is compared.
    pub(super) fn compare(&mut self, sequence: Sequence, digest: StateDigest) {
        self.wanted = Some((sequence, digest));
    }

    /// Time has passed: asks what can be asked now.
    pub(super) fn look(&mut self, writes: bool, settled: Sequence) {
        if self.asked.is_some() {
            return;
        }
        let newest = self.snapshots.sequence().unwrap_or(0);
        if writes {
            if newest > self.told {
                self.told = newest;
                self.ask(newest, None);
            }
        } else if let Some((sequence, digest)) = self.wanted.take_if(|(at, _)| *at <= settled) {
            self.told = newest.max(sequence);
            self.ask(sequence, Some(digest));
        }
    }

    fn ask(&mut self, sequence: Sequence, theirs: Option<StateDigest>) {
        let answer = self.snapshots.ask_at(sequence);
        self.asked = answer.map(|answer| DigestAsk { sequence, theirs, answer });
    }

    /// The next that is known; nothing is lost where the caller waits for something else meanwhile.
    pub(super) async fn next(&mut self) -> Digested {
        loop {
            let Some(question) = &mut self.asked else { return pending().await };
            let (sequence, theirs) = (question.sequence, question.theirs);
            let answer = (&mut question.answer).await;
            self.asked = None;
            match (answer, theirs) {
                (Ok(Ok(own)), None) => return Digested::Taken(sequence, own),
                (Ok(Ok(own)), Some(theirs)) if own != theirs => {
                    return Digested::Differs(sequence);
                }
                (Ok(Ok(_)), Some(_)) => tracing::debug!(sequence, "holds what the writer does"),
                (Ok(Err(why)), _) => tracing::debug!(sequence, why, "no state is compared"),
                // The snapshotter rests.
                (Err(_), _) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::snapshots::Ask;

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
    }

    fn asked(asks: &std::sync::mpsc::Receiver<Ask>) -> Option<Sequence> {
        match asks.try_recv() {
            Ok(Ask::At(sequence, answer)) => {
                // Each sequence has its digest.
                answer.send(Ok([u8::try_from(sequence).unwrap(); 32])).unwrap();
                Some(sequence)
            }
            _ => None,
        }
    }

    #[test]
    fn a_writer_tells_the_digest_of_each_new_snapshot_once() {
        let (snapshots, asks) = Snapshots::new();
        let snapshots = Arc::new(snapshots);
        snapshots.took(3, 0);
        let mut digests = Digests::of(snapshots.clone());
        digests.look(true, 9);
        assert_eq!(asked(&asks), None, "it was there before");
        snapshots.took(5, 0);
        digests.look(true, 9);
        assert_eq!(asked(&asks), Some(5));
        assert_eq!(run(digests.next()), Digested::Taken(5, [5; 32]));
        digests.look(true, 9);
        assert_eq!(asked(&asks), None);
    }

    #[test]
    fn a_copy_compares_once_it_has_settled_as_much() {
        let (snapshots, asks) = Snapshots::new();
        let mut digests = Digests::of(Arc::new(snapshots));
        digests.compare(5, [5; 32]);
        digests.compare(7, [6; 32]);
        digests.look(false, 6);
        assert_eq!(asked(&asks), None);
        digests.look(false, 7);
        assert_eq!(asked(&asks), Some(7));
        assert_eq!(run(digests.next()), Digested::Differs(7));
        digests.compare(8, [8; 32]);
        digests.look(false, 8);
        assert_eq!(asked(&asks), Some(8));
        digests.compare(9, [0; 32]);
        // The same digest is nothing to tell, so it is left at that.
        run(async {
            tokio::select! {
                biased;
                told = digests.next() => panic!("{told:?}"),
                () = std::future::ready(()) => {}
            }
        });
        digests.look(false, 9);
        assert_eq!(asked(&asks), Some(9));
        assert_eq!(run(digests.next()), Digested::Differs(9));
    }
}
