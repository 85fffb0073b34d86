//! What Weir costs in a real Envoy: instructions a request, memory under a flood of keys, and a quota that is shared.
//!
//! `make bench` runs everything, about fifteen minutes; `cargo bench -- NAME…` only what has one of the names in
//! its own, and the request without a filter, to which everything is compared. It fails when a figure is over
//! its bound, or when what was measured is not what the row says. The bounds of instructions hold what is there;
//! beside them stands what each case aims at, and `met` where it is there.
//!
//! # Instructions
//!
//! Callgrind counts every instruction of the whole process, the module's compiled code included. The newest
//! Envoy with one worker answers 1,500 requests to warm up, then n and then 3n, each count taken apart. The
//! difference over 2n is the figure: starting, connecting and ticking cancel out. Instructions are not time,
//! but unlike time they are the same on a busy machine: two runs differ by less than 1 % of a request.
//!
//! Every case sends the same request, `GET /v1/loans` over HTTP/1.1 kept alive, to a route that answers by
//! itself. Then statistics and one more answer must show what the row claims: every request counted as admitted
//! or as refused, no compare-and-swap tried twice, exactly the headers that were configured.
//!
//! # Flood
//!
//! A million requests, each with a key of its own, against a table of 65,536 slots, with the resident memory
//! of the process read on the way. The same number of requests without the filter, and with a single key,
//! shows what grows for reasons of Envoy's own.
//!
//! # Quota
//!
//! One quota of envoyproxy/ratelimit with Redis, kept by Envoy's own filter, which asks it about each request,
//! and by leases; beside them no filter, and a local limit. Requests go to an upstream, another Envoy: the own
//! filter asks about no others. Instructions are counted as above. Latency is measured on one connection and
//! requests a second on four, on whatever else the machine does: only what the contenders have to each other is
//! asked, and the 99th percentile is printed with what it differs by between two equal runs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::disallowed_methods,
    reason = "a bench fails by panicking and measures real time"
)]

mod bootstrap;
mod callgrind;
mod cases;
mod crowd;
mod flood;
mod load;
mod neighbours;
mod quota;
mod table;
mod verdict;

// The tests of the module in Envoy start it in the same way; a bench needs only some of what they can do.
#[path = "../../tests/envoy/client.rs"]
#[allow(dead_code, reason = "shared with the tests")]
mod client;
#[path = "../../tests/envoy/document.rs"]
#[allow(dead_code, reason = "shared with the tests")]
mod document;
#[path = "../../tests/envoy/process.rs"]
#[allow(dead_code, reason = "shared with the tests")]
mod process;
#[path = "../../tests/envoy/proxy.rs"]
#[allow(dead_code, reason = "shared with the tests")]
mod proxy;
#[path = "../../tests/envoy/service.rs"]
#[allow(dead_code, reason = "shared with the tests")]
mod service;

use std::env;
use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // Cargo itself passes `--bench`.
    let names: Vec<String> = env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let asked =
        |name: &str| names.is_empty() || names.iter().any(|part| name.contains(part.as_str()));
    let known = || {
        cases::all()
            .into_iter()
            .map(|case| case.name)
            .chain([flood::NAME, quota::NAME])
    };
    if !known().any(asked) {
        eprintln!(
            "nothing is called {}; there are {}",
            names.join(" or "),
            known().collect::<Vec<_>>().join(", ")
        );
        return ExitCode::FAILURE;
    }
    let mut exceeded = Vec::new();
    let mut cases = cases::all();
    cases.retain(|case| asked(case.name));
    if !cases.is_empty() {
        exceeded.extend(callgrind::compare(cases).await);
    }
    if asked(flood::NAME) {
        exceeded.extend(flood::run().await);
    }
    if asked(quota::NAME) {
        exceeded.extend(quota::run().await);
    }
    for line in &exceeded {
        eprintln!("over its bound: {line}");
    }
    if exceeded.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
