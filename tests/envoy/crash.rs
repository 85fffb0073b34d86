//! A worker whose VM dies while requests wait in it.

use std::time::Instant;

use hyper::http::request::Builder;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::client::{Connection, get};
use crate::document::{IMPATIENCE, IMPATIENT_PATH, Listener, per_client};
use crate::impostor::{Conduct, Impostor};
use crate::modes;
use crate::proxy::{self, Envoy, Host, until};
use crate::trap::{MOST_HEADERS, Trapping, trapping};

/// What the service grants each tenant a day.
const QUOTA: u64 = 50;

/// Requests that wait in each worker.
const CROWD: usize = 3;

/// A filter whose quota for each tenant is the service's; another rule of its own for each user.
fn shared_and_own(mode: &str) -> Value {
    json!({
        "limiter": { "engine": "envoy_ratelimit", "cluster": "ratelimit", "proxies": 2, "on_error": "deny",
            "timeout": "60s", "max_wait": "60s" },
        "rules": [
            {
                "name": "per-tenant",
                "key": [{ "header": "x-tenant", "as": "tenant" }],
                "limits": [{ "requests": QUOTA, "per": "1d" }],
                "global": { "mode": mode },
            },
            {
                "name": "per-user",
                "key": [{ "header": "x-user" }],
                "limits": [{ "requests": 1, "per": "1d" }],
            },
        ],
    })
}

/// A proxy that is to trap once and in which Ann's quota is spent, and a service that answers nobody yet.
async fn start(host: &Host, mode: &str, module: &Trapping) -> (Envoy, Impostor) {
    let impostor = Impostor::start(QUOTA).await;
    impostor.conduct(Conduct::Held);
    let listener = Listener::new(&shared_and_own(mode)).limiter(impostor.address);
    let mut envoy = host.start(listener.module(&module.path())).await;
    envoy.expect_traps(1);
    let statuses = envoy.connect().await.statuses(2, ann).await;
    assert_eq!(statuses, [200, 429]);
    (envoy, impostor)
}

fn ann() -> Builder {
    get("/").header("x-user", "ann")
}

/// Those who wait in it end by the route's time-out, those in other workers are answered, and the next VM goes on with
/// the counters of the last.
#[tokio::test]
async fn a_vm_that_dies_takes_only_its_own_requests_along() {
    let module = Trapping::new();
    for (host, mode) in modes::everywhere() {
        let died = async || {
            let (envoy, impostor) = start(&host, mode, &module).await;
            let mut workers = envoy.connect_each(CROWD + 1).await.into_iter();
            let mut dying = workers.next().unwrap();
            let (mut doomed, mut others) = (JoinSet::new(), JoinSet::new());
            let mut victim = dying.pop().unwrap();
            let began = Instant::now();
            park(&mut doomed, dying, IMPATIENT_PATH);
            workers.for_each(|worker| park(&mut others, worker, "/"));
            envoy
                .counted("limiter.parked", (doomed.len() + others.len()) as u64)
                .await;
            victim.send(trapping("/")).await;
            (began.elapsed() < IMPATIENCE).then_some((envoy, impostor, doomed, others))
        };
        let (envoy, impostor, doomed, others) = until("a machine that is fast enough", died).await;
        end(&envoy, doomed).await;

        impostor.conduct(Conduct::Honest);
        let others = others.join_all().await;
        assert!(others.iter().all(|status| *status == 200), "{others:?}");
        let charged = impostor.counter("waits");
        assert!(others.len() as u64 <= charged.granted, "{charged:?}");
        limits_again(&envoy).await;
    }
}

/// What is granted to a VM that dies of the answer is lost to those who wait for it, and to nobody else.
#[tokio::test]
async fn a_vm_that_dies_of_an_answer_admits_nobody_by_it() {
    let module = Trapping::new();
    for (host, mode) in modes::everywhere() {
        let died = async || {
            let (envoy, impostor) = start(&host, mode, &module).await;
            let mut doomed = JoinSet::new();
            let dying = envoy.connect_each(CROWD).await.swap_remove(0);
            let began = Instant::now();
            park(&mut doomed, dying, IMPATIENT_PATH);
            envoy.counted("limiter.parked", doomed.len() as u64).await;
            impostor.conduct(Conduct::Lengthy(MOST_HEADERS));
            until("the VM to die", async || (envoy.traps() > 0).then_some(())).await;
            (began.elapsed() < IMPATIENCE).then_some((envoy, impostor, doomed))
        };
        let (envoy, impostor, doomed) = until("a machine that is fast enough", died).await;
        end(&envoy, doomed).await;

        impostor.conduct(Conduct::Honest);
        limits_again(&envoy).await;
    }
}

/// The traps are none of the module's own.
#[tokio::test]
async fn the_module_that_ships_does_not_trap() {
    let filter = per_client(&json!([{ "requests": 9, "per": "1d" }]));
    for host in proxy::everywhere() {
        let envoy = host.start(Listener::new(&filter)).await;
        for connection in &mut envoy.connect_all().await {
            assert_eq!(connection.send(trapping("/")).await.status, 200);
        }
    }
}

/// Sends a request on each connection, each of a user of its own.
fn park(waiting: &mut JoinSet<u16>, connections: Vec<Connection>, path: &'static str) {
    for mut connection in connections {
        let user = format!("{path} {}", waiting.len());
        waiting.spawn(async move {
            let request = get(path).header("x-tenant", "waits").header("x-user", user);
            connection.send(request).await.status
        });
    }
}

/// Waits for requests whose VM has died.
async fn end(envoy: &Envoy, doomed: JoinSet<u16>) {
    // It is the route's time-out that ends them, and the dead filter in its way that makes it a 503.
    let doomed = doomed.join_all().await;
    assert!(doomed.iter().all(|status| *status == 503), "{doomed:?}");
    let idle = envoy.stat("http.weir.downstream_rq_idle_timeout").await;
    assert_eq!(idle, doomed.len() as u64);
}

/// Every worker limits, by the counters from before.
async fn limits_again(envoy: &Envoy) {
    for mut caller in envoy.connect_all().await {
        until("the VM to be made anew", async || {
            let status = caller.send(ann()).await.status;
            assert!([429, 503].contains(&status), "{status}");
            (status == 429).then_some(())
        })
        .await;
        for tenant in ["waits", "later"] {
            let tenant = || get("/").header("x-tenant", tenant);
            assert_eq!(caller.statuses(1, tenant).await, [200]);
        }
    }
    // Nobody was charged here for having waited.
    let user = || get("/").header("x-user", format!("{IMPATIENT_PATH} 0"));
    let mut caller = envoy.connect().await;
    assert_eq!(caller.statuses(2, user).await, [200, 429]);
}
