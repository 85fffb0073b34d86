//! What a lease costs beside a local limit and beside Envoy's own filter, and what it may cost.

use std::time::Duration;

use crate::callgrind::Request;

/// What was measured of the contenders: without a filter, under a local limit, with leases, and with Envoy's own
/// filter.
pub struct Measured {
    pub names: [&'static str; 4],
    /// Instructions of a request in Envoy.
    pub instructions: [u64; 4],
    pub lease: Lease,
    /// On one connection.
    pub latency: [Latency; 4],
    /// Requests a second.
    pub rate: [u64; 4],
}

/// What the leases cost, in instructions.
///
/// Callgrind slows requests and not time. Leases are as large as what is spent in a time, so that they are small
/// there and calls many: what is counted is put together anew, with as many calls as there are at full speed.
#[derive(Clone, Copy, Debug)]
pub struct Lease {
    /// A request, without any call.
    pub request: f64,
    /// A call.
    pub call: f64,
    /// Calls for each request, at full speed.
    pub calls: f64,
}

impl Lease {
    /// Of requests with few calls and with many, and so many calls for each request.
    pub fn of(few: &Request, many: &Request, calls: f64) -> Self {
        let between = many.calls - few.calls;
        assert!(
            between > 0.02,
            "too busy a machine: {} and {} calls for each request",
            few.calls,
            many.calls
        );
        let [least, most] = [few, many].map(|request| request.instructions as f64);
        let call = (most - least) / between;
        Self {
            request: least - call * few.calls,
            call,
            calls,
        }
    }

    fn with_calls(&self) -> f64 {
        self.request + self.call * self.calls
    }
}

/// How long requests took, in microseconds.
#[derive(Clone, Copy, Debug)]
pub struct Latency {
    pub p50: f64,
    pub p99: f64,
    /// By how much the 99th percentiles of two equal runs differ.
    pub noise: f64,
}

impl Latency {
    /// Of two equal runs.
    pub fn of(mut runs: [Vec<Duration>; 2]) -> Self {
        let [one, other] = runs.each_mut().map(|run| percentile(run, 99));
        let mut all = runs.concat();
        Self {
            p50: percentile(&mut all, 50),
            p99: percentile(&mut all, 99),
            noise: (one - other).abs(),
        }
    }
}

fn percentile(times: &mut [Duration], percent: usize) -> f64 {
    times.sort_unstable();
    times[times.len() * percent / 100].as_secs_f64() * 1e6
}

/// The instructions that a leased request costs now. The bench fails when it counts 3 % more; who makes it cheaper
/// writes down the new figure.
const NOW: f64 = 45_300.0;

/// Something that is asked of a lease.
struct Asked {
    what: &'static str,
    is: f64,
    bound: Bound,
}

enum Bound {
    /// The bench fails above it.
    AtMost(f64),
    /// Where it has to get to from below. On a machine that client, upstream, service and store share, no filter at
    /// all may be short of it: the bench does not fail.
    AimsAt(f64),
}

impl Asked {
    fn is_met(&self) -> bool {
        match self.bound {
            Bound::AtMost(bound) => self.is <= bound,
            Bound::AimsAt(aim) => self.is >= aim,
        }
    }

    fn fails(&self) -> bool {
        matches!(self.bound, Bound::AtMost(_)) && !self.is_met()
    }

    fn bound(&self) -> String {
        match self.bound {
            Bound::AtMost(bound) => format!("at most {}", number(bound)),
            Bound::AimsAt(aim) => format!("aims at {}", number(aim)),
        }
    }
}

/// Prints what was measured, and beside what is asked what it is.
pub fn print(measured: &Measured) {
    let [bare, ..] = measured.instructions;
    let latencies =
        |part: fn(&Latency) -> f64| measured.latency.each_ref().map(|it| number(part(it)));
    let rows = [
        ("a quota of the service", measured.names.map(str::to_owned)),
        (
            "instructions a request",
            measured.instructions.map(|it| it.to_string()),
        ),
        (
            "of them the filter's",
            measured
                .instructions
                .map(|it| (it.saturating_sub(bare)).to_string()),
        ),
        ("p50 on one connection, us", latencies(|it| it.p50)),
        ("p99", latencies(|it| it.p99)),
        ("p99 of two equal runs, apart", latencies(|it| it.noise)),
        ("requests a second", measured.rate.map(|it| it.to_string())),
    ];
    for (what, [a, b, c, d]) in rows {
        println!("{what:<30} {a:>12} {b:>12} {c:>12} {d:>12}");
    }
    let Lease {
        request,
        call,
        calls,
    } = measured.lease;
    println!("{:<30} {:>38}", "less calls", number(request));
    println!("{:<30} {:>38}", "a call", number(call));
    println!(
        "{:<30} {:>38}",
        "requests a call, at full speed",
        number(1.0 / calls)
    );
    println!("\n{:<44} {:>12}  asked", "a lease", "is");
    for asked in asked(measured) {
        let (is, bound) = (number(asked.is), asked.bound());
        let verdict = if asked.is_met() { "met" } else { "missed" };
        println!("{:<44} {is:>12}  {bound} {verdict}", asked.what);
    }
}

/// One line for each bound that is exceeded.
pub fn exceeded(measured: &Measured) -> Vec<String> {
    let missed = asked(measured).into_iter().filter(Asked::fails);
    missed
        .map(|asked| {
            format!(
                "{}: {}, {} is asked",
                asked.what,
                number(asked.is),
                asked.bound()
            )
        })
        .collect()
}

/// What is asked.
fn asked(measured: &Measured) -> [Asked; 7] {
    let [bare, local, _, own] = measured.instructions.map(|count| count as f64);
    let leased = measured.lease.with_calls();
    let [fast, _, lease, slow] = measured.latency;
    let [free, _, lent, asking] = measured.rate.map(|rate| rate as f64);
    let noise = lease.noise.max(slow.noise);
    let at_most = Bound::AtMost;
    [
        (
            "as it was, instructions",
            leased - bare,
            at_most(NOW * 1.03),
        ),
        (
            "over a local limit, instructions",
            leased - local,
            at_most(5_000.0),
        ),
        (
            "of what Envoy's own adds, instructions",
            (leased - bare) / (own - bare),
            at_most(1.0 / 3.0),
        ),
        (
            "of what Envoy's own adds, p50",
            (lease.p50 - fast.p50) / (slow.p50 - fast.p50),
            at_most(0.2),
        ),
        (
            "p99, us: that of Envoy's own, and noise",
            lease.p99,
            at_most(slow.p99 + noise),
        ),
        (
            "times the requests a second of Envoy's own",
            lent / asking,
            Bound::AimsAt(3.0),
        ),
        ("and without a filter", free / asking, Bound::AimsAt(3.0)),
    ]
    .map(|(what, is, bound)| Asked { what, is, bound })
}

/// A ratio with two decimals, anything larger with none.
fn number(number: f64) -> String {
    if number.abs() < 10.0 {
        format!("{number:.2}")
    } else {
        format!("{number:.0}")
    }
}
