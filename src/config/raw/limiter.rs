//! The `limiter` of a document, and the `global` of its rules.

use super::super::decode::{Decode, OrEnv, Reader};
use super::super::error::Path;
use super::super::headers::CallHeaders;
use super::super::json::Node;
use super::super::object::{names, object};
use super::super::value::{Authority, Integer, Span};
use crate::global::wire::{Engine, Mode};
use crate::plan::OnError;
use crate::units::Nanos;

object! {
    /// The rate limit service of global rules.
    Service {
        /// Which service it is.
        required engine: Engine,
        /// The proxy's cluster for it; on Kong host:port.
        required cluster: OrEnv<Authority>,
        /// The Host of its calls: the cluster's name where it is left out.
        optional authority: OrEnv<Authority>,
        /// How many proxies share the limits: without the service each goes on with its part.
        required proxies: OrEnv<Integer<u32, 1, 10_000>>,
        /// How long a call may take, 1ms to 60s.
        default timeout: Span<1, 60_000> = Span(Nanos(250 * Nanos::MILLISECOND.0)),
        /// How long a request waits for calls, 1ms to 60s. Where it is left out: 20ms, or `timeout` where a rule asks for
        /// each request.
        optional max_wait: Span<1, 60_000>,
        /// What becomes of a request about which the service does not say.
        default on_error: OnError = OnError::Local,
        /// How many requests of a worker may wait at once.
        default max_parked: Integer<usize, 1, 4_096> = Integer(1_024),
        /// Headers of its calls, which no log line shows.
        default headers: CallHeaders = CallHeaders(Vec::new()),
        /// When it is left alone.
        section breaker: Breaker,
        /// For how many new keys a second each worker lets requests wait.
        default cold_keys_per_second: Integer<u32, 1, 1_000_000> = Integer(1_000),
    }
}

object! {
    /// When the service is left alone, and for how long.
    Breaker {
        /// After how many failed calls in a row it is left alone.
        default failures: Integer<u8, 1, 255> = Integer(5),
        /// For how long at first, 10ms to 60s; each probe that fails doubles it.
        default open: Span<10, 60_000> = Span(Nanos(250 * Nanos::MILLISECOND.0)),
        /// For how long at most, 10ms to 60s: the longer of 2s and `open` where it is left out.
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
    Global {
        /// Debited ahead of need, or for each request.
        default mode: Mode = Mode::Lease,
    }
}

names!(Mode, "mode" {
    "lease" => Mode::Lease,
    "per_request" => Mode::PerRequest,
});
