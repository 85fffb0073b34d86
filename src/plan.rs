//! What is run: the configuration after it was read, checked and prepared. Immutable.
//!
//! No string is compared per request that could have been an index, and every bound has been checked by
//! [`crate::config`], the only maker of a [`Plan`]. Where zero or an empty list is no amount, its field says so.

use ipnet::IpNet;
use regex_lite::Regex;

use crate::global::lease::Leased;
use crate::local::limit::Limit;
use crate::path::{Glob, Template as PathTemplate};
use crate::reply::template::Template;

mod service;

pub use service::{MaxWait, OnError, Secret, Service};

/// A whole configuration, ready to run.
#[derive(Debug)]
pub struct Plan {
    /// False: every request passes untouched.
    pub enabled: bool,
    /// Namespace of all counters.
    pub domain: Box<str>,
    /// The rules, in the order written; at most 1,000.
    pub rules: Vec<Rule>,
    /// How the client's address is found.
    pub client_ip: ClientIp,
    /// What a refusal looks like and which headers every response gets.
    pub response: Response,
    /// Entries per table; a power of two from 1,024 to 4,194,304.
    pub max_keys: u32,
    /// What is written to the proxy's log.
    pub log: Log,
    /// The rate limit service; there is one where a rule is global.
    pub service: Option<Service>,
}

impl Plan {
    /// Whether there is a rate limit service and no rule for it.
    #[must_use]
    pub fn asks_nobody(&self) -> bool {
        let has_rule = self.rules.iter().any(|rule| rule.global.is_some());
        self.service.is_some() && !has_rule
    }

    /// A limit of which leases are taken; `None` for any other.
    #[must_use]
    pub fn leased(&self, rule: usize, limit: usize) -> Option<&Leased> {
        match &self.rules.get(rule)?.global {
            Some(Global::Lease(leased)) => leased.get(limit),
            Some(Global::PerRequest(_)) | None => None,
        }
    }
}

/// One rule: which requests, counted by what, within which limits.
#[derive(Debug)]
pub struct Rule {
    /// Unique; `[a-z0-9][a-z0-9_.-]{0,63}`.
    pub name: Box<str>,
    /// Which requests; `None` is every request.
    pub matches: Option<Match>,
    /// What is counted apart; empty is one counter for all.
    pub key: Vec<KeyPart>,
    /// What happens when a part of the key is missing.
    pub on_missing_key: OnMissingKey,
    /// What happens when the counters cannot be used at all.
    pub on_fault: OnFault,
    /// All of them apply; at most 8. Empty is unlimited.
    pub limits: Vec<Limit>,
    /// How the limits are kept by the service that all proxies ask; `None` keeps them in this proxy.
    pub global: Option<Global>,
}

/// How a rule's limits are kept by a rate limit service.
#[derive(Debug)]
pub enum Global {
    /// By one debit for each request. Of each limit this proxy's share, which is kept here while the service cannot be
    /// asked and `on_error` is `local`.
    PerRequest(Vec<Limit>),
    /// By debits ahead of need.
    Lease(Vec<Leased>),
}

impl Rule {
    /// Whether a client chooses the value of a part of its key. Each value has a counter of its own, so one client then
    /// has as many counters of this rule as it likes.
    #[must_use]
    pub fn is_chosen(&self, part: &KeyPart) -> bool {
        match part.source {
            KeySource::ClientIp | KeySource::Route | KeySource::Constant(_) => false,
            // A `match` that lists them leaves a client a few values; any other method is one (RFC 9110 §9.1).
            KeySource::Method => {
                let matches = self.matches.as_ref();
                matches.is_none_or(|matches| matches.methods.is_empty())
            }
            KeySource::Path | KeySource::PathSegment(_) | KeySource::PathTemplate(_) => {
                let matches = self.matches.as_ref();
                matches.is_none_or(|matches| !matches.lists_paths())
            }
            KeySource::Host | KeySource::Header(_) | KeySource::Cookie(_) | KeySource::Query(_) => {
                true
            }
        }
    }
}

/// Conditions on a request; all must hold, within a list any.
#[derive(Debug, Default)]
pub struct Match {
    /// Empty: any path.
    pub paths: Vec<PathPattern>,
    /// Empty: any method. Compared without case: RFC 9110 §9.1 tells methods apart by it, but frameworks that write
    /// them in upper case would take a `post` that slipped past for a POST.
    pub methods: Vec<Box<str>>,
}

impl Match {
    /// Whether it holds for a few paths only, each of which it lists.
    #[must_use]
    pub fn lists_paths(&self) -> bool {
        let is_listed = |pattern: &PathPattern| matches!(pattern.form, PathForm::Exact(_));
        !self.paths.is_empty() && self.paths.iter().all(is_listed)
    }
}

/// A pattern for the path without its query, after [`crate::path::normal`].
#[derive(Debug)]
pub struct PathPattern {
    /// What is compared.
    pub form: PathForm,
    /// Whether it also holds for the path with `//` merged and dot segments removed.
    pub normalize: bool,
}

/// The forms a path pattern takes.
#[derive(Debug)]
pub enum PathForm {
    /// The whole path.
    Exact(Box<[u8]>),
    /// The path, or the beginning of it up to a segment boundary. Never ends in `/` unless it is `/`.
    Prefix(Box<[u8]>),
    /// The whole path, by its shape.
    Glob(Glob),
    /// A regular expression, unanchored unless written so.
    Regex(Regex),
}

/// One part of a key.
#[derive(Debug)]
pub struct KeyPart {
    /// Where its value comes from.
    pub source: KeySource,
    /// What it is called in a descriptor: the name of what it is, or what the configuration says, 1 to 1,024 bytes.
    pub descriptor_key: Box<str>,
}

/// Where the value of a part of a key comes from.
#[derive(Debug)]
pub enum KeySource {
    /// The client's address, aggregated by [`ClientIp`]'s prefixes.
    ClientIp,
    /// The request method.
    Method,
    /// The path without its query.
    Path,
    /// The host without its port, in lower case.
    Host,
    /// The name of the proxy's route.
    Route,
    /// A request header; the name is in lower case.
    Header(Box<str>),
    /// A cookie.
    Cookie(Box<str>),
    /// A query parameter, percent-decoded.
    Query(Box<str>),
    /// A segment of the path, from 0.
    PathSegment(usize),
    /// The values that a template captures, each a part of its own.
    PathTemplate(PathTemplate),
    /// A fixed value.
    Constant(Box<str>),
}

impl KeySource {
    /// Whether a client may leave it out of a request for anything that it wants.
    #[must_use]
    pub const fn is_optional(&self) -> bool {
        matches!(self, Self::Header(_) | Self::Cookie(_) | Self::Query(_))
    }

    /// Whether both are one optional value of a request.
    #[must_use]
    pub fn is_same_option(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Header(name), Self::Header(other))
            | (Self::Cookie(name), Self::Cookie(other))
            | (Self::Query(name), Self::Query(other)) => name == other,
            _ => false,
        }
    }
}

/// What a rule does with a request whose key has a missing part.
///
/// Absent, empty and repeated values are missing. A repeated one is not skipped: see [`Self::Skip`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnMissingKey {
    /// The rule does not apply; but a request that sends the part more than once is counted as under
    /// [`Self::ClientIp`], by a global rule refused as under [`Self::Deny`], or whoever sends a credential twice would
    /// leave the rule.
    #[default]
    Skip,
    /// One counter for all such requests.
    Shared,
    /// The client's address is the whole key.
    ClientIp,
    /// The request is refused with 403.
    Deny,
}

/// What a rule does when its counters cannot be used at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFault {
    /// Admits without a charge, counted in a metric of its own.
    #[default]
    Allow,
    /// Refuses with 503.
    Deny,
}

/// How the client's address is found and how much of it counts.
#[derive(Debug)]
pub struct ClientIp {
    /// Where it comes from.
    pub source: AddressSource,
    /// Leading bits of an IPv4 address that count, 8 to 32.
    pub v4_prefix: u8,
    /// Leading bits of an IPv6 address that count, 16 to 128.
    pub v6_prefix: u8,
}

/// Where a client's address comes from.
#[derive(Debug)]
pub enum AddressSource {
    /// The proxy's own view of the connection.
    Connection,
    /// `X-Forwarded-For`, from the right, past these proxies.
    ForwardedFor(Vec<IpNet>),
}

/// What a refusal looks like and which headers every response gets.
#[derive(Debug)]
pub struct Response {
    /// Status of a refusal, 400 to 599.
    pub status: u16,
    /// Whether responses carry `X-RateLimit-*`.
    pub x_ratelimit: bool,
    /// Whether responses carry `RateLimit` and `RateLimit-Policy` of draft 11.
    pub ietf_draft_11: bool,
    /// What `X-RateLimit-Reset` counts.
    pub reset: Reset,
    /// Whether refusals carry `Retry-After`.
    pub retry_after: bool,
    /// The most seconds that a refusal adds to the time that it names, at most 600; 0 adds none.
    pub retry_jitter: u64,
    /// Whether refusals by a limit carry `x-envoy-ratelimited`, which keeps an Envoy in front from retrying them.
    pub envoy_ratelimited: bool,
    /// Body of a refusal.
    pub body: Body,
    /// Fixed headers of refusals; names in lower case, none of them one that a refusal has anyway.
    pub add_headers: Vec<(Box<str>, Box<str>)>,
}

impl Response {
    /// Whether any answer says when in Unix time.
    #[must_use]
    pub fn tells_epoch(&self) -> bool {
        let body = match &self.body {
            Body::Text(template) | Body::Json(template) => template.tells_epoch(),
            Body::Problem | Body::None => false,
        };
        body || (self.x_ratelimit && self.reset == Reset::Epoch)
    }

    /// Whether admitted responses say what is left.
    #[must_use]
    pub const fn shows_quotas(&self) -> bool {
        self.x_ratelimit || self.ietf_draft_11
    }
}

/// What `X-RateLimit-Reset` counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reset {
    /// Seconds from now.
    #[default]
    Seconds,
    /// Seconds of Unix time.
    Epoch,
}

/// Body of a refusal.
#[derive(Debug, Default)]
pub enum Body {
    /// RFC 9457 problem details.
    #[default]
    Problem,
    /// No body.
    None,
    /// Plain text with placeholders.
    Text(Template),
    /// JSON with placeholders.
    Json(Template),
}

/// What is written to the proxy's log.
#[derive(Clone, Copy, Debug)]
pub struct Log {
    /// Lines about refusals a second and worker, 0 (none at all) to 1,000; those left out are counted in the next.
    pub refusals_per_second: u32,
    /// How a line shows the key.
    pub keys: LogKeys,
}

/// How a log line shows a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogKeys {
    /// As its keyed fingerprint: tells clients apart, tells nobody who they are.
    #[default]
    Hashed,
    /// As it was sent.
    Plain,
    /// Not at all.
    None,
}
