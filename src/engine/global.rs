//! What is decided about a request that meets rules of the rate limit service.

use super::{Asked, COST, Engine, Incidents, Met, Outcome, Tables};
use crate::decision::{Counted, Decision, Effect, Quota, Reason, Refusal};
use crate::global::lease::draw::{Draw, Drawing, Drawn, Found};
use crate::local::store::SharedData;
use crate::local::transaction::{Settled, Transaction};
use crate::plan::{Global, OnError, Rule};
use crate::units::{Nanos, Now, Wait};

/// How often leases are looked at for one request, as long as others take them before it does.
const MAX_LOOKS: usize = 16;

impl Engine {
    /// Decides about a request that meets a rule of the service, and charges it if it is admitted: here, and to what is
    /// leased. Nothing is charged where it is to wait first.
    // In place it would weigh on requests that ask no service.
    #[inline(never)]
    pub(super) fn decide_globally(
        &self,
        met: &[Met],
        asked: Asked<'_>,
        now: Now,
        tables: &Tables,
        data: &mut impl SharedData,
        incidents: &mut Incidents,
    ) -> Outcome {
        if let Some(refused) = self.refused_by_service(met, asked, now) {
            return Outcome::Decided(refused);
        }
        // Mostly there are none.
        let mut entries = match met.iter().any(|met| self.is_counted_here(met, asked)) {
            true => self.entries(met, asked, &tables.local),
            false => Vec::new(),
        };
        let stats = &mut incidents.stats;
        let table = &tables.local;
        let mut transaction = Transaction {
            table,
            data,
            now,
            stats,
        };
        let settled = transaction.test_all(&mut entries);
        incidents.fault = entries.iter().find_map(|entry| entry.fault);
        if let Some(settled) = settled {
            let said = Said::without_draws(asked, now);
            return Outcome::Decided(self.conclude(met, &said, &entries, settled));
        }
        let mut draws = self.draws(met, asked);
        if let Err(outcome) = self.draw(met, asked, now, &mut draws, tables, data, incidents) {
            return outcome;
        }
        let stats = &mut incidents.stats;
        let mut transaction = Transaction {
            table,
            data,
            now,
            stats,
        };
        let settled = transaction.charge_all(&mut entries);
        let fault = entries.iter().find_map(|entry| entry.fault);
        incidents.fault = incidents.fault.or(fault);
        if settled != Settled::Admitted {
            drawing(now, tables, data, incidents).give_back(&draws);
        }
        let low = draws.iter().filter(|draw| draw.is_low());
        incidents.low.extend(low.map(|draw| draw.pot));
        let draws = &draws;
        let said = Said { asked, draws, now };
        Outcome::Decided(self.conclude(met, &said, &entries, settled))
    }

    /// Takes what is leased, or tells why not.
    #[expect(
        clippy::too_many_arguments,
        reason = "what its caller has in hand, and nothing else"
    )]
    fn draw(
        &self,
        met: &[Met],
        asked: Asked<'_>,
        now: Now,
        draws: &mut Vec<Draw<'_>>,
        tables: &Tables,
        data: &mut impl SharedData,
        incidents: &mut Incidents,
    ) -> Result<(), Outcome> {
        let mut rule = met.first().map_or(0, |met| met.rule);
        for _ in 0..MAX_LOOKS {
            drawing(now, tables, data, incidents).look(draws);
            incidents.fault = incidents.fault.or(draws.iter().find_map(|draw| draw.fault));
            let said = Said { asked, draws, now };
            let denied = |met: &Met| self.denied(met, asked, draws);
            if let Some(refused) = refused(met, said, &denied) {
                incidents.unsettled = draws.iter().any(Draw::is_unsettled);
                return Err(Outcome::Decided(refused));
            }
            let mut short = draws.iter().filter_map(Draw::short);
            if asked.may_wait && (short.next().is_some() || self.waits_for_answer(met, asked)) {
                let cold = draws.iter().filter_map(Draw::short).any(|cold| cold);
                return Err(Outcome::Park { cold });
            }
            // Of these nobody will know.
            draws.retain(|draw| draw.short().is_none());
            match drawing(now, tables, data, incidents).take(draws) {
                Drawn::All => return Ok(()),
                Drawn::Changed(of) => rule = of,
                Drawn::Contended(of) => {
                    rule = of;
                    incidents.stats.contended += 1;
                    break;
                }
            }
        }
        Err(Outcome::Decided(contended(met, rule)))
    }

    /// A refusal by what the service told of rules that ask it for each request, or because it told nothing.
    pub(super) fn refused_by_service(
        &self,
        met: &[Met],
        asked: Asked<'_>,
        now: Now,
    ) -> Option<Decision> {
        let denies = asked.told.is_none() && !asked.may_wait && self.on_error() == OnError::Deny;
        let denied = |met: &Met| {
            let asks = denies && matches!(self.global(met), Some(Global::PerRequest(_)));
            asks.then_some(Reason::Unavailable)
        };
        refused(met, Said::without_draws(asked, now), &denied)
    }

    /// Why a rule of which leases are taken denies a request, other than by its limits.
    fn denied(&self, met: &Met, asked: Asked<'_>, draws: &[Draw<'_>]) -> Option<Reason> {
        let denies = |draw: &Draw<'_>| match draw.fault {
            Some(_) => self.denies_on_fault(met),
            None => {
                let gives_up = !asked.may_wait && self.on_error() == OnError::Deny;
                gives_up && draw.short().is_some()
            }
        };
        let mut own = draws.iter().filter(|draw| draw.rule == met.rule);
        own.any(denies).then_some(Reason::Unavailable)
    }

    /// What a request takes of what is leased: of every limit of every such rule that it meets.
    fn draws(&self, met: &[Met], asked: Asked<'_>) -> Vec<Draw<'_>> {
        let alone = !asked.may_wait && self.on_error() == OnError::Local;
        let mut draws = Vec::with_capacity(met.len());
        for met in met {
            let (Some(Global::Lease(leased)), Some(key)) = (self.global(met), met.fingerprint())
            else {
                continue;
            };
            for (limit, leased) in leased.iter().enumerate() {
                let pot = leased.pot(key);
                let mut draw = Draw::new(met.rule, limit, leased, pot, alone);
                if asked.direct.iter().any(|direct| direct.pot == pot) {
                    draw.found = Found::Direct;
                }
                draws.push(draw);
            }
        }
        draws
    }

    /// Whether any rule asks the service for each request, and has not been told.
    fn waits_for_answer(&self, met: &[Met], asked: Asked<'_>) -> bool {
        let asks = |met: &Met| {
            let is_counted = met.fingerprint().is_some();
            is_counted && matches!(self.global(met), Some(Global::PerRequest(_)))
        };
        asked.told.is_none() && met.iter().any(asks)
    }

    /// What becomes of a request of which the service does not say.
    pub(super) fn on_error(&self) -> OnError {
        let service = self.plan.service.as_ref();
        service.map_or(OnError::Local, |service| service.on_error)
    }

    /// How the service keeps a rule; `None` for any other.
    pub(super) fn global(&self, met: &Met) -> Option<&Global> {
        let rule: &Rule = self.plan.rules.get(met.rule)?;
        rule.global.as_ref()
    }
}

fn drawing<'a, D: SharedData>(
    now: Now,
    tables: &'a Tables,
    data: &'a mut D,
    incidents: &'a mut Incidents,
) -> Drawing<'a, D> {
    Drawing {
        pots: &tables.pots,
        data,
        now,
        cost: COST,
        stats: &mut incidents.pots,
    }
}

/// What the limits of the service's rules say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said<'a> {
    /// What the service said.
    pub(super) asked: Asked<'a>,
    /// What was found of leases.
    draws: &'a [Draw<'a>],
    /// When.
    pub(super) now: Now,
}

impl<'a> Said<'a> {
    /// Where no leases were looked at.
    pub(super) const fn without_draws(asked: Asked<'a>, now: Now) -> Self {
        let draws = &[];
        Self { asked, draws, now }
    }

    /// What those of one rule say, in the order of the plan.
    pub(super) fn of(self, rule: usize) -> impl Iterator<Item = Quota> + 'a {
        let draws = self.draws.iter().filter(move |draw| draw.rule == rule);
        let told = self.told(rule).copied();
        told.chain(draws.filter_map(move |draw| self.quota(draw)))
    }

    /// How many of them say anything.
    pub(super) fn count(self, rule: usize) -> usize {
        let speaks = |draw: &&Draw<'_>| match draw.found {
            _ if draw.rule != rule || draw.fault.is_some() => false,
            Found::Direct => self.direct(draw).is_some(),
            Found::Short { .. } => false,
            Found::Spent { .. } | Found::Alone { .. } | Found::Refused { .. } => true,
        };
        self.told(rule).count() + self.draws.iter().filter(speaks).count()
    }

    /// Whether one of them refuses.
    fn refuses(self, rule: usize) -> bool {
        let violates = |quota: &Quota| quota.violated.is_some();
        let refuses = |draw: &Draw<'_>| match draw.found {
            _ if draw.rule != rule || draw.fault.is_some() => false,
            Found::Direct => self.direct(draw).is_some_and(|quota| violates(&quota)),
            Found::Refused { .. } => true,
            Found::Spent { .. } | Found::Alone { .. } | Found::Short { .. } => false,
        };
        self.told(rule).any(violates) || self.draws.iter().any(refuses)
    }

    /// What the service said of a rule that asks it for each request.
    fn told(self, rule: usize) -> impl Iterator<Item = &'a Quota> {
        let told = self.asked.told.unwrap_or_default().iter();
        told.filter(move |quota| quota.rule == rule)
    }

    /// What was granted beside a pot.
    fn direct(self, draw: &Draw<'_>) -> Option<Quota> {
        let mut direct = self.asked.direct.iter();
        direct.find(|direct| direct.pot == draw.pot)?.quota
    }

    /// Of those, the ones that a client is told of.
    pub(super) fn shown(self, rule: usize) -> impl Iterator<Item = Quota> + 'a {
        self.of(rule).filter(|quota| !quota.is_unlimited())
    }

    fn quota(self, draw: &Draw<'_>) -> Option<Quota> {
        match draw.found {
            _ if draw.fault.is_some() => None,
            Found::Direct => self.direct(draw),
            Found::Short { .. } => None,
            Found::Spent { .. } | Found::Alone { .. } | Found::Refused { .. } => {
                let now = self.now.monotonic;
                let (remaining, reset, counted) = draw.reading(now);
                let wait = draw.refused_until().map(|until| {
                    let wait = until.since(now);
                    Wait::After(wait.max(Nanos(1)))
                });
                Some(Quota {
                    rule: draw.rule,
                    limit: draw.limit,
                    remaining,
                    reset,
                    violated: wait,
                    counted: counted.map(Counted::from),
                })
            }
        }
    }
}

/// The refusal of a request for whose rule too many others came between.
fn contended(met: &[Met], rule: usize) -> Decision {
    let effect = |met: &Met| match met.rule == rule {
        true => Effect::Denied,
        false => Effect::Passed,
    };
    let reason = Reason::Contended;
    Decision {
        quotas: Vec::new(),
        rules: met.iter().map(|met| met.outcome(effect(met))).collect(),
        refusal: Some(Refusal { rule, reason }),
    }
}

/// The refusal of a request by its quotas, or by what is denied for another reason.
fn refused(
    met: &[Met],
    said: Said<'_>,
    denied: &dyn Fn(&Met) -> Option<Reason>,
) -> Option<Decision> {
    let effect = |met: &Met| match (said.refuses(met.rule), denied(met)) {
        (true, _) => Effect::Refused,
        (false, Some(_)) => Effect::Denied,
        (false, None) => Effect::Passed,
    };
    if met.iter().all(|met| effect(met) == Effect::Passed) {
        return None;
    }
    let mut decision = Decision {
        quotas: Vec::new(),
        rules: met.iter().map(|met| met.outcome(effect(met))).collect(),
        refusal: None,
    };
    for met in met {
        decision.quotas.extend(said.shown(met.rule));
    }
    let other = met.iter().find_map(|met| {
        let rule = met.rule;
        denied(met).map(|reason| Refusal { rule, reason })
    });
    decision.refusal = decision.by_longest_wait().or(other);
    Some(decision)
}
