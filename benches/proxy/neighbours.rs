//! What stands around a proxy whose requests go somewhere.

use std::net::SocketAddr;

use crate::bootstrap;
use crate::cases::Filter;
use crate::proxy::{self, Envoy};
use crate::service::Service;

/// An upstream, and a rate limit service with its store. All are stopped when it is dropped, a panic included.
pub struct Neighbours {
    upstream: Envoy,
    service: Service,
}

impl Neighbours {
    /// With a service that keeps these limits (YAML of its own kind).
    pub async fn start(limits: &str) -> Self {
        let mut host = proxy::newest();
        host.workers = 1;
        Self {
            upstream: host.start_static(&bootstrap::with(&Filter::Absent)).await,
            service: Service::start(limits).await,
        }
    }

    /// Answers every request by itself.
    pub fn upstream(&self) -> SocketAddr {
        self.upstream.address
    }

    /// The service, as the module asks it.
    pub fn http(&self) -> SocketAddr {
        self.service.address
    }

    /// The service, as Envoy's own filter asks it.
    pub fn grpc(&self) -> SocketAddr {
        self.service.grpc
    }
}

/// How many calls the module has made of the service, so far.
pub async fn calls(envoy: &Envoy) -> u64 {
    let name = format!("cluster.{}.upstream_rq_total", bootstrap::HTTP);
    envoy.stat(&name).await
}
