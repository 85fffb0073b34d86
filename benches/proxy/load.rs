//! Requests that h2load sends.

use std::net::SocketAddr;
use std::process::Command;

/// What every request asks for.
pub const PATH: &str = "/v1/loans";

/// How many requests were answered, and how many of them with a refusal.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Answers {
    pub total: u64,
    pub refused: u64,
}

impl std::ops::AddAssign for Answers {
    fn add_assign(&mut self, other: Self) {
        self.total += other.total;
        self.refused += other.refused;
    }
}

/// Sends `n` requests over so many connections.
pub fn load(to: SocketAddr, connections: u32, n: u64) -> Answers {
    let (url, connections) = (format!("http://{to}{PATH}"), connections.to_string());
    let report =
        run(Command::new("h2load").args(["--h1", "-c", &connections, "-n", &n.to_string(), &url]));
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

/// What a command prints.
pub fn run(command: &mut Command) -> String {
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
