//! An Envoy whose filters and routes a test writes, where [`Listener`](crate::document::Listener) has its own.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::document::{HTTP_CONNECTION_MANAGER, cluster, router, socket};
use crate::proxy::{Envoy, Host};

/// Filters, routes and clusters of one listener.
pub struct Chain {
    filters: Vec<Value>,
    routes: Value,
    /// What the filters are told of all routes.
    per_filter: Value,
    clusters: Vec<Value>,
}

impl Chain {
    /// These filters, before the router.
    pub fn new(filters: impl IntoIterator<Item = Value>, routes: Value) -> Self {
        Self {
            filters: filters.into_iter().chain([router()]).collect(),
            routes,
            per_filter: json!({}),
            clusters: Vec::new(),
        }
    }

    /// With a cluster of one endpoint.
    pub fn cluster(mut self, name: &str, at: SocketAddr) -> Self {
        let mut cluster = cluster(name, &socket(at));
        // As the callers': gRPC is HTTP/2.
        cluster["typed_extension_protocol_options"] = json!({
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "use_downstream_protocol_config": { "http2_protocol_options": {} },
            },
        });
        self.clusters.push(cluster);
        self
    }

    /// With what a filter is told of all routes.
    pub fn told(mut self, filter: &str, what: Value) -> Self {
        self.per_filter[filter] = what;
        self
    }

    pub async fn start(self, host: &Host) -> Envoy {
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let manager = json!({
            "@type": HTTP_CONNECTION_MANAGER,
            "stat_prefix": "chain",
            "use_remote_address": true,
            "route_config": { "virtual_hosts": [{
                "name": "all",
                "domains": ["*"],
                "routes": self.routes,
                "typed_per_filter_config": self.per_filter,
            }] },
            "http_filters": self.filters,
        });
        let bootstrap = json!({
            "admin": { "address": socket(nowhere) },
            "static_resources": {
                "clusters": self.clusters,
                "listeners": [{
                    "name": "chain",
                    "address": socket(nowhere),
                    "filter_chains": [{ "filters": [
                        { "name": "envoy.filters.network.http_connection_manager", "typed_config": manager },
                    ] }],
                }],
            },
        });
        host.start_static(&bootstrap.to_string()).await
    }
}

/// A route of all requests to a cluster.
pub fn router_to(cluster: &str) -> Value {
    json!({ "match": { "prefix": "/" }, "route": { "cluster": cluster } })
}
