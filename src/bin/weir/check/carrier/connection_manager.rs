//! Envoy's HTTP connection manager: its filters in their order, and what it does to requests before them.

use std::collections::{HashMap, HashSet};

use super::message::{WASM, config, is_time, is_true, typed};
use crate::check::tree::Here;

pub const MANAGER: &str =
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

const ROUTER: &str = "envoy.extensions.filters.http.router.v3.Router";

const BEHIND: &str =
    "the filter is behind the router; expected before it, which is the last of a chain";

const LAST: &str = "the filter is the last of its chain; expected the router behind it";

/// Types of filters, and where each stands.
pub struct Around<'a> {
    pub before: Vec<(&'a str, usize)>,
    pub behind: Vec<(&'a str, usize)>,
}

/// The connection manager whose filters are spoken of.
#[derive(Clone, Copy)]
pub struct ConnectionManager<'a>(pub Here<'a>);

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

    /// Whether it merges `//` in paths and resolves dot segments.
    pub fn resolves_paths(self) -> bool {
        self.is_set("normalize_path") && self.is_set("merge_slashes")
    }

    fn is_set(self, name: &str) -> bool {
        self.0.member(name).is_some_and(is_true)
    }

    /// Where the Wasm plugins stand that every request goes through: routes may switch off what they have a word on.
    pub fn always_run(self) -> impl Iterator<Item = usize> {
        let mut overridden = HashSet::new();
        if let Some(routes) = self.0.member("route_config") {
            overrides(routes, &mut overridden);
        }
        let enabled = self.filters().filter(move |filter| {
            let is_overridden = |name| overridden.contains(name);
            !filter.member("disabled").is_some_and(is_true)
                && !filter.text_at(&["name"]).is_some_and(is_overridden)
        });
        enabled.filter_map(|filter| wasm(filter.member("typed_config")?))
    }

    /// Where the Wasm plugins stand that Envoy refuses for their place in the chain, and what is wrong with it.
    pub fn misplaced(self) -> HashMap<usize, &'static str> {
        let plugin = |filter| configured(filter).and_then(wasm);
        let is_router = |filter| {
            let message = configured(filter).and_then(typed);
            message.is_some_and(|(of, _)| of == ROUTER)
        };
        let behind = self.filters().skip_while(|filter| !is_router(*filter));
        let behind = behind.filter_map(plugin).map(|at| (at, BEHIND));
        let last = self.filters().last().and_then(plugin);
        last.map(|at| (at, LAST))
            .into_iter()
            .chain(behind)
            .collect()
    }

    /// The filters around the plugin that stands at `plugin`, but for those that are disabled; `None` where it is none of
    /// the chain's.
    pub fn around(self, plugin: usize) -> Option<Around<'a>> {
        let is_plugin = |filter: Here<'a>| configured(filter).and_then(wasm) == Some(plugin);
        let place = self.filters().position(is_plugin)?;
        let typed = |filter: Here<'a>| {
            let (of, _) = configured(filter).and_then(typed)?;
            let is_disabled = filter.member("disabled").is_some_and(is_true);
            (!is_disabled).then_some((of, filter.at()))
        };
        Some(Around {
            before: self.filters().take(place).filter_map(typed).collect(),
            behind: self
                .filters()
                .skip(place)
                .skip(1)
                .filter_map(typed)
                .collect(),
        })
    }

    /// Where the routes that are in the file follow redirects inside this Envoy.
    pub fn internal_redirects(self) -> Vec<usize> {
        let mut found = Vec::new();
        if let Some(routes) = self.0.member("route_config") {
            redirects(routes, &mut found);
        }
        found
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

/// What a filter is configured to be. What is discovered is of the type of what stands for it until then.
fn configured(filter: Here<'_>) -> Option<Here<'_>> {
    let until = || filter.path(&["config_discovery", "default_config"]);
    filter.member("typed_config").or_else(until)
}

/// Where the plugin stands, if that is what a filter is configured to be.
fn wasm(configured: Here<'_>) -> Option<usize> {
    let (of, message) = typed(configured)?;
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

/// Collects where routes have a policy for internal redirects.
fn redirects(here: Here<'_>, found: &mut Vec<usize>) {
    found.extend(here.given("internal_redirect_policy").map(Here::at));
    let members = here.members().map(|(_, member)| member);
    for part in members.chain(here.items()) {
        redirects(part, found);
    }
}
