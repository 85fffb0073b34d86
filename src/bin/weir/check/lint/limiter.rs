//! The limiter: whether a rule uses it, whether its proxy reaches it, how long a request waits for it.

use weir::config::check::Variable;

use super::Accepted;
use crate::check::carrier::Clusters;
use crate::check::diagnostic::Diagnostic;

pub(super) fn warnings(of: Accepted<'_>, said: &mut Vec<Diagnostic>) {
    if let Some(clusters) = of.plugin.clusters {
        said.extend(cluster(of, clusters));
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
