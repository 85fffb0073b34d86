//! What a run has seen.

use std::collections::BTreeMap;

use weir::decision::{Decision, Effect};
use weir::global::breaker::Change;
use weir::global::lease::pots::Stats;
use weir::global::wire::Engine;
use weir::limiter::Answer;

use crate::course::{Course, LEASED, MAX_WAIT, TIMEOUT};
use crate::limiter::Counted;
use crate::root::WATCHING;

/// What becomes of a request.
#[derive(Clone, Debug)]
pub enum Fate {
    Passed(Decision),
    Refused(Decision),
    /// Nothing of it could be counted, and it is refused for that.
    Denied,
    Waits {
        cold: bool,
    },
}

impl Fate {
    pub fn of(answer: &Answer<'_>) -> Self {
        match answer {
            Answer::Pass(decision, _) => Self::Passed(decision.clone()),
            Answer::Park { cold } => Self::Waits { cold: *cold },
            Answer::Refuse(_, refused) => {
                let mut rules = refused.decision.rules.iter();
                match rules.any(|rule| rule.effect == Effect::Denied) {
                    true => Self::Denied,
                    false => Self::Refused(refused.decision.clone()),
                }
            }
        }
    }
}

/// One window of one counter at the limiter.
#[derive(Clone, Copy, Debug, Default)]
pub struct Window {
    /// Debited.
    pub granted: u64,
    /// Admitted by what was debited.
    pub leased: u64,
    /// Admitted by the proxies alone.
    pub alone: u64,
    /// Refused by what the limiter is taken to have said.
    pub refused: u64,
}

#[derive(Debug, Default)]
pub struct Record {
    pub windows: BTreeMap<Counted, BTreeMap<u64, Window>>,
    pub offered: u64,
    pub leased: u64,
    pub alone: u64,
    pub uncharged: u64,
    pub passed: u64,
    pub refused: u64,
    pub denied: u64,
    pub parked: u64,
    pub gone: u64,
    /// Gave up for having waited too long.
    pub overdue: u64,
    pub calls: u64,
    pub asks: u64,
    pub probes: u64,
    pub lapsed: u64,
    pub lost_swaps: u64,
    pub longest_wait: u64,
    /// Spent from a lease whose window was over.
    pub stray: u64,
    /// Calls other than a probe while the breaker was open.
    pub unruly: u64,
    pub breakers: Vec<(usize, u64, Change)>,
    /// When something was admitted from a lease.
    pub last_leased: Vec<u64>,
    /// The largest number of values in the shared data of a proxy.
    pub values: usize,
}

impl Record {
    pub fn window(&mut self, counted: Counted, number: u64) -> &mut Window {
        let windows = self.windows.entry(counted).or_default();
        windows.entry(number).or_default()
    }

    /// Something was spent that had been debited in a window.
    pub fn lease(&mut self, counted: Counted, window: u64, time: u64) {
        self.window(counted, window).leased += 1;
        self.leased += u64::from(counted.1 == 0);
        if self
            .last_leased
            .last()
            .is_none_or(|last| time - last > 10_000_000)
        {
            self.last_leased.push(time);
        }
    }

    pub fn end(&mut self, fate: &Fate) {
        match fate {
            Fate::Passed(_) => self.passed += 1,
            Fate::Refused(_) => self.refused += 1,
            Fate::Denied => self.denied += 1,
            Fate::Waits { .. } => panic!("it waits where nobody looks for it"),
        }
    }

    pub fn take(&mut self, stats: &Stats) {
        self.lapsed += u64::from(stats.lapsed);
        self.lost_swaps += u64::from(stats.retries);
    }

    pub fn waited(&mut self, waited: u64) {
        self.longest_wait = self.longest_wait.max(waited);
    }

    /// Whatever a course is, this holds.
    pub fn holds(&self, course: &Course) -> Result<(), String> {
        let max_wait = if course.each { TIMEOUT } else { MAX_WAIT };
        let longest = max_wait + WATCHING;
        // Where windows begin with their first hit, what a proxy calls one while it is alone may cross an edge.
        let is_aligned = course.engine == Engine::EnvoyRatelimit;
        let crossed = if is_aligned { 1 } else { 2 };
        let share = u64::from(course.limit / course.proxies).max(1);
        let shares = crossed * share * u64::from(course.proxies);
        for (counted, windows) in &self.windows {
            for (number, window) in windows {
                let Window {
                    granted,
                    leased,
                    alone,
                    ..
                } = *window;
                if leased > granted {
                    return Err(format!("{counted:?} {number}: minted, {window:?}"));
                }
                if leased + alone > granted + shares {
                    return Err(format!("{counted:?} {number}: over, {window:?}"));
                }
            }
        }
        if course.on_error == "deny" && self.alone + self.uncharged > 0 {
            return Err(format!(
                "{} alone, {} uncharged",
                self.alone, self.uncharged
            ));
        }
        for (what, found, most) in [
            ("stray", self.stray, 0),
            ("called while open", self.unruly, 0),
            ("longest wait", self.longest_wait, longest),
            (
                "not accounted for",
                self.offered
                    .abs_diff(self.passed + self.refused + self.denied + self.gone),
                0,
            ),
        ] {
            if found > most {
                return Err(format!("{what}: {found}"));
            }
        }
        Ok(())
    }

    /// The windows of the leased rule's first limit but the first and the last of each key, which are not whole.
    fn whole(&self) -> impl Iterator<Item = &Window> {
        let leased = self
            .windows
            .iter()
            .filter(|(counted, _)| counted.0 == LEASED && counted.1 == 0);
        leased.flat_map(|(_, windows)| {
            let asked = windows.iter().filter(|(_, window)| window.granted > 0);
            let numbers: Vec<u64> = asked.map(|(number, _)| *number).collect();
            let (first, last) = (
                numbers.first().map_or(0, |first| *first),
                numbers.last().map_or(0, |last| *last),
            );
            windows
                .range(first + 1..last.max(first + 1))
                .map(|(_, window)| window)
        })
    }

    /// What whole windows left unspent, at most.
    pub fn undershoot(&self, course: &Course) -> u64 {
        let under = |window: &Window| u64::from(course.limit).saturating_sub(window.leased);
        self.whole()
            .map(under)
            .max()
            .unwrap_or(u64::from(course.limit))
    }

    pub fn calls_fall(&self) -> f64 {
        self.leased as f64 / self.calls.max(1) as f64
    }

    /// Percent of those that passed that waited.
    pub fn waited_share(&self) -> f64 {
        100.0 * self.parked as f64 / self.passed.max(1) as f64
    }
}
