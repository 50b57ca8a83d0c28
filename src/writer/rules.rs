//! Settings that decide outcomes, changed while the server runs.
//!
//! Owns when they begin to hold: in a turn of their own choosing, as the same journaled event as at
//! a start, so that a replay decides with what was in force. Next: `mod`.

use super::Core;
use crate::domain::event::Event;
use doorbuster_journal::Disk;

impl<D: Disk> Core<D> {
    /// Takes the settings that came last; where the journal has no room, they wait for some.
    pub(super) fn take_settings(&mut self) {
        if let Some(settings) = self.settings.try_iter().last() {
            self.fresh_settings = Some(settings);
        }
        if self.fresh_settings.is_none() || !self.room.for_new() {
            return;
        }
        if let Some(settings) = self.fresh_settings.take()
            && settings != self.state.settings
        {
            self.record(None, Event::SettingsChanged(Box::new(settings)));
        }
    }
}
