//! What is around the filter in its Envoy: other filters in the wrong order, and routes that run it again.

use super::Accepted;
use crate::check::diagnostic::Diagnostic;

const CORS: &str = "envoy.extensions.filters.http.cors.v3.Cors";

const GRPC_WEB: &str = "envoy.extensions.filters.http.grpc_web.v3.GrpcWeb";

pub(super) fn warnings(of: Accepted<'_>, said: &mut Vec<Diagnostic>) {
    let Some(manager) = of.plugin.manager else {
        return;
    };
    let mut warn = |at, message| said.push(Diagnostic::warning(at, "", message));
    if let Some(around) = manager.around(of.plugin.at) {
        for (type_name, at) in around.before {
            if type_name == GRPC_WEB {
                warn(at, UNAVAILABLE);
            }
        }
        for (type_name, at) in around.behind {
            if type_name == CORS {
                warn(at, PREFLIGHTS);
            }
        }
    }
    if of.plugin.chain == Some(manager.at()) {
        for at in manager.internal_redirects() {
            warn(at, REDIRECTED);
        }
    }
}

const UNAVAILABLE: &str = "this filter is before Weir: it turns a refusal into grpc-status 14 (UNAVAILABLE); put it behind \
                           Weir, so that gRPC-Web clients get HTTP 429";

const PREFLIGHTS: &str = "this filter is behind Weir: preflights are charged, and a browser shows a 429 as a network error; \
                          put it before Weir, with expose_headers: \"retry-after,x-ratelimit-limit,x-ratelimit-remaining\"";

const REDIRECTED: &str = "Envoy runs Weir again for each internal redirect: every hop is charged; make room for that in the \
                          limits, or let clients follow redirects";
