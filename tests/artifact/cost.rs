//! What a request costs inside the module: fuel, as the interpreter meters it, and how often the host asks
//! the module for memory.
//!
//! Fuel is charged when a block is entered, for all of it, also for what a branch then skips: a figure that
//! only the module's code decides, the same on every machine, and higher than the instructions that run.
//! What a proxy spends is measured by `make bench`. A budget may be a little above what is measured; one
//! that is far above measures nothing any more, and fails too.

use crate::request::Request;
use crate::scene::{ONE_AN_HOUR, PER_CLIENT, Scene};
use crate::service::{PER_REQUEST, from, told};
use crate::worker::Exchange;

/// The most that a case may cost.
struct Budget {
    case: &'static str,
    fuel: u64,
    /// Blocks that the host asks for: one for each call that returns data.
    blocks: u64,
    run: fn() -> Exchange,
}

const BUDGETS: [Budget; 8] = [
    Budget {
        case: "no rule matches",
        fuel: 5_700,
        blocks: 1,
        run: no_rule_matches,
    },
    Budget {
        case: "admit",
        fuel: 21_000,
        blocks: 2,
        run: admit,
    },
    Budget {
        case: "admit, draft-11",
        fuel: 30_600,
        blocks: 2,
        run: admit_with_draft_11,
    },
    Budget {
        case: "admit, both",
        fuel: 36_300,
        blocks: 2,
        run: admit_with_both,
    },
    Budget {
        case: "admit, X-Forwarded-For",
        fuel: 34_000,
        blocks: 2,
        run: by_forwarded_for,
    },
    Budget {
        case: "refused from memory",
        fuel: 16_100,
        blocks: 1,
        run: refused_from_memory,
    },
    Budget {
        case: "admit, leased",
        fuel: 19_600,
        blocks: 2,
        run: leased,
    },
    Budget {
        case: "admit, granted by the service",
        fuel: 161_500,
        blocks: 6,
        run: granted_by_service,
    },
];

#[test]
fn the_hot_path_keeps_to_its_budget() {
    let mut broken = Vec::new();
    for Budget {
        case,
        fuel,
        blocks,
        run,
    } in BUDGETS
    {
        let exchange = run();
        println!(
            "{case}: {} fuel, {} blocks",
            exchange.fuel, exchange.allocations
        );
        if exchange.fuel > fuel {
            broken.push(format!("{case}: {} fuel, at most {fuel}", exchange.fuel));
        }
        if exchange.fuel < fuel / 5 * 4 {
            broken.push(format!(
                "{case}: {} fuel, lower the budget of {fuel}",
                exchange.fuel
            ));
        }
        if exchange.allocations != blocks {
            broken.push(format!(
                "{case}: {} blocks, not {blocks}",
                exchange.allocations
            ));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

fn no_rule_matches() -> Exchange {
    let configuration = r#"{"rules": [{"name": "writes", "key": ["client_ip"],
        "match": {"path": {"prefix": "/api"}, "methods": ["POST", "PUT"]},
        "limits": [{"requests": 20, "per": "1s"}]}]}"#;
    hot(configuration, &Request::get("/shop"))
}

fn admit() -> Exchange {
    hot(PER_CLIENT, &Request::get("/"))
}

fn admit_with_draft_11() -> Exchange {
    hot(
        &PER_CLIENT.replace("[]", r#"["ietf-draft-11"]"#),
        &Request::get("/"),
    )
}

fn admit_with_both() -> Exchange {
    let both = PER_CLIENT.replace("[]", r#"["x-ratelimit", "ietf-draft-11"]"#);
    hot(&both, &Request::get("/"))
}

fn by_forwarded_for() -> Exchange {
    let configuration = r#"{"client_ip": {"from": "x-forwarded-for", "trusted_proxies": ["10.0.0.0/8"]},
        "rules": [{"name": "per-client", "key": ["client_ip"],
        "match": {"path": {"prefix": "/api"}, "methods": ["GET"]},
        "limits": [{"requests": 20, "per": "1s", "burst": 40}]}], "response": {"headers": []}}"#;
    let request = Request::get("/api/users").header("x-forwarded-for", "203.0.113.7, 10.1.2.3");
    hot(configuration, &request)
}

fn refused_from_memory() -> Exchange {
    let both = ONE_AN_HOUR.replace("[]", r#"["x-ratelimit", "ietf-draft-11"]"#);
    let mut scene = Scene::new(&both);
    scene.admit(1, &Request::get("/"));
    assert!(!scene.exchange(&Request::get("/")).admitted());
    scene.exchange(&Request::get("/"))
}

fn leased() -> Exchange {
    let mut scene = Scene::leased();
    scene.admit(2, &from(1));
    scene.exchange(&from(1))
}

/// One that waits alone, from its begin to its end.
fn granted_by_service() -> Exchange {
    let mut scene = Scene::new(PER_REQUEST);
    let mut granted = || {
        scene
            .worker
            .exchange_with(scene.root, &Request::get("/"), |worker| {
                while worker.wake() {}
                let calls = &worker.host().http_calls.under_way;
                let call = *calls.keys().next().unwrap();
                worker.answer(call, told(&[Some(7)]));
            })
    };
    granted();
    granted()
}

/// The third request of a client: its counters exist, nothing is new.
fn hot(configuration: &str, request: &Request) -> Exchange {
    let mut scene = Scene::new(configuration);
    scene.admit(2, request);
    scene.exchange(request)
}
