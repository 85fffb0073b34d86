//! The documents of `docs/migrating.md` that decide as another limiter does, replayed against its algorithm.

use std::fs;

use weir::local::limit::Limit;
use weir::plan::Plan;
use weir::units::{Instant, Nanos, Now, UnixTime};

use super::read;

/// A request of one client, at a millisecond.
type Admits<'a> = &'a mut dyn FnMut(u64) -> bool;

/// The plans of the documents below a heading of the page.
fn plans(heading: &str) -> Vec<Plan> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/migrating.md");
    let text = fs::read_to_string(page).unwrap();
    let section = text
        .split("\n## ")
        .find(|section| section.starts_with(heading));
    let blocks = section.unwrap().split("```json\n").skip(1);
    blocks
        .map(|block| read(block.split("```").next().unwrap().as_bytes()).unwrap())
        .collect()
}

/// Whether all limits admit a request at a millisecond; it is charged if they do.
fn weir(limits: &[Limit]) -> impl FnMut(u64) -> bool {
    let mut cells: Vec<_> = limits.iter().map(Limit::fresh).collect();
    move |millisecond| {
        let nanos = millisecond * Nanos::MILLISECOND.0;
        let now = Now {
            monotonic: Instant(nanos),
            unix: UnixTime(nanos),
        };
        let pairs = limits.iter().zip(&cells);
        let charged: Result<Vec<_>, _> = pairs
            .map(|(limit, cell)| limit.charge(*cell, now, 1))
            .collect();
        match charged {
            Ok(charged) => cells = charged,
            Err(_) => return false,
        }
        true
    }
}

/// nginx and lua-resty-limit-traffic: the excess over the rate, in thousandths of a request.
fn nginx(rate: u64, burst: u64) -> impl FnMut(u64) -> bool {
    let mut record: Option<(u64, u64)> = None;
    move |millisecond| {
        let excess = match record {
            None => 0,
            Some((excess, last)) => (excess + 1_000).saturating_sub(rate * (millisecond - last)),
        };
        let is_admitted = excess <= burst * 1_000;
        if is_admitted {
            record = Some((excess, millisecond));
        }
        is_admitted
    }
}

/// Envoy and Traefik: tokens that come back continuously, in parts of which a token has `period` (in milliseconds).
fn bucket(tokens: u64, period: u64, capacity: u64) -> impl FnMut(u64) -> bool {
    let (mut left, mut last) = (capacity * period, 0);
    move |millisecond| {
        left = (left + tokens * (millisecond - last)).min(capacity * period);
        last = millisecond;
        let is_admitted = left >= period;
        if is_admitted {
            left -= period;
        }
        is_admitted
    }
}

/// Kong: counters of windows of the clock, with a limit and a length in milliseconds each.
fn windows(limits: &[(u64, u64)]) -> impl FnMut(u64) -> bool {
    let mut counters: Vec<_> = limits.iter().map(|limit| (*limit, 0, 0)).collect();
    move |millisecond| {
        for ((_, length), window, count) in &mut counters {
            if *window != millisecond / *length {
                (*window, *count) = (millisecond / *length, 0);
            }
        }
        let is_admitted = counters.iter().all(|((limit, _), _, count)| count < limit);
        for (.., count) in &mut counters {
            *count += u64::from(is_admitted);
        }
        is_admitted
    }
}

/// Sends requests at once, at a pace and after pauses, about a third more than one `every` so many milliseconds, and
/// compares every decision.
fn agree(name: &str, other: Admits<'_>, plan: &Plan, every: u64) {
    let mut weir = weir(&plan.rules[0].limits);
    let (mut state, mut at, mut admitted) = (1_u64, 1_000_000, 0);
    for nth in 0..100_000 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let random = state >> 33;
        at += match random % 1_024 {
            0 => random % (every * 400),
            1..64 => random % (every * 10),
            64..512 => random % (every * 2),
            _ => 0,
        };
        let is_admitted = other(at);
        assert_eq!(weir(at), is_admitted, "{name}: request {nth} at {at} ms");
        admitted += u32::from(is_admitted);
    }
    let range = 1_000..99_000;
    assert!(range.contains(&admitted), "{name}: {admitted} of 100,000");
}

#[test]
fn translations_decide_as_what_they_translate() {
    let envoy = plans("Envoy: `local_ratelimit`");
    agree("Envoy", &mut bucket(50, 10_000, 100), &envoy[0], 200);
    agree(
        "Envoy, by address",
        &mut bucket(20, 1_000, 40),
        &envoy[1],
        50,
    );
    let kong = plans("Kong");
    agree(
        "Kong",
        &mut windows(&[(5, 1_000), (1_000, 3_600_000)]),
        &kong[0],
        200,
    );
    agree("nginx", &mut nginx(10, 20), &plans("nginx")[0], 100);
    agree(
        "Traefik",
        &mut bucket(100, 1_000, 50),
        &plans("Traefik")[0],
        10,
    );
    agree("APISIX", &mut nginx(10, 20), &plans("APISIX")[1], 100);
}

/// nginx's burst taken for Weir's would admit one less at once: the comparison sees that.
#[test]
fn a_burst_that_is_one_off_is_seen() {
    let plan = &plans("nginx")[0];
    let (mut weir, mut nginx) = (weir(&plan.rules[0].limits), nginx(10, 19));
    let at_once = |admits: Admits<'_>| (0..50).filter(|_| admits(1_000_000)).count();
    assert_eq!((at_once(&mut weir), at_once(&mut nginx)), (21, 20));
}
