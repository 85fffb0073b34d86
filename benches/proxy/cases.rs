//! What is measured, what it costs now, and what it ought to.

use serde_json::{Value, json};

/// One row of the table.
pub struct Case {
    /// How it is called in the table and on the command line.
    pub name: &'static str,
    pub filter: Filter,
    pub outcome: Outcome,
    /// The headers about limits that an answer carries, of all of [`HEADERS`].
    pub headers: &'static [&'static str],
    /// The instructions that a request costs now over one without a filter. The bench fails when it counts
    /// noticeably more; who makes the module cheaper writes down the new figure.
    pub now: Option<u64>,
    /// The most that it ought to cost.
    pub aim: Option<u64>,
    /// Another case, which ought to cost more.
    pub below: Option<&'static str>,
}

/// What stands before the router.
pub enum Filter {
    Absent,
    /// Envoy's own filter with a descriptor for each address.
    LocalRateLimit,
    /// Envoy's own filter that asks a rate limit service about each request.
    RateLimit,
    /// The module with this document.
    Weir(Value),
}

/// What becomes of the requests.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// No rule counts them.
    Untouched,
    Admitted,
    /// All but the first.
    Refused,
}

/// The case that the others are compared to.
pub const BASELINE: &str = "no-filter";

/// The case that the last column divides by.
pub const NATIVE: &str = "local-ratelimit";

/// The name of the rule that counts.
pub const RULE: &str = "per-client";

/// Every header a limiter may add.
pub const HEADERS: [&str; 6] = [
    "ratelimit",
    "ratelimit-policy",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "retry-after",
];

/// All cases, in the order of the table.
pub fn all() -> Vec<Case> {
    vec![
        Case::new(BASELINE, Filter::Absent, Outcome::Untouched),
        Case::new(NATIVE, Filter::LocalRateLimit, Outcome::Admitted),
        Case::new(
            "disabled",
            Filter::Weir(json!({ "enabled": false, "rules": [] })),
            Outcome::Untouched,
        )
        .costs(12_000),
        Case::new("no-match", Filter::Weir(elsewhere()), Outcome::Untouched)
            .costs(27_300)
            .aims_at(27_000),
        Case::new(
            "admit",
            Filter::Weir(per_address(&AMPLE, &[])),
            Outcome::Admitted,
        )
        .costs(43_400)
        .aims_at(41_000),
        Case::new(
            "admit-xff-path-method",
            Filter::Weir(forwarded()),
            Outcome::Admitted,
        )
        .costs(46_300)
        .aims_at(43_000),
        Case::new(
            "admit-draft-11",
            Filter::Weir(per_address(&AMPLE, &["ietf-draft-11"])),
            Outcome::Admitted,
        )
        .with_headers(&HEADERS[..2])
        .costs(53_100)
        .aims_at(52_000),
        Case::new(
            "admit-x-ratelimit",
            Filter::Weir(per_address(&AMPLE, &["x-ratelimit"])),
            Outcome::Admitted,
        )
        .with_headers(&HEADERS[2..5])
        .costs(60_800),
        Case::new(
            "refuse-x-ratelimit",
            Filter::Weir(per_address(&SCARCE, &["x-ratelimit"])),
            Outcome::Refused,
        )
        .with_headers(&HEADERS[2..])
        .costs(51_000)
        .aims_at(43_000)
        .below("admit-x-ratelimit"),
        Case::new(
            "admit-draft-11-x-ratelimit",
            Filter::Weir(per_address(&AMPLE, &["ietf-draft-11", "x-ratelimit"])),
            Outcome::Admitted,
        )
        .with_headers(&HEADERS[..5])
        .costs(69_800)
        .aims_at(64_000),
    ]
}

impl Case {
    fn new(name: &'static str, filter: Filter, outcome: Outcome) -> Self {
        Self {
            name,
            filter,
            outcome,
            headers: &[],
            now: None,
            aim: None,
            below: None,
        }
    }

    fn with_headers(self, headers: &'static [&'static str]) -> Self {
        Self { headers, ..self }
    }

    fn costs(self, now: u64) -> Self {
        Self {
            now: Some(now),
            ..self
        }
    }

    fn aims_at(self, aim: u64) -> Self {
        Self {
            aim: Some(aim),
            ..self
        }
    }

    fn below(self, other: &'static str) -> Self {
        Self {
            below: Some(other),
            ..self
        }
    }
}

/// Requests and period of a limit that no load reaches.
const AMPLE: (u32, &str) = (1_000_000, "1s");

/// Requests and period of a limit that is spent with the first request.
const SCARCE: (u32, &str) = (1, "1h");

/// On a tick each worker looks through a part of the table. That belongs to no request, but callgrind slows
/// requests, not time: in a large table it would add hundreds of instructions to each.
const SMALLEST: u32 = 1_024;

/// One limit for each address, as the connection gives it.
pub fn per_address((requests, per): &(u32, &str), headers: &[&str]) -> Value {
    json!({
        "rules": [{ "name": RULE, "key": ["client_ip"], "limits": [{ "requests": requests, "per": per }] }],
        "response": { "headers": headers },
        "store": { "max_keys": SMALLEST },
    })
}

/// The same for some paths and methods, with the address from the header that Envoy appends it to.
fn forwarded() -> Value {
    let mut document = per_address(&AMPLE, &[]);
    document["client_ip"] = json!({ "from": "x-forwarded-for", "trusted_proxies": ["10.0.0.0/8"] });
    document["rules"][0]["match"] =
        json!({ "path": { "prefix": "/v1" }, "methods": ["GET", "HEAD"] });
    document
}

/// Rules for other paths, and for other methods on this one.
fn elsewhere() -> Value {
    let rule = |name: &str, path: &str, methods: [&str; 2]| {
        json!({
            "name": name,
            "match": { "path": { "prefix": path }, "methods": methods },
            "key": ["client_ip"],
            "limits": [{ "requests": 100, "per": "1s" }],
        })
    };
    json!({
        "rules": [
            rule(RULE, "/v2", ["GET", "HEAD"]),
            rule("write", "/v1", ["POST", "PUT"]),
            rule("account", "/account", ["GET", "POST"]),
        ],
        "store": { "max_keys": SMALLEST },
    })
}
