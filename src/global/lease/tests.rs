use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const MILLI: u64 = Nanos::MILLISECOND.0;

const fn share(limit: u32, proxies: u32) -> Share {
    Share {
        limit,
        period: Nanos(60_000 * MILLI),
        windows: Windows::Aligned,
        proxies: NonZeroU32::new(proxies).unwrap(),
    }
}

const NEED: Need = Need {
    expected: 0,
    waiting: 0,
    least: 0,
    remaining: None,
};

const fn at(millis: u64) -> Instant {
    Instant(1_000_000 * MILLI + millis * MILLI)
}

#[test]
fn a_lease_lasts_as_its_period_and_the_way_ask() {
    let horizon = |period: u64, rtt: u64| {
        let share = Share {
            period: Nanos(period * MILLI),
            ..share(100, 3)
        };
        share.horizon(Nanos(rtt * MILLI)).0 / MILLI
    };
    assert_eq!(horizon(1_000, 1), 20);
    assert_eq!(horizon(1_000, 30), 60);
    assert_eq!(horizon(60_000, 1), 300);
    assert_eq!(horizon(1_000, 200), 300);
}

#[test]
fn a_lease_is_what_is_expected_and_what_waits() {
    let need = Need {
        expected: 30,
        waiting: 7,
        least: 1,
        remaining: Some(10_000),
    };
    assert_eq!(share(20_000, 3).lease(need), 37);
}

#[test]
fn a_lease_takes_a_quarter_of_the_proxys_share() {
    let need = Need {
        expected: 5_000,
        remaining: Some(1_200),
        ..NEED
    };
    assert_eq!(share(20_000, 3).lease(need), 100);
}

#[test]
fn the_first_lease_of_a_window_is_small() {
    let need = Need {
        expected: 5_000,
        ..NEED
    };
    assert_eq!(share(20_000, 3).lease(need), 200);
    // Its cap is that of a full window.
    assert_eq!(share(20_000, 100).lease(need), 50);
}

#[test]
fn the_end_of_a_quota_goes_one_by_one() {
    let tail = |least| Need {
        expected: 50,
        waiting: 20,
        least,
        remaining: Some(23),
    };
    assert_eq!(share(100, 3).lease(tail(1)), 1);
    assert_eq!(share(100, 3).lease(tail(4)), 4);
    // And nothing is debited ahead of anybody.
    assert_eq!(share(100, 3).lease(tail(0)), 0);
}

#[test]
fn whoever_waits_first_is_served() {
    let need = Need {
        waiting: 60,
        least: 60,
        remaining: Some(120),
        ..NEED
    };
    assert_eq!(share(100, 3).lease(need), 60);
}

#[test]
fn a_proxy_alone_takes_its_share_of_what_is_left() {
    assert_eq!(share(100, 3).alone(None), 33);
    assert_eq!(share(100, 3).alone(Some(40)), 13);
    assert_eq!(share(100, 3).alone(Some(2)), 1);
    assert_eq!(share(2, 3).alone(None), 1);
    assert_eq!(share(0, 3).alone(None), 0);
}

#[test]
fn the_rate_is_what_came_over_what_passed() {
    let mut rate = Rate::default();
    for millis in 0..2_000 {
        rate.count(at(millis), 1);
    }
    let within = Nanos(100 * MILLI);
    assert_eq!(rate.expected(at(2_000), within), 100);
    assert_eq!(rate.expected(at(2_250), within), 67);
    assert_eq!(rate.expected(at(4_000), within), 0);
}

#[test]
fn two_requests_at_once_are_no_rate() {
    let mut rate = Rate::default();
    let within = Nanos(100 * MILLI);
    rate.count(at(0), 1);
    assert_eq!(rate.expected(at(0), within), 1);
    rate.count(at(0), 1);
    assert_eq!(rate.expected(at(0), within), 2);
    assert_eq!(rate.expected(at(400), within), 1);
}

#[test]
fn the_rate_is_not_biased() {
    // One request each 70 ms on the average, in pairs: the estimate's mean over time is the true one.
    let mut rate = Rate::default();
    let (mut sum, mut looks) = (0_u64, 0_u64);
    for millis in 0..140_000 {
        if millis % 140 == 0 {
            rate.count(at(millis), 1_000);
            rate.count(at(millis), 1_000);
        }
        sum += u64::from(rate.expected(at(millis), Nanos(100 * MILLI)));
        looks += 1;
    }
    let (mean, truth) = (sum / looks, 100 * 2_000 / 140);
    assert!(mean.abs_diff(truth) < truth / 20, "{mean}, {truth}");
}

#[test]
fn a_clock_that_steps_back_and_endless_numbers_do_no_harm() {
    let mut rate = Rate::default();
    rate.count(at(1_000), u32::MAX);
    rate.count(at(0), u32::MAX);
    assert_eq!(rate.expected(at(0), Nanos(u64::MAX)), u32::MAX);
    assert_eq!(Rate::default().expected(Instant(0), Nanos(0)), 0);
    let most = Need {
        expected: u32::MAX,
        waiting: u32::MAX,
        least: 1_000_000,
        remaining: Some(u32::MAX),
    };
    for proxies in [1, 10_000] {
        for limit in [0, 1, 1_000_000_000] {
            let lease = share(limit, proxies).lease(most);
            assert!(lease >= most.least);
        }
    }
}
