//! Running what a README tells its reader to type, and comparing with what it says they will see.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::proxy::repository;

/// What a reader types after `$ ` in a `console` block, and the lines they see below it.
pub struct Step {
    pub command: String,
    pub expected: String,
}

/// A step as it went here.
pub struct Outcome {
    pub printed: String,
    pub took: Duration,
}

/// The first block of a README in this language.
pub fn block<'r>(readme: &'r str, language: &str) -> &'r str {
    let (_, behind) = readme
        .split_once(&format!("```{language}\n"))
        .expect("such a block");
    behind.split("\n```").next().unwrap()
}

/// The steps of a README, in order.
pub fn steps(readme: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let (mut inside, mut continued) = (false, false);
    for line in readme.lines() {
        match (inside, line) {
            (false, "```console") => inside = true,
            (true, "```") => inside = false,
            (true, _) if line.starts_with("$ ") => {
                steps.push(Step {
                    command: line[2..].to_owned(),
                    expected: String::new(),
                });
                continued = line.ends_with('\\');
            }
            (true, _) => {
                let step = steps
                    .last_mut()
                    .expect("a console block starts with a command");
                let text = if continued {
                    &mut step.command
                } else {
                    &mut step.expected
                };
                text.push('\n');
                text.push_str(line);
                continued = continued && line.ends_with('\\');
            }
            (false, _) => {}
        }
    }
    steps
}

impl Step {
    /// Types the command in the repository's root, with the addresses the README speaks of replaced.
    pub fn run(&self, addresses: &[(&str, String)]) -> Outcome {
        let command = addresses
            .iter()
            .fold(self.command.clone(), |text, (from, to)| {
                text.replace(from, to)
            });
        let started = Instant::now();
        let output = Command::new("bash")
            .args(["-c", &command])
            .current_dir(repository(""))
            // Not by way of a proxy that curl is told of.
            .env("no_proxy", "*")
            .output()
            .unwrap();
        let took = started.elapsed();
        assert!(
            output.status.success(),
            "{command}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Outcome {
            printed: String::from_utf8(output.stdout).unwrap(),
            took,
        }
    }
}

/// The text without what differs from one run to the next: line ends, the Date header, Unix times.
pub fn steady(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let line = line.trim_end();
        if line.starts_with("date: ") {
            "date: …".to_owned()
        } else {
            without_times(line)
        }
    });
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// The text without what differs from one run to the next, the rest of a window being one of them.
pub fn comparable(text: &str) -> String {
    let waits = [
        "retry-after: ",
        "x-ratelimit-reset: ",
        "content-length: ",
        "Try again in ",
        "\"retry_after\":",
        "\"durationUntilReset\":\"",
    ];
    waits.iter().fold(steady(text), |text, label| {
        let mut parts = text.split(label);
        let mut comparable = parts.next().unwrap().to_owned();
        for part in parts {
            comparable.push_str(label);
            comparable.push('…');
            comparable.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
        }
        comparable
    })
}

/// Every number of ten digits is a Unix time, for the next two centuries.
fn without_times(line: &str) -> String {
    let mut steady = line.to_owned();
    let is_time = |run: &&str| run.len() == 10;
    for time in line.split(|c: char| !c.is_ascii_digit()).filter(is_time) {
        steady = steady.replace(time, "…");
    }
    steady
}
