//! The document as it was written: every object, its fields, their types, bounds and defaults.
//!
//! What a value means together with others is the business of [`super::build`].

mod limiter;

use super::decode::{Decode, List, OrEnv, Reader};
use super::error::Path;
use super::headers::AddedHeaders;
use super::hint::Places;
use super::json::Node;
use super::network::Network;
use super::object::{names, object, one_of};
use super::value::{
    CookieName, DescriptorKey, Domain, HeaderName, Integer, Method, Name, Per, ShortText, Span,
    UtcOffset,
};
use crate::local::limit::MAX_LIMITS;
use crate::path::Template;
use crate::plan::{Body, LogKeys, OnFault, OnMissingKey, Reset};

pub(super) use self::limiter::{Breaker, Global, Service};

object! {
    /// The whole document.
    Document {
        /// All that match a request apply, in no order.
        required rules: List<Rule, 0, 1_000>,
        /// False: every request passes untouched.
        default enabled: OrEnv<bool> = OrEnv(true),
        /// Namespace of all counters: filters of one `vm_id` and domain count together.
        default domain: OrEnv<Domain> = OrEnv(Domain("default".into())),
        /// What a client's address is.
        section client_ip: ClientIp,
        /// What a client is told.
        section response: Response,
        /// The table of counters.
        section store: Store,
        /// What the proxy's log says of refusals.
        section log: Log,
        /// The rate limit service that keeps the rules with `global`.
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
        /// Stands in headers, metrics and logs; unique.
        required name: Name,
        /// Which requests the rule is for; every one where it is left out.
        optional matches as "match": Match,
        /// What requests are counted by; one counter for all where it is empty.
        default key: List<KeyPart, 0, 16> = List(Vec::new()),
        /// What becomes of a request that leaves a part of the key out, has it empty or repeats it.
        default on_missing_key: OnMissingKey = OnMissingKey::Skip,
        /// What becomes of a request when counters cannot be used at all.
        default on_fault: OnFault = OnFault::Allow,
        /// All of them apply.
        required limits: Limits,
        /// Kept for all proxies together, by the `limiter`.
        optional global: Global,
    }
}

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
        /// One pattern, or a list of which one has to match.
        optional path: PathPatterns,
        /// In upper case.
        optional methods: List<Method, 1, 32>,
    }
}

/// One pattern or a list of them.
#[derive(Debug)]
pub(super) enum PathPatterns {
    One(PathPattern),
    Any(PathPatternList),
}

pub(super) type PathPatternList = List<PathPattern, 1, 100>;

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
            normalize: match node.member(NORMALIZE) {
                Some(node) => Decode::decode(node, &path.member(NORMALIZE), reader),
                None => Some(false),
            },
        })
    }
}

/// The member of a path pattern beside its form.
pub(super) const NORMALIZE: &str = "normalize";

one_of! {
    PathForm, "path pattern", besides [NORMALIZE] {
        /// The path itself: `/login` is not `/login/`.
        "exact" => Exact(ShortText),
        /// The path and what is below it: `/api` is `/api/x` too, and not `/apix`.
        "prefix" => Prefix(ShortText),
        /// `*` is any part of one segment, `**` any part of the path.
        "glob" => Glob(ShortText),
        /// Found anywhere in the path, but for `^` and `$`, in the syntax of regex-lite.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// The member of a key part beside its source.
pub(super) const AS: &str = "as";

one_of! {
    ObjectPart, "key part", besides [AS] {
        /// The value of the header of that name.
        "header" => Header(HeaderName),
        /// The value of the cookie of that name.
        "cookie" => Cookie(CookieName),
        /// The value of the query parameter of that name.
        "query" => Query(ShortText),
        /// The segment of the path at that place, from 0.
        "path_segment" => PathSegment(Integer<usize, 0, 255>),
        /// The segments of the path that have a name in a template such as `/users/{id}`.
        "path_template" => PathTemplate(Template),
        /// This text, for every request.
        "constant" => Constant(ShortText),
    }
}

impl Decode for KeyPart {
    fn decode(node: &Node, path: &Path<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        match node {
            Node::String(_) => Decode::decode(node, path, reader).map(Self::Named),
            Node::Object(_) => {
                let part = Decode::decode(node, path, reader);
                let named = match node.member(AS) {
                    Some(node) => Some(Decode::decode(node, &path.member(AS), reader)?),
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

/// What stands in place of limits where there are none.
pub(super) const UNLIMITED: &str = "unlimited";

impl Decode for Limits {
    fn decode(node: &Node, path: &Path<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        match node {
            Node::String(text) if text == UNLIMITED => Some(Self::Unlimited),
            Node::Array(_) => Decode::decode(node, path, reader).map(Self::All),
            _ => reader.unexpected(path, node, "a list of limits, or \"unlimited\""),
        }
    }
}

object! {
    Limit {
        /// How many are admitted in each period; 0 closes.
        required requests: OrEnv<Integer<u32, 0, 1_000_000_000>>,
        /// The period: a number and ms, s, m, h or d, 1ms to 366d, or a calendar period.
        required per: Per,
        /// How many a token bucket holds, and admits at once: as many as `requests` where it is left out.
        optional burst: OrEnv<Integer<u32, 1, 1_000_000_000>>,
        /// `token_bucket` where it is left out, with `global` `fixed_window`.
        optional algorithm: Algorithm,
        /// Such as `20-per-1s` where it is left out.
        optional name: Name,
        /// How far the zone in which calendar periods begin is ahead of UTC: UTC itself where it is left out.
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
        /// The connection's, as the proxy takes it, or one that proxies have told.
        default from: AddressFrom = AddressFrom::Connection,
        /// Whose entries of X-Forwarded-For are taken for true: addresses and CIDR blocks.
        optional trusted_proxies: List<Network, 0, 1_000>,
        // No client holds more than a legacy /8 or a /16 of IPv6: below that, all share one counter, for which
        // there is `"key": []`.
        /// How many leading bits of an IPv4 address are counted by.
        default v4_prefix: Integer<u8, 8, 32> = Integer(32),
        /// How many leading bits of an IPv6 address are counted by.
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
        /// The status of refusals.
        default status: Integer<u16, 400, 599> = Integer(429),
        /// Which fields tell clients of their quotas.
        default headers: List<HeaderSet, 0, 2> = List(vec![Some(HeaderSet::XRateLimit)]),
        /// Whether X-RateLimit-Reset counts seconds from now, or is Unix time.
        default reset: Reset = Reset::Seconds,
        /// Whether refusals have Retry-After.
        default retry_after: bool = true,
        /// Up to so many whole seconds, by the key, are added to the time that a refusal names.
        optional retry_jitter: Span<1_000, 600_000>,
        /// Whether refusals by a limit have `x-envoy-ratelimited`: where it is left out, on Envoy and not on Kong.
        optional envoy_ratelimited: bool,
        /// The body of refusals: problem details (RFC 9457), none, or a template.
        default body: Body = Body::Problem,
        /// Headers that refusals have besides.
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
        /// For how many keys a table has room, rounded up to a power of two.
        default max_keys: OrEnv<Integer<u32, 1_024, 4_194_304>> = OrEnv(Integer(65_536)),
    }
}

object! {
    Log {
        /// How many refusals each worker writes a second.
        default refusals_per_second: Integer<u32, 0, 1_000> = Integer(10),
        /// How a line shows whom it is about.
        default keys: LogKeys = LogKeys::Hashed,
    }
}

names!(LogKeys, "form" {
    "hashed" => LogKeys::Hashed,
    "plain" => LogKeys::Plain,
    "none" => LogKeys::None,
});
