//! Memory of a real Envoy while a million clients come by once each.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::bootstrap;
use crate::cases::{Filter, RULE};
use crate::crowd::Crowd;
use crate::proxy::{self, Envoy};

/// How it is called on the command line.
pub const NAME: &str = "flood";

const KEYS: u64 = 1_000_000;

const WORKERS: usize = 2;

/// With one key, before memory is first read: the proxy reaches its working size, the table is untouched.
const WARM_UP: u64 = 50_000;

/// Keys sent when memory is read.
const SAMPLES: [u64; 9] = [
    0, 10_000, 50_000, 100_000, 200_000, 400_000, 500_000, 750_000, KEYS,
];

/// The most that the process may grow, in KiB: in all, and from the 500,000th key to the last.
const GROWTH: u64 = 12 << 10;
const LATE_GROWTH: u64 = 1 << 10;

/// Floods three proxies, prints their memory side by side, and returns what is over its bound.
pub async fn run() -> Vec<String> {
    let bare = Flood::pour(&Filter::Absent, |_| 0).await;
    let one_key = Flood::pour(&per_key(1_000_000, "1s"), |_| 0).await;
    // One request is paid back after five minutes, later than the flood ends: no entry is free to be evicted.
    let keys = Flood::pour(&per_key(100_000, "366d"), |number| number + 1).await;

    println!(
        "{:<28} {:>12} {:>12} {:>12}",
        "KiB resident after", "no filter", "one key", "keys"
    );
    for (index, sent) in SAMPLES.iter().enumerate() {
        println!(
            "{sent:<28} {:>12} {:>12} {:>12}",
            bare.resident[index], one_key.resident[index], keys.resident[index]
        );
    }
    println!(
        "{:<28} {:>12} {:>12} {:>12}",
        "requests a second",
        bare.rate(),
        one_key.rate(),
        keys.rate()
    );
    println!(
        "{} keys in the table, {} evicted, of them {} indebted",
        keys.entries, keys.evicted, keys.indebted
    );
    keys.exceeded()
}

fn per_key(requests: u64, per: &str) -> Filter {
    Filter::Weir(json!({
        "rules": [{ "name": RULE, "key": [{ "header": "x-key" }], "limits": [{ "requests": requests, "per": per }] }],
        "response": { "headers": [] },
        "store": { "max_keys": 65_536 },
    }))
}

/// What was seen of one proxy.
struct Flood {
    /// Resident memory at each of [`SAMPLES`], in KiB.
    resident: Vec<u64>,
    took: Duration,
    entries: u64,
    evicted: u64,
    indebted: u64,
}

impl Flood {
    async fn pour(filter: &Filter, key: impl Fn(u64) -> u64 + Copy + Send) -> Self {
        let mut host = proxy::newest();
        host.workers = WORKERS;
        let envoy = host.start_static(&bootstrap::with(filter)).await;
        let mut crowd = Crowd::connect(envoy.address);
        crowd.send(0..WARM_UP, |_| 0);

        let mut resident = vec![resident_kib(&envoy)];
        let started = Instant::now();
        for pair in SAMPLES.windows(2) {
            crowd.send(pair[0]..pair[1], key);
            resident.push(resident_kib(&envoy));
        }
        let took = started.elapsed();

        if matches!(filter, Filter::Weir(_)) {
            let allowed = format!("wasmcustom.weir.rule.{RULE}.allowed");
            // Counters are handed over once a second.
            proxy::until("every request to be counted", async || {
                (envoy.stat(&allowed).await == WARM_UP + KEYS).then_some(())
            })
            .await;
        }
        Self {
            resident,
            took,
            entries: envoy.stat("wasmcustom.weir.store.entries").await,
            evicted: envoy.stat("wasmcustom.weir.store.evictions").await,
            indebted: envoy.stat("wasmcustom.weir.store.evicted_indebted").await,
        }
    }

    fn rate(&self) -> u64 {
        KEYS * 1_000 / u64::try_from(self.took.as_millis()).unwrap().max(1)
    }

    fn exceeded(&self) -> Vec<String> {
        let at =
            |sent: u64| self.resident[SAMPLES.iter().position(|sample| *sample == sent).unwrap()];
        let growth = |from: u64, most: u64| {
            let grown = at(KEYS).saturating_sub(at(from));
            (grown > most).then(|| {
                format!("{NAME}: {grown} KiB from key {from} on, at most {most} are allowed")
            })
        };
        [growth(0, GROWTH), growth(500_000, LATE_GROWTH)]
            .into_iter()
            .flatten()
            .collect()
    }
}

/// Resident memory of the process, in KiB.
fn resident_kib(envoy: &Envoy) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", envoy.process_id())).unwrap();
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .expect("Linux tells it");
    resident.trim().trim_end_matches(" kB").parse().unwrap()
}
