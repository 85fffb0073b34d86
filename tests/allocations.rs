//! Allocations of the core on the hot path, pinned: each is some hundred instructions for every request.
//!
//! Blocks that the host fills (headers, properties, values of the shared data) are not counted here:
//! `tests/artifact` counts those at the module's boundary.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where it is surprised"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::HashMap;

use weir::config;
use weir::engine::{Incidents, Met};
use weir::facts::{Facts, Source, Unreadable};
use weir::global::lease::debit::{Answer, Filled};
use weir::global::lease::pot::{Next, Pot, Waiting, Way};
use weir::global::lease::pots::Stats;
use weir::global::lease::span::Ends;
use weir::limiter::{self, Limiter};
use weir::local::store::{Fault, Founding, SharedData, Swap};
use weir::plan::Global;
use weir::refusals::Refusals;
use weir::units::{Instant, Nanos, Now, Numbers, UnixTime};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe { System.dealloc(block, layout) }
    }
}

/// Allocations of `act`, and what it returned.
fn counted<T>(act: impl FnOnce() -> T) -> (usize, T) {
    let before = ALLOCATIONS.get();
    let result = act();
    (ALLOCATIONS.get() - before, result)
}

/// Runs `act` as the host would: on its own account.
fn uncounted<T>(act: impl FnOnce() -> T) -> T {
    let before = ALLOCATIONS.get();
    let result = act();
    ALLOCATIONS.set(before);
    result
}

/// The proxy's shared data, in Envoy's dialect.
#[derive(Default)]
struct Shared {
    values: HashMap<Vec<u8>, (Vec<u8>, u32)>,
    cas: u32,
}

impl SharedData for Shared {
    fn get(&mut self, key: &[u8]) -> Result<Option<(Vec<u8>, u32)>, Fault> {
        Ok(uncounted(|| self.values.get(key).cloned()))
    }

    fn set(&mut self, key: &[u8], value: &[u8], cas: u32) -> Result<Swap, Fault> {
        if self
            .values
            .get(key)
            .is_some_and(|(_, held)| cas != 0 && *held != cas)
        {
            return Ok(Swap::Lost);
        }
        self.cas += 1;
        uncounted(|| self.values.insert(key.to_vec(), (value.to_vec(), self.cas)));
        Ok(Swap::Done)
    }
}

/// A request as the host holds it.
struct Request {
    headers: Vec<(&'static str, &'static str)>,
    peer: &'static str,
}

impl Source for Request {
    fn headers(&mut self) -> Result<Vec<u8>, Unreadable> {
        Ok(uncounted(|| serialise(&self.headers)))
    }

    fn header(&mut self, name: &str) -> Result<Option<Vec<u8>>, Unreadable> {
        let found = self.headers.iter().find(|(held, _)| *held == name);
        Ok(found.map(|(_, value)| uncounted(|| value.as_bytes().to_vec())))
    }

    fn peer(&mut self) -> Result<Option<Vec<u8>>, Unreadable> {
        Ok(Some(uncounted(|| self.peer.as_bytes().to_vec())))
    }

    fn route(&mut self) -> Result<Option<Vec<u8>>, Unreadable> {
        Ok(None)
    }
}

fn serialise(headers: &[(&str, &str)]) -> Vec<u8> {
    let length = |text: &str| u32::try_from(text.len()).unwrap().to_le_bytes();
    let mut out = u32::try_from(headers.len()).unwrap().to_le_bytes().to_vec();
    for (name, value) in headers {
        out.extend([length(name), length(value)].concat());
    }
    for part in headers.iter().flat_map(|(name, value)| [name, value]) {
        out.extend(part.as_bytes());
        out.push(0);
    }
    out
}

fn request() -> Request {
    let headers = vec![
        (":authority", "shop.example.com"),
        (":path", "/api/users?page=2"),
        (":method", "GET"),
        (":scheme", "https"),
        ("user-agent", "curl/8.9.1"),
        ("accept", "*/*"),
        ("x-tenant", "acme"),
        ("x-forwarded-for", "203.0.113.7, 10.1.2.3"),
    ];
    Request {
        headers,
        peer: "203.0.113.7:49152",
    }
}

const NOW: Now = Now {
    monotonic: Instant(3_600_000_000_000),
    unix: UnixTime(1_767_268_800_000_000_000),
};

/// One worker with one configuration.
struct Worker {
    limiter: Limiter,
    refusals: Refusals,
    shared: Shared,
    /// Kept between requests, as the host edge does.
    met: Vec<Met>,
}

/// What one request cost.
#[derive(Debug, PartialEq, Eq)]
struct Allocations {
    select: usize,
    /// The decision and what is told of it: headers of the response, or the whole refusal.
    answer: usize,
    /// What is done to the headers of the response.
    show: usize,
}

impl Worker {
    fn new(configuration: &str) -> Self {
        let plan = config::load(configuration.as_bytes(), &|_| None).unwrap();
        let mut shared = Shared::default();
        let mut refusals = Refusals::default();
        let mut limiter = Limiter::new(plan, refusals.next_generation());
        limiter.join(&Founding::join(&mut shared, [7; 16]).unwrap());
        Self {
            limiter,
            refusals,
            shared,
            met: Vec::new(),
        }
    }

    /// One request, and whether it was admitted.
    fn exchange(&mut self) -> (Allocations, bool) {
        let mut source = uncounted(request);
        let mut facts = Facts::new(&mut source);
        let mut met = std::mem::take(&mut self.met);
        let engine = self.limiter.engine();
        let (select, unreadable) = counted(|| engine.select(&mut facts, &mut met, |_| ()));
        assert_eq!(unreadable, None);
        let mut incidents = Incidents::default();
        let (limiter, shared) = (&self.limiter, &mut self.shared);
        let refusals = &mut self.refusals;
        let (answer, headers) = counted(|| {
            if met.is_empty() {
                return Ok(None);
            }
            let grpc = || facts.is_grpc();
            let (met, now) = (&met[..], Some(NOW));
            let request = limiter::Request { met, now, grpc };
            match limiter.answer(request, refusals, shared, &mut incidents) {
                limiter::Answer::Pass(_, headers) => Ok(headers),
                limiter::Answer::Refuse(..) | limiter::Answer::Park { .. } => Err(()),
            }
        });
        self.met = met;
        let admitted = headers.is_ok();
        let headers = headers.ok().flatten();
        let (show, ()) = counted(|| {
            if let Some(headers) = headers {
                headers.changes(None).for_each(drop);
            }
        });
        let allocations = Allocations {
            select,
            answer,
            show,
        };
        (allocations, admitted)
    }

    /// Puts into the pot of the client a lease that no test spends.
    fn lease(&mut self) {
        let engine = self.limiter.engine();
        let mut source = request();
        let (mut facts, mut met) = (Facts::new(&mut source), Vec::new());
        assert_eq!(engine.select(&mut facts, &mut met, |_| ()), None);
        let Some(Global::Lease(leased)) = &engine.plan().rules[0].global else {
            panic!("no rule whose limits are leased");
        };
        let share = leased[0].share;
        let pot = leased[0].pot(met[0].fingerprint().unwrap());
        let (waiting, way) = (
            Waiting {
                all: 1_000,
                first: 1,
                asked: 0,
                ahead: false,
            },
            Way {
                rtt: Nanos::MILLISECOND,
                timeout: Nanos::SECOND,
            },
        );
        let now = NOW.monotonic;
        let answer = Answer {
            granted: true,
            remaining: Some(1_000_000),
            ends: Ends {
                earliest: now.plus(Nanos::SECOND),
                latest: now.plus(Nanos::SECOND),
            },
            burns: true,
            shadows: true,
            counted: Numbers {
                requests: share.limit,
                per: share.period,
            },
        };
        let fill = |pot: &mut Pot| {
            let Next::Debit(debit) = pot.next(&share, NOW, waiting, way) else {
                panic!("nothing to debit");
            };
            pot.fill(&share, &debit, &answer, now)
        };
        let (pots, shared) = (engine.pots().unwrap(), &mut self.shared);
        let filled = pots.change(shared, pot, now, &mut Stats::default(), fill);
        assert_eq!(filled, Ok(Some(Filled::default())));
    }

    /// The third request: its counters exist.
    fn hot(configuration: &str) -> Allocations {
        let mut worker = Self::new(configuration);
        assert!(worker.exchange().1);
        assert!(worker.exchange().1);
        worker.exchange().0
    }
}

const PER_CLIENT: &str = r#"{"rules": [{"name": "per-client", "key": ["client_ip"],
    "limits": [{"requests": 20, "per": "1s", "burst": 40}]}], "response": {"headers": []}}"#;

const LEASED: &str = r#"{"limiter": {"engine": "envoy_ratelimit", "cluster": "ratelimit", "proxies": 2},
    "rules": [{"name": "per-client", "key": ["client_ip"], "global": {},
    "limits": [{"requests": 1000000, "per": "1m"}]}], "response": {"headers": []}}"#;

const ONE_AN_HOUR: &str = r#"{"rules": [{"name": "per-client", "key": ["client_ip"],
    "limits": [{"requests": 1, "per": "1h"}]}],
    "response": {"headers": ["x-ratelimit", "ietf-draft-11"]}}"#;

#[track_caller]
fn assert_allocations(found: &Allocations, select: usize, answer: usize, show: usize) {
    let pinned = Allocations {
        select,
        answer,
        show,
    };
    assert_eq!(*found, pinned);
}

#[test]
fn admit() {
    assert_allocations(&Worker::hot(PER_CLIENT), 0, 3, 0);
}

#[test]
fn admit_of_a_lease() {
    let mut worker = Worker::new(LEASED);
    worker.lease();
    assert!(worker.exchange().1);
    assert_allocations(&worker.exchange().0, 0, 2, 0);
}

#[test]
fn admit_with_headers() {
    let with = |headers: &str| Worker::hot(&PER_CLIENT.replace("[]", headers));
    assert_allocations(&with(r#"["x-ratelimit"]"#), 0, 4, 3);
    assert_allocations(&with(r#"["ietf-draft-11"]"#), 0, 6, 0);
    assert_allocations(&with(r#"["x-ratelimit", "ietf-draft-11"]"#), 0, 6, 3);
}

#[test]
fn refused() {
    let mut worker = Worker::new(ONE_AN_HOUR);
    assert!(worker.exchange().1);
    let (from_store, admitted) = worker.exchange();
    assert!(!admitted);
    assert_allocations(&from_store, 0, 14, 0);
    let (from_cache, _) = worker.exchange();
    assert_allocations(&from_cache, 0, 0, 0);
}

#[test]
fn no_rule_matches() {
    let configuration = PER_CLIENT.replace(
        r#""key""#,
        r#""match": {"path": {"prefix": "/shop"}, "methods": ["POST"]}, "key""#,
    );
    assert_allocations(&Worker::hot(&configuration), 0, 0, 0);
}

#[test]
fn a_key_from_a_header() {
    let configuration = PER_CLIENT.replace(r#""client_ip""#, r#"{"header": "x-tenant"}"#);
    assert_allocations(&Worker::hot(&configuration), 0, 3, 0);
}

#[test]
fn matched_by_path_with_an_address_from_x_forwarded_for() {
    let configuration = r#"{"client_ip": {"from": "x-forwarded-for", "trusted_proxies": ["10.0.0.0/8"]},
        "rules": [{"name": "per-client", "key": ["client_ip"],
        "match": {"path": {"prefix": "/api"}, "methods": ["GET"]},
        "limits": [{"requests": 20, "per": "1s", "burst": 40}]}], "response": {"headers": []}}"#;
    assert_allocations(&Worker::hot(configuration), 2, 3, 0);
}

#[test]
fn two_rules() {
    let configuration = PER_CLIENT.replace(
        r#"{"rules": ["#,
        r#"{"rules": [{"name": "all", "limits": [{"requests": 100, "per": "1m"}]}, "#,
    );
    assert_allocations(&Worker::hot(&configuration), 0, 5, 0);
}
