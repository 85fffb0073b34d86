//! One plugin of a VM: the configuration that serves, and those before it while requests wait under them.

use super::notes::Notes;
use super::root::{Resumed, Root, Settlement};
use crate::refusals::Refusals;

/// A plugin's root context.
#[derive(Default)]
pub struct Plugin {
    /// `None` until it is configured.
    serving: Option<Root>,
    /// Configurations that it had before. A callback settles no more than a batch of what waits under them.
    draining: Vec<Root>,
}

impl Plugin {
    /// Reads the configuration whose callback is running. The one before goes on where it is refused; else nobody waits
    /// under it any longer.
    pub fn configure(
        &mut self,
        number: u32,
        len: usize,
        refusals: &mut Refusals,
        notes: &mut Notes,
    ) -> Option<Vec<Resumed>> {
        let configured = Root::configure(number, len, refusals.next_generation(), notes)?;
        let former = self.serving.replace(configured);
        let mut settlement = Settlement::new(refusals);
        if let Some(mut former) = former {
            former.release_all(&mut settlement, notes);
            self.draining.push(former);
        }
        self.forget_drained(notes);
        Some(settlement.resumed)
    }

    /// The configuration that serves.
    pub fn serving(&mut self) -> Option<&mut Root> {
        self.serving.as_mut()
    }

    /// Runs one callback on all its configurations, the oldest first.
    pub fn on_all(
        &mut self,
        refusals: &mut Refusals,
        notes: &mut Notes,
        mut act: impl FnMut(&mut Root, &mut Settlement<'_>, &mut Notes),
    ) -> Vec<Resumed> {
        let mut settlement = Settlement::new(refusals);
        for root in self.draining.iter_mut().chain(&mut self.serving) {
            act(root, &mut settlement, notes);
        }
        self.forget_drained(notes);
        settlement.resumed
    }

    /// Forgets a stream that has gone.
    pub fn on_gone(&mut self, stream: u32) {
        // Every request comes here, and a chain of the two would be dearer.
        if let Some(root) = &mut self.serving {
            root.on_gone(stream);
        }
        for root in &mut self.draining {
            root.on_gone(stream);
        }
    }

    /// Ends with its root context.
    pub fn close(self, notes: &mut Notes) {
        for root in self.draining.into_iter().chain(self.serving) {
            root.close(notes);
        }
    }

    fn forget_drained(&mut self, notes: &mut Notes) {
        let is_drained = |root: &mut Root| !root.has_waiting();
        for root in self.draining.extract_if(.., is_drained) {
            root.close(notes);
        }
    }
}
