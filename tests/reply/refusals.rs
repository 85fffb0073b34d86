//! Whole refusals: the problem document, the times in it, the log line.

use proptest::prelude::*;
use serde_json::Value;
use weir::decision::Reason;
use weir::log::refusal_line;
use weir::plan::Reset;
use weir::reply::draft_11::Policies;
use weir::reply::{LocalReply, refusal};
use weir::units::Wait;

use crate::world::{self, Case};

fn reply(case: &Case, grpc: bool) -> LocalReply {
    let policies = Policies::new(&case.plan);
    refusal(&case.plan, &policies, &case.decision, case.now, grpc).unwrap()
}

fn strings(value: &Value) -> Vec<&str> {
    let items = value.as_array().unwrap().iter();
    items.map(|item| item.as_str().unwrap()).collect()
}

proptest! {
    #[test]
    fn a_problem_document_names_every_violated_policy(case in world::refused()) {
        let reply = reply(&case, false);
        let document: Value = serde_json::from_slice(&reply.body).unwrap();
        prop_assert_eq!(&document["status"], reply.status);
        for member in ["type", "title", "detail"] {
            prop_assert!(document[member].is_string());
        }
        let refusal = case.decision.refusal.unwrap();
        let rule = &case.plan.rules[refusal.rule].name;
        prop_assert!(document["detail"].as_str().unwrap().contains(&**rule));
        match refusal.reason {
            Reason::MissingKey => prop_assert!(document.get("violated-policies").is_none()),
            _ => prop_assert_eq!(strings(&document["violated-policies"]), case.violated()),
        }
    }

    #[test]
    fn retry_after_is_true_to_the_second(case in world::limited()) {
        let fields = world::fields(&reply(&case, false));
        let Some(Reason::Limited { wait, .. }) = case.decision.refusal.map(|it| it.reason) else {
            panic!("limited")
        };
        let told = |name: &str| fields.get(name).map(|value| value.parse::<u64>().unwrap());
        let Wait::After(wait) = wait else {
            prop_assert_eq!((told("retry-after"), told("x-ratelimit-reset")), (None, None));
            return Ok(());
        };
        const SECOND: u64 = 1_000_000_000;
        let seconds = told("retry-after").unwrap();
        prop_assert!(seconds >= 1 && (seconds - 1) * SECOND < wait.0 && wait.0 <= seconds * SECOND);
        let reset = match case.plan.response.reset {
            Reset::Seconds => seconds,
            Reset::Epoch => (u128::from(case.now.unix.0) + u128::from(wait.0))
                .div_ceil(SECOND.into())
                .try_into()
                .unwrap(),
        };
        prop_assert_eq!(told("x-ratelimit-reset"), Some(reset));
    }

    #[test]
    fn a_grpc_message_is_one_plain_line(case in world::refused()) {
        let reply = reply(&case, true);
        prop_assert!(reply.grpc_status.is_some());
        prop_assert!(!world::fields(&reply).contains_key("content-type"));
        prop_assert!(reply.body.iter().all(|byte| matches!(byte, b' '..=b'~')));
    }

    #[test]
    fn a_log_line_is_one_bounded_object(case in world::refused(), key in ".{0,300}") {
        let line = refusal_line(&case.plan, &case.decision, Some(&key), 7);
        let line = line.unwrap().to_string();
        prop_assert!(line.len() < 1_200 && !line.contains(['\n', '\r']));
        let line: Value = serde_json::from_str(&line).unwrap();
        let shown = line["key"].as_str().unwrap();
        prop_assert!(key == shown || key.starts_with(shown.strip_suffix('…').unwrap()));
    }
}
