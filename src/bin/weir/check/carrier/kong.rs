//! Kong: a declarative file.

use weir::config::json::Node;

use super::{Environment, Plugin, Written};
use crate::check::diagnostic::Diagnostic;
use crate::check::tree::Here;

/// Every filter of every chain, of the whole proxy, of services and of their routes; and the filters that are configured
/// as plugins, which go by the name of Weir: any other may be no filter at all.
pub fn plugins(document: Here<'_>) -> Vec<Plugin<'_>> {
    let mut found = Vec::new();
    walk(document, &mut found);
    found
}

fn walk<'a>(here: Here<'a>, found: &mut Vec<Plugin<'a>>) {
    for (name, member) in here.members() {
        match name {
            "filter_chains" => {
                let chains = member.items();
                let chains = chains.filter_map(|chain| chain.member("filters"));
                found.extend(chains.flat_map(filters));
            }
            "plugins" => {
                let plugins = member.items().map(plugin);
                found.extend(plugins.filter(|plugin| plugin.is_named));
            }
            _ => walk(member, found),
        }
    }
    for item in here.items() {
        walk(item, found);
    }
}

fn filters(chain: Here<'_>) -> impl Iterator<Item = Plugin<'_>> {
    chain.items().map(move |filter| {
        let enabled = filter.member("enabled");
        let is_disabled = enabled.is_some_and(|enabled| *enabled.node == Node::Bool(false));
        Plugin {
            chain: (!is_disabled).then_some(chain.at()),
            ..plugin(filter)
        }
    })
}

fn plugin(filter: Here<'_>) -> Plugin<'_> {
    let written = match filter.member("config") {
        None => Written::Absent(filter, "config"),
        Some(config) if config.text().is_some() => Written::Text(config),
        Some(config) => Written::Values(config),
    };
    let name = filter.member("name");
    let is_file = |name: &Here<'_>| name.text().is_some_and(|name| name.ends_with(".wasm"));
    let file = name.filter(is_file).map(|name| {
        let message = format!(
            "{} is no name of a filter: Kong calls one as its file is called, without .wasm",
            name.node
        );
        Diagnostic::warning(name.at(), "", &message)
    });
    let hyphened = name.filter(|name| name.text().is_some_and(|name| name.contains('-')));
    let said = hyphened.map(|name| {
        let message = format!(
            "{} has a \"-\": Kong's Prometheus plugin fails at the metrics of a filter that is called so; \
             name the module's file otherwise, such as weir.wasm",
            name.node
        );
        Diagnostic::warning(name.at(), "", &message)
    });
    Plugin {
        is_on_kong: true,
        resolves_paths: true,
        environment: Environment::unknown(),
        said: file.into_iter().chain(said).collect(),
        ..Plugin::new(filter, &[filter.text_at(&["name"])], written)
    }
}
