//! What the plugins of one VM share: what they note for the operator, counts and what is wrong, and their queues.

use super::call::{self, Level};
use super::meter::Registry;
use super::queues::Queues;
use crate::engine::Incidents;
use crate::log::{Incident, Told};

/// What every plugin of one VM writes to.
pub struct Notes {
    pub metrics: Registry,
    pub queues: Queues,
    told: Told,
}

impl Notes {
    /// Nothing was noted yet.
    pub const fn new() -> Self {
        Self {
            metrics: Registry::new(),
            queues: Queues::new(),
            told: Told::new(),
        }
    }

    /// Tells the log of an incident, unless it was told of lately.
    pub fn tell(&mut self, incident: Incident) {
        if let Some(line) = self.told.line(incident) {
            call::log(Level::Warn, &line);
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

    /// Another configuration has begun, of which nothing was told yet.
    pub const fn reconfigured(&mut self) {
        self.told.reconfigured();
    }
}
