//! A rate limit service that misbehaves: nobody waits for ever, nobody is admitted whom nobody counted, and nothing that
//! it writes gets anywhere.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::client::{Answer, Connection, get};
use crate::counters::FAILURES;
use crate::document::Listener;
use crate::impostor::{Conduct, Impostor, MARK, MISCONDUCT, TIMEOUT_MS};
use crate::modes;
use crate::proxy::{Envoy, until};

/// What the service grants each tenant a day.
const QUOTA: u64 = 6;

/// What each of two proxies grants by itself.
const SHARE: usize = 3;

/// A filter whose quota for each tenant is the service's.
fn per_tenant(mode: &str, on_error: &str, quota: u64) -> Value {
    json!({
        "limiter": { "engine": "envoy_ratelimit", "cluster": "ratelimit", "proxies": 2, "on_error": on_error,
            "timeout": format!("{TIMEOUT_MS}ms"), "max_wait": "10s" },
        "rules": [{
            "name": "per-tenant",
            "key": [{ "header": "x-tenant", "as": "tenant" }],
            "limits": [{ "requests": quota, "per": "1d" }],
            "global": { "mode": mode },
        }],
    })
}

#[tokio::test]
async fn misconduct_admits_nobody_where_errors_deny() {
    everywhere("deny", |statuses| {
        assert!(statuses.iter().all(|status| *status == 503));
    })
    .await;
}

#[tokio::test]
async fn misconduct_admits_no_more_than_the_share_where_errors_are_local() {
    everywhere("local", |statuses| {
        assert_eq!(count(statuses, 200), SHARE);
        assert_eq!(count(statuses, 429), statuses.len() - SHARE);
    })
    .await;
}

#[tokio::test]
async fn misconduct_admits_everybody_where_errors_allow() {
    everywhere("allow", |statuses| {
        assert!(statuses.iter().all(|status| *status == 200));
    })
    .await;
}

/// Runs every misconduct past every proxy, each with a tenant of its own; `expect` judges what became of the requests.
async fn everywhere(on_error: &str, expect: fn(&[u16])) {
    for (host, mode) in modes::everywhere() {
        let impostor = Impostor::start(QUOTA).await;
        let listener = Listener::new(&per_tenant(mode, on_error, QUOTA)).limiter(impostor.address);
        let envoy = host.start(listener).await;
        for conduct in MISCONDUCT {
            println!("{mode}, {on_error}, {conduct:?}");
            suffers(&envoy, &impostor, conduct, on_error, expect).await;
            recovers(&envoy, &impostor, conduct, on_error).await;
        }
        tells_little(&envoy, host.workers).await;
    }
}

/// Enough for most that a tenant asks for where the service is now good and now bad.
const OFTEN_ENOUGH: u64 = 40;

/// However good and bad answers fall, no tenant is admitted more than was granted it and, where errors are local, the
/// share of the proxy.
#[tokio::test]
async fn a_service_now_good_and_now_bad_admits_no_more_than_it_grants() {
    for (host, mode) in modes::everywhere() {
        for (on_error, share) in [("deny", 0), ("local", OFTEN_ENOUGH / 2)] {
            let impostor = Impostor::start(OFTEN_ENOUGH).await;
            impostor.conduct(Conduct::InTurn);
            let filter = per_tenant(mode, on_error, OFTEN_ENOUGH);
            let envoy = host
                .start(Listener::new(&filter).limiter(impostor.address))
                .await;
            for tenant in ["acme", "brew", "cask", "dome", "elm"] {
                let mut crowds = JoinSet::new();
                for _ in 0..3 {
                    crowds.spawn(crowd(envoy.address, tenant.to_owned()));
                }
                let answers = crowds.join_all().await.into_iter().flatten();
                let statuses: Vec<u16> = answers.map(|answer| answer.status).collect();
                let known = [200, 429, 503].map(|status| count(&statuses, status));
                println!(
                    "{mode}, {on_error}, {:?}: {known:?}",
                    impostor.counter(tenant)
                );
                assert_eq!(known.iter().sum::<usize>(), statuses.len(), "{statuses:?}");
                let granted = impostor.counter(tenant).granted;
                assert!(known[0] as u64 <= granted + share, "{statuses:?}");
            }
        }
    }
}

/// The proxy itself refuses the call: it has no such cluster.
#[tokio::test]
async fn calls_that_the_proxy_refuses_leave_nobody_waiting() {
    for (host, mode) in modes::everywhere() {
        for (on_error, expected) in [("deny", [503; 4]), ("local", [200, 200, 200, 429])] {
            let filter = per_tenant(mode, on_error, QUOTA);
            let envoy = host.start(Listener::new(&filter)).await;
            let acme = || get("/").header("x-tenant", "acme");
            let statuses = envoy.connect().await.statuses(4, acme).await;
            assert_eq!(statuses, expected, "{mode}, {on_error}");
            until("the errors to be counted", async || {
                (envoy.failed_calls().await > 0).then_some(())
            })
            .await;
            tells_little(&envoy, host.workers).await;
        }
    }
}

async fn suffers(
    envoy: &Envoy,
    impostor: &Impostor,
    conduct: Conduct,
    on_error: &str,
    expect: fn(&[u16]),
) {
    let errors = envoy.failed_calls().await;
    let uncharged = envoy.counter("rule.per-tenant.uncharged").await;
    impostor.conduct(conduct);
    let answers = crowd(envoy.address, format!("{conduct:?}")).await;
    assert!(answers.iter().all(|answer| !answer.mentions(MARK)));
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    println!("{statuses:?}");
    expect(&statuses);
    until("the errors to be counted", async || {
        (envoy.failed_calls().await > errors).then_some(())
    })
    .await;
    let admitted = count(&statuses, 200) as u64;
    // What was counted before may be handed over only now.
    let least = if on_error == "allow" {
        uncharged + admitted
    } else {
        0
    };
    until("what nobody charged to be counted", async || {
        let uncharged = envoy.counter("rule.per-tenant.uncharged").await;
        assert!(on_error == "allow" || uncharged == 0, "{uncharged}");
        (uncharged >= least).then_some(())
    })
    .await;
}

/// Once the service behaves it is asked, and believed, again: to the request. Of the fault before, connections may be
/// left that only now turn out to be broken, and a slow machine may miss the time-out: other tenants then.
async fn recovers(envoy: &Envoy, impostor: &Impostor, after: Conduct, on_error: &str) {
    impostor.conduct(Conduct::Honest);
    let mut caller = envoy.connect().await;
    let mut tenants = 0..;
    until("the service to be believed again", async || {
        let tenant = format!("{} after {:?}", tenants.next()?, after);
        let asked = || get("/").header("x-tenant", &tenant);
        let statuses = caller.statuses(10, asked).await;
        let (admitted, granted) = (count(&statuses, 200), impostor.counter(&tenant).granted);
        if on_error == "deny" {
            assert!(admitted as u64 <= granted, "{granted}: {statuses:?}");
        }
        let exact = [200, 200, 200, 200, 200, 200, 429, 429, 429, 429];
        (granted == QUOTA && statuses == exact).then_some(())
    })
    .await;
}

/// The log says of a kind of fault once in each worker, and repeats nothing that the service wrote.
async fn tells_little(envoy: &Envoy, workers: usize) {
    // What was logged gets into the file a little later.
    let told = "the limiter cannot be asked";
    let log = until("a line about the fault", async || {
        Some(envoy.log()).filter(|log| log.contains(told))
    })
    .await;
    for failure in FAILURES {
        let of_kind = log.matches(&format!("{told} ({failure})")).count();
        assert!(of_kind <= workers, "{log}");
    }
    assert!(!log.contains(MARK), "{log}");
    let accesses = envoy.access_log("/", 1).await;
    assert!(accesses.iter().all(|line| !line.contains(MARK)));
}

/// The answers to requests of one tenant, several at once and several one after the other.
async fn crowd(to: SocketAddr, tenant: String) -> Vec<Answer> {
    let mut crowd = JoinSet::new();
    for _ in 0..8 {
        let mut caller = Connection::http1(to).await;
        let tenant = tenant.clone();
        crowd.spawn(async move {
            let mut asked = async || caller.send(get("/").header("x-tenant", &tenant)).await;
            [asked().await, asked().await]
        });
    }
    crowd.join_all().await.into_iter().flatten().collect()
}

fn count(statuses: &[u16], status: u16) -> usize {
    statuses.iter().filter(|one| **one == status).count()
}
