//! How full the table is.

use super::Engine;
use crate::local::set::Class;
use crate::local::store::SharedData;
use crate::local::table::Stats;
use crate::units::Now;

impl Engine {
    /// How many keys still owe something: an estimate from up to `sets` sets of each class that the plan
    /// uses, beginning anywhere at `first`; exact when that covers the table.
    pub fn tracked_keys(&self, data: &mut impl SharedData, now: Now, first: u32, sets: u32) -> u64 {
        let Some(tables) = self.tables.as_ref().filter(|_| self.plan.enabled) else {
            return 0;
        };
        let table = &tables.local;
        let looked_at = sets.min(table.sets());
        let mut stats = Stats::default();
        let mut live = 0_u64;
        for class in self.classes() {
            for step in 0..looked_at {
                let set = first.wrapping_add(step) % table.sets();
                if let Ok(loaded) =
                    table.load(data, table.place_of_set(class, set), class, &mut stats)
                {
                    live += u64::from(loaded.set.live(now));
                }
            }
        }
        live * u64::from(table.sets()) / u64::from(looked_at.max(1))
    }

    fn classes(&self) -> Vec<Class> {
        let mut classes: Vec<Class> = Vec::new();
        for rule in &self.plan.rules {
            let class = Class::for_limits(rule.limits.len());
            if !rule.limits.is_empty() && !classes.contains(&class) {
                classes.push(class);
            }
        }
        classes
    }
}
