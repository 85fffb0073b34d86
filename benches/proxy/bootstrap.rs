//! The Envoy configuration of a case: one listener, one route that answers by itself.

use serde_json::{Value, json};

use crate::cases::Filter;
use crate::document::{HTTP_CONNECTION_MANAGER, router, weir};

/// The whole file.
pub fn with(filter: &Filter) -> String {
    let mut filters = filter_chain(filter);
    filters.push(router());
    let manager = json!({
        "@type": HTTP_CONNECTION_MANAGER,
        "stat_prefix": "bench",
        "use_remote_address": true,
        "route_config": { "virtual_hosts": [{ "name": "all", "domains": ["*"], "routes": [{
            "match": { "prefix": "/" },
            "direct_response": { "status": 200, "body": { "inline_string": "ok\n" } },
        }] }] },
        "http_filters": filters,
    });
    let any_port = json!({ "socket_address": { "address": "127.0.0.1", "port_value": 0 } });
    json!({
        "admin": { "address": any_port },
        "static_resources": { "listeners": [{
            "name": "bench",
            "address": any_port,
            "filter_chains": [{ "filters": [
                { "name": "envoy.filters.network.http_connection_manager", "typed_config": manager },
            ] }],
        }] },
    })
    .to_string()
}

fn filter_chain(filter: &Filter) -> Vec<Value> {
    match filter {
        Filter::Absent => Vec::new(),
        Filter::LocalRateLimit => vec![local_rate_limit()],
        Filter::Weir(document) => vec![weir(document)],
    }
}

/// A descriptor without a value stands for every value: Envoy makes a bucket for each address it meets.
fn local_rate_limit() -> Value {
    let bucket =
        json!({ "max_tokens": 1_000_000, "tokens_per_fill": 1_000_000, "fill_interval": "1s" });
    let always = json!({ "default_value": { "numerator": 100 } });
    json!({
        "name": "envoy.filters.http.local_ratelimit",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
            "stat_prefix": "bench",
            "token_bucket": bucket,
            "filter_enabled": always,
            "filter_enforced": always,
            "rate_limits": [{ "actions": [{ "remote_address": {} }] }],
            "descriptors": [{ "entries": [{ "key": "remote_address" }], "token_bucket": bucket }],
        },
    })
}
