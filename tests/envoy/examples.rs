//! The configurations that people copy, run as they stand.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::client::get;
use crate::cluster::minute;
use crate::proxy::{self, Envoy, Host, module, repository};
use crate::readme::{block, comparable, steady, steps};
use crate::service::Service;

/// What the front page tells its reader to type prints what it says.
#[tokio::test]
async fn the_smallest_configuration_does_what_the_front_page_shows() {
    let readme = read("README.md");
    for host in proxy::everywhere() {
        follow(&readme, &host, &configuration("envoy/bootstrap.yaml")).await;
    }
}

/// So does what the README of loans-api tells its reader to type, and the proxy's log says what it shows.
#[tokio::test]
async fn loans_api_does_what_its_readme_shows() {
    let readme = read("examples/loans-api/README.md");
    for host in proxy::everywhere() {
        let log = follow(
            &readme,
            &host,
            &configuration("examples/loans-api/envoy.yaml"),
        )
        .await;
        assert_eq!(refusal_logged(&log), refusal_logged(&readme));
    }
}

/// Types everything that a README shows, to an Envoy with this configuration; gives its log.
pub async fn follow(readme: &str, host: &Host, yaml: &str) -> String {
    let steps = steps(readme);
    assert!(!steps.is_empty());
    // Where a command takes a second, tokens come back meanwhile: what it prints is right, but another.
    let told = async || {
        let envoy = host.start_static(yaml).await;
        let addresses = [
            ("localhost:10000", envoy.address.to_string()),
            ("localhost:9901", envoy.admin.to_string()),
        ];
        for step in &steps {
            // Counters are handed over once a second.
            if step.command.contains("/stats") {
                proxy::until(&step.command, async || {
                    let printed = steady(&step.run(&addresses).printed);
                    (printed == steady(&step.expected)).then_some(())
                })
                .await;
                continue;
            }
            let outcome = step.run(&addresses);
            if outcome.took > Duration::from_secs(1) {
                return None;
            }
            let (printed, expected) = (steady(&outcome.printed), steady(&step.expected));
            assert_eq!(printed, expected, "{}", step.command);
        }
        Some(envoy.log())
    };
    proxy::until("a machine that is fast enough", told).await
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

/// The Envoy configurations carry the documents that are shown beside them.
#[tokio::test]
async fn the_configurations_carry_what_is_shown() {
    let front_page = read("README.md");
    let loans_api = read("examples/loans-api/weir.json");
    let compute_cluster_api = read("examples/compute-cluster-api/weir.json");
    for (path, shown) in [
        ("envoy/bootstrap.yaml", block(&front_page, "json")),
        ("examples/loans-api/envoy.yaml", &loans_api),
        (
            "examples/compute-cluster-api/envoy.yaml",
            &compute_cluster_api,
        ),
    ] {
        let envoy = start(&proxy::newest(), path).await;
        let dump: Value = serde_json::from_str(&envoy.ask("/config_dump").await).unwrap();
        let carried = find(&dump, "google.protobuf.StringValue").expect("a configuration");
        let carried: Value = serde_json::from_str(carried["value"].as_str().unwrap()).unwrap();
        assert_eq!(
            carried,
            serde_json::from_str::<Value>(shown).unwrap(),
            "{path}"
        );
    }
}

/// What the page on shared limits tells its reader to write and to type, with what `make demo-global` runs.
#[tokio::test]
async fn the_way_to_a_shared_quota_leads_there() {
    let page = read("docs/shared-limits.md");
    let yaml = configuration("envoy/global.yaml");
    let steps = steps(&page);
    assert!(!steps.is_empty());
    for host in proxy::everywhere() {
        // Where a minute ends on the way or the service is late, what is printed is right, but another.
        proxy::until("a machine that is fast enough", async || {
            let service = Service::start(block(&page, "yaml")).await;
            let limiter = format!("port_value: {}", service.address.port());
            let yaml = yaml.replace("port_value: 8080", &limiter);
            let envoy = host.start_static(&yaml).await;
            let addresses = [
                ("localhost:8080", service.address.to_string()),
                ("localhost:10000", envoy.address.to_string()),
            ];
            let began = minute();
            for step in &steps {
                let printed = comparable(&step.run(&addresses).printed);
                let asks_envoy = step.command.contains("localhost:10000");
                if minute() != began || asks_envoy && !envoy.was_told_in_time("per-tenant", 1).await
                {
                    return None;
                }
                assert_eq!(printed, comparable(&step.expected), "{}", step.command);
            }
            Some(())
        })
        .await;
    }
}

/// The page shows the cluster and the limits of the configuration that it speaks of.
#[test]
fn the_way_to_a_shared_quota_shows_what_is_run() {
    let page = read("docs/shared-limits.md");
    let run = read("envoy/global.yaml");
    let (comment, _) = run.split_once("admin:").unwrap();
    let (_, clusters) = run.split_once("  clusters:\n").unwrap();
    let limits = block(&page, "yaml").lines().skip(1);
    for line in limits {
        assert!(comment.contains(&format!("#   {line}\n")), "{line}");
    }
    let (_, shown) = page.split_once("```yaml\nclusters:\n").unwrap();
    let shown = shown.split("```").next().unwrap().lines();
    let shown: Vec<_> = shown.map(|line| format!("  {line}")).collect();
    assert_eq!(shown, clusters.lines().collect::<Vec<_>>());
}

/// Appended to a bootstrap, the tags make one metric of what all rules count, with the rule as its label.
#[tokio::test]
async fn the_tags_make_a_label_of_the_rule() {
    let yaml = configuration("envoy/bootstrap.yaml") + &read("envoy/stats-tags.yaml");
    for host in proxy::everywhere() {
        let envoy = host.start_static(&yaml).await;
        envoy.connect().await.send(get("/")).await;
        proxy::until("the counter", async || {
            let metrics = envoy.ask("/stats/prometheus").await;
            assert!(!metrics.contains("weir_rule_per_client"), "{metrics}");
            metrics
                .contains("\nweir_rule_allowed{rule=\"per-client\"} 1\n")
                .then_some(())
        })
        .await;
    }
}

/// A route that leaves the filter out, as the page on configurations shows one, passes whatever the limit.
#[tokio::test]
async fn a_route_may_leave_the_filter_out() {
    let page = read("docs/configuration.md");
    let (_, shown) = page.split_once("```yaml\nroutes:\n").unwrap();
    let shown = shown.split("```").next().unwrap();
    let all = "                        - match: { prefix: / }\n";
    let yaml = configuration("envoy/bootstrap.yaml");
    assert!(yaml.contains(all));
    let route: String = shown
        .lines()
        .map(|line| format!("{:22}{line}\n", ""))
        .collect();
    let yaml = yaml.replace(all, &(route + all));
    for host in proxy::everywhere() {
        let envoy = host.start_static(&yaml).await;
        let mut caller = envoy.connect().await;
        assert_eq!(caller.statuses(100, || get("/healthz")).await, [200; 100]);
        let statuses = caller.statuses(1, || get("/")).await;
        assert_eq!(statuses, [200]);
        envoy.counted("rule.per-client.allowed", 1).await;
    }
}

/// An alert on a metric that does not exist never fires.
#[tokio::test]
async fn alerts_are_on_metrics_that_exist() {
    for example in ["examples/loans-api", "examples/compute-cluster-api"] {
        let alerts = read(&format!("{example}/alerts.yaml"));
        let envoy = start(&proxy::newest(), &format!("{example}/envoy.yaml")).await;
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
}

async fn start(host: &Host, path: &str) -> Envoy {
    host.start_static(&configuration(path)).await
}

/// A file of the repository, for ports of its own and with the module under test.
pub fn configuration(path: &str) -> String {
    placed(&read(path))
}

/// A configuration for ports of its own and with the module under test.
pub fn placed(yaml: &str) -> String {
    yaml.replace("port_value: 10000", "port_value: 0")
        .replace("port_value: 9901", "port_value: 0")
        .replace("dist/weir.wasm", module().to_str().unwrap())
}

pub fn read(path: &str) -> String {
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
