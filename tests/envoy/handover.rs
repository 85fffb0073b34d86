//! Replacing the configuration of a proxy whose requests wait for the rate limit service.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::client::{Connection, get};
use crate::document::Listener;
use crate::impostor::{Conduct, Impostor};
use crate::modes;
use crate::proxy::{Envoy, until};

/// What the service grants each tenant a day.
const QUOTA: u64 = 20;

/// Requests of each tenant under load.
const OFFERED: u64 = 40;

/// The version that the load ends in.
const LAST: u32 = 20;

/// A filter whose quota for each tenant is the service's; another rule of its own for each user. It says which version
/// of it refuses.
fn shared_and_own(mode: &str, quota: u64, version: u32) -> Value {
    json!({
        "limiter": { "engine": "envoy_ratelimit", "cluster": "ratelimit", "proxies": 2, "on_error": "deny",
            "timeout": "60s", "max_wait": "60s" },
        "rules": [
            {
                "name": "per-tenant",
                "key": [{ "header": "x-tenant", "as": "tenant" }],
                "limits": [{ "requests": quota, "per": "1d" }],
                "global": { "mode": mode },
            },
            {
                "name": "per-user",
                "key": [{ "header": "x-user" }],
                "limits": [{ "requests": 1, "per": "1d" }],
            },
        ],
        "response": { "add_headers": { "x-version": version.to_string() } },
    })
}

/// Who waits under the old configuration is answered under it, and counts under the new one.
#[tokio::test]
async fn who_waits_while_the_configuration_changes_is_answered_and_counted() {
    for (host, mode) in modes::everywhere() {
        // Answers that were held back come in any order: of a lease, refusals before what was granted to those who
        // wait. So there nobody is refused, and each is where all are debited for themselves.
        let quota = if mode == "lease" { 50 * QUOTA } else { QUOTA };
        let impostor = Impostor::start(quota).await;
        let listener = Listener::new(&shared_and_own(mode, quota, 1)).limiter(impostor.address);
        let mut envoy = host.start(listener).await;
        impostor.conduct(Conduct::Held);
        let mut waiting = JoinSet::new();
        for version in 2..=4 {
            for connection in envoy.connect_each(2).await.into_iter().flatten() {
                park(&mut waiting, connection);
            }
            parked(&envoy, waiting.len()).await;
            envoy.reload(&shared_and_own(mode, quota, version)).await;
        }
        impostor.conduct(Conduct::Honest);
        let offered = waiting.len() as u64;
        let answers = waiting.join_all().await;
        let admitted = answers.iter().filter(|(_, status)| *status == 200).count() as u64;
        assert_eq!(admitted, offered.min(quota), "{mode}");
        assert!(admitted <= impostor.counter("waits").granted);

        let mut caller = envoy.connect().await;
        for (user, status) in answers {
            assert!([200, 429].contains(&status), "{user}: {status}");
            // Who was refused by the service was not charged for it here.
            let expected = if status == 200 {
                [429, 429]
            } else {
                [200, 429]
            };
            let again = || get("/").header("x-user", &user);
            assert_eq!(caller.statuses(2, again).await, expected, "{user}");
        }
    }
}

/// A load on all tenants, one after the other, while the configuration changes again and again.
#[tokio::test]
async fn changes_under_load_admit_nothing_twice() {
    for (host, mode) in modes::everywhere() {
        let impostor = Impostor::start(QUOTA).await;
        let listener = Listener::new(&shared_and_own(mode, QUOTA, 1)).limiter(impostor.address);
        let mut envoy = host.start(listener).await;
        let ann = || get("/").header("x-user", "ann");
        assert_eq!(envoy.connect().await.statuses(1, ann).await, [200]);

        let load = Arc::new(Load::default());
        let mut callers = JoinSet::new();
        for _ in 0..6 {
            callers.spawn(call(envoy.address, Arc::clone(&load)));
        }
        for version in 2..=LAST {
            envoy.reload(&shared_and_own(mode, QUOTA, version)).await;
        }
        load.ended.store(true, Ordering::Relaxed);
        let answers = callers.join_all().await.into_iter().flatten();
        let mut tenants: BTreeMap<u64, Vec<u16>> = BTreeMap::new();
        answers.for_each(|(tenant, status)| tenants.entry(tenant).or_default().push(status));
        for (tenant, statuses) in tenants {
            let admitted = statuses.iter().filter(|status| **status == 200).count() as u64;
            let granted = impostor.counter(&tenant.to_string()).granted;
            assert!(
                statuses.iter().all(|status| [200, 429].contains(status)),
                "{statuses:?}"
            );
            assert!(admitted <= granted, "{admitted} of {granted}");
            let most = QUOTA.min(statuses.len() as u64);
            assert!(
                (most - unspent(mode).min(most)..=most).contains(&admitted),
                "{mode}, tenant {tenant}: {admitted}"
            );
        }
        for caller in &mut envoy.connect_all().await {
            let refused = caller.send(ann()).await;
            assert_eq!(
                (refused.status, refused.header("x-version")),
                (429, Some(&*LAST.to_string()))
            );
        }
    }
}

/// How much of a quota may be left: what is granted to a lease after others were refused, or whose configuration has
/// gone, finds nobody who spends it.
fn unspent(mode: &str) -> u64 {
    match mode {
        "lease" => QUOTA / 4,
        _ => 0,
    }
}

/// Sends a request of a user of its own.
fn park(waiting: &mut JoinSet<(String, u16)>, mut connection: Connection) {
    let user = format!("user-{}", waiting.len());
    waiting.spawn(async move {
        let request = get("/").header("x-tenant", "waits").header("x-user", &user);
        let status = connection.send(request).await.status;
        (user, status)
    });
}

/// Once so many requests wait or have waited: counters are handed over once a second.
async fn parked(envoy: &Envoy, expected: usize) {
    until("the requests to wait", async || {
        let parked = envoy.stat("wasmcustom.weir.limiter.parked").await;
        (parked == expected as u64).then_some(())
    })
    .await;
}

/// What all callers share.
#[derive(Default)]
struct Load {
    /// Requests so far.
    sent: AtomicU64,
    ended: AtomicBool,
}

/// Sends one request after the other until the load ends; gives the tenant and the status of each.
async fn call(to: SocketAddr, load: Arc<Load>) -> Vec<(u64, u16)> {
    let mut connection = Connection::http1(to).await;
    let mut answers = Vec::new();
    while !load.ended.load(Ordering::Relaxed) {
        let tenant = load.sent.fetch_add(1, Ordering::Relaxed) / OFFERED;
        let request = get("/").header("x-tenant", tenant.to_string());
        let answer = connection.send(request).await;
        answers.push((tenant, answer.status));
        // A configuration that is replaced takes its connections along.
        if answer.header("connection") == Some("close") {
            connection = Connection::http1(to).await;
        }
    }
    answers
}
