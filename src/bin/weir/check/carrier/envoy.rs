//! Envoy: a bootstrap, a file of resources, or a listener or a filter inside anything else.

use std::collections::HashSet;

use weir::config::json::{Node, shortened};

use super::clusters::Clusters;
use super::connection_manager::{ConnectionManager, MANAGER};
use super::digest::{self, Digest};
use super::message::{WASM, config, is_true, name, typed};
use super::{Environment, Plugin, Written, fields};
use crate::check::diagnostic::Diagnostic;
use crate::check::tree::{Here, is_name};

/// What a file of Envoy has at its top.
const MEMBERS: &[&str] = &[
    "@type",
    "admin",
    "dynamic_resources",
    "filter_chains",
    "http_filters",
    "node",
    "resources",
    "static_resources",
];

/// Whether a document is Envoy's, or has a Wasm filter somewhere in it, as a dump of its configuration has.
pub fn is_in(document: Here<'_>) -> bool {
    let has = |name: &&str| document.member(name).is_some();
    MEMBERS.iter().any(has) || holds_filter(document)
}

fn holds_filter(here: Here<'_>) -> bool {
    typed(here).is_some_and(|(of, _)| of == WASM)
        || here.members().any(|(_, member)| holds_filter(member))
        || here.items().any(holds_filter)
}

/// Every Wasm filter, wherever it stands.
pub fn plugins(document: Here<'_>) -> Vec<Plugin<'_>> {
    let mut found = Vec::new();
    let outside = Outside {
        name: None,
        manager: None,
        clusters: Clusters::of(document),
        is_route: false,
    };
    walk(document, outside, &mut found);
    // A plugin that is named so is judged whatever else the file has in it.
    if let Some(plugin) = found.iter_mut().max_by_key(|plugin| plugin.is_named) {
        nowhere(document, &mut plugin.said);
    }
    found
}

/// Adds every type that Envoy does not find, since no host is before it.
fn nowhere(here: Here<'_>, said: &mut Vec<Diagnostic>) {
    if let Some(of) = here.member("@type")
        && let Some(url) = of.text()
        && url.rsplit_once('/').is_none_or(|(host, _)| host.is_empty())
    {
        let expected = shortened(&format!("type.googleapis.com/{}", name(url)), 120);
        let message = format!("{} is not allowed; expected {expected}", of.node);
        said.push(Diagnostic::error(of.at(), "", &message));
    }
    for (_, member) in here.members() {
        nowhere(member, said);
    }
    for item in here.items() {
        nowhere(item, said);
    }
}

/// What is around a part of a file.
#[derive(Clone, Copy)]
struct Outside<'a> {
    /// The name of the innermost thing that has one.
    name: Option<&'a str>,
    manager: Option<ConnectionManager<'a>>,
    clusters: Option<Clusters<'a>>,
    /// Whether a route, or what is around routes, configures the filters in it.
    is_route: bool,
}

const OF_ROUTE: &str = "the filter is configured for a route, which Envoy refuses; expected it in \"http_filters\" alone, \
                        with a rule that matches what the route does";

fn walk<'a>(here: Here<'a>, outside: Outside<'a>, found: &mut Vec<Plugin<'a>>) {
    let mut outside = Outside {
        name: here.text_at(&["name"]).or(outside.name),
        ..outside
    };
    let before = found.len();
    let mut manager = None;
    if let Some((of, message)) = typed(here) {
        if of == MANAGER {
            manager = Some(ConnectionManager(message));
            outside.manager = manager;
        }
        if of == WASM {
            found.push(plugin(message, outside));
            return;
        }
    }
    for (name, member) in here.members() {
        if is_name(name, "typed_per_filter_config") {
            for (name, filter) in member.members() {
                let outside = Outside {
                    name: Some(name),
                    // In a FilterConfig it may be disabled or optional.
                    is_route: typed(filter).is_some_and(|(of, _)| of == WASM),
                    ..outside
                };
                walk(filter, outside, found);
            }
        } else {
            walk(member, outside, found);
        }
    }
    for item in here.items() {
        walk(item, outside, found);
    }
    if let Some(manager) = manager {
        let run: HashSet<_> = manager.always_run().collect();
        let misplaced = manager.misplaced();
        for plugin in found.iter_mut().skip(before) {
            if run.contains(&plugin.at) {
                plugin.chain = Some(manager.at());
            }
            if let Some(message) = misplaced.get(&plugin.at) {
                plugin.said.push(Diagnostic::error(plugin.at, "", message));
            }
        }
    }
}

fn plugin<'a>(filter: Here<'a>, outside: Outside<'a>) -> Plugin<'a> {
    let config = config(filter);
    let vm = config.member("vm_config");
    let of_vm = |names: &[&str]| vm.and_then(|vm| vm.text_at(names));
    let names = [
        outside.name,
        config.text_at(&["name"]),
        config.text_at(&["root_id"]),
        of_vm(&["vm_id"]),
        of_vm(&["code", "local", "filename"]),
        of_vm(&["code", "remote", "http_uri", "uri"]),
    ];
    let mut said = Vec::new();
    if outside.is_route {
        said.push(Diagnostic::error(config.at(), "", OF_ROUTE));
    }
    fields::refused(filter, &mut said);
    let vm_id = vm.and_then(|vm| vm.given("vm_id"));
    if vm_id.is_none_or(|vm_id| vm_id.text() == Some("")) {
        let message =
            "vm_id is blank: every such filter counts in one namespace, whatever it is; name one";
        let at = vm.unwrap_or(config).at();
        said.push(Diagnostic::warning(at, "", message));
    }
    said.extend(policy(config));
    let code = vm.and_then(|vm| vm.member("code"));
    let remote = code.and_then(|code| code.given("remote"));
    said.extend(remote.and_then(|remote| digest::judged(remote, Digest::Required)));
    if let Some(from) = remote.and_then(|remote| remote.path(&["http_uri", "cluster"]))
        && let (Some(name), Some(clusters)) = (from.text(), outside.clusters)
    {
        said.extend(clusters.unknown(name, from, ""));
    }
    Plugin {
        environment: environment(vm),
        said,
        manager: outside.manager,
        resolves_paths: outside
            .manager
            .is_some_and(ConnectionManager::resolves_paths),
        clusters: outside.clusters,
        vm_id: vm_id.and_then(Here::text).unwrap_or_default(),
        ..Plugin::new(config, &names, written(config))
    }
}

/// What becomes of a filter after a crash of its VM, in the order of their numbers.
const POLICIES: [&str; 4] = ["UNSPECIFIED", "FAIL_RELOAD", "FAIL_CLOSED", "FAIL_OPEN"];

/// Refuses a policy that is none, or has what it replaced beside it; protobuf's JSON takes names in any case, and
/// numbers.
fn policy(config: Here<'_>) -> Option<Diagnostic> {
    let policy = config.member("failure_policy");
    let number = match policy.map(|policy| policy.node) {
        None | Some(Node::Null) => Some(0),
        Some(Node::Unsigned(number)) => usize::try_from(*number).ok(),
        Some(Node::String(text)) => {
            let mut names = POLICIES.iter();
            let named = names.position(|name| name.eq_ignore_ascii_case(text));
            named.or(text.parse().ok())
        }
        Some(_) => None,
    };
    let known = number.and_then(|number| POLICIES.get(number));
    let opens = config.member("fail_open").filter(|open| is_true(*open));
    match (known, policy, opens) {
        (None, Some(policy), _) => {
            let found = policy.node;
            let message =
                format!("{found} is not allowed; expected FAIL_RELOAD, FAIL_CLOSED or FAIL_OPEN");
            Some(Diagnostic::error(policy.at(), "", &message))
        }
        (Some(&known), _, Some(open)) if known != "UNSPECIFIED" => {
            let message = "true is not allowed beside a failure_policy; expected only that";
            Some(Diagnostic::error(open.at(), "", message))
        }
        (Some(&"FAIL_RELOAD"), _, _) => None,
        _ => {
            let message = "failure_policy is not FAIL_RELOAD: after a crash a worker \
                           refuses every request, or limits none, until Envoy restarts";
            let at = policy.unwrap_or(config).at();
            Some(Diagnostic::warning(at, "", message))
        }
    }
}

/// How Envoy hands on a configuration: as text what is a `StringValue` or a `BytesValue`, in bytes any other message.
fn written(config: Here<'_>) -> Written<'_> {
    let Some(configuration) = config.member("configuration") else {
        return Written::Absent(config, "configuration");
    };
    let of = name(configuration.text_at(&["@type"]).unwrap_or_default());
    let is_text = of == "google.protobuf.StringValue";
    if !is_text && of != "google.protobuf.BytesValue" {
        return Written::Message(configuration);
    }
    match configuration.member("value") {
        None => Written::Absent(configuration, "value"),
        Some(value) if is_text => Written::Text(value),
        Some(value) => Written::Base64(value),
    }
}

fn environment(vm: Option<Here<'_>>) -> Environment {
    let mut environment = Environment::default();
    let variables = vm.and_then(|vm| vm.member("environment_variables"));
    let of = |name| variables.and_then(|variables| variables.member(name));
    let keys = of("host_env_keys");
    // Envoy takes what stands alone for a list of it.
    let alone = keys.filter(|keys| keys.text().is_some());
    for name in keys.into_iter().flat_map(Here::items).chain(alone) {
        environment.add_from_host(name);
    }
    // Of one that is there twice is told as of any member.
    let mut names = HashSet::new();
    let values = of("key_values").into_iter().flat_map(Here::members);
    for (name, value) in values.filter(|(name, _)| names.insert(*name)) {
        environment.add(name, Some(value), value.at());
    }
    environment
}
