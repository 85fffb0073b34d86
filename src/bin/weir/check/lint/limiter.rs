//! The limiter: whether a rule uses it, whether its proxy reaches it, how long a request waits for it.

use weir::config::check::Variable;
use weir::config::json::shortened;

use super::Accepted;
use crate::check::carrier::{Clusters, is_true};
use crate::check::diagnostic::Diagnostic;
use crate::check::tree::Here;

pub(super) fn warnings(of: Accepted<'_>, said: &mut Vec<Diagnostic>) {
    if let Some(clusters) = of.plugin.clusters {
        said.extend(cluster(of, clusters));
        said.extend(endpoints(of, clusters));
    }
    if of.plan.asks_nobody() {
        let at = of.here.member("limiter").unwrap_or(of.here).at();
        said.push(Diagnostic::warning(at, "limiter", UNASKED));
    }
    if let Some(manager) = of.plugin.manager
        && of.plan.rules.iter().any(|rule| rule.global.is_some())
        && manager.lets_requests_wait()
    {
        said.push(Diagnostic::warning(manager.at(), "", UNBOUND));
    }
}

const UNASKED: &str = "no rule has \"global\", so it is not asked: each proxy counts by itself";

const UNBOUND: &str = "a request that waits for the limiter while its worker's VM dies waits for minutes, or for ever; set \
                       stream_idle_timeout, max_stream_duration, or an idle_timeout on every route";

/// A cluster that is none of all the clusters that its Envoy has.
fn cluster(of: Accepted<'_>, clusters: Clusters<'_>) -> Option<Diagnostic> {
    let service = of.plan.service.as_ref()?;
    let cluster = of.here.path(&["limiter", "cluster"])?;
    let variable = cluster.text_at(&["env"]);
    let is_known = variable.is_none_or(|name| of.plugin.environment.get(name) != Variable::Unknown);
    let unknown = || clusters.unknown(&service.cluster, cluster, "limiter.cluster");
    is_known.then(unknown).flatten()
}

/// A cluster of which Envoy ejects no endpoint: a dead one then fails a share of the calls, too few for the breaker.
fn endpoints(of: Accepted<'_>, clusters: Clusters<'_>) -> Option<Diagnostic> {
    let service = of
        .plan
        .service
        .as_ref()
        .filter(|_| !of.plan.asks_nobody())?;
    let cluster = clusters.named(&service.cluster)?;
    let localities = cluster.path(&["load_assignment", "endpoints"]);
    let endpoints = localities.into_iter().flat_map(Here::items);
    let endpoints = endpoints.filter_map(|locality| locality.member("lb_endpoints"));
    let number = u64::try_from(endpoints.flat_map(Here::items).count()).unwrap_or(u64::MAX);
    let name = shortened(&service.cluster, 60);
    let (at, reason) = match cluster.given("outlier_detection") {
        _ if number < 2 => return None,
        None => (cluster.at(), "no outlier_detection"),
        Some(detection) if ejects_any(detection, number) => return None,
        Some(detection) => (
            detection.at(),
            "an outlier_detection that ejects none (max_ejection_percent, by default 10, is less than one of them)",
        ),
    };
    let message = format!(
        "{name} has {number} endpoints and {reason}: a dead one keeps failing its share of the calls; {EJECT}"
    );
    Some(Diagnostic::warning(at, "", &message))
}

const EJECT: &str = "set outlier_detection: { consecutive_5xx: 3, interval: 1s, base_ejection_time: 5s, max_ejection_percent: 100 }";

/// Whether Envoy may eject one of so many endpoints.
fn ejects_any(detection: Here<'_>, number: u64) -> bool {
    let percent = detection.given("max_ejection_percent");
    let percent = percent.map(|percent| percent.member("value").unwrap_or(percent));
    let percent = percent.map_or(Some(10), |percent| percent.node.as_unsigned());
    percent.is_none_or(|percent| number.saturating_mul(percent) >= 100)
        || detection
            .member("always_eject_one_host")
            .is_some_and(is_true)
}
