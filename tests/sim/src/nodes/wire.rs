//! Connections between nodes, and what is on its way over each.
//!
//! Owns no step. Next: `network`.

use doorbuster::copies::node::LinkId;
use std::collections::VecDeque;

/// One connection.
pub(super) struct Pipe {
    pub(super) ends: [End; 2],
    /// To the end of the same index.
    pub(super) ways: [VecDeque<Piece>; 2],
    /// When the last piece that was sent to an end arrives.
    pub(super) free_us: [u64; 2],
    /// Bytes until it breaks.
    pub(super) left: Option<u64>,
    pub(super) delay_us_max: u64,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    pub(super) place: usize,
    pub(super) life: u64,
    pub(super) link: LinkId,
    /// It takes nothing any more: it has closed, was told, or its process is gone.
    pub(super) is_over: bool,
}

pub(super) enum Piece {
    Bytes(Vec<u8>),
    /// The other end has closed.
    End,
}

/// All connections, and which ways lead nowhere.
#[derive(Default)]
pub(super) struct Wire {
    pub(super) pipes: Vec<Pipe>,
    /// From the one to the other nothing comes through until then.
    pub(super) parted_until_us: Vec<Vec<u64>>,
}

impl Wire {
    pub(super) fn new(nodes: usize) -> Self {
        Self { pipes: Vec::new(), parted_until_us: vec![vec![0; nodes]; nodes] }
    }

    pub(super) fn receiver(&self, pipe: usize, end: usize) -> usize {
        self.pipes[pipe].ends[end].place
    }

    pub(super) fn find(&self, place: usize, life: u64, link: LinkId) -> Option<(usize, usize)> {
        let mut pipes = self.pipes.iter().enumerate().rev();
        pipes.find_map(|(number, pipe)| {
            let is_it = |end: &End| (end.place, end.life, end.link) == (place, life, link);
            Some((number, pipe.ends.iter().position(is_it)?))
        })
    }
}
