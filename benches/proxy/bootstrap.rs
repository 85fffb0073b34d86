//! The Envoy configuration of a case: one listener, one route.

use serde_json::{Value, json};

use crate::cases::Filter;
use crate::document::{HTTP_CONNECTION_MANAGER, cluster, router, socket, weir};
use crate::neighbours::Neighbours;

/// The whole file, with a route that answers by itself.
pub fn with(filter: &Filter) -> String {
    let answer = json!({ "status": 200, "body": { "inline_string": "ok\n" } });
    let route = json!({ "match": { "prefix": "/" }, "direct_response": answer });
    file(filter, &route, &[])
}

/// The whole file, with a route to the upstream: Envoy's own filter asks its service about no other. It asks
/// about addresses.
pub fn among(neighbours: &Neighbours, filter: &Filter) -> String {
    let asked = json!([{ "actions": [{ "remote_address": {} }] }]);
    let route = json!({
        "match": { "prefix": "/" },
        "route": { "cluster": "upstream", "rate_limits": asked },
    });
    let mut grpc = cluster(GRPC, &socket(neighbours.grpc()));
    grpc["typed_extension_protocol_options"] = json!({
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": { "http2_protocol_options": {} },
        },
    });
    let clusters = [
        cluster("upstream", &socket(neighbours.upstream())),
        cluster(HTTP, &socket(neighbours.http())),
        grpc,
    ];
    file(filter, &route, &clusters)
}

/// The service, as the module asks it.
pub const HTTP: &str = "ratelimit";

/// The service, as Envoy's own filter asks it.
const GRPC: &str = "ratelimit-grpc";

/// The domain that the service is asked about.
pub const DOMAIN: &str = "bench";

fn file(filter: &Filter, route: &Value, clusters: &[Value]) -> String {
    let mut filters = filter_chain(filter);
    filters.push(router());
    let manager = json!({
        "@type": HTTP_CONNECTION_MANAGER,
        "stat_prefix": "bench",
        "use_remote_address": true,
        "route_config": { "virtual_hosts": [{ "name": "all", "domains": ["*"], "routes": [route] }] },
        "http_filters": filters,
    });
    let any_port = json!({ "socket_address": { "address": "127.0.0.1", "port_value": 0 } });
    json!({
        "admin": { "address": any_port },
        "static_resources": { "clusters": clusters, "listeners": [{
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
        Filter::RateLimit => vec![rate_limit()],
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

/// One call of the service for each request.
fn rate_limit() -> Value {
    json!({
        "name": "envoy.filters.http.ratelimit",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.ratelimit.v3.RateLimit",
            "domain": DOMAIN,
            "timeout": "60s",
            "rate_limit_service": {
                "transport_api_version": "V3",
                "grpc_service": { "envoy_grpc": { "cluster_name": GRPC } },
            },
        },
    })
}
