//! What is allowed, and seldom what was meant.

use weir::config::check::Variable;
use weir::plan::{AddressSource, KeyPart, KeySource, OnMissingKey, Plan, Rule};

use super::carrier::{Clusters, ConnectionManager, Plugin};
use super::cover::Comparisons;
use super::diagnostic::Diagnostic;
use super::patterns;
use super::tree::Here;
use super::variables;

/// Adds what is unwise about the configuration of a plugin. `here` is where it stands.
pub fn warnings(plan: &Plan, here: Here<'_>, plugin: &Plugin<'_>, said: &mut Vec<Diagnostic>) {
    keys(plan, here, plugin, said);
    if plugin.is_on_kong {
        routes(plan, here, said);
    }
    if let Some(clusters) = plugin.clusters {
        said.extend(cluster(plan, here, clusters, plugin));
    }
    if plan.asks_nobody() {
        let at = here.member("limiter").unwrap_or(here).at();
        said.push(Diagnostic::warning(at, "limiter", UNASKED));
    }
    patterns::warnings(here, said);
    variables::warnings(here, &plugin.environment, said);
    addresses(plan, here, plugin.manager, said);
    if let Some(manager) = plugin.manager
        && plan.rules.iter().any(|rule| rule.global.is_some())
        && manager.lets_requests_wait()
    {
        said.push(Diagnostic::warning(manager.at(), "", UNBOUND));
    }
}

/// Keys that clients choose, or leave out.
fn keys(plan: &Plan, here: Here<'_>, plugin: &Plugin<'_>, said: &mut Vec<Diagnostic>) {
    let managers = plugin.manager.into_iter();
    let clients = Clients {
        removed: managers
            .flat_map(ConnectionManager::removed_headers)
            .collect(),
    };
    let those = |holds: &dyn Fn(&Rule) -> bool| {
        let rules = plan.rules.iter().enumerate();
        rules.filter(|(_, rule)| holds(rule)).collect::<Vec<_>>()
    };
    let holding = those(&|rule| clients.are_held_by(rule));
    let meeting = those(&|rule| clients.are_met_by(rule));
    let mut comparisons = Comparisons::default();
    for (place, rule) in plan.rules.iter().enumerate() {
        // What is asked of a rule alone comes first: there may be a thousand, each with as many others.
        let mut is_beside = |others: &[(usize, &Rule)], holds: &dyn Fn(&Rule) -> bool| {
            let mut others = others.iter().filter(|(other, _)| *other != place);
            others.any(|(_, other)| holds(other) && comparisons.meets_all_of(other, rule))
        };
        let mut warn = |member: &str, message: &str| {
            let rule = rule_at(here, place);
            let path = format!("rules[{place}].{member}");
            said.push(Diagnostic::warning(
                rule.member(member).unwrap_or(rule).at(),
                &path,
                message,
            ));
        };
        if clients.choose_all_of(rule) && !is_beside(&holding, &|_| true) {
            warn("key", CHOSEN);
        }
        if clients.may_leave(rule)
            && !is_beside(&meeting, &|other| clients.count_or_deny(other, rule))
        {
            warn("on_missing_key", LEFT_OUT);
        }
    }
}

const CHOSEN: &str = "only of what clients choose: each may have as many counters as it likes; \
                      add a rule by \"client_ip\", or have the proxy remove what it does not set itself";

const LEFT_OUT: &str = "\"skip\" with nothing behind it: who leaves the key out is not limited; \
                        set it to \"client_ip\" or \"deny\", or add a rule that counts these requests too";

const UNBOUND: &str = "a request that waits for the limiter while its worker's VM dies waits for minutes, or for ever; set \
                       stream_idle_timeout, max_stream_duration, or an idle_timeout on every route";

const UNASKED: &str = "no rule has \"global\", so it is not asked: each proxy counts by itself";

const ROUTELESS: &str = "Kong has no routes for filters, so \"route\" is always missing; \
                         put a filter chain of its own on each route";

const BELIEVED: &str =
    "use_remote_address is not true: a client chooses its address by sending X-Forwarded-For";

const HANDED_ON: &str = "use_remote_address is not true (or skip_xff_append is): Envoy adds nobody to X-Forwarded-For, \
                         and who connects to it chooses an address";

/// What clients have in their hands.
struct Clients<'a> {
    /// Headers that never are theirs.
    removed: Vec<&'a str>,
}

impl Clients<'_> {
    fn choose(&self, source: &KeySource) -> bool {
        match source {
            KeySource::ClientIp | KeySource::Route | KeySource::Constant(_) => false,
            KeySource::Header(_) => self.may_omit(source),
            KeySource::Method
            | KeySource::Path
            | KeySource::Host
            | KeySource::Cookie(_)
            | KeySource::Query(_)
            | KeySource::PathSegment(_)
            | KeySource::PathTemplate(_) => true,
        }
    }

    /// Whether it is theirs to leave out, whatever they want.
    fn may_omit(&self, source: &KeySource) -> bool {
        match source {
            KeySource::Header(name) => !self
                .removed
                .iter()
                .any(|own| own.eq_ignore_ascii_case(name)),
            KeySource::Cookie(_) | KeySource::Query(_) => true,
            _ => false,
        }
    }

    /// Whether they may have as many counters of a rule as they like.
    fn choose_all_of(&self, rule: &Rule) -> bool {
        let mut parts = rule.key.iter();
        is_limited(rule) && !rule.key.is_empty() && parts.all(|part| self.choose(&part.source))
    }

    /// Whether they may send what a rule does not count.
    fn may_leave(&self, rule: &Rule) -> bool {
        is_limited(rule) && self.may_skip(rule)
    }

    fn may_skip(&self, rule: &Rule) -> bool {
        let mut parts = rule.key.iter();
        rule.on_missing_key == OnMissingKey::Skip && parts.any(|part| self.may_omit(&part.source))
    }

    /// Whether a rule counts all that it meets, by what they do not choose.
    fn are_held_by(&self, rule: &Rule) -> bool {
        is_limited(rule) && !self.choose_all_of(rule) && !self.may_skip(rule)
    }

    /// Whether a rule has something to say to requests that leave a key out, if only its own.
    fn are_met_by(&self, rule: &Rule) -> bool {
        rule.on_missing_key == OnMissingKey::Deny || (is_limited(rule) && !self.may_skip(rule))
    }

    /// Whether that is so of requests without the key of `rule`: they are counted by `other`, or denied for want of a
    /// part that both have.
    fn count_or_deny(&self, other: &Rule, rule: &Rule) -> bool {
        let is_shared = |part: &KeyPart| {
            let mut parts = rule.key.iter();
            parts.any(|own| own.descriptor_key == part.descriptor_key)
        };
        let denies = other.on_missing_key == OnMissingKey::Deny;
        (is_limited(other) && !self.may_skip(other)) || (denies && other.key.iter().any(is_shared))
    }
}

fn is_limited(rule: &Rule) -> bool {
    !rule.limits.is_empty()
}

/// The rule at a place.
fn rule_at(here: Here<'_>, place: usize) -> Here<'_> {
    let rules = here.member("rules");
    let rule = rules.and_then(|rules| rules.items().nth(place));
    rule.unwrap_or(here)
}

/// What Kong tells no filter.
fn routes(plan: &Plan, here: Here<'_>, said: &mut Vec<Diagnostic>) {
    for (place, rule) in plan.rules.iter().enumerate() {
        let key = rule_at(here, place).member("key");
        let items = key.into_iter().flat_map(Here::items);
        for (part, (written, item)) in rule.key.iter().zip(items).enumerate() {
            if matches!(written.source, KeySource::Route) {
                let path = format!("rules[{place}].key[{part}]");
                said.push(Diagnostic::warning(item.at(), &path, ROUTELESS));
            }
        }
    }
}

/// A service that is none of all the clusters that its Envoy has.
fn cluster(
    plan: &Plan,
    here: Here<'_>,
    clusters: Clusters<'_>,
    plugin: &Plugin<'_>,
) -> Option<Diagnostic> {
    let service = plan.service.as_ref()?;
    let cluster = here.path(&["limiter", "cluster"])?;
    let variable = cluster.text_at(&["env"]);
    let is_known = variable.is_none_or(|name| plugin.environment.get(name) != Variable::Unknown);
    let unknown = || clusters.unknown(&service.cluster, cluster, "limiter.cluster");
    is_known.then(unknown).flatten()
}

/// Whose word is taken for an address.
fn addresses(
    plan: &Plan,
    here: Here<'_>,
    manager: Option<ConnectionManager<'_>>,
    said: &mut Vec<Diagnostic>,
) {
    let counts_by_address = plan.rules.iter().any(|rule| {
        let mut parts = rule.key.iter();
        rule.on_missing_key == OnMissingKey::ClientIp
            || parts.any(|part| matches!(part.source, KeySource::ClientIp))
    });
    if let Some(manager) = manager.filter(|_| counts_by_address) {
        let unwise = match &plan.client_ip.source {
            AddressSource::Connection => manager.believes_clients().then_some(BELIEVED),
            AddressSource::ForwardedFor(_) => (!manager.adds_peers()).then_some(HANDED_ON),
        };
        said.extend(unwise.map(|message| Diagnostic::warning(manager.at(), "", message)));
    }
    let AddressSource::ForwardedFor(networks) = &plan.client_ip.source else {
        return;
    };
    let list = here.path(&["client_ip", "trusted_proxies"]);
    let items = list.into_iter().flat_map(Here::items);
    for (place, (network, item)) in networks.iter().zip(items).enumerate() {
        if network.prefix_len() == 0 {
            let path = format!("client_ip.trusted_proxies[{place}]");
            let message = format!("{network} is everybody: a client chooses its address");
            said.push(Diagnostic::warning(item.at(), &path, &message));
        }
    }
}
