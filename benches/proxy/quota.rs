//! One quota that proxies share: Envoy's own filter asks the service about each request, a lease hardly ever.

use std::iter::zip;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::bootstrap::{self, DOMAIN, HTTP};
use crate::callgrind::{Counted, Request, expect_counts};
use crate::cases::{self, Filter};
use crate::crowd::Caller;
use crate::load::load;
use crate::neighbours::{self, Neighbours};
use crate::proxy::{self, Envoy};
use crate::verdict::{self, Latency, Lease, Measured};

/// How it is called on the command line.
pub const NAME: &str = "quota";

/// A day's quota that no load reaches, and how many proxies share it.
#[derive(Clone, Copy)]
struct Quota {
    requests: u32,
    proxies: u32,
}

/// Whose leases last as long as they may.
const AMPLE: Quota = Quota {
    requests: 1_000_000_000,
    proxies: 1,
};

/// Whose leases are twelve requests, a quarter of a proxy's part.
const IN_SIPS: Quota = Quota {
    requests: 480_000,
    proxies: 10_000,
};

/// How time is measured: each contender in turn, round after round, so that whatever else the machine does
/// befalls all of them.
const ROUNDS: usize = 6;

/// Of a round, on one connection: requests until the proxy and its lease are warm, and requests that are timed.
const WARM_UP: usize = 500;
const TIMED: usize = 3_000;

/// Of a round, on so many connections.
const CONNECTIONS: u32 = 4;
const LOAD: u64 = 6_000;

/// Measures all contenders, prints what they cost, and returns where a lease costs more than it may.
pub async fn run() -> Vec<String> {
    let neighbours = Neighbours::start(&limits(AMPLE)).await;
    let mut requests = Vec::new();
    for (name, filter) in contenders() {
        requests.push(count(&neighbours, name, &filter).await);
    }
    let in_sips = Neighbours::start(&limits(IN_SIPS)).await;
    let in_sips = count(&in_sips, "leased in sips", &leased(IN_SIPS)).await;

    let mut envoys = Vec::new();
    for (_, filter) in contenders() {
        let mut host = proxy::newest();
        host.workers = 2;
        envoys.push(
            host.start_static(&bootstrap::among(&neighbours, &filter))
                .await,
        );
    }
    let latency = time(&envoys);
    let before = neighbours::calls(&envoys[LEASED]).await;
    let rate = rate(&envoys);
    let calls = neighbours::calls(&envoys[LEASED]).await - before;
    let sent = ROUNDS as u64 * LOAD;
    let measured = Measured {
        names: contenders().map(|(name, _)| name),
        instructions: [0, 1, 2, 3].map(|index: usize| requests[index].instructions),
        lease: Lease::of(&requests[LEASED], &in_sips, calls as f64 / sent as f64),
        latency,
        rate,
    };
    verdict::print(&measured);
    verdict::exceeded(&measured)
}

/// Who is measured, in the order of [`Measured`].
fn contenders() -> [(&'static str, Filter); 4] {
    [
        ("no filter", Filter::Absent),
        ("local", Filter::Weir(local(AMPLE))),
        ("leased", leased(AMPLE)),
        ("Envoy's own", Filter::RateLimit),
    ]
}

/// Index of the leases among them.
const LEASED: usize = 2;

fn local(quota: Quota) -> serde_json::Value {
    let mut document = cases::per_address(&(quota.requests, "1d"), &[]);
    document["domain"] = json!(DOMAIN);
    document
}

fn leased(quota: Quota) -> Filter {
    let mut document = local(quota);
    // Under callgrind everything takes its time.
    document["limiter"] = json!({ "engine": "envoy_ratelimit", "cluster": HTTP, "proxies": quota.proxies,
        "timeout": "60s", "max_wait": "60s" });
    document["rules"][0]["global"] = json!({});
    Filter::Weir(document)
}

/// The same as the service has it.
fn limits(quota: Quota) -> String {
    let requests = quota.requests;
    format!(
        "{{domain: {DOMAIN}, descriptors: [
            {{key: remote_address, rate_limit: {{unit: day, requests_per_unit: {requests}}}}}
        ]}}"
    )
}

/// Instructions of a request in Envoy, and calls that it causes.
async fn count(neighbours: &Neighbours, name: &str, filter: &Filter) -> Request {
    eprintln!("counting {name}");
    let mut counted = Counted::start(&bootstrap::among(neighbours, filter)).await;
    let request = counted.request().await;
    expect_counts(name, filter, &counted.envoy, request.answers.total, 0).await;
    request
}

/// Latencies on one connection.
fn time(envoys: &[Envoy]) -> [Latency; 4] {
    let mut runs: [[Vec<Duration>; 2]; 4] = Default::default();
    for round in 0..ROUNDS {
        for (envoy, runs) in zip(envoys, &mut runs) {
            let mut caller = Caller::connect(envoy.address);
            let _cold: Duration = (0..WARM_UP).map(|_| caller.call()).sum();
            runs[round % 2].extend((0..TIMED).map(|_| caller.call()));
        }
    }
    runs.map(Latency::of)
}

/// Requests a second on several connections.
fn rate(envoys: &[Envoy]) -> [u64; 4] {
    let mut took = [Duration::ZERO; 4];
    for _ in 0..ROUNDS {
        for (envoy, took) in zip(envoys, &mut took) {
            let started = Instant::now();
            load(envoy.address, CONNECTIONS, LOAD);
            *took += started.elapsed();
        }
    }
    let sent = ROUNDS as u64 * LOAD;
    took.map(|took| sent * 1_000 / u64::try_from(took.as_millis()).unwrap().max(1))
}
