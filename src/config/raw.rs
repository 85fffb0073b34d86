//! The document as it was written: every object, its fields, their types, bounds and defaults.
//!
//! What a value means together with others is the business of [`super::build`].

use super::decode::{Decode, List, OrEnv, Reader};
use super::error::Path;
use super::headers::{AddedHeaders, CallHeaders};
use super::hint::Places;
use super::json::Node;
use super::network::Network;
use super::object::{names, object, one_of};
use super::value::{
    Authority, CookieName, DescriptorKey, Domain, HeaderName, Integer, Method, Name, Per,
    ShortText, Span, UtcOffset,
};
use crate::global::wire::{Engine, Mode};
use crate::local::limit::MAX_LIMITS;
use crate::path::Template;
use crate::plan::{Body, LogKeys, OnError, OnFault, OnMissingKey, Reset};
use crate::units::Nanos;

object! {
    /// The whole document.
    Document {
        required rules: List<Rule, 0, 1_000>,
        /// False: every request passes untouched.
        default enabled: OrEnv<bool> = OrEnv(true),
        /// Namespace of all counters.
        default domain: OrEnv<Domain> = OrEnv(Domain("default".into())),
        section client_ip: ClientIp,
        section response: Response,
        section store: Store,
        section log: Log,
        optional limiter: Service,
    }
}

/// Where each field belongs.
pub(super) const PLACES: Places = &[
    ("a rule", Rule::FIELDS),
    ("a limit", Limit::FIELDS),
    ("the \"match\" of a rule", Match::FIELDS),
    (
        "\"path\", as in {\"prefix\": \"/api\", \"normalize\": true}",
        PathForm::FIELDS,
    ),
    ("\"client_ip\"", ClientIp::FIELDS),
    ("\"response\"", Response::FIELDS),
    ("\"store\"", Store::FIELDS),
    ("\"log\"", Log::FIELDS),
    ("\"limiter\"", Service::FIELDS),
    ("the \"breaker\" of \"limiter\"", Breaker::FIELDS),
    ("the \"global\" of a rule", Global::FIELDS),
    ("the document, beside \"rules\"", Document::FIELDS),
];

object! {
    Rule {
        required name: Name,
        optional matches as "match": Match,
        /// What is counted apart; one counter for all where it is empty.
        default key: List<KeyPart, 0, 16> = List(Vec::new()),
        /// What happens when a part of the key is absent, empty or repeated.
        default on_missing_key: OnMissingKey = OnMissingKey::Skip,
        /// What happens when counters cannot be used at all.
        default on_fault: OnFault = OnFault::Allow,
        required limits: Limits,
        optional global: Global,
    }
}

object! {
    Global {
        default mode: Mode = Mode::Lease,
    }
}

names!(Mode, "mode" {
    "lease" => Mode::Lease,
    "per_request" => Mode::PerRequest,
});

names!(OnMissingKey, "action" {
    "skip" => OnMissingKey::Skip,
    "shared" => OnMissingKey::Shared,
    "client_ip" => OnMissingKey::ClientIp,
    "deny" => OnMissingKey::Deny,
});

names!(OnFault, "action" {
    "allow" => OnFault::Allow,
    "deny" => OnFault::Deny,
});

object! {
    Match {
        optional path: PathPatterns,
        optional methods: List<Method, 1, 32>,
    }
}

/// One pattern or a list of them.
#[derive(Debug)]
pub(super) enum PathPatterns {
    One(PathPattern),
    Any(List<PathPattern, 1, 100>),
}

impl Decode for PathPatterns {
    fn decode(node: &Node, path: &Path<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        match node {
            Node::Object(_) => Decode::decode(node, path, reader).map(Self::One),
            Node::Array(_) => Decode::decode(node, path, reader).map(Self::Any),
            _ => reader.unexpected(
                path,
                node,
                "a path pattern such as {\"prefix\": \"/api\"}, or a list of them",
            ),
        }
    }
}

/// A pattern for the path.
#[derive(Debug)]
pub(super) struct PathPattern {
    pub form: Option<PathForm>,
    pub normalize: Option<bool>,
}

impl Decode for PathPattern {
    fn decode(node: &Node, path: &Path<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            form: Decode::decode(node, path, reader),
            normalize: match node.member("normalize") {
                Some(node) => Decode::decode(node, &path.member("normalize"), reader),
                None => Some(false),
            },
        })
    }
}

one_of! {
    PathForm, "path pattern", besides ["normalize"] {
        "exact" => Exact(ShortText),
        "prefix" => Prefix(ShortText),
        "glob" => Glob(ShortText),
        "regex" => Regex(ShortText),
    }
}

/// A part of a key.
#[derive(Debug)]
pub(super) enum KeyPart {
    Named(NamedPart),
    Object(ObjectPart, Option<DescriptorKey>),
}

/// The parts that need no more than a name.
#[derive(Clone, Copy, Debug)]
pub(super) enum NamedPart {
    ClientIp,
    Method,
    Path,
    Host,
    Route,
}

names!(NamedPart, "key part" or r#"an object: {"header": …}, {"cookie": …}, {"query": …}, {"path_segment": …}, {"path_template": …} or {"constant": …}"# {
    "client_ip" => NamedPart::ClientIp,
    "method" => NamedPart::Method,
    "path" => NamedPart::Path,
    "host" => NamedPart::Host,
    "route" => NamedPart::Route,
});

one_of! {
    ObjectPart, "key part", besides ["as"] {
        "header" => Header(HeaderName),
        "cookie" => Cookie(CookieName),
        "query" => Query(ShortText),
        "path_segment" => PathSegment(Integer<usize, 0, 255>),
        "path_template" => PathTemplate(Template),
        "constant" => Constant(ShortText),
    }
}

impl Decode for KeyPart {
    fn decode(node: &Node, path: &Path<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        match node {
            Node::String(_) => Decode::decode(node, path, reader).map(Self::Named),
            Node::Object(_) => {
                let part = Decode::decode(node, path, reader);
                let named = match node.member("as") {
                    Some(node) => Some(Decode::decode(node, &path.member("as"), reader)?),
                    None => None,
                };
                Some(Self::Object(part?, named))
            }
            _ => reader.unexpected(
                path,
                node,
                "a key part such as \"client_ip\" or {\"header\": \"x-tenant\"}",
            ),
        }
    }
}

/// What a rule admits.
#[derive(Debug)]
pub(super) enum Limits {
    Unlimited,
    All(List<Limit, 1, MAX_LIMITS>),
}

impl Decode for Limits {
    fn decode(node: &Node, path: &Path<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        match node {
            Node::String(text) if text == "unlimited" => Some(Self::Unlimited),
            Node::Array(_) => Decode::decode(node, path, reader).map(Self::All),
            _ => reader.unexpected(path, node, "a list of limits, or \"unlimited\""),
        }
    }
}

object! {
    Limit {
        required requests: OrEnv<Integer<u32, 0, 1_000_000_000>>,
        /// 500ms, 1s, 15m, 1h, 1d, or a calendar period.
        required per: Per,
        /// What a token bucket holds in all: `requests` where left out.
        optional burst: OrEnv<Integer<u32, 1, 1_000_000_000>>,
        optional algorithm: Algorithm,
        optional name: Name,
        /// Of the zone in which a calendar period begins.
        optional utc_offset: UtcOffset,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    TokenBucket,
    FixedWindow,
    SlidingWindow,
}

names!(Algorithm, "algorithm" {
    "token_bucket" => Algorithm::TokenBucket,
    "fixed_window" => Algorithm::FixedWindow,
    "sliding_window" => Algorithm::SlidingWindow,
});

object! {
    ClientIp {
        default from: AddressFrom = AddressFrom::Connection,
        /// Those whose word about an address is taken.
        optional trusted_proxies: List<Network, 0, 1_000>,
        // No client holds more than a legacy /8 or a /16 of IPv6: below that, all share one counter, for which
        // there is `"key": []`.
        /// Leading bits of an address that count.
        default v4_prefix: Integer<u8, 8, 32> = Integer(32),
        default v6_prefix: Integer<u8, 16, 128> = Integer(64),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AddressFrom {
    Connection,
    ForwardedFor,
}

names!(AddressFrom, "source" {
    "connection" => AddressFrom::Connection,
    "x-forwarded-for" => AddressFrom::ForwardedFor,
});

object! {
    Response {
        default status: Integer<u16, 400, 599> = Integer(429),
        default headers: List<HeaderSet, 0, 2> = List(vec![Some(HeaderSet::XRateLimit)]),
        /// Whether X-RateLimit-Reset counts seconds from now, or is Unix time.
        default reset: Reset = Reset::Seconds,
        default retry_after: bool = true,
        default body: Body = Body::Problem,
        /// Fixed headers of refusals.
        default add_headers: AddedHeaders = AddedHeaders(Vec::new()),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderSet {
    XRateLimit,
    IetfDraft11,
}

names!(HeaderSet, "header set" {
    "x-ratelimit" => HeaderSet::XRateLimit,
    "ietf-draft-11" => HeaderSet::IetfDraft11,
});

names!(Reset, "form" {
    "seconds" => Reset::Seconds,
    "epoch" => Reset::Epoch,
});

object! {
    Store {
        /// Entries of a table, rounded up to a power of two.
        default max_keys: OrEnv<Integer<u32, 1_024, 4_194_304>> = OrEnv(Integer(65_536)),
    }
}

object! {
    /// The rate limit service of global rules.
    Service {
        required engine: Engine,
        required cluster: OrEnv<Authority>,
        optional authority: OrEnv<Authority>,
        /// How many share the limits.
        required proxies: OrEnv<Integer<u32, 1, 10_000>>,
        /// What a call may take.
        default timeout: Span<1, 60_000> = Span(Nanos(250 * Nanos::MILLISECOND.0)),
        /// What a request waits for a call.
        default max_wait: Span<1, 60_000> = Span(Nanos(20 * Nanos::MILLISECOND.0)),
        /// What becomes of a request that gets no answer.
        default on_error: OnError = OnError::Local,
        /// Requests that wait in one worker.
        default max_parked: Integer<usize, 1, 4_096> = Integer(1_024),
        default headers: CallHeaders = CallHeaders(Vec::new()),
        section breaker: Breaker,
        /// First calls for keys, a second and worker.
        default cold_keys_per_second: Integer<u32, 1, 1_000_000> = Integer(1_000),
    }
}

object! {
    /// When the service is left alone, and for how long.
    Breaker {
        /// In a row, until it is left alone.
        default failures: Integer<u8, 1, 255> = Integer(5),
        default open: Span<10, 60_000> = Span(Nanos(250 * Nanos::MILLISECOND.0)),
        /// What `open` doubles up to.
        optional max_open: Span<10, 60_000>,
    }
}

names!(Engine, "engine" {
    "envoy_ratelimit" => Engine::EnvoyRatelimit,
    "gubernator" => Engine::Gubernator,
    "limitador" => Engine::Limitador,
});

names!(OnError, "action" {
    "local" => OnError::Local,
    "allow" => OnError::Allow,
    "deny" => OnError::Deny,
});

object! {
    Log {
        /// Lines a second and worker.
        default refusals_per_second: Integer<u32, 0, 1_000> = Integer(10),
        default keys: LogKeys = LogKeys::Hashed,
    }
}

names!(LogKeys, "form" {
    "hashed" => LogKeys::Hashed,
    "plain" => LogKeys::Plain,
    "none" => LogKeys::None,
});
