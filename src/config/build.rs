//! From what was written to what is run: what values mean together.

use super::decode::{List, OrEnv, Reader};
use super::error::Path;
use super::json::quote;
use super::names::Names;
use super::raw::{self, AddressFrom, Limits};
use super::subsets::Subsets;
use super::{global, key, limits, pattern, response};
use crate::global::wire::Engine;
use crate::plan::{AddressSource, ClientIp, Log, Match, Plan, Rule};

/// Makes the plan; `None` when something was wrong, which has then been reported.
pub(super) fn plan(raw: raw::Document, reader: &mut Reader<'_>) -> Option<Plan> {
    let root = Path::ROOT;
    let path = root.member("rules");
    if let (Some(OrEnv(true)), Some(List(list))) = (&raw.enabled, &raw.rules)
        && list.is_empty()
    {
        let message = "an empty list limits nothing; add a rule, or set \"enabled\": false";
        reader.refuse::<()>(&path, message);
    }
    let known = match &raw.limiter {
        None => Some(None),
        Some(None) => None,
        Some(Some(limiter)) => Some(Some(global::Known::of(limiter))),
    };
    let rules = raw.rules.and_then(|raw| rules(raw, known, &path, reader));
    let path = root.member("limiter");
    let service = raw.limiter.and_then(|raw| match raw {
        Some(raw) => global::service(raw, &path, reader).map(Some),
        None => Some(None),
    });
    let path = root.member("client_ip");
    let client_ip = raw.client_ip.and_then(|raw| client_ip(raw, &path, reader));
    let path = root.member("response");
    let response = raw
        .response
        .and_then(|raw| response::response(raw, &path, reader));
    let log = raw.log?;
    let (mut rules, mut service) = (rules?, service?);
    if let Some(service) = &mut service {
        if service.engine == Engine::EnvoyRatelimit {
            service.joined_keys = global::descriptor_keys(&rules);
        }
        global::mark(&mut rules, service);
    }
    Some(Plan {
        enabled: raw.enabled?.0,
        domain: raw.domain?.0.0,
        rules,
        client_ip: client_ip?,
        response: response?,
        max_keys: raw.store?.max_keys?.0.0.next_power_of_two(),
        log: Log {
            refusals_per_second: log.refusals_per_second?.0,
            keys: log.keys?,
        },
        service,
    })
}

fn rules(
    raw: List<raw::Rule, 0, 1_000>,
    service: Option<Option<global::Known>>,
    path: &Path<'_>,
    reader: &mut Reader<'_>,
) -> Option<Vec<Rule>> {
    let mut names = Names::default();
    let mut policies = Names::default();
    let mut descriptors = Names::default();
    let mut subsets = Subsets::default();
    let is_by_subsets = service
        .flatten()
        .is_some_and(global::Known::matches_subsets);
    raw.build(|index, raw| {
        let path = path.item(index);
        let name = raw.name.clone();
        let rule = rule(raw, service, &path, reader);
        if let Some(name) = name
            && let Some(first) = names.taken(&as_metric(&name.0), index)
        {
            let message = format!(
                "{} is already the name of rules[{first}] (\"-\" and \".\" are \"_\" in Prometheus)",
                quote(&name.0)
            );
            return reader.refuse(&path.member("name"), &message);
        }
        if let Some(rule) = &rule
            && let Some(first) = policy_taken(rule, index, &mut policies)
        {
            let message = format!(
                "one of its limits is in headers what one of rules[{first}] is, <rule>.<limit>; \
                 rename the rule or the limit"
            );
            return reader.refuse(&path, &message);
        }
        if let Some(rule) = &rule
            && let Some(first) = global::descriptor_taken(rule, index, &mut descriptors)
        {
            let message = format!(
                "the limiter would count it where it counts rules[{first}]; \
                 name a part otherwise by \"as\", or add one such as {{\"constant\": {}}}",
                quote(&rule.name)
            );
            return reader.refuse(&path.member("key"), &message);
        }
        if let Some(rule) = rule.as_ref().filter(|_| is_by_subsets)
            && let Some(message) = subsets.refusal(rule, index)
        {
            return reader.refuse(&path.member("key"), &message);
        }
        rule
    })
}

/// A name in one form for all that have one in Prometheus: for it, Envoy writes "-" and "." as "_".
#[expect(
    clippy::collapsible_str_replace,
    reason = "that form would add 400 bytes to the module"
)]
fn as_metric(name: &str) -> String {
    name.replace('_', "-").replace('.', "-")
}

/// The rule that has a policy of this one: `a` with a limit `b.c` and `a.b` with a limit `c` would be one to a
/// client.
fn policy_taken(rule: &Rule, index: usize, policies: &mut Names) -> Option<usize> {
    let mut limits = rule.limits.iter();
    limits.find_map(|limit| policies.taken(&limit.policy, index))
}

fn rule(
    raw: raw::Rule,
    service: Option<Option<global::Known>>,
    path: &Path<'_>,
    reader: &mut Reader<'_>,
) -> Option<Rule> {
    let matches = raw.matches.and_then(|raw| match raw {
        Some(raw) => matches(raw, &path.member("match"), reader).map(Some),
        None => Some(None),
    });
    let key = raw
        .key
        .and_then(|raw| key::parts(raw, &path.member("key"), reader));
    let name = raw.name;
    let default = match raw.global {
        Some(Some(_)) => raw::Algorithm::FixedWindow,
        _ => raw::Algorithm::TokenBucket,
    };
    let keeper = match (&raw.global, service) {
        (Some(Some(global)), Some(Some(known))) => known.keeps(global),
        _ => None,
    };
    let limits = raw.limits.and_then(|raw| match raw {
        Limits::Unlimited => Some(Vec::new()),
        Limits::All(list) => {
            let rule = name.as_ref().map_or("", |name| &name.0);
            let path = path.member("limits");
            limits::limits(list, rule, default, keeper, &path, reader)
        }
    });
    let global = raw.global.and_then(|raw| match raw {
        None => Some(None),
        Some(raw) => {
            let (limits, key) = (limits.as_deref(), key.as_deref());
            global::global(raw, limits, key, service, path, reader).map(Some)
        }
    });
    Some(Rule {
        name: name?.0,
        matches: matches?,
        key: key?,
        on_missing_key: raw.on_missing_key?,
        on_fault: raw.on_fault?,
        limits: limits?,
        global: global?,
    })
}

fn matches(raw: raw::Match, path: &Path<'_>, reader: &mut Reader<'_>) -> Option<Match> {
    // What has other members has been refused for those.
    if reader.findings.is_empty_object(path) {
        return reader.refuse(path, "an empty match; leave it out to match every request");
    }
    let paths = raw.path.and_then(|raw| match raw {
        None => Some(Vec::new()),
        Some(raw) => pattern::patterns(raw, &path.member("path"), reader),
    });
    let methods = match raw.methods? {
        None => Some(Vec::new()),
        Some(list) => list.build(|_, method| Some(method.0)),
    };
    Some(Match {
        paths: paths?,
        methods: methods?,
    })
}

fn client_ip(raw: raw::ClientIp, path: &Path<'_>, reader: &mut Reader<'_>) -> Option<ClientIp> {
    let proxies_path = path.member("trusted_proxies");
    let source = match (raw.from?, raw.trusted_proxies?) {
        (AddressFrom::Connection, None) => AddressSource::Connection,
        (AddressFrom::Connection, Some(_)) => {
            return reader.refuse(
                &proxies_path,
                "is only allowed with \"from\": \"x-forwarded-for\"",
            );
        }
        (AddressFrom::ForwardedFor, None) => {
            return reader.refuse(
                &proxies_path,
                "is required with \"from\": \"x-forwarded-for\"; [] trusts nobody",
            );
        }
        (AddressFrom::ForwardedFor, Some(list)) => {
            AddressSource::ForwardedFor(list.build(|_, network| Some(network.0))?)
        }
    };
    Some(ClientIp {
        source,
        v4_prefix: raw.v4_prefix?.0,
        v6_prefix: raw.v6_prefix?.0,
    })
}
