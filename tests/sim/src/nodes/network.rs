//! Bytes between nodes come in order, late, in pieces or not at all, and an end may be gone without a
//! word.
//!
//! Owns these steps of the world. Never reads what it carries. Next: `process`, whose nodes speak over
//! it.

use super::wire::{End, Piece, Pipe};
use super::world::{Event, World};
use crate::world::Held;
use doorbuster::copies::node::{Input, LinkId};

impl World {
    /// A node dials another.
    pub(super) fn dial(&mut self, place: usize, link: LinkId, to: usize) {
        let life = self.machines[place].life;
        let wait_us = self.random.between(50, 2_000);
        self.after(wait_us, Event::Dialled { place, life, link, to });
    }

    /// The call arrives, if it does.
    pub(super) fn dialled(&mut self, (place, life, link): (usize, u64, LinkId), to: usize) -> Held {
        if !self.lives(place, life) {
            return Ok(());
        }
        let parted = |one: usize, two: usize| self.wire.parted_until_us[one][two] > self.now_us;
        if parted(place, to) || parted(to, place) {
            let wait_us = self.random.between(100_000, 1_500_000);
            self.tally.count("wire: nobody answers");
            self.after(wait_us, Event::NotDialled { place, life, link });
            return Ok(());
        }
        let Some(other) = &mut self.machines[to].process else {
            self.tally.count("wire: refused");
            return self.tell(place, Input::Closed { link });
        };
        other.accepted += 1;
        let accepted = other.accepted;
        let end = |place, life, link| End { place, life, link, is_over: false };
        let left = self.plan.breaks_within.filter(|_| !self.closing);
        let left = left.map(|within| self.random.below(within));
        let delay_us_max = match self.closing {
            true => 200,
            false => self.random.between(60, self.plan.wire_us_max),
        };
        self.wire.pipes.push(Pipe {
            ends: [end(place, life, link), end(to, self.machines[to].life, accepted)],
            ways: Default::default(),
            free_us: [0; 2],
            left,
            delay_us_max,
        });
        self.tally.count("wire: connections");
        let to_node = self.node_at(to);
        self.tell(to, Input::Opened { link: accepted, to: None })?;
        if self.lives(place, life) {
            self.tell(place, Input::Opened { link, to: Some(to_node) })?;
        }
        Ok(())
    }

    pub(super) fn send_bytes(&mut self, place: usize, link: LinkId, bytes: Vec<u8>) {
        let life = self.machines[place].life;
        if let Some((pipe, end)) = self.wire.find(place, life, link) {
            self.put(pipe, 1 - end, Piece::Bytes(bytes));
        }
    }

    pub(super) fn close_link(&mut self, place: usize, link: LinkId) {
        let life = self.machines[place].life;
        if let Some((pipe, end)) = self.wire.find(place, life, link) {
            self.wire.pipes[pipe].ends[end].is_over = true;
            self.put(pipe, 1 - end, Piece::End);
        }
    }

    fn put(&mut self, number: usize, end: usize, piece: Piece) {
        let delay_us = self.random.between(50, self.wire.pipes[number].delay_us_max.max(51));
        let pipe = &mut self.wire.pipes[number];
        let at_us = (self.now_us + delay_us).max(pipe.free_us[end]);
        pipe.free_us[end] = at_us;
        pipe.ways[end].push_back(piece);
        self.after(at_us - self.now_us, Event::Delivered { pipe: number, end });
    }

    /// The next piece arrives at an end.
    pub(super) fn delivered(&mut self, number: usize, end: usize) -> Held {
        let pipe = &self.wire.pipes[number];
        let (to, from) = (pipe.ends[end], pipe.ends[1 - end]);
        let parted_us = self.wire.parted_until_us[from.place][to.place];
        if parted_us > self.now_us {
            let later_us = parted_us - self.now_us;
            self.after(later_us, Event::Delivered { pipe: number, end });
            return Ok(());
        }
        let Some(piece) = self.wire.pipes[number].ways[end].pop_front() else { return Ok(()) };
        if to.is_over || !self.lives(to.place, to.life) {
            return Ok(());
        }
        match piece {
            Piece::End => {
                self.wire.pipes[number].ends[end].is_over = true;
                self.tell(to.place, Input::Closed { link: to.link })
            }
            Piece::Bytes(bytes) => {
                let count = self.until_it_breaks(number, bytes.len());
                self.receive(number, end, &bytes[..count])?;
                if count < bytes.len() { self.break_off(number) } else { Ok(()) }
            }
        }
    }

    fn until_it_breaks(&mut self, number: usize, count: usize) -> usize {
        let Some(left) = &mut self.wire.pipes[number].left else { return count };
        let taken = (*left).min(count as u64);
        *left -= taken;
        taken as usize
    }

    fn receive(&mut self, number: usize, end: usize, bytes: &[u8]) -> Held {
        let End { place, life, link, .. } = self.wire.pipes[number].ends[end];
        let split = match self.random.once_in(4) {
            true => self.random.place(bytes.len() + 1),
            false => 0,
        };
        let (first, rest) = bytes.split_at(split);
        for bytes in [first, rest].into_iter().filter(|bytes| !bytes.is_empty()) {
            if self.lives(place, life) && !self.wire.pipes[number].ends[end].is_over {
                self.tell(place, Input::Received { link, bytes })?;
            }
        }
        let End { place, life, link, is_over } = self.wire.pipes[number].ends[1 - end];
        if self.wire.pipes[number].ways[end].is_empty() && !is_over && self.lives(place, life) {
            self.tell(place, Input::Writable { link })?;
        }
        Ok(())
    }

    /// A connection is gone at both ends, with all that was on its way.
    fn break_off(&mut self, number: usize) -> Held {
        self.tally.count("wire: broken off");
        for end in 0..2 {
            self.wire.pipes[number].ways[end].clear();
            if !self.wire.pipes[number].ends[end].is_over {
                self.put(number, end, Piece::End);
            }
        }
        Ok(())
    }

    /// All connections break that may.
    pub(super) fn break_some(&mut self) -> Held {
        for number in 0..self.wire.pipes.len() {
            if self.wire.pipes[number].ends.iter().any(|end| !end.is_over)
                && self.random.percent(50)
            {
                self.break_off(number)?;
            }
        }
        Ok(())
    }

    /// A process is gone. What it sent may still arrive; that it is gone is told, or nothing is.
    pub(super) fn drop_links(&mut self, place: usize, is_told: bool) {
        for number in 0..self.wire.pipes.len() {
            for end in 0..2 {
                let own = self.wire.pipes[number].ends[end];
                if own.place != place || own.is_over {
                    continue;
                }
                self.wire.pipes[number].ends[end].is_over = true;
                let on_the_way = &mut self.wire.pipes[number].ways[1 - end];
                let kept = self.random.place(on_the_way.len() + 1);
                if self.random.percent(50) {
                    on_the_way.truncate(kept);
                }
                if is_told {
                    self.put(number, 1 - end, Piece::End);
                }
            }
        }
    }

    /// A machine runs again: what it is sent over connections of before, it refuses.
    pub(super) fn refuse_old_links(&mut self, place: usize) {
        for number in 0..self.wire.pipes.len() {
            for end in 0..2 {
                let pipe = &self.wire.pipes[number];
                let is_half = pipe.ends[end].place == place
                    && pipe.ends[end].is_over
                    && !pipe.ends[1 - end].is_over
                    && pipe.ways[1 - end].is_empty();
                if is_half {
                    self.put(number, 1 - end, Piece::End);
                }
            }
        }
    }
}
