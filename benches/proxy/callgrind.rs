//! Instructions a request, counted by callgrind.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::bootstrap;
use crate::cases::{self, Case, Filter, HEADERS, Outcome, RULE};
use crate::client::get;
use crate::proxy::{self, Envoy};
use crate::table::{self, Row};

/// Half the requests that a figure is divided by.
const N: u64 = 1_000;

/// V8 compiles and Envoy fills caches of its own before every request costs the same.
const WARM_UP: u64 = 1_500;

const PATH: &str = "/v1/loans";

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
    let envoy = host.start_static(&bootstrap::with(&case.filter)).await;
    let mut counter = Counter {
        process: envoy.process_id(),
        counts,
        dumps: 0,
    };
    counter.control(&["-i", "on"]);

    let mut answers = load(&envoy, WARM_UP);
    counter.dump();
    answers += load(&envoy, N);
    let once = counter.dump();
    answers += load(&envoy, 3 * N);
    let thrice = counter.dump();

    verify(case, &envoy, answers).await;
    (thrice - once) / (2 * N)
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

/// How many requests were answered, and how many of them with a refusal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Answers {
    total: u64,
    refused: u64,
}

impl std::ops::AddAssign for Answers {
    fn add_assign(&mut self, other: Self) {
        self.total += other.total;
        self.refused += other.refused;
    }
}

/// Sends `n` requests over four connections.
fn load(envoy: &Envoy, n: u64) -> Answers {
    let url = format!("http://{}{PATH}", envoy.address);
    let report = run(Command::new("h2load").args(["--h1", "-c", "4", "-n", &n.to_string(), &url]));
    // `status codes: 1500 2xx, 0 3xx, 0 4xx, 0 5xx`
    let counts = report
        .lines()
        .find_map(|line| line.strip_prefix("status codes: "))
        .expect("h2load counts answers");
    let count = |class: &str| -> u64 {
        let counted = counts
            .split(", ")
            .find_map(|count| count.strip_suffix(class));
        counted
            .and_then(|count| count.trim().parse().ok())
            .expect("h2load counts every class")
    };
    let (passed, refused) = (count("2xx"), count("4xx"));
    assert_eq!(
        passed + refused,
        n,
        "not every request was answered: {report}"
    );
    Answers { total: n, refused }
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
    let counted = match case.filter {
        Filter::Absent => Vec::new(),
        Filter::LocalRateLimit => vec![("bench.http_local_rate_limit.ok".to_owned(), admitted)],
        Filter::Weir(_) => {
            let rule = |counter: &str| format!("wasmcustom.weir.rule.{RULE}.{counter}");
            let none = [
                rule("errors"),
                rule("uncharged"),
                "wasmcustom.weir.store.retries".to_owned(),
            ];
            [(rule("allowed"), admitted), (rule("limited"), refused)]
                .into_iter()
                .chain(none.map(|name| (name, 0)))
                .collect()
        }
    };
    for (counter, expected) in counted {
        // Counters are handed over once a second.
        let what = format!("{}: {counter} to be {expected}", case.name);
        proxy::until(&what, async || {
            (envoy.stat(&counter).await == expected).then_some(())
        })
        .await;
    }

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

/// What a command prints.
fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}; run `make bench`"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}
