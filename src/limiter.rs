//! A worker's whole answer to a request: its plan's engine, its memory of refusals, and what is told.

use crate::decision::Decision;
use crate::engine::{Engine, Incidents, Met};
use crate::local::store::{Founding, SharedData};
use crate::plan::Plan;
use crate::refusals::{Refusals, Refused};
use crate::reply::draft_11::Policies;
use crate::reply::headers::ResponseHeaders;
use crate::reply::{self, LocalReply};
use crate::units::Now;

/// A plan at work in one worker, from request to reply.
#[derive(Debug)]
pub struct Limiter {
    engine: Engine,
    policies: Policies,
    refusals: Refusals,
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Answer<'l> {
    /// It goes on; its response is to say this.
    Pass(Decision, Option<ResponseHeaders>),
    /// It is refused, under this plan.
    Refuse(&'l Plan, &'l Refused),
}

impl Limiter {
    /// A plan at work, without a table yet.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        Self {
            policies: Policies::new(&plan),
            engine: Engine::new(plan),
            refusals: Refusals::default(),
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

    /// Answers a request that meets these rules. `now` is `None` when no clock can be read, and then nothing can
    /// be counted; `grpc` tells whether the caller speaks it, and is asked only for a refusal.
    pub fn answer(
        &mut self,
        met: &[Met],
        now: Option<Now>,
        data: &mut impl SharedData,
        incidents: &mut Incidents,
        grpc: impl FnOnce() -> bool,
    ) -> Answer<'_> {
        let at = now.unwrap_or_default();
        let (plan, policies) = (self.engine.plan(), &self.policies);
        let tell = |decision: &Decision, grpc| {
            let reply = reply::refusal(plan, policies, decision, at, grpc);
            reply.unwrap_or_else(LocalReply::unavailable)
        };
        if let Some(slot) = now.and_then(|now| self.refusals.find(met, now.monotonic)) {
            let grpc = grpc();
            let tell = |decision: &Decision| tell(decision, grpc);
            let refused = self.refusals.repeat(slot, at.monotonic, grpc, tell);
            return Answer::Refuse(plan, refused);
        }
        let decision = match now {
            Some(now) => self.engine.decide(met, now, data, incidents),
            None => self.engine.decide_without_counters(met),
        };
        if decision.refusal.is_none() {
            let shown = plan.response.shows_quotas();
            let headers = shown.then(|| ResponseHeaders::new(plan, policies, &decision, at));
            return Answer::Pass(decision, headers);
        }
        let reply = tell(&decision, grpc());
        let refused = Refused { decision, reply };
        Answer::Refuse(plan, self.refusals.remember(refused, at.monotonic))
    }
}
