//! Our numbers of the ABI are those of the Rust SDK.
//!
//! The SDK defines every `proxy_on_*` itself: this is a binary of its own, and the module is linked without it.

#![cfg(not(target_arch = "wasm32"))]

use proxy_wasm::types::{Action, BufferType, LogLevel, MapType, MetricType, Status, StreamType};
use weir::numbers::{self, Buffer, Kind, Level, Map};

/// Compares every variant of an enum of ours with the SDK's; one that is not listed does not compile.
macro_rules! compare {
    ($ours:ident, $theirs:ident: $($our:ident is $their:ident),+ $(,)?) => {
        for ours in [$($ours::$our),+] {
            let theirs = match ours { $($ours::$our => $theirs::$their),+ };
            assert_eq!(ours as u32, theirs as u32, "{ours:?} is {theirs:?}");
        }
    };
}

#[test]
fn enums_have_the_numbers_of_the_sdk() {
    compare!(Level, LogLevel: Info is Info, Warn is Warn, Error is Error);
    compare!(
        Map, MapType:
        Request is HttpRequestHeaders,
        Response is HttpResponseHeaders,
        Answer is HttpCallResponseHeaders,
    );
    compare!(
        Buffer, BufferType:
        Answer is HttpCallResponseBody,
        PluginConfiguration is PluginConfiguration,
    );
    compare!(Kind, MetricType: Counter is Counter, Gauge is Gauge, Histogram is Histogram);
}

#[test]
fn constants_have_the_numbers_of_the_sdk() {
    for (ours, theirs) in [
        (numbers::OK, Status::Ok),
        (numbers::NOT_FOUND, Status::NotFound),
        (numbers::BAD_ARGUMENT, Status::BadArgument),
        (numbers::CAS_MISMATCH, Status::CasMismatch),
    ] {
        assert_eq!(ours, theirs as i32, "{theirs:?}");
    }
    assert_eq!(numbers::CONTINUE, Action::Continue as u32);
    assert_eq!(numbers::PAUSE, Action::Pause as u32);
    assert_eq!(numbers::REQUEST_STREAM, StreamType::HttpRequest as u32);
}
