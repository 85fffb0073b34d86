//! The example of a ceiling that two gateways share, run as it stands with the service that keeps it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hyper::Method;
use hyper::http::request::Builder;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::client::{Connection, get, request};
use crate::examples::{configuration, read};
use crate::proxy::{self, Envoy, Host, until};
use crate::readme::{block, comparable, steps};
use crate::service::Service;

const FOLDER: &str = "examples/compute-cluster-api";

/// Submissions a minute, of all users together.
const CEILING: usize = 120;

/// So much of it may be left: who asks for more than there is gets nothing of it, and nobody asks for more than a
/// quarter of its half of what it was last told of.
const LEFT: usize = CEILING / 2 / 4;

/// What a user may submit at once.
const BURST: usize = 30;

/// Together they may submit more at either gateway than its half of the ceiling, and at both more than all of it.
const USERS: [&str; 3] = ["alice", "bob", "carol"];

/// What the README tells its reader to type prints what it says, and the access log has the line that it shows.
#[tokio::test]
async fn compute_cluster_api_does_what_its_readme_shows() {
    let readme = read(&format!("{FOLDER}/README.md"));
    for host in proxy::everywhere() {
        until("a machine that is fast enough", async || {
            follow(&readme, &Cluster::start(&host).await).await
        })
        .await;
    }
}

/// With all users at both gateways at once.
#[tokio::test]
async fn two_gateways_admit_the_ceiling_between_them() {
    for host in proxy::everywhere() {
        let admitted = within_a_minute(&host, async |cluster| {
            let admitted = submit_at_once(&[&cluster.one, &cluster.two]).await;
            cluster.was_told_in_time().await.then_some(admitted)
        })
        .await;
        assert!((CEILING - LEFT..=CEILING).contains(&admitted), "{admitted}");
    }
}

/// A gateway that is alone keeps to its half of the ceiling.
#[tokio::test]
async fn without_the_service_each_gateway_admits_its_half_of_the_ceiling() {
    for host in proxy::everywhere() {
        let halves = within_a_minute(&host, async |cluster| {
            cluster.service.kill();
            let one = submit_at_once(&[&cluster.one]).await;
            Some([one, submit_at_once(&[&cluster.two]).await])
        })
        .await;
        assert_eq!(halves, [CEILING / 2; 2]);
    }
}

/// A user and an address have at each gateway what its limits say, whatever they had at the other.
#[tokio::test]
async fn each_gateway_limits_users_and_addresses_by_itself() {
    for host in proxy::everywhere() {
        let cluster = Cluster::start(&host).await;
        for gateway in [&cluster.one, &cluster.two] {
            let mut caller = gateway.connect().await;
            let began = Instant::now();
            let submitted = caller.statuses(BURST + 5, || submission("alice")).await;
            assert_bucket(BURST, Duration::from_secs(3), began, count(&submitted, 202));
            let began = Instant::now();
            let polled = caller.statuses(100, || of("alice", get("/api/jobs/7")));
            let passed = count(&polled.await, 200);
            assert_bucket(20, Duration::from_millis(100), began, passed);
        }
    }
}

/// The service that keeps the ceiling, and two gateways with one configuration.
struct Cluster {
    service: Service,
    one: Envoy,
    two: Envoy,
}

impl Cluster {
    async fn start(host: &Host) -> Self {
        let service = Service::start(&read(&format!("{FOLDER}/ratelimit/limits.yaml"))).await;
        let limiter = format!("port_value: {}", service.address.port());
        let yaml =
            configuration(&format!("{FOLDER}/envoy.yaml")).replace("port_value: 8080", &limiter);
        Self {
            service,
            one: host.start_static(&yaml).await,
            two: host.start_static(&yaml).await,
        }
    }

    /// Whether no gateway had to do without the service, of all that users may submit.
    async fn was_told_in_time(&self) -> bool {
        let all = u64::try_from(BURST * USERS.len()).unwrap();
        let mut in_time = true;
        for gateway in [&self.one, &self.two] {
            in_time &= gateway.was_told_in_time("submissions", all).await;
            assert_eq!(gateway.counter("rule.submissions.uncharged").await, 0);
        }
        in_time
    }
}

/// What comes of it where no minute of the clock ends meanwhile; `None` asks for another try as that does.
async fn within_a_minute<T>(host: &Host, run: impl AsyncFn(&mut Cluster) -> Option<T>) -> T {
    until("a try in one minute", async || {
        let mut cluster = Cluster::start(host).await;
        let began = minute();
        let outcome = run(&mut cluster).await;
        outcome.filter(|_| minute() == began)
    })
    .await
}

/// How many submissions are admitted, where every user sends all that they may to each of these gateways at once.
async fn submit_at_once(gateways: &[&Envoy]) -> usize {
    let mut load = JoinSet::new();
    for gateway in gateways {
        for user in USERS {
            let mut connection = Connection::http1(gateway.address).await;
            load.spawn(async move { connection.statuses(BURST, || submission(user)).await });
        }
    }
    let statuses = load.join_all().await.concat();
    assert!(statuses.iter().all(|status| [202, 429].contains(status)));
    count(&statuses, 202)
}

/// Asserts that so many requests can have been admitted since then by a bucket that was full.
fn assert_bucket(burst: usize, refill: Duration, began: Instant, admitted: usize) {
    let back = began.elapsed().as_nanos() / refill.as_nanos();
    let most = burst + usize::try_from(back).unwrap();
    assert!((burst..=most).contains(&admitted), "{admitted} of {most}");
}

fn submission(user: &str) -> Builder {
    of(user, request(Method::POST, "/api/jobs"))
}

/// The request as this user's.
fn of(user: &str, request: Builder) -> Builder {
    let token = read(&format!("{FOLDER}/{user}.jwt"));
    request.header("authorization", format!("Bearer {}", token.trim()))
}

fn count(statuses: &[u16], status: u16) -> usize {
    statuses.iter().filter(|one| **one == status).count()
}

/// The minutes since 1970.
pub fn minute() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_secs() / 60
}

/// Types everything that the README shows. `None` where a minute ended, a token came back before all was submitted or
/// the service answered too late: what is printed then is right, but another.
async fn follow(readme: &str, cluster: &Cluster) -> Option<()> {
    let addresses = [
        ("localhost:10000", cluster.one.address.to_string()),
        ("localhost:10001", cluster.two.address.to_string()),
        ("localhost:9901", cluster.one.admin.to_string()),
    ];
    let (began, in_minute) = (Instant::now(), minute());
    let mut all_submitted = false;
    let steps = steps(readme);
    assert!(!steps.is_empty());
    for step in &steps {
        // Counters are handed over once a second.
        if step.command.contains("/stats") {
            until(&step.command, async || {
                (comparable(&step.run(&addresses).printed) == comparable(&step.expected))
                    .then_some(())
            })
            .await;
            continue;
        }
        let printed = step.run(&addresses).printed;
        let in_time = all_submitted || began.elapsed() < Duration::from_secs(2);
        if step.command.contains("POST") && !(in_time && in_minute == minute()) {
            return None;
        }
        if let Ok(most) = step.expected.trim().parse::<usize>() {
            all_submitted = true;
            if !cluster.was_told_in_time().await {
                return None;
            }
            let admitted = printed.trim().parse().unwrap();
            assert!((most - LEFT..=most).contains(&admitted), "{admitted}");
            continue;
        }
        assert_waits_agree(&printed);
        let expected = comparable(&step.expected);
        assert_eq!(comparable(&printed), expected, "{}", step.command);
    }
    let shown = refusal(block(readme, "json")).unwrap();
    until("the refusal in the access log", async || {
        let log = cluster.two.output();
        log.lines().filter_map(refusal).find(|line| *line == shown)
    })
    .await;
    Some(())
}

/// A refusal is told one time to wait, in its header and in its body.
fn assert_waits_agree(printed: &str) {
    let Some((_, behind)) = printed.split_once("retry-after: ") else {
        return;
    };
    let seconds = behind.lines().next().unwrap();
    let told = format!("Try again in {seconds} s.\",\"retry_after\":{seconds}}}");
    assert!(printed.contains(&told), "{printed}");
}

/// A line of the access log, without its time.
fn refusal(line: &str) -> Option<Value> {
    let mut line: Value = serde_json::from_str(line).ok()?;
    assert!(line["time"].take().is_string(), "{line}");
    Some(line)
}
