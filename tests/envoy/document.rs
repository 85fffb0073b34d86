//! The Envoy configuration the tests run: JSON, which Envoy reads as well as YAML.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::proxy::module;

/// The file, in the proxy's directory, that Envoy watches for listeners.
pub const WATCHED: &str = "listeners.json";

/// The most streams of one connection at once. Envoy's own default is 1,024.
const MOST_STREAMS: u32 = 4_096;

/// Answered with the listener's version by a route without the filter, so that asking costs nobody a token.
pub const VERSION_PATH: &str = "/listener-version";

/// On this path a request ends after [`IMPATIENCE`] in which nothing happens to it.
pub const IMPATIENT_PATH: &str = "/upstream/impatient";

/// Long enough for what is to happen before, mostly.
pub const IMPATIENCE: Duration = Duration::from_secs(5);

/// The unix socket of the upstream, in the proxy's directory.
const UPSTREAM: &str = "upstream.sock";

/// A filter with one rule, `per-client`: these limits for each address.
pub fn per_client(limits: &Value) -> Value {
    json!({ "rules": [{ "name": "per-client", "key": ["client_ip"], "limits": limits }] })
}

/// The listener with the filter, and what a test may vary of it.
#[derive(Clone, Default)]
pub struct Listener {
    /// The filter's document.
    document: Value,
    max_request_headers_kib: Option<u32>,
    forwarded_as_sent: bool,
    limiter: Option<SocketAddr>,
    /// Where Envoy finds the module, if not in the file that ships.
    code: Option<Value>,
    /// Where it is served, if it is.
    modules: Option<SocketAddr>,
    pub version: u32,
}

impl Listener {
    /// A listener whose filter has this document.
    pub fn new(filter: &Value) -> Self {
        Self {
            document: filter.clone(),
            ..Self::default()
        }
    }

    /// Accepts requests with headers of up to this size; Envoy's own default is 60.
    pub fn max_request_headers_kib(self, kib: u32) -> Self {
        Self {
            max_request_headers_kib: Some(kib),
            ..self
        }
    }

    /// Has a cluster `ratelimit` at this address.
    pub fn limiter(self, address: SocketAddr) -> Self {
        Self {
            limiter: Some(address),
            ..self
        }
    }

    /// Runs another module than the one that ships.
    pub fn module(self, module: &Path) -> Self {
        Self {
            code: Some(json!({ "local": { "filename": module } })),
            ..self
        }
    }

    /// Has Envoy fetch the module from there, if it has this digest.
    pub fn fetched(self, from: SocketAddr, sha256: &str) -> Self {
        let uri = format!("http://{from}/plugin.wasm");
        let http_uri = json!({ "uri": uri, "cluster": "modules", "timeout": "60s" });
        Self {
            code: Some(json!({ "remote": { "http_uri": http_uri, "sha256": sha256 } })),
            modules: Some(from),
            ..self
        }
    }

    /// Leaves X-Forwarded-For as the test sends it, as if a proxy in front had written it.
    ///
    /// For a peer on the loopback Envoy would append the machine's own address, which no test can know.
    pub fn forwarded_as_sent(self) -> Self {
        Self {
            forwarded_as_sent: true,
            ..self
        }
    }

    /// The next version of this listener, with another filter document.
    pub fn replace(&mut self, filter: &Value) {
        self.document = filter.clone();
        self.version += 1;
    }

    /// What Envoy finds in the watched file.
    pub fn discovery(&self, dir: &Path) -> Value {
        json!({
            "version_info": self.version.to_string(),
            "resources": [{
                "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
                "name": "weir",
                "address": { "socket_address": { "address": "127.0.0.1", "port_value": 0 } },
                "connection_balance_config": { "exact_balance": {} },
                "filter_chains": [{ "filters": [self.connection_manager(dir)] }],
            }],
        })
    }

    fn connection_manager(&self, dir: &Path) -> Value {
        let mut manager = json!({
            "@type": HTTP_CONNECTION_MANAGER,
            "stat_prefix": "weir",
            "use_remote_address": true,
            "skip_xff_append": self.forwarded_as_sent,
            "http2_protocol_options": { "max_concurrent_streams": MOST_STREAMS },
            "access_log": [{
                "name": "envoy.access_loggers.file",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
                    "path": dir.join("access"),
                    "log_format": { "text_format_source": { "inline_string":
                        "%REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %FILTER_STATE(wasm.weir:PLAIN)%\n" } },
                },
            }],
            "route_config": { "virtual_hosts": [{ "name": "all", "domains": ["*"], "routes": [
                {
                    "match": { "path": VERSION_PATH },
                    "direct_response": { "status": 200, "body": { "inline_string": self.version.to_string() } },
                    "typed_per_filter_config": { "weir": {
                        "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": true,
                    } },
                },
                {
                    "match": { "path": IMPATIENT_PATH },
                    "route": { "cluster": "upstream", "idle_timeout": format!("{}s", IMPATIENCE.as_secs()), "prefix_rewrite": "/upstream/loose" },
                },
                { "name": "upstream", "match": { "prefix": "/upstream" }, "route": { "cluster": "upstream" } },
                { "name": "orders", "match": { "prefix": "/orders" }, "direct_response": { "status": 200 } },
                { "name": "default", "match": { "prefix": "/" }, "direct_response": { "status": 200 } },
            ] }] },
            "http_filters": [self.filter(), router()],
        });
        if let Some(kib) = self.max_request_headers_kib {
            manager["max_request_headers_kb"] = kib.into();
        }
        json!({ "name": "envoy.filters.network.http_connection_manager", "typed_config": manager })
    }

    fn filter(&self) -> Value {
        let mut filter = weir(&self.document);
        let vm = &mut filter["typed_config"]["config"]["vm_config"];
        vm["environment_variables"] = json!({ "key_values": { "WEIR_REQUESTS": "3" } });
        if let Some(code) = &self.code {
            vm["code"] = code.clone();
        }
        filter
    }
}

/// The filter with this document, carried as text in a `StringValue`.
pub fn weir(document: &Value) -> Value {
    json!({
        "name": "weir",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "name": "weir",
                "failure_policy": "FAIL_RELOAD",
                "configuration": {
                    "@type": "type.googleapis.com/google.protobuf.StringValue",
                    "value": document.to_string(),
                },
                "vm_config": {
                    "vm_id": "weir",
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": { "local": { "filename": module() } },
                },
            },
        },
    })
}

/// Everything but the listener under test: where to find it, an upstream, and the service that it asks.
pub fn bootstrap(dir: &Path, listener: &Listener) -> Value {
    let upstream_at = json!({ "pipe": { "path": dir.join(UPSTREAM) } });
    let mut clusters = vec![cluster("upstream", &upstream_at)];
    let others = [
        ("ratelimit", listener.limiter),
        ("modules", listener.modules),
    ];
    let others = others
        .into_iter()
        .filter_map(|(name, at)| Some((name, socket(at?))));
    clusters.extend(others.map(|(name, at)| cluster(name, &at)));
    json!({
        "node": { "id": "weir", "cluster": "weir" },
        "admin": { "address": { "socket_address": { "address": "127.0.0.1", "port_value": 0 } } },
        "dynamic_resources": { "lds_config": {
            "resource_api_version": "V3",
            "path_config_source": { "path": dir.join(WATCHED), "watched_directory": { "path": dir } },
        } },
        "static_resources": {
            "clusters": clusters,
            "listeners": [upstream(dir)],
        },
    })
}

/// An address that is listened on or connected to.
pub fn socket(address: SocketAddr) -> Value {
    let (address, port) = (address.ip().to_string(), address.port());
    json!({ "socket_address": { "address": address, "port_value": port } })
}

/// A cluster of one endpoint.
pub fn cluster(name: &str, address: &Value) -> Value {
    json!({
        "name": name,
        "load_assignment": { "cluster_name": name, "endpoints": [{ "lb_endpoints": [
            { "endpoint": { "address": address } },
        ] }] },
    })
}

/// An upstream that speaks of limits of its own: `/upstream/strict` of fewer requests than any test allows,
/// `/upstream/loose` of more; `/upstream/silent` does not say how many remain.
fn upstream(dir: &Path) -> Value {
    let header = |(key, value): &(&str, &str)| json!({ "header": { "key": key, "value": value } });
    let route = |path: &str, headers: &[(&str, &str)]| {
        json!({
            "match": { "path": path },
            "direct_response": { "status": 200 },
            "response_headers_to_add": headers.iter().map(header).collect::<Vec<_>>(),
        })
    };
    let routes = [
        route(
            "/upstream/strict",
            &[
                ("x-ratelimit-limit", "2"),
                ("x-ratelimit-remaining", "0"),
                ("x-ratelimit-reset", "7000"),
                ("ratelimit-policy", "\"upstream\";q=2;w=7000"),
                ("ratelimit", "\"upstream\";r=0;t=7000"),
            ],
        ),
        route(
            "/upstream/loose",
            &[
                ("x-ratelimit-limit", "900"),
                ("x-ratelimit-remaining", "800"),
                ("x-ratelimit-reset", "1"),
                ("ratelimit-policy", "\"upstream\";q=900;w=1"),
                ("ratelimit", "\"upstream\";r=800;t=1"),
            ],
        ),
        route(
            "/upstream/silent",
            &[
                ("x-ratelimit-limit", "900"),
                ("x-ratelimit-reset", "1"),
                ("ratelimit-policy", "\"upstream\";q=900;w=1"),
            ],
        ),
    ];
    let manager = json!({
        "@type": HTTP_CONNECTION_MANAGER,
        "stat_prefix": "upstream",
        "route_config": { "virtual_hosts": [{ "name": "all", "domains": ["*"], "routes": routes }] },
        "http_filters": [router()],
    });
    json!({
        "name": "upstream",
        "address": { "pipe": { "path": dir.join(UPSTREAM) } },
        "filter_chains": [{ "filters": [
            { "name": "envoy.filters.network.http_connection_manager", "typed_config": manager },
        ] }],
    })
}

/// An Envoy that is a web server with one file, on any path.
pub fn file_server(file: &Path) -> Value {
    let file = json!({ "match": { "prefix": "/" }, "direct_response": {
        "status": 200, "body": { "filename": file },
    } });
    let manager = json!({
        "@type": HTTP_CONNECTION_MANAGER,
        "stat_prefix": "files",
        "route_config": {
            "max_direct_response_body_size_bytes": 1 << 20,
            "virtual_hosts": [{ "name": "all", "domains": ["*"], "routes": [file] }],
        },
        "http_filters": [router()],
    });
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
    json!({
        "admin": { "address": socket(nowhere) },
        "static_resources": { "listeners": [{
            "name": "files",
            "address": socket(nowhere),
            "filter_chains": [{ "filters": [
                { "name": "envoy.filters.network.http_connection_manager", "typed_config": manager },
            ] }],
        }] },
    })
}

/// The filter that every chain ends in.
pub fn router() -> Value {
    json!({
        "name": "envoy.filters.http.router",
        "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
    })
}

/// The type of what every listener here begins with.
pub const HTTP_CONNECTION_MANAGER: &str = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
