//! By what an admitted request was paid for, as far as the outside can tell.

use weir::decision::{Decision, Effect};
use weir::engine::{Asked, Met};
use weir::plan::Global;

use crate::course::LEASED;
use crate::limiter::{Counted, now};
use crate::record::Fate;
use crate::root::{Root, Stream};
use crate::world::World;

/// What a request found before it was decided about.
#[derive(Debug, Default)]
pub struct Granted {
    /// The leased rule.
    rule: usize,
    /// The pots of the leased rule, in the order of its limits, and by what each would pay.
    pots: Vec<(u64, By)>,
}

#[derive(Clone, Copy, Debug)]
enum By {
    /// What is leased, in the window of now.
    Lease,
    /// A grant of its own, in that window.
    Direct(Option<u64>),
    /// The proxy's share.
    Share,
}

impl Granted {
    pub fn before(root: &Root, world: &mut World, met: &[Met], asked: Asked<'_>) -> Self {
        let mut granted = Self::default();
        let engine = root.limiter.engine();
        for met in met {
            let rule = &engine.plan().rules[met.rule];
            let (Some(Global::Lease(leased)), Some(key)) = (&rule.global, met.fingerprint()) else {
                continue;
            };
            granted.rule = met.rule;
            for leased in leased {
                let pot = leased.pot(key);
                let (pots, time) = (engine.pots().unwrap(), now(world.time).monotonic);
                let data = &mut world.proxies[root.at.proxy].data;
                let by = if asked.direct.iter().any(|direct| direct.pot == pot) {
                    By::Direct(None)
                } else if !asked.may_wait && pots.load(data, pot, time).unwrap().pot.tokens() == 0 {
                    By::Share
                } else {
                    By::Lease
                };
                granted.pots.push((pot, by));
            }
        }
        granted
    }

    /// The grants were of these windows.
    pub fn within(mut self, windows: &[(u64, u64)]) -> Self {
        for (pot, by) in &mut self.pots {
            if let By::Direct(window) = by {
                let mut own = windows.iter().filter(|(known, _)| known == pot);
                *window = own.next().map(|(_, window)| *window);
            }
        }
        self
    }

    pub fn note(&self, world: &mut World, stream: &Stream, fate: &Fate) {
        match fate {
            Fate::Passed(decision) => self.passed(world, stream, decision),
            Fate::Refused(decision) => self.refused(world, stream, decision),
            Fate::Denied | Fate::Waits { .. } => {}
        }
    }

    fn passed(&self, world: &mut World, stream: &Stream, decision: &Decision) {
        let effects = decision.rules.iter().map(|rule| rule.effect);
        let uncharged = effects
            .filter(|effect| *effect == Effect::Uncharged)
            .count();
        world.record.uncharged += uncharged as u64;
        if uncharged > 0 {
            return;
        }
        for (limit, (_, by)) in self.pots.iter().enumerate() {
            let counted: Counted = (LEASED, limit, stream.key);
            let (window, is_open) = world.limiter.window(counted, world.time);
            match by {
                By::Lease => {
                    world.record.stray += u64::from(!is_open);
                    world.record.lease(counted, window, world.time);
                }
                By::Direct(window) => {
                    let window = window.expect("a grant has a window");
                    world.record.lease(counted, window, world.time);
                }
                By::Share => {
                    // Of a window in which the limiter was not asked.
                    let own = (1 << 40) + now(world.time).unix.0 / world.course.period;
                    let window = if is_open { window } else { own };
                    world.record.window(counted, window).alone += 1;
                    world.record.alone += u64::from(limit == 0);
                }
            }
        }
    }

    fn refused(&self, world: &mut World, stream: &Stream, decision: &Decision) {
        for quota in decision
            .quotas
            .iter()
            .filter(|quota| quota.violated.is_some())
        {
            if quota.rule == self.rule {
                let counted: Counted = (LEASED, quota.limit, stream.key);
                let (window, _) = world.limiter.window(counted, world.time);
                world.record.window(counted, window).refused += 1;
            }
        }
    }
}
