//! What an exchange works with: the plan, the pots, the time.

use crate::global::lease::debit::{Answer, Debit, Failure, Filled};
use crate::global::lease::pot::{Next, Pot, Waiting, Way};
use crate::global::lease::pots::{Pots, Stats};
use crate::global::lease::span::{Ends, Flight};
use crate::global::lease::{Leased, Share};
use crate::global::parking::Question;
use crate::global::wire::Told;
use crate::local::limit::Limit;
use crate::local::store::SharedData;
use crate::plan::Plan;
use crate::units::{Instant, Now};

/// Where pots are, and the time: what an exchange works with.
#[derive(Debug)]
pub struct Books<'a, D> {
    /// What runs.
    pub plan: &'a Plan,
    /// Where the pots are; `None` as long as the shared data could not be used.
    pub pots: Option<&'a Pots>,
    /// What holds them.
    pub data: &'a mut D,
    /// When.
    pub now: Now,
    /// What happened to pots.
    pub stats: &'a mut Stats,
}

impl<'b, D: SharedData> Books<'b, D> {
    /// Changes a pot; `None` when that was not possible, and nothing is changed.
    pub fn change<T>(&mut self, pot: u64, change: impl FnMut(&mut Pot) -> T) -> Option<T> {
        let now = self.now.monotonic;
        let changed = self.pots?.change(self.data, pot, now, self.stats, change);
        changed.ok().flatten()
    }

    /// What is to be debited for a pot, in up to `room` asks; and whether nothing more is needed of it.
    pub fn debits(
        &mut self,
        question: &Question,
        pot: u64,
        mut waiting: Waiting,
        way: Way,
        room: usize,
    ) -> (Vec<Debit>, bool) {
        let mut debits = Vec::new();
        let Some(share) = self.leased(question).map(|leased| leased.share) else {
            return (debits, false);
        };
        let now = self.now;
        while debits.len() < room {
            let next = self.change(pot, |pot| pot.next(&share, now, waiting, way));
            let Some(Next::Debit(debit)) = next else {
                return (debits, next == Some(Next::Rest));
            };
            debits.push(debit);
            waiting.asked = waiting.asked.saturating_add(debit.tokens);
            if waiting.asked >= waiting.all {
                break;
            }
        }
        (debits, false)
    }

    /// Fills a pot with what was granted; tells how many of those who wait for it are admitted beside it.
    pub fn fill(
        &mut self,
        question: &Question,
        pot: u64,
        debit: &Debit,
        told: &Told,
        sent: Instant,
    ) -> u32 {
        let Some(Leased { share, .. }) = self.leased(question).copied() else {
            return 0;
        };
        let Some(answer) = self.answer(told, &share, sent) else {
            // The service has no such limit, so nothing was debited, and who waits need not.
            let now = self.now.monotonic;
            let _ = self.change(pot, |pot| {
                pot.fail(debit, Failure::Uncounted);
                pot.count_direct(now, debit.waiting);
            });
            return debit.waiting;
        };
        if answer.granted {
            self.stats.leased = self.stats.leased.saturating_add(debit.tokens);
        }
        let now = self.now.monotonic;
        let filled = self.change(pot, |pot| {
            let filled = pot.fill(&share, debit, &answer, now);
            pot.count_direct(now, filled.direct);
            filled
        });
        let lost = Filled {
            direct: 0,
            lapsed: if answer.granted { debit.tokens } else { 0 },
        };
        let Filled { direct, lapsed } = filled.unwrap_or(lost);
        self.stats.lapsed = self.stats.lapsed.saturating_add(lapsed);
        direct
    }

    /// Learns from what one request was told that asked for itself, in place of the pot.
    pub fn learn(&mut self, question: &Question, pot: u64, told: &Told, sent: Instant) {
        let Some(Leased { share, .. }) = self.leased(question).copied() else {
            return;
        };
        let now = self.now.monotonic;
        let answer = self.answer(told, &share, sent);
        let _ = self.change(pot, |pot| {
            pot.count_direct(now, u32::from(told.granted));
            if let Some(answer) = &answer {
                pot.learn(&share, answer, sent, now);
            }
        });
    }

    fn answer(&self, told: &Told, share: &Share, sent: Instant) -> Option<Answer> {
        let counter = told.counter?;
        let received = self.now;
        let engine = self.plan.service.as_ref()?.engine;
        let counted = counter.numbers(share.period);
        Some(Answer {
            granted: told.granted,
            remaining: counter.remaining,
            ends: Ends::told(Flight { sent, received }, counter.reset, counted.per),
            burns: engine.burns(),
            shadows: engine.shadows(),
            counted,
        })
    }

    /// The limit that a question is about.
    pub fn limit(&self, question: &Question) -> Option<&'b Limit> {
        self.plan
            .rules
            .get(question.rule)?
            .limits
            .get(question.limit)
    }

    /// The limit that a question is about, as leases are taken of it.
    pub fn leased(&self, question: &Question) -> Option<&'b Leased> {
        self.plan.leased(question.rule, question.limit)
    }
}
