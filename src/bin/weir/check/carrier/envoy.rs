//! Envoy: a bootstrap, a file of resources, or a listener or a filter inside anything else.

use std::collections::{BTreeMap, HashSet};

use weir::config::json::{Node, shortened};

use super::{Environment, Plugin, Written};
use crate::check::diagnostic::Diagnostic;
use crate::check::tree::Here;

/// What a file of Envoy has at its top.
pub const MEMBERS: &[&str] = &[
    "@type",
    "admin",
    "dynamic_resources",
    "filter_chains",
    "http_filters",
    "node",
    "resources",
    "static_resources",
];

/// Every Wasm filter, wherever it stands.
pub fn plugins(document: Here<'_>) -> Vec<Plugin<'_>> {
    let mut found = Vec::new();
    let outside = Outside {
        name: None,
        manager: None,
        clusters: clusters(document),
    };
    walk(document, outside, &mut found);
    // A plugin that is named so is judged whatever else the file has in it.
    if let Some(plugin) = found.iter_mut().max_by_key(|plugin| plugin.is_named) {
        let mut refused = BTreeMap::new();
        nowhere(document, &mut refused);
        plugin.said.extend(refused.into_values());
    }
    found
}

/// Finds every type that Envoy does not, since no host is before it, by where it stands: aliases may repeat it.
fn nowhere(here: Here<'_>, refused: &mut BTreeMap<usize, Diagnostic>) {
    if let Some(of) = here.member("@type")
        && let Some(url) = of.text()
        && url.rsplit_once('/').is_none_or(|(host, _)| host.is_empty())
    {
        let expected = shortened(&format!("type.googleapis.com/{}", name(url)), 120);
        let message = format!("{} is not allowed; expected {expected}", of.node);
        refused.insert(of.at(), Diagnostic::error(of.at(), "", &message));
    }
    for (_, member) in here.members() {
        nowhere(member, refused);
    }
    for item in here.items() {
        nowhere(item, refused);
    }
}

/// The name of a type, without the host that it is asked of.
fn name(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
}

/// What is around a part of a file.
#[derive(Clone, Copy)]
struct Outside<'a> {
    /// The name of the innermost thing that has one.
    name: Option<&'a str>,
    manager: Option<ConnectionManager<'a>>,
    clusters: Option<Here<'a>>,
}

/// All clusters of the Envoy that runs a bootstrap; `None` where some may come from elsewhere.
fn clusters(document: Here<'_>) -> Option<Here<'_>> {
    let dynamic = document.member("dynamic_resources");
    let is_told = |name| dynamic.is_some_and(|dynamic| dynamic.member(name).is_some());
    let are_told = is_told("cds_config") || is_told("cds_resources_locator");
    let clusters = document.path(&["static_resources", "clusters"]);
    clusters.filter(|_| !are_told)
}

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
    for (_, member) in here.members() {
        walk(member, outside, found);
    }
    for item in here.items() {
        walk(item, outside, found);
    }
    if let Some(manager) = manager {
        let run: HashSet<_> = manager.always_run().collect();
        let behind: HashSet<_> = manager.behind_router().collect();
        for plugin in found.iter_mut().skip(before) {
            if run.contains(&plugin.at) {
                plugin.chain = Some(manager.at());
            }
            if behind.contains(&plugin.at) {
                let message = "the filter is behind the router; expected before it, which is the last of a chain";
                plugin.said.push(Diagnostic::error(plugin.at, "", message));
            }
        }
    }
}

const MANAGER: &str =
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

const ROUTER: &str = "envoy.extensions.filters.http.router.v3.Router";

const WASM: &str = "envoy.extensions.filters.http.wasm.v3.Wasm";

/// A message and the name of its type, which may be that of one in a `TypedStruct`.
fn typed(here: Here<'_>) -> Option<(&str, Here<'_>)> {
    let of = name(here.text_at(&["@type"])?);
    if of.ends_with(".TypedStruct") {
        return Some((name(here.text_at(&["type_url"])?), here.member("value")?));
    }
    Some((of, here))
}

/// What a Wasm filter says of its plugin.
fn config(filter: Here<'_>) -> Here<'_> {
    filter.member("config").unwrap_or(filter)
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
    let vm_id = of_vm(&["vm_id"]).unwrap_or_default();
    if vm_id.is_empty() {
        let message =
            "vm_id is blank: every such filter counts in one namespace, whatever it is; name one";
        let at = vm.unwrap_or(config).at();
        said.push(Diagnostic::warning(at, "", message));
    }
    said.extend(policy(config));
    Plugin {
        environment: environment(vm),
        said,
        manager: outside.manager,
        clusters: outside.clusters,
        vm_id,
        ..Plugin::new(config, &names, written(config))
    }
}

/// What becomes of a filter after a crash of its VM, in the order of their numbers.
const POLICIES: [&str; 4] = ["UNSPECIFIED", "FAIL_RELOAD", "FAIL_CLOSED", "FAIL_OPEN"];

/// Refuses a policy that is none; protobuf's JSON takes names in any case, and numbers.
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
    match (known, policy) {
        (Some(&"FAIL_RELOAD"), _) => None,
        (None, Some(policy)) => {
            let found = policy.node;
            let message =
                format!("{found} is not allowed; expected FAIL_RELOAD, FAIL_CLOSED or FAIL_OPEN");
            Some(Diagnostic::error(policy.at(), "", &message))
        }
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
    for name in of("host_env_keys").into_iter().flat_map(Here::items) {
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

/// The connection manager whose filters are spoken of.
#[derive(Clone, Copy)]
pub struct ConnectionManager<'a>(Here<'a>);

impl<'a> ConnectionManager<'a> {
    pub fn at(self) -> usize {
        self.0.at()
    }

    /// Whether it believes what clients say of their address.
    pub fn believes_clients(self) -> bool {
        let is_told = self.0.member("original_ip_detection_extensions").is_some();
        !is_told && !self.is_set("use_remote_address")
    }

    /// Whether `X-Forwarded-For` ends with whom it is connected to, which it then has added itself.
    pub fn adds_peers(self) -> bool {
        self.is_set("use_remote_address") && !self.is_set("skip_xff_append")
    }

    fn is_set(self, name: &str) -> bool {
        self.0.member(name).is_some_and(is_true)
    }

    /// Where the Wasm plugins stand that every request goes through: routes may switch off what they have a word on.
    fn always_run(self) -> impl Iterator<Item = usize> {
        let mut overridden = HashSet::new();
        if let Some(routes) = self.0.member("route_config") {
            overrides(routes, &mut overridden);
        }
        let enabled = self.filters().filter(move |filter| {
            let is_overridden = |name| overridden.contains(name);
            !filter.member("disabled").is_some_and(is_true)
                && !filter.text_at(&["name"]).is_some_and(is_overridden)
        });
        enabled.filter_map(wasm)
    }

    /// Where the Wasm plugins stand that Envoy refuses, since no filter is behind the router.
    fn behind_router(self) -> impl Iterator<Item = usize> {
        let is_router = |filter: &Here<'_>| {
            let message = filter.member("typed_config").and_then(typed);
            message.is_some_and(|(of, _)| of == ROUTER)
        };
        let behind = self.filters().skip_while(move |filter| !is_router(filter));
        behind.filter_map(wasm)
    }

    fn filters(self) -> impl Iterator<Item = Here<'a>> {
        let filters = self.0.member("http_filters").into_iter();
        filters.flat_map(Here::items)
    }

    /// Headers that it removes before any filter sees what clients sent.
    pub fn removed_headers(self) -> impl Iterator<Item = &'a str> {
        let extensions = self.0.member("early_header_mutation_extensions");
        let extensions = extensions.into_iter().flat_map(Here::items);
        let mutations = extensions
            .filter_map(|extension| extension.path(&["typed_config", "mutations"]))
            .flat_map(Here::items);
        mutations.filter_map(|mutation| mutation.text_at(&["remove"]))
    }

    /// Whether nothing of its own but the five minutes of Envoy's default bounds how long a request waits in a filter.
    /// Where it has its routes from elsewhere they may, and it does not count.
    pub fn lets_requests_wait(self) -> bool {
        let Some(routes) = self.0.member("route_config") else {
            return false;
        };
        let is_bound = |names: &[&str]| self.0.path(names).is_some_and(is_time);
        let mut hosts = routes
            .member("virtual_hosts")
            .into_iter()
            .flat_map(Here::items);
        let are_bound = |host: Here<'_>| {
            let mut routes = host.member("routes").into_iter().flat_map(Here::items);
            routes.all(|route| route.path(&["route", "idle_timeout"]).is_some_and(is_time))
        };
        !(is_bound(&["stream_idle_timeout"])
            || is_bound(&["common_http_protocol_options", "max_stream_duration"])
            || hosts.all(are_bound))
    }
}

/// Where the Wasm plugin of a filter stands.
fn wasm(filter: Here<'_>) -> Option<usize> {
    let (of, message) = typed(filter.member("typed_config")?)?;
    (of == WASM).then(|| config(message).at())
}

/// Collects the names of the filters that routes, or what is around them, configure.
fn overrides<'a>(here: Here<'a>, names: &mut HashSet<&'a str>) {
    let filters = here.member("typed_per_filter_config").into_iter();
    names.extend(filters.flat_map(Here::members).map(|(name, _)| name));
    let members = here.members().map(|(_, member)| member);
    for part in members.chain(here.items()) {
        overrides(part, names);
    }
}

/// Whether Envoy reads it as true: `yes` and `on` are so too, by the YAML that it reads, and the text in quotes.
fn is_true(here: Here<'_>) -> bool {
    let is_word = |text: &str| ["true", "yes", "on", "y"].contains(&&*text.to_ascii_lowercase());
    *here.node == Node::Bool(true) || here.text().is_some_and(is_word)
}

/// Whether it is a duration that ends.
fn is_time(here: Here<'_>) -> bool {
    let number = here.text().and_then(|text| text.strip_suffix('s'));
    number.is_some_and(|number| number.parse::<f64>().is_ok_and(|seconds| seconds > 0.0))
}
