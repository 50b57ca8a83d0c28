//! Settings that decide outcomes, changed while the server runs.
//!
//! Owns when they begin to hold: in a turn of their own choosing, as the same journaled event as at
//! a start, so that a replay decides with what was in force. Next: `mod`.

use super::Core;
use crate::domain::model::event::Event;
use doorbuster_journal::Disk;

impl<D: Disk> Core<D> {
    /// Keeps the settings that came last; false if none have come since.
    pub(super) fn hear_settings(&mut self) -> bool {
        let Some(settings) = self.settings.try_iter().last() else { return false };
        self.fresh_settings = Some(settings);
        true
    }

    /// Takes the settings that came last; where the journal has no room, they wait for some.
    pub(super) fn take_settings(&mut self) {
        self.hear_settings();
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
