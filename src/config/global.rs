//! The rate limit service and the rules that it keeps.

use std::num::NonZeroU32;

use super::decode::Reader;
use super::error::Path;
use super::headers::{Of, headers};
use super::json::shortened;
use super::names::Names;
use super::raw;
use super::value::Span;
use crate::global::breaker::Terms;
use crate::global::lease::span::Windows;
use crate::global::lease::{Leased, Share};
use crate::global::wire::{Engine, Mode};
use crate::local::gcra::Bucket;
use crate::local::limit::{Algorithm, Limit};
use crate::local::store::checksum;
use crate::plan::{Global, KeyPart, KeySource, MaxWait, Rule, Secret, Service};
use crate::units::Nanos;

/// Makes the service of a plan.
pub(super) fn service(
    raw: raw::Service,
    path: &Path<'_>,
    reader: &mut Reader<'_>,
) -> Option<Service> {
    let headers_path = path.member("headers");
    let headers = raw
        .headers
        .and_then(|raw| headers(raw.0, Of::Calls, &headers_path, reader));
    let timeout = raw.timeout;
    let breaker = raw
        .breaker
        .and_then(|raw| breaker(raw, timeout?.0, &path.member("breaker"), reader));
    let cluster = raw.cluster?.0.0;
    let authority = raw.authority?.map(|authority| authority.0.0);
    raw.proxies?;
    Some(Service {
        engine: raw.engine?,
        authority: authority.unwrap_or_else(|| cluster.clone()),
        cluster,
        timeout: timeout?.0,
        max_wait: max_wait(raw.max_wait?, timeout?.0),
        on_error: raw.on_error?,
        max_parked: raw.max_parked?.0,
        joined_keys: Vec::new(),
        headers: headers?
            .into_iter()
            .map(|(name, value)| (name, Secret(value)))
            .collect(),
        breaker: breaker?,
        cold_keys_per_second: raw.cold_keys_per_second?.0,
    })
}

/// Who waits for a lease can be served by the next answer too: it does not wait longer than a request may notice.
const MAX_WAIT_FOR_LEASE: Nanos = Nanos(20 * Nanos::MILLISECOND.0);

/// How long requests wait. Where nothing is written, those that ask for themselves wait as long as their calls take: they are
/// to be exact, and each that does not wait is decided without the limiter.
fn max_wait<const LEAST: u64, const MOST: u64>(
    written: Option<Span<LEAST, MOST>>,
    timeout: Nanos,
) -> MaxWait {
    let written = written.map(|span| span.0);
    MaxWait {
        lease: written.unwrap_or(MAX_WAIT_FOR_LEASE),
        per_request: written.unwrap_or(timeout),
    }
}

/// What `max_open` is when left out, unless `open` is longer.
const MAX_OPEN: Nanos = Nanos(2 * Nanos::SECOND.0);

/// What a probe may take beyond the call: its worker hears of the end when it comes round to it. Forgotten sooner, a
/// busy worker's probe would be sent again by another; later, one whose worker died would hold up all others.
const PROBE_BEYOND_CALL: Nanos = Nanos(100 * Nanos::MILLISECOND.0);

/// Makes the terms of the breaker of calls that take up to `timeout`.
fn breaker(
    raw: raw::Breaker,
    timeout: Nanos,
    path: &Path<'_>,
    reader: &mut Reader<'_>,
) -> Option<Terms> {
    let open = raw.open?.0;
    let max_open = match raw.max_open? {
        Some(Span(written)) if written < open => {
            let message = "is shorter than \"open\", which it bounds";
            return reader.refuse(&path.member("max_open"), message);
        }
        written => written.map_or(open.max(MAX_OPEN), |span| span.0),
    };
    Some(Terms {
        failures: raw.failures?.0,
        open,
        max_open,
        probe: Nanos(timeout.0.saturating_add(PROBE_BEYOND_CALL.0)),
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

    /// Whether it counts a request for a limit that names some of its entries.
    pub fn matches_subsets(self) -> bool {
        self.engine.is_some_and(Engine::matches_subsets)
    }

    /// What keeps the limits of a rule, as far as it is known.
    pub fn keeps(self, rule: &raw::Global) -> Option<(Engine, Mode)> {
        self.engine.zip(rule.mode)
    }
}

/// Makes a rule global, of limits and a key that are `None` where something was wrong with them. `service` is `None` where
/// there is none, `Some(None)` where it was no object, which has been reported.
pub(super) fn global(
    raw: raw::Global,
    limits: Option<&[Limit]>,
    key: Option<&[KeyPart]>,
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
    let (limits, key) = (limits?, key?);
    if !engine.takes_repeated_keys() {
        refuse_repeated_keys(key, limits.len() > 1, &path.member("key"), reader);
    }
    Some(match mode {
        Mode::PerRequest => {
            let share = limits.iter().map(|limit| share_of(limit, proxies));
            Global::PerRequest(share.collect())
        }
        Mode::Lease => {
            let leased = limits.iter().map(|limit| leased(limit, engine, proxies));
            Global::Lease(leased.collect())
        }
    })
}

/// The rule that has a descriptor of this one: a service would count both in one counter, and charge a request that
/// meets both twice.
///
/// Descriptors are told apart by what a document says of them: their keys in order, and values that are fixed.
pub(super) fn descriptor_taken(
    rule: &Rule,
    index: usize,
    descriptors: &mut Names,
) -> Option<usize> {
    rule.global.as_ref()?;
    let mut entries = String::new();
    if rule.key.is_empty() {
        describe("generic_key", Some(&rule.name), &mut entries);
    }
    for part in &rule.key {
        let fixed = match &part.source {
            KeySource::Constant(value) => Some(&**value),
            _ => None,
        };
        for _ in 0..entries_of(part) {
            describe(&part.descriptor_key, fixed, &mut entries);
        }
    }
    let several = rule.limits.len() > 1;
    rule.limits.iter().find_map(|limit| {
        let mut entries = entries.clone();
        if several {
            describe("limit", Some(&limit.name), &mut entries);
        }
        descriptors.taken(&entries, index)
    })
}

/// Appends an entry of a descriptor so that no list of them is another's text.
fn describe(key: &str, fixed: Option<&str>, out: &mut String) {
    out.push_str(&shortened(key, usize::MAX));
    if let Some(value) = fixed {
        out.push(':');
        out.push_str(&shortened(value, usize::MAX));
    }
}

/// How many entries of a descriptor a part of a key makes.
fn entries_of(part: &KeyPart) -> usize {
    match &part.source {
        KeySource::PathTemplate(template) => template.captured(),
        _ => 1,
    }
}

/// Reports parts of a key that would be entries of one name, for Limitador.
fn refuse_repeated_keys(
    key: &[KeyPart],
    several_limits: bool,
    path: &Path<'_>,
    reader: &mut Reader<'_>,
) {
    let mut names = Names::default();
    for (index, part) in key.iter().enumerate() {
        let taken = names.taken(&part.descriptor_key, index);
        let message = if let Some(first) = taken {
            format!(
                "is in the descriptor what key[{first}] is; limitador takes a name once: \
                 give one of them another by \"as\""
            )
        } else if several_limits && &*part.descriptor_key == "limit" {
            "is in the descriptor what the name of a limit is; limitador takes a name once: \
             give it another by \"as\""
                .into()
        } else if entries_of(part) > 1 {
            "captures more than one segment; limitador takes a name once: \
             take them as \"path_segment\" parts, with names by \"as\""
                .into()
        } else {
            continue;
        };
        reader.refuse::<()>(&path.item(index), &message);
    }
}

/// A limit as proxies take leases of it. Its mark is made when the service is: see [`mark`].
fn leased(limit: &Limit, engine: Engine, proxies: u32) -> Leased {
    Leased {
        share: Share {
            limit: limit.capacity(),
            period: limit.per,
            windows: match engine {
                Engine::EnvoyRatelimit => Windows::Aligned,
                Engine::Gubernator | Engine::Limitador => Windows::FirstHit,
            },
            proxies: NonZeroU32::new(proxies).unwrap_or(NonZeroU32::MIN),
        },
        mark: 0,
    }
}

/// Marks what is leased by all that says where it is debited: what was granted for one limit is not to be spent for
/// another when a configuration changes. How many it admits does not say where: a changed number goes on with what was
/// leased, and with what was admitted alone.
pub(super) fn mark(rules: &mut [Rule], service: &Service) {
    for rule in rules {
        let Some(Global::Lease(leased)) = &mut rule.global else {
            continue;
        };
        let several = rule.limits.len() > 1;
        for (leased, limit) in leased.iter_mut().zip(&rule.limits) {
            let mut mark = String::new();
            for text in [&service.cluster, &service.authority] {
                describe(text, None, &mut mark);
            }
            for part in &rule.key {
                describe(&part.descriptor_key, None, &mut mark);
            }
            if several {
                describe("limit", Some(&limit.name), &mut mark);
            }
            let mut mark = mark.into_bytes();
            mark.extend(
                [limit.per.0, service.engine as u64]
                    .map(u64::to_le_bytes)
                    .concat(),
            );
            leased.mark = checksum(&mark);
        }
    }
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
