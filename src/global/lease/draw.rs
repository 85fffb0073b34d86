//! One request against what is leased of all its limits: taken everywhere, or nowhere.
//!
//! Every pot is looked at first. Only then is anything taken, each by a compare-and-swap; if a later one is lost for
//! good, what the earlier ones gave is given back.

use super::Leased;
use super::pot::{Alone, Spend};
use super::pots::{Loaded, Pots, Stats};
use crate::local::store::{Fault, SharedData, Swap};
use crate::local::transaction::MAX_SWAPS;
use crate::units::{Instant, Nanos, Now, Numbers};

/// What a request takes of one limit.
#[derive(Debug)]
pub struct Draw<'p> {
    /// Index of the rule in the plan.
    pub rule: usize,
    /// Index of the limit in the rule.
    pub limit: usize,
    /// The limit.
    pub leased: &'p Leased,
    /// Fingerprint of its pot.
    pub pot: u64,
    /// Whether it may take of the proxy's own share where the pot has too little.
    pub alone: bool,
    /// Why there is no pot.
    pub fault: Option<Fault>,
    /// What was found last.
    pub found: Found,
    loaded: Option<Loaded>,
}

/// What a request finds of one limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It was granted to this request by name; the pot has nothing to do with it.
    Direct,
    /// There is enough.
    Spent {
        /// What it belongs to.
        window: u32,
        /// Whether the pot should be refilled.
        low: bool,
    },
    /// There is enough of the proxy's own share.
    Alone {
        /// What it belongs to.
        window: u32,
    },
    /// There is not enough, and the limiter may have more.
    Short {
        /// Whether the key is new to this proxy.
        cold: bool,
    },
    /// The limiter has refused, or nothing of the proxy's own share is left.
    Refused {
        /// When it may be worth asking again.
        until: Instant,
        /// Whether nothing that is under way can change it until then.
        lasts: bool,
    },
}

/// How taking ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Drawn {
    /// Everything was taken.
    All,
    /// For this rule there is not enough any more. Nothing is taken.
    Changed(usize),
    /// For this rule too many races were lost. Nothing is taken.
    Contended(usize),
}

impl<'p> Draw<'p> {
    /// Of this limit, nothing looked at yet.
    #[must_use]
    pub const fn new(rule: usize, limit: usize, leased: &'p Leased, pot: u64, alone: bool) -> Self {
        Self {
            rule,
            limit,
            leased,
            pot,
            alone,
            fault: None,
            found: Found::Short { cold: false },
            loaded: None,
        }
    }

    /// Whether there is too little of it, for all that is known here; and if so, whether the key is new to this proxy.
    #[must_use]
    pub fn short(&self) -> Option<bool> {
        match self.found {
            Found::Short { cold } if self.fault.is_none() => Some(cold),
            _ => None,
        }
    }

    /// Whether its pot should be refilled.
    #[must_use]
    pub const fn is_low(&self) -> bool {
        matches!(self.found, Found::Spent { low: true, .. })
    }

    /// Until when it refuses.
    #[must_use]
    pub const fn refused_until(&self) -> Option<Instant> {
        match self.found {
            Found::Refused { until, .. } => Some(until),
            _ => None,
        }
    }

    /// Whether what refuses may change before its time.
    #[must_use]
    pub const fn is_unsettled(&self) -> bool {
        matches!(self.found, Found::Refused { lasts: false, .. })
    }

    /// What is left, how long until there is more, and what the limiter counts by where that is not what the plan
    /// says. After the draw if it was made.
    #[must_use]
    pub fn reading(&self, now: Instant) -> (u32, Nanos, Option<Numbers>) {
        let planned = &self.leased.share;
        let Some(Loaded { pot, .. }) = &self.loaded else {
            return (0, planned.period, None);
        };
        let counted = pot.counted_otherwise(planned);
        let limit = counted.map_or(planned.limit, |numbers| numbers.requests);
        let period = counted.map_or(planned.period, |numbers| numbers.per);
        let left = match self.found {
            Found::Refused { .. } => 0,
            Found::Alone { .. } => pot.remaining_alone(&self.leased.share),
            _ => pot.remaining().unwrap_or(0),
        };
        let reset = pot
            .window()
            .map_or(period, |window| window.latest.since(now));
        (left.min(limit), reset, counted)
    }
}

/// Where pots are, and the time: what drawing works with.
#[derive(Debug)]
pub struct Drawing<'a, D> {
    /// Where the pots are.
    pub pots: &'a Pots,
    /// What holds them.
    pub data: &'a mut D,
    /// When the request came.
    pub now: Now,
    /// What a request costs.
    pub cost: u32,
    /// What happened.
    pub stats: &'a mut Stats,
}

impl<D: SharedData> Drawing<'_, D> {
    /// Looks at all pots and takes nothing.
    pub fn look(&mut self, draws: &mut [Draw<'_>]) {
        for draw in draws {
            if draw.found != Found::Direct && draw.fault.is_none() {
                self.look_at(draw);
            }
        }
    }

    /// Takes from all of the pots, or from none. [`Self::look`] has found enough in each.
    pub fn take(&mut self, draws: &mut [Draw<'_>]) -> Drawn {
        for turn in 0..draws.len() {
            let taken = draws.get_mut(turn).map(|draw| self.take_one(draw));
            let Some(failed) = taken.flatten() else {
                continue;
            };
            for draw in draws.iter().take(turn) {
                self.give_back_one(draw);
            }
            return failed;
        }
        Drawn::All
    }

    /// Gives back what was taken: something else refuses the request.
    pub fn give_back(&mut self, draws: &[Draw<'_>]) {
        for draw in draws {
            self.give_back_one(draw);
        }
    }

    fn look_at(&mut self, draw: &mut Draw<'_>) {
        let now = self.now.monotonic;
        let mut loaded = match self.pots.load(self.data, draw.pot, now) {
            Ok(loaded) => loaded,
            Err(fault) => {
                draw.fault = Some(fault);
                return;
            }
        };
        let pot = &mut loaded.pot;
        let cold = pot.is_cold(now);
        draw.found = match pot.spend(now, self.cost) {
            Spend::Spent { window, low } => Found::Spent { window, low },
            Spend::Refused { until } => Found::Refused {
                until,
                lasts: !pot.is_asked_for(),
            },
            Spend::Short if !draw.alone => Found::Short { cold },
            Spend::Short => match pot.spend_alone(&draw.leased.share, self.now, self.cost) {
                Alone::Admitted { window } => Found::Alone { window },
                Alone::Refused { until } => Found::Refused {
                    until,
                    lasts: false,
                },
            },
        };
        draw.loaded = Some(loaded);
    }

    fn take_one(&mut self, draw: &mut Draw<'_>) -> Option<Drawn> {
        if draw.fault.is_some() {
            return None;
        }
        for _ in 0..MAX_SWAPS {
            match draw.found {
                Found::Direct => return None,
                Found::Spent { .. } | Found::Alone { .. } => {}
                Found::Short { .. } | Found::Refused { .. } => {
                    return Some(Drawn::Changed(draw.rule));
                }
            }
            let now = self.now.monotonic;
            let stored = draw
                .loaded
                .as_mut()
                .map(|loaded| self.pots.store(self.data, loaded, now, self.stats));
            match stored {
                Some(Ok(Swap::Done)) => return None,
                Some(Err(fault)) => draw.fault = Some(fault),
                Some(Ok(Swap::Lost)) | None => self.look_at(draw),
            }
            if draw.fault.is_some() {
                // The rule's `on_fault` decides.
                return Some(Drawn::Changed(draw.rule));
            }
        }
        Some(Drawn::Contended(draw.rule))
    }

    fn give_back_one(&mut self, draw: &Draw<'_>) {
        let (now, cost) = (self.now.monotonic, self.cost);
        if draw.fault.is_some() {
            return;
        }
        let _lost_at_worst =
            self.pots
                .change(self.data, draw.pot, now, self.stats, |pot| {
                    match draw.found {
                        Found::Spent { window, .. } => pot.give_back(window, cost, now),
                        Found::Alone { window } => pot.give_back_alone(window, cost),
                        Found::Direct | Found::Short { .. } | Found::Refused { .. } => {}
                    }
                });
    }
}
