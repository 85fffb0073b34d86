//! What the plugins of one VM share: what they note for the operator, counts and what is wrong, and their queues.

use super::meter::Registry;
use super::queues::Queues;
use crate::engine::Incidents;
use crate::log::{Incident, IncidentLines};
use crate::units::Instant;

/// What every plugin of one VM writes to.
pub struct Notes {
    pub metrics: Registry,
    pub queues: Queues,
    incidents: IncidentLines,
    /// When the callback that runs has last read the clock.
    pub now: Instant,
}

impl Notes {
    /// Nothing was noted yet.
    pub const fn new() -> Self {
        Self {
            metrics: Registry::new(),
            queues: Queues::new(),
            incidents: IncidentLines::new(),
            now: Instant(0),
        }
    }

    /// Logs an incident, unless the log has a line about one like it already.
    pub fn tell(&mut self, incident: Incident) {
        if let Some(line) = self.incidents.line(incident, self.now) {
            ::log::warn!("{line}");
        }
    }

    /// Tells of what happened besides a decision.
    pub fn tell_all(&mut self, incidents: &Incidents) {
        if let Some(fault) = incidents.fault {
            self.tell(Incident::Store(fault));
        }
        if incidents.stats.corrupt > 0 {
            self.tell(Incident::Corrupt);
        }
    }

    /// Another configuration has begun, and the log has nothing about it yet.
    pub fn reconfigured(&mut self) {
        self.incidents.reconfigured();
    }
}
