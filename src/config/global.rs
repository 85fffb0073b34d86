//! The rate limit service and the rules that it keeps.

use std::num::NonZeroU32;

use super::decode::Reader;
use super::error::Path;
use super::names::Names;
use super::raw;
use crate::global::wire::Engine;
use crate::local::gcra::Bucket;
use crate::local::limit::{Algorithm, Limit};
use crate::plan::{Global, KeyPart, Rule, Service};
use crate::units::Nanos;

/// Makes the service of a plan.
pub(super) fn service(raw: raw::Service) -> Option<Service> {
    let cluster = raw.cluster?.0.0;
    let authority = raw.authority?.map(|authority| authority.0.0);
    let timeout = raw.timeout?.0.0 / Nanos::MILLISECOND.0;
    raw.proxies?;
    Some(Service {
        engine: raw.engine?,
        authority: authority.unwrap_or_else(|| cluster.clone()),
        cluster,
        timeout_ms: u32::try_from(timeout).ok()?,
        max_wait: raw.max_wait?.0,
        on_error: raw.on_error?,
        max_parked: raw.max_parked?.0,
        joined_keys: Vec::new(),
    })
}

/// The keys of all descriptors that the rules make.
pub(super) fn descriptor_keys(rules: &[Rule]) -> Vec<Box<str>> {
    let mut keys: Vec<Box<str>> = ["generic_key", "limit", "remote_address"]
        .map(Box::from)
        .to_vec();
    for rule in rules.iter().filter(|rule| rule.global.is_some()) {
        for part in &rule.key {
            if !keys.contains(&part.descriptor_key) {
                keys.push(part.descriptor_key.clone());
            }
        }
    }
    keys
}

/// What a document says of its service, as far as rules need to know it.
#[derive(Clone, Copy)]
pub(super) struct Known {
    engine: Option<Engine>,
    proxies: Option<u32>,
}

impl Known {
    /// What is known of a service before it is made: a `None` in it has been reported.
    pub fn of(raw: &raw::Service) -> Self {
        Self {
            engine: raw.engine,
            proxies: raw.proxies.as_ref().map(|proxies| proxies.0.0),
        }
    }
}

/// Makes a rule global. `service` is `None` where there is none, `Some(None)` where it was no object, which has been
/// reported.
pub(super) fn global(
    raw: raw::Global,
    limits: &[Limit],
    key: &[KeyPart],
    service: Option<Option<Known>>,
    path: &Path<'_>,
    reader: &mut Reader<'_>,
) -> Option<Global> {
    let Some(service) = service else {
        let message = "needs the \"limiter\" that is to be asked";
        return reader.refuse(&path.member("global"), message);
    };
    let (mode, service) = (raw.mode?, service?);
    let (engine, proxies) = (service.engine?, service.proxies?);
    let mut names = Names::default();
    for (index, part) in key.iter().enumerate() {
        let taken = names.taken(&part.descriptor_key, index);
        if let Some(first) = taken.filter(|_| !engine.takes_repeated_keys()) {
            let message = format!(
                "is in the descriptor what key[{first}] is; limitador takes a name once: \
                 give one of them another by \"as\""
            );
            reader.refuse::<()>(&path.member("key").item(index), &message);
        }
    }
    let limits_path = path.member("limits");
    for (index, limit) in limits.iter().enumerate() {
        if let Err(message) = engine.supports(limit, mode) {
            reader.refuse::<()>(&limits_path.item(index), message);
        }
    }
    let share = limits.iter().map(|limit| share_of(limit, proxies));
    Some(Global {
        mode,
        share: share.collect(),
    })
}

/// A limit by the number of proxies, at least 1.
fn share_of(limit: &Limit, proxies: u32) -> Limit {
    let part = |number: u32| number.checked_div(proxies).unwrap_or(0).max(1);
    let mut share = limit.clone();
    match &mut share.algorithm {
        Algorithm::Closed => return share,
        Algorithm::Window(window) => window.limit = part(window.limit),
        Algorithm::TokenBucket(bucket) => {
            let requests = NonZeroU32::new(part(limit.requests)).unwrap_or(NonZeroU32::MIN);
            let capacity = NonZeroU32::new(part(bucket.capacity().get())).unwrap_or(requests);
            // One that would take longer to fill than a bucket can is kept whole.
            if let Some(part) = Bucket::new(requests, limit.per, capacity) {
                *bucket = part;
            }
        }
    }
    share.requests = part(limit.requests);
    share
}
