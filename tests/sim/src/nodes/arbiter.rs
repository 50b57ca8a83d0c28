//! The register, as an arbiter keeps it.
//!
//! Owns the value and every value it ever had. Changes it only by compare-and-swap. Next: `calls`.

use doorbuster::cluster::arbiter::{Swapped, Versioned};
use doorbuster::cluster::register::{OperationId, Register, Version};

/// The arbiter.
pub(super) struct Arbiter {
    pub(super) register: Versioned,
    /// What it said before, oldest first.
    pub(super) past: Vec<Versioned>,
    /// What it should say, while it says what is past.
    pub(super) replaced: Option<Versioned>,
    pub(super) gone_until_us: u64,
    /// Of each node: its calls come to nothing until then.
    pub(super) unreached_until_us: Vec<u64>,
    /// All that were ever made.
    pub(super) made: Vec<Made>,
}

/// A call that a node wants.
#[derive(Debug, Clone)]
pub(super) enum Call {
    Read,
    Swap(Version, Box<Register>, OperationId),
}

/// A call that was made.
pub(super) struct Made {
    pub(super) place: usize,
    pub(super) life: u64,
    pub(super) call: Call,
    pub(super) outcome: Option<Outcome>,
}

pub(super) enum Outcome {
    Read(Versioned),
    Swapped(Swapped),
}

impl Arbiter {
    pub(super) fn new(register: Register, nodes: usize) -> Self {
        Self {
            register: Versioned { version: 1, register },
            past: Vec::new(),
            replaced: None,
            gone_until_us: 0,
            unreached_until_us: vec![0; nodes],
            made: Vec::new(),
        }
    }

    pub(super) fn do_now(&mut self, call: &Call) -> Outcome {
        let Call::Swap(version, proposal, _) = call else {
            return Outcome::Read(self.register.clone());
        };
        if self.register.version != *version {
            return Outcome::Swapped(Swapped::Refused(Some(self.register.clone())));
        }
        self.past.push(self.register.clone());
        let version = version + 1;
        self.register = Versioned { version, register: (**proposal).clone() };
        Outcome::Swapped(Swapped::Done(version))
    }

    pub(super) fn caller(&self, number: usize) -> usize {
        self.made[number].place
    }

    /// The highest version that there ever was.
    pub(super) fn version_max(&self) -> Version {
        let past = self.past.iter().map(|past| past.version).max().unwrap_or(0);
        let replaced = self.replaced.as_ref().map_or(0, |replaced| replaced.version);
        self.register.version.max(past).max(replaced)
    }
}
