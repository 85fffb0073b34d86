//! What a sliding window admits of a steady overload, as the page on configuration says it.

use weir::units::Nanos;

use crate::world::at;
use crate::world::chance::Chance;
use crate::world::proxy::Proxy;

/// Windows that are counted, after [`BEFORE`] in which the first ones' surplus fades.
const WINDOWS: u64 = 200;
const BEFORE: u64 = 20;

/// Requests per second, and how many per cent of them a sliding window of a second admits at twice that load.
const FIGURES: [(u64, u64); 6] = [(1, 50), (2, 50), (5, 80), (10, 90), (20, 95), (100, 99)];

/// The share of `requests` a second that is admitted where requests come `gap` apart.
fn percent(requests: u64, mut gap: impl FnMut() -> u64) -> f64 {
    let mut proxy = Proxy::new(&format!(
        r#"{{"rules":[{{"name":"all","limits":[
            {{"requests":{requests},"per":"1s","algorithm":"sliding_window"}}]}}]}}"#
    ));
    let (mut time, mut admitted) = (gap() / 2, 0);
    let second = Nanos::SECOND.0;
    while time < (BEFORE + WINDOWS) * second {
        let is_admitted = proxy.ask(0, at(Nanos(time))).is_none();
        admitted += u64::from(is_admitted && time >= BEFORE * second);
        time += gap();
    }
    (admitted * 100) as f64 / (requests * WINDOWS) as f64
}

#[test]
fn a_steady_overload_costs_a_sliding_window_one_request() {
    let mut row = "| admitted |".to_owned();
    let mut head = "| `requests` |".to_owned();
    for (requests, expected) in FIGURES {
        let mean = Nanos::SECOND.0 / (2 * requests);
        let even = percent(requests, || mean);
        assert!((even - expected as f64).abs() < 0.3, "{requests}: {even} %");
        let mut chance = Chance::new(requests);
        let random = percent(requests, || chance.gap(mean as f64) as u64);
        assert!(
            (even - 5.0..=even + 0.3).contains(&random),
            "{requests}: {random} %"
        );
        head += &format!(" {requests} |");
        row += &format!(" {expected} % |");
    }
    let page = include_str!("../../docs/configuration.md");
    assert!(page.contains(&head) && page.contains(&row), "{head}\n{row}");
}
