//! Kubernetes: an Istio WasmPlugin, an Envoy Gateway EnvoyExtensionPolicy, a list of objects, and whatever has a
//! filter of Envoy in it.

use super::digest::{self, Digest};
use super::{Environment, Plugin, Written, envoy};
use crate::check::diagnostic::Diagnostic;
use crate::check::tree::Here;

/// Every plugin of an object.
pub fn plugins(object: Here<'_>) -> Vec<Plugin<'_>> {
    match object.text_at(&["kind"]) {
        Some("WasmPlugin") => vec![wasm_plugin(object)],
        Some("EnvoyExtensionPolicy") => {
            let wasm = object.path(&["spec", "wasm"]);
            let extensions = wasm.into_iter().flat_map(Here::items);
            extensions.map(|wasm| extension(object, wasm)).collect()
        }
        Some(kind) if kind.ends_with("List") => {
            let items = object.member("items").into_iter().flat_map(Here::items);
            items.flat_map(plugins).collect()
        }
        _ => envoy::plugins(object),
    }
}

/// Istio hands on `pluginConfig` as the text of a document.
fn wasm_plugin(object: Here<'_>) -> Plugin<'_> {
    let spec = object.member("spec").unwrap_or(object);
    let of_module = digest::judged(spec, Digest::Optional);
    let said = strategy(spec).into_iter().chain(of_module).collect();
    let mut environment = Environment::default();
    let variables = spec.path(&["vmConfig", "env"]);
    for variable in variables.into_iter().flat_map(Here::items) {
        let is_inline = variable.text_at(&["valueFrom"]) != Some("HOST");
        let value = variable.member("value").filter(|_| is_inline);
        let name = variable.text_at(&["name"]).unwrap_or_default();
        environment.add(name, value, variable.at());
    }
    let names = [
        object.text_at(&["metadata", "name"]),
        spec.text_at(&["pluginName"]),
        spec.text_at(&["url"]),
    ];
    let absent = Written::Absent(spec, "pluginConfig");
    let written = spec.member("pluginConfig").map_or(absent, Written::Values);
    Plugin {
        environment,
        said,
        ..Plugin::new(spec, &names, written)
    }
}

/// Refuses a strategy that the API server does.
fn strategy(spec: Here<'_>) -> Option<Diagnostic> {
    let strategy = spec.given("failStrategy");
    match (strategy, strategy.and_then(Here::text)) {
        (_, Some("FAIL_RELOAD")) => None,
        (None, _) | (_, Some("FAIL_CLOSE" | "FAIL_OPEN")) => {
            let message = "failStrategy is not FAIL_RELOAD: after a crash a worker \
                           refuses every request, or limits none, until the proxy restarts";
            let at = spec.member("failStrategy").unwrap_or(spec).at();
            Some(Diagnostic::warning(at, "", message))
        }
        (Some(strategy), _) => {
            let found = strategy.node;
            let message =
                format!("{found} is not allowed; expected FAIL_RELOAD, FAIL_CLOSE or FAIL_OPEN");
            Some(Diagnostic::error(strategy.at(), "", &message))
        }
    }
}

/// Envoy Gateway hands on `config` as the text of a document; its Envoys normalize paths and merge slashes.
fn extension<'a>(policy: Here<'a>, wasm: Here<'a>) -> Plugin<'a> {
    let mut environment = Environment::default();
    let keys = wasm.path(&["env", "hostKeys"]);
    for name in keys.into_iter().flat_map(Here::items) {
        environment.add_from_host(name);
    }
    let names = [
        policy.text_at(&["metadata", "name"]),
        wasm.text_at(&["name"]),
        wasm.text_at(&["rootID"]),
        wasm.text_at(&["code", "image", "url"]),
        wasm.text_at(&["code", "http", "url"]),
    ];
    let sources = [&["code", "image"], &["code", "http"]];
    let fetched = sources.into_iter().filter_map(|source| wasm.path(source));
    let refused = fetched.filter_map(|source| digest::judged(source, Digest::Optional));
    let absent = Written::Absent(wasm, "config");
    let written = wasm.member("config").map_or(absent, Written::Values);
    Plugin {
        environment,
        said: refused.collect(),
        resolves_paths: true,
        ..Plugin::new(wasm, &names, written)
    }
}
