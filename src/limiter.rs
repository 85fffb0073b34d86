//! A worker's whole answer to a request: its plan's engine, the cache of refusals, and what is told.

use crate::decision::Decision;
use crate::engine::{Asked, Engine, Incidents, Met, Outcome};
use crate::facts::{Facts, Source};
use crate::global::parking::Question;
use crate::key;
use crate::local::store::{Founding, SharedData};
use crate::plan::{Global, Plan};
use crate::refusals::{Generation, Refusals, Refused};
use crate::reply::draft_11::Policies;
use crate::reply::headers::ResponseHeaders;
use crate::reply::{self, LocalReply};
use crate::units::Now;

/// A plan at work in one worker, from request to reply.
#[derive(Debug)]
pub struct Limiter {
    engine: Engine,
    policies: Policies,
    generation: Generation,
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Answer<'l> {
    /// It goes on; its response is to say this.
    Pass(Decision, Option<ResponseHeaders>),
    /// It is refused, under this plan.
    Refuse(&'l Plan, &'l Refused),
    /// It waits for what the rate limit service says of its global rules; nothing is charged.
    Park {
        /// Whether it is the first of a key in this proxy.
        cold: bool,
    },
}

/// A request that is answered: the rules that it meets, when, and who asks.
#[derive(Clone, Copy, Debug)]
pub struct Request<'m, G> {
    /// What [`Engine::select`] found.
    pub met: &'m [Met],
    /// When it came, or came back; `None` when no clock can be read, and then nothing can be counted.
    pub now: Option<Now>,
    /// Whether the caller speaks gRPC; asked only for a refusal.
    pub grpc: G,
}

impl Limiter {
    /// A plan at work, without a table yet.
    #[must_use]
    pub fn new(plan: Plan, generation: Generation) -> Self {
        Self {
            policies: Policies::new(&plan),
            engine: Engine::new(plan),
            generation,
        }
    }

    /// Puts the plan to work on the table that `founding` tells of.
    pub fn join(&mut self, founding: &Founding) {
        self.engine.join(founding);
    }

    /// What selects and decides.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The plan.
    #[must_use]
    pub const fn plan(&self) -> &Plan {
        self.engine.plan()
    }

    /// Answers a request. One that meets a global rule is parked, unless it would be refused whatever the service
    /// says.
    pub fn answer<'l>(
        &'l self,
        request: Request<'_, impl FnOnce() -> bool>,
        refusals: &'l mut Refusals,
        data: &mut impl SharedData,
        incidents: &mut Incidents,
    ) -> Answer<'l> {
        let Request { met, now, .. } = request;
        let generation = self.generation;
        if let Some(slot) = now.and_then(|now| refusals.find(generation, met, now.monotonic)) {
            let at = now.unwrap_or_default();
            let (grpc, plan) = ((request.grpc)(), self.engine.plan());
            let tell = |decision: &Decision| tell(plan, &self.policies, decision, at, grpc);
            let refused = refusals.repeat(slot, at.monotonic, grpc, tell);
            return Answer::Refuse(plan, refused);
        }
        self.decide(request, Asked::NOTHING, refusals, data, incidents)
    }

    /// Answers a request by what the rate limit service has been asked about it, and what it said.
    pub fn decide<'l>(
        &'l self,
        request: Request<'_, impl FnOnce() -> bool>,
        asked: Asked<'_>,
        refusals: &'l mut Refusals,
        data: &mut impl SharedData,
        incidents: &mut Incidents,
    ) -> Answer<'l> {
        let Request { met, now, grpc } = request;
        let outcome = match now {
            Some(now) => self.engine.decide(met, asked, now, data, incidents),
            None => Outcome::Decided(self.engine.decide_without_counters(met, asked)),
        };
        let decision = match outcome {
            Outcome::Decided(decision) => decision,
            Outcome::Park { cold } => return Answer::Park { cold },
        };
        // What this proxy's share refused, the service may admit as soon as it is back.
        let lasts = asked.may_wait && !incidents.unsettled;
        self.told(decision, now.unwrap_or_default(), lasts, refusals, grpc)
    }

    /// What the service is to be asked about a request that meets these rules.
    pub fn questions<S: Source>(&self, met: &[Met], facts: &mut Facts<'_, S>) -> Vec<Question> {
        let plan = self.plan();
        let mut questions = Vec::new();
        for met in met {
            let Some(rule) = plan.rules.get(met.rule) else {
                continue;
            };
            let (Some(global), Some(key)) = (&rule.global, met.fingerprint()) else {
                continue;
            };
            let Some(descriptor) = key::descriptor(rule, plan, facts) else {
                continue;
            };
            for (index, limit) in rule.limits.iter().enumerate() {
                let mut descriptor = descriptor.clone();
                if rule.limits.len() > 1 {
                    descriptor.push("limit", limit.name.as_bytes());
                }
                questions.push(Question {
                    rule: met.rule,
                    limit: index,
                    descriptor,
                    pot: match global {
                        Global::PerRequest(_) => None,
                        Global::Lease(leased) => leased.get(index).map(|leased| leased.pot(key)),
                    },
                });
            }
        }
        questions
    }

    /// Tells a decision. A refusal that `lasts` is not decided again before its time.
    fn told<'l>(
        &'l self,
        decision: Decision,
        at: Now,
        lasts: bool,
        refusals: &'l mut Refusals,
        grpc: impl FnOnce() -> bool,
    ) -> Answer<'l> {
        let (plan, policies) = (self.engine.plan(), &self.policies);
        if decision.refusal.is_none() {
            let shown = plan.response.shows_quotas();
            let headers = shown.then(|| ResponseHeaders::new(plan, policies, &decision, at));
            return Answer::Pass(decision, headers);
        }
        let reply = tell(plan, policies, &decision, at, grpc());
        let refused = Refused { decision, reply };
        let refused = match lasts {
            true => refusals.remember(self.generation, refused, at.monotonic),
            false => refusals.pass(refused),
        };
        Answer::Refuse(plan, refused)
    }
}

fn tell(plan: &Plan, policies: &Policies, decision: &Decision, at: Now, grpc: bool) -> LocalReply {
    let reply = reply::refusal(plan, policies, decision, at, grpc);
    reply.unwrap_or_else(LocalReply::unavailable)
}

#[cfg(test)]
mod tests;
