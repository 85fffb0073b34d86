//! The configurations that people copy, run as they stand.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::client::get;
use crate::proxy::{self, Envoy, Host, module, repository};
use crate::readme::{steady, steps};

/// The front page's limit: 20 a second, bursts of 40.
#[tokio::test]
async fn the_smallest_configuration_limits_each_client() {
    for host in proxy::everywhere() {
        let envoy = start(&host, "envoy/bootstrap.yaml").await;
        let answer = envoy.connect().await.send(get("/")).await;
        assert_eq!((answer.status, answer.text()), (200, "hello\n"));
        assert_eq!(
            (
                answer.number("x-ratelimit-limit"),
                answer.number("x-ratelimit-remaining")
            ),
            (40, 39)
        );
    }
}

/// What the README of loans-api tells its reader to type prints what it says.
#[tokio::test]
async fn loans_api_does_what_its_readme_shows() {
    let readme = read("examples/loans-api/README.md");
    let steps = steps(&readme);
    assert!(!steps.is_empty());
    for host in proxy::everywhere() {
        // Where a command takes a second, a token comes back meanwhile: what it prints is right, but another.
        let told = async || {
            let envoy = start(&host, "examples/loans-api/envoy.yaml").await;
            let addresses = [
                ("localhost:10000", envoy.address.to_string()),
                ("localhost:9901", envoy.admin.to_string()),
            ];
            let mut slow = false;
            for step in &steps {
                let outcome = step.run(&addresses);
                slow |= outcome.took > Duration::from_secs(1);
                if !slow {
                    assert_eq!(
                        steady(&outcome.printed),
                        steady(&step.expected),
                        "{}",
                        step.command
                    );
                }
            }
            if !slow {
                assert_eq!(refusal_logged(&envoy.log()), refusal_logged(&readme));
            }
            (!slow).then_some(())
        };
        proxy::until("a machine that is fast enough", told).await;
    }
}

/// The first refusal in a log, without the hash of whom it refused.
fn refusal_logged(log: &str) -> Value {
    let line = log
        .lines()
        .find(|line| line.contains("rate_limited"))
        .expect("a refusal in the log");
    let mut fields: Value = serde_json::from_str(&line[line.find('{').unwrap()..]).unwrap();
    assert!(fields["key"].take().is_string(), "{line}");
    fields
}

/// The Envoy configuration carries the document that stands beside it.
#[tokio::test]
async fn loans_api_runs_its_weir_json() {
    let written: Value = serde_json::from_str(&read("examples/loans-api/weir.json")).unwrap();
    let envoy = start(&proxy::newest(), "examples/loans-api/envoy.yaml").await;
    let dump: Value = serde_json::from_str(&envoy.ask("/config_dump").await).unwrap();
    let carried = find(&dump, "google.protobuf.StringValue").expect("a configuration");
    assert_eq!(
        serde_json::from_str::<Value>(carried["value"].as_str().unwrap()).unwrap(),
        written
    );
}

/// An alert on a metric that does not exist never fires.
#[tokio::test]
async fn loans_api_s_alerts_are_on_metrics_that_exist() {
    let alerts = read("examples/loans-api/alerts.yaml");
    let envoy = start(&proxy::newest(), "examples/loans-api/envoy.yaml").await;
    let metrics = envoy.ask("/stats/prometheus").await;
    let names: Vec<_> = alerts
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("weir_"))
        .collect();
    assert!(!names.is_empty());
    for name in names {
        assert!(metrics.contains(&format!("\n# TYPE {name} ")), "{name}");
    }
}

/// Starts a file of the repository, on ports of its own and with the module under test.
async fn start(host: &Host, path: &str) -> Envoy {
    let yaml = read(path)
        .replace("port_value: 10000", "port_value: 0")
        .replace("port_value: 9901", "port_value: 0")
        .replace("dist/weir.wasm", module().to_str().unwrap());
    host.start_static(&yaml).await
}

fn read(path: &str) -> String {
    fs::read_to_string(repository(path)).unwrap()
}

/// The first object of this protobuf type.
fn find<'a>(within: &'a Value, kind: &str) -> Option<&'a Value> {
    if within["@type"]
        .as_str()
        .is_some_and(|name| name.ends_with(kind))
    {
        return Some(within);
    }
    match within {
        Value::Array(members) => members.iter().find_map(|member| find(member, kind)),
        Value::Object(members) => members.values().find_map(|member| find(member, kind)),
        _ => None,
    }
}
