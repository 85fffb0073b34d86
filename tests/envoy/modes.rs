//! Both ways in which a global rule takes its quota.

use crate::proxy::{self, Host};

/// Every proxy, and a mode: the oldest and the newest Envoy run each, and one worker and four do.
pub fn everywhere() -> impl Iterator<Item = (Host, &'static str)> {
    proxy::everywhere().zip(["lease", "per_request", "per_request", "lease"])
}
