use super::*;
use crate::config;
use crate::decision::{Effect, Quota, Reason};
use crate::facts::given::Given;
use crate::local::store::Dialect;
use crate::local::store::memory::Memory;
use crate::units::{Instant, Nanos, Wait};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

mod leases;

struct World {
    limiter: Limiter,
    refusals: Refusals,
    data: Memory,
    /// What happened beside the last decision.
    incidents: Incidents,
}

const NOW: Now = Now {
    monotonic: Instant(Nanos::SECOND.0),
    unix: crate::units::UnixTime(3_600 * Nanos::SECOND.0),
};

impl World {
    /// Two an hour here for each address, and a global rule of four an hour in two proxies.
    fn new(on_error: &str) -> Self {
        Self::with(&format!(
            r#"{{"limiter": {{"engine": "envoy_ratelimit", "cluster": "c", "proxies": 2,
                    "on_error": "{on_error}"}},
                "rules": [
                    {{"name": "here", "key": ["client_ip"], "limits": [{{"requests": 2, "per": "1h"}}]}},
                    {{"name": "all", "global": {{"mode": "per_request"}},
                        "limits": [{{"requests": 4, "per": "1h"}}]}}]}}"#
        ))
    }

    fn with(plan: &str) -> Self {
        let plan = config::load(plan.as_bytes(), &|_| None).unwrap();
        let mut data = Memory::new(Dialect::ZeroOverwrites);
        let mut refusals = Refusals::default();
        let mut limiter = Limiter::new(plan, refusals.next_generation());
        limiter.join(&Founding::join(&mut data, [1; 16]).unwrap());
        let incidents = Incidents::default();
        Self {
            limiter,
            refusals,
            data,
            incidents,
        }
    }

    fn met(&self, peer: &'static str) -> Vec<Met> {
        let mut met = Vec::new();
        let mut request = Given::from(peer);
        let engine = self.limiter.engine();
        engine.select(&mut Facts::new(&mut request), &mut met, |_| ());
        met
    }

    /// What becomes of a request: its decision, or `None` when it is parked.
    fn ask(&mut self, peer: &'static str) -> Option<Decision> {
        let met = self.met(peer);
        let (met, now, grpc) = (&met[..], Some(NOW), || false);
        let request = Request { met, now, grpc };
        self.incidents = Incidents::default();
        let answer = self.limiter.answer(
            request,
            &mut self.refusals,
            &mut self.data,
            &mut self.incidents,
        );
        decision(&answer)
    }

    /// What becomes of it when it has waited.
    fn resume(&mut self, peer: &'static str, asked: Asked<'_>) -> Decision {
        let met = self.met(peer);
        let (met, now, grpc) = (&met[..], Some(NOW), || false);
        let request = Request { met, now, grpc };
        self.incidents = Incidents::default();
        let (data, incidents) = (&mut self.data, &mut self.incidents);
        let answer = self
            .limiter
            .decide(request, asked, &mut self.refusals, data, incidents);
        decision(&answer).unwrap()
    }
}

fn decision(answer: &Answer<'_>) -> Option<Decision> {
    match answer {
        Answer::Pass(decision, _) => Some(decision.clone()),
        Answer::Refuse(_, refused) => Some(refused.decision.clone()),
        Answer::Park { .. } => None,
    }
}

fn effects(decision: &Decision) -> [Effect; 2] {
    [decision.rules[0].effect, decision.rules[1].effect]
}

/// The service has spoken.
fn telling(quotas: &[Quota]) -> Asked<'_> {
    Asked {
        told: Some(quotas),
        ..Asked::NOTHING
    }
}

/// What the service says of the global rule.
fn told(remaining: u32, granted: bool) -> [Quota; 1] {
    let wait = Wait::After(Nanos(60 * Nanos::SECOND.0));
    [Quota {
        rule: 1,
        limit: 0,
        remaining,
        reset: Nanos(60 * Nanos::SECOND.0),
        violated: (!granted).then_some(wait),
        counted: None,
    }]
}

#[test]
fn nothing_is_charged_before_a_request_has_waited() {
    let mut world = World::new("deny");
    for _ in 0..5 {
        assert_eq!(world.ask("192.0.2.1"), None);
    }
    let granted = told(3, true);
    for remaining in [1, 0] {
        let decision = world.resume("192.0.2.1", telling(&granted));
        assert_eq!(decision.refusal, None);
        assert_eq!(effects(&decision), [Effect::Charged; 2]);
        let quotas = decision.quotas.iter().map(|quota| quota.remaining);
        assert!(quotas.eq([remaining, 3]));
    }
    // Two have been charged here: a third is refused, though the service had granted it.
    let decision = world.resume("192.0.2.1", telling(&granted));
    assert_eq!(effects(&decision), [Effect::Refused, Effect::Passed]);
    // From now on it does not wait.
    assert!(world.ask("192.0.2.1").unwrap().refusal.is_some());
    assert_eq!(world.ask("192.0.2.2"), None);
}

#[test]
fn whom_the_service_refuses_is_charged_nothing_and_asked_for_no_more() {
    let mut world = World::new("deny");
    let decision = world.resume("192.0.2.1", telling(&told(0, false)));
    let reason = decision.refusal.unwrap().reason;
    let wait = Wait::After(Nanos(60 * Nanos::SECOND.0));
    assert_eq!(reason, Reason::Limited { limit: 0, wait });
    assert_eq!(effects(&decision), [Effect::Passed, Effect::Refused]);
    assert_eq!(world.ask("192.0.2.1").unwrap().refusal, decision.refusal);
    let granted = told(3, true);
    for _ in 0..2 {
        let decision = world.resume("192.0.2.1", telling(&granted));
        assert_eq!(effects(&decision), [Effect::Charged; 2]);
    }
}

#[test]
fn a_service_that_does_not_say_leaves_it_to_on_error() {
    let mut world = World::new("deny");
    let decision = world.resume("192.0.2.1", Asked::FAILED);
    assert_eq!(effects(&decision), [Effect::Passed, Effect::Denied]);
    assert_eq!(decision.refusal.unwrap().reason, Reason::Unavailable);
    // It is asked again.
    assert_eq!(world.ask("192.0.2.1"), None);

    let mut world = World::new("allow");
    let decision = world.resume("192.0.2.1", Asked::FAILED);
    assert_eq!(decision.refusal, None);
    assert_eq!(effects(&decision), [Effect::Charged, Effect::Uncharged]);

    // Half of four, whoever asks.
    let mut world = World::new("local");
    for peer in ["192.0.2.1", "192.0.2.2"] {
        let decision = world.resume(peer, Asked::FAILED);
        assert_eq!(effects(&decision), [Effect::Charged; 2]);
    }
    let decision = world.resume("192.0.2.3", Asked::FAILED);
    assert_eq!(effects(&decision), [Effect::Passed, Effect::Refused]);
    // The service is asked again all the same.
    assert_eq!(world.ask("192.0.2.3"), None);
}

#[test]
fn a_service_without_such_a_limit_admits_and_says_nothing() {
    let mut world = World::new("deny");
    let decision = world.resume("192.0.2.1", telling(&[]));
    assert_eq!(effects(&decision), [Effect::Charged, Effect::Uncharged]);
    assert_eq!(decision.quotas.len(), 1);
}

#[test]
fn each_limit_of_a_global_rule_is_a_question_of_its_own() {
    let plan = r#"{"limiter": {"engine": "envoy_ratelimit", "cluster": "c", "proxies": 2},
        "rules": [{"name": "a", "limits": [{"requests": 1, "per": "1s"}]},
            {"name": "b", "key": ["client_ip", {"constant": "v", "as": "k"}],
                "global": {"mode": "lease"}, "limits": [
                {"requests": 1, "per": "1s", "name": "s"}, {"requests": 9, "per": "1m", "name": "m"}]},
            {"name": "c", "global": {"mode": "per_request"}, "limits": [{"requests": 1, "per": "1s"}]}]}"#;
    let plan = config::load(plan.as_bytes(), &|_| None).unwrap();
    let mut refusals = Refusals::default();
    let mut limiter = Limiter::new(plan, refusals.next_generation());
    let mut data = Memory::new(Dialect::ZeroOverwrites);
    limiter.join(&Founding::join(&mut data, [1; 16]).unwrap());
    let mut met = Vec::new();
    let mut request = Given::from("192.0.2.1:80");
    let mut facts = Facts::new(&mut request);
    limiter.engine().select(&mut facts, &mut met, |_| ());
    let questions = limiter.questions(&met, &mut facts);
    let asked: Vec<_> = questions
        .iter()
        .map(|question| {
            let entries = question.descriptor.entries();
            let text: Vec<String> = entries
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            (question.rule, question.limit, text.join(" "))
        })
        .collect();
    let pots: Vec<_> = questions.iter().map(|question| question.pot).collect();
    assert!(pots[0].is_some() && pots[1].is_some() && pots[0] != pots[1]);
    assert_eq!(pots[2], None);
    assert_eq!(
        asked,
        [
            (1, 0, "remote_address=192.0.2.1 k=v limit=s".to_owned()),
            (1, 1, "remote_address=192.0.2.1 k=v limit=m".to_owned()),
            (2, 0, "generic_key=c".to_owned()),
        ]
    );
}
