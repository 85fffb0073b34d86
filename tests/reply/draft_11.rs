//! The fields of draft 11 as a parser of structured fields reads them, and how ours join an upstream's.

use proptest::prelude::*;
use sfv::{Item, List, ListEntry, Parser};
use weir::decision::Quota;
use weir::local::calendar::Span;
use weir::local::limit::Algorithm;
use weir::reply::draft_11::Policies;
use weir::reply::headers::{Change, ResponseHeaders};
use weir::reply::refusal;
use weir::units::{Nanos, Wait};

use crate::world::{self, Case, Fields};

fn response_fields(case: &Case, upstream: Option<&str>) -> Fields {
    let policies = Policies::new(&case.plan);
    let headers = ResponseHeaders::new(&case.plan, &policies, &case.decision, case.now);
    let changes = headers.changes(upstream.map(str::as_bytes));
    changes
        .map(|change| match change {
            Change::Add(name, value) | Change::Replace(name, value) => {
                (name.to_owned(), String::from_utf8(value).unwrap())
            }
        })
        .collect()
}

fn members(field: &str) -> Vec<Item> {
    let list: List = Parser::new(field).parse().unwrap();
    let item = |entry| match entry {
        ListEntry::Item(item) => item,
        ListEntry::InnerList(_) => panic!("{field} holds a list within the list"),
    };
    list.into_iter().map(item).collect()
}

fn integer(item: &Item, name: &str) -> Option<u64> {
    let value = item.params.get(name)?.as_integer().unwrap();
    Some(u64::try_from(i64::from(value)).unwrap())
}

/// Whether both fields say exactly what the decision does.
fn check_fields(case: &Case, fields: &Fields) {
    let policies = members(&fields["ratelimit-policy"]);
    let limits = members(&fields["ratelimit"]);
    let quotas = &case.decision.quotas;
    assert_eq!((policies.len(), limits.len()), (quotas.len(), quotas.len()));
    for (quota, (policy, state)) in quotas.iter().zip(policies.iter().zip(&limits)) {
        let limit = case.limit(quota);
        for item in [policy, state] {
            assert_eq!(item.bare_item.as_string().unwrap().as_str(), &*limit.policy);
        }
        assert_eq!(integer(policy, "q"), Some(limit.capacity().into()));
        let window = match limit.algorithm {
            Algorithm::Window(window) if matches!(window.span, Span::Month { .. }) => None,
            _ => Some(limit.window().seconds_up()),
        };
        assert_eq!(integer(policy, "w"), window);
        assert_ne!(window, Some(0), "a window is not zero (§3.1.3)");
        assert_eq!(integer(state, "r"), Some(quota.remaining.into()));
        assert_eq!(integer(state, "t"), effective_window(quota));
    }
}

fn effective_window(quota: &Quota) -> Option<u64> {
    match quota.violated {
        None => Some(quota.reset.seconds_up()),
        Some(Wait::After(Nanos(wait))) => Some(wait.div_ceil(1_000_000_000)),
        Some(Wait::Never) => None,
    }
}

proptest! {
    #[test]
    fn an_admitted_response_says_what_was_decided(case in world::admitted()) {
        let fields = response_fields(&case, None);
        check_fields(&case, &fields);
        let least = case.decision.quotas.iter().map(|quota| quota.remaining).min();
        prop_assert_eq!(fields["x-ratelimit-remaining"].parse().ok(), least);
    }

    #[test]
    fn a_refusal_says_what_was_decided(case in world::refused()) {
        let policies = Policies::new(&case.plan);
        let reply = refusal(&case.plan, &policies, &case.decision, case.now, false).unwrap();
        check_fields(&case, &world::fields(&reply));
    }

    #[test]
    fn retry_after_is_not_before_an_effective_window_ends(case in world::limited()) {
        let policies = Policies::new(&case.plan);
        let reply = refusal(&case.plan, &policies, &case.decision, case.now, false).unwrap();
        let fields = world::fields(&reply);
        let violated = case.violated();
        let ends = members(&fields["ratelimit"])
            .iter()
            .filter(|item| violated.contains(&item.bare_item.as_string().unwrap().as_str()))
            .map(|item| integer(item, "t"))
            .collect::<Option<Vec<u64>>>();
        // One that never admits makes the whole refusal one for ever.
        let retry_after = fields.get("retry-after").map(|value| value.parse().unwrap());
        prop_assert_eq!(ends.and_then(|ends| ends.into_iter().max()), retry_after);
    }

    #[test]
    fn nothing_gets_looser(case in world::admitted(), upstream in "[0-9]{1,25}|[ -~]{0,8}") {
        let ours = response_fields(&case, Some(&upstream));
        let least: u32 = case.decision.quotas.iter().map(|quota| quota.remaining).min().unwrap();
        let digits = upstream.trim().bytes().all(|byte| byte.is_ascii_digit());
        let theirs = upstream.trim().parse::<u128>().ok().filter(|_| digits);
        let replaced = ours.contains_key("x-ratelimit-remaining");
        prop_assert_eq!(replaced, theirs.is_some_and(|theirs| theirs > least.into()));
        prop_assert_eq!(ours.len(), if replaced { 5 } else { 2 });
    }
}
