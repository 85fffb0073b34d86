//! Instructions a request, counted by callgrind.

use std::fs;
use std::iter::zip;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::bootstrap;
use crate::cases::{self, Case, Filter, HEADERS, Outcome, RULE};
use crate::client::get;
use crate::load::{Answers, PATH, load, run};
use crate::neighbours;
use crate::proxy::{self, Envoy};
use crate::table::{self, Row};

/// Half the requests that a figure is divided by.
const N: u64 = 1_000;

/// V8 compiles and Envoy fills caches of its own before every request costs the same.
const WARM_UP: u64 = 1_500;

const CONNECTIONS: u32 = 4;

/// Measures the cases and the baseline, prints the table, and returns what is over its bound.
pub async fn compare(mut cases: Vec<Case>) -> Vec<String> {
    if !cases.iter().any(|case| case.name == cases::BASELINE) {
        cases.splice(
            0..0,
            cases::all()
                .into_iter()
                .filter(|case| case.name == cases::BASELINE),
        );
    }
    let mut rows = Vec::new();
    for case in cases {
        eprintln!("counting {}", case.name);
        let instructions = measure(&case).await;
        rows.push(Row { case, instructions });
    }
    table::print(&rows);
    table::exceeded(&rows)
}

/// Instructions of one request, all of Envoy included.
async fn measure(case: &Case) -> u64 {
    let mut counted = Counted::start(&bootstrap::with(&case.filter)).await;
    let request = counted.request().await;
    verify(case, &counted.envoy, request.answers).await;
    request.instructions
}

/// A proxy with one worker whose instructions are counted.
pub struct Counted {
    pub envoy: Envoy,
    counter: Counter,
    /// Where the counts are.
    _dir: TempDir,
}

impl Counted {
    pub async fn start(bootstrap: &str) -> Self {
        let dir = TempDir::new().unwrap();
        let counts = dir.path().join("counts");
        let mut host = proxy::newest().under([
            "valgrind".into(),
            "--tool=callgrind".into(),
            // V8 writes the code it runs.
            "--smc-check=all-non-file".into(),
            // Starting Envoy takes four times as long when it is counted.
            "--instr-atstart=no".into(),
            format!("--callgrind-out-file={}", counts.display()),
        ]);
        host.workers = 1;
        let envoy = host.start_static(bootstrap).await;
        let counter = Counter {
            process: envoy.process_id(),
            counts,
            dumps: 0,
        };
        counter.control(&["-i", "on"]);
        Self {
            envoy,
            counter,
            _dir: dir,
        }
    }

    /// Sends requests, and counts.
    pub async fn request(&mut self) -> Request {
        let mut answers = Answers::default();
        let mut counts = [(0, 0); 3];
        for (count, n) in zip(&mut counts, [WARM_UP, N, 3 * N]) {
            answers += load(self.envoy.address, CONNECTIONS, n);
            *count = (self.counter.dump(), neighbours::calls(&self.envoy).await);
        }
        let [(_, calls), (once, calls_once), (thrice, calls_thrice)] = counts;
        // Both counts of calls begin with the proxy.
        let once_calls = calls_once - calls;
        Request {
            instructions: (thrice - once) / (2 * N),
            calls: (calls_thrice - calls_once - once_calls) as f64 / (2 * N) as f64,
            answers,
        }
    }
}

/// What a request costs.
pub struct Request {
    pub instructions: u64,
    /// Of the rate limit service.
    pub calls: f64,
    /// What became of all that were sent to find out.
    pub answers: Answers,
}

/// The counters of a process that runs under callgrind.
struct Counter {
    process: u32,
    /// Path of the dumps, less their numbers.
    counts: PathBuf,
    dumps: u32,
}

impl Counter {
    /// Instructions since the last call.
    fn dump(&mut self) -> u64 {
        self.control(&["-d"]);
        self.dumps += 1;
        let dump = fs::read_to_string(self.counts.with_extension(self.dumps.to_string())).unwrap();
        let total = dump.lines().find_map(|line| line.strip_prefix("totals: "));
        total.expect("a dump ends with its total").parse().unwrap()
    }

    fn control(&self, arguments: &[&str]) {
        run(Command::new("callgrind_control")
            .args(arguments)
            .arg(self.process.to_string()));
    }
}

/// Fails when what was measured is not what the case says.
async fn verify(case: &Case, envoy: &Envoy, answers: Answers) {
    let Answers { total, .. } = answers;
    let refused = if case.outcome == Outcome::Refused {
        total - 1
    } else {
        0
    };
    assert_eq!(
        answers,
        Answers { total, refused },
        "{}: passed and refused",
        case.name
    );

    let admitted = if case.outcome == Outcome::Untouched {
        0
    } else {
        total - refused
    };
    expect_counts(case.name, &case.filter, envoy, admitted, refused).await;

    let answer = envoy.connect().await.send(get(PATH)).await;
    let present: Vec<_> = HEADERS
        .into_iter()
        .filter(|name| answer.header(name).is_some())
        .collect();
    assert_eq!(present, case.headers, "{}: headers", case.name);
    let problem = answer.header("content-type") == Some("application/problem+json");
    assert_eq!(
        problem,
        case.outcome == Outcome::Refused,
        "{}: body",
        case.name
    );
}

/// Waits until the filter has counted so many requests, each of them without a fault.
pub async fn expect_counts(
    case: &str,
    filter: &Filter,
    envoy: &Envoy,
    admitted: u64,
    refused: u64,
) {
    let counted = match filter {
        Filter::Absent => Vec::new(),
        Filter::LocalRateLimit => vec![("bench.http_local_rate_limit.ok".to_owned(), admitted)],
        Filter::RateLimit => vec![
            ("cluster.upstream.ratelimit.ok".to_owned(), admitted),
            ("cluster.upstream.ratelimit.error".to_owned(), 0),
        ],
        Filter::Weir(_) => {
            let rule = |counter: &str| format!("wasmcustom.weir.rule.{RULE}.{counter}");
            let none = [
                rule("errors"),
                rule("uncharged"),
                "wasmcustom.weir.store.retries".to_owned(),
                "wasmcustom.weir.limiter.errors".to_owned(),
            ];
            [(rule("allowed"), admitted), (rule("limited"), refused)]
                .into_iter()
                .chain(none.map(|name| (name, 0)))
                .collect()
        }
    };
    for (counter, expected) in counted {
        // Counters are handed over once a second.
        let what = format!("{case}: {counter} to be {expected}");
        proxy::until(&what, async || {
            (envoy.stat(&counter).await == expected).then_some(())
        })
        .await;
    }
}
