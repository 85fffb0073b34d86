//! Rules beside each other, many keys, and what bounds them.

use crate::calm::show;
use crate::course::{CALM, Course, EACH, ENGINES, LEASED, MILLI, Outage, SECOND};
use crate::world::runs;

#[test]
fn what_a_local_rule_refuses_costs_the_limiter_nothing() {
    for engine in ENGINES {
        let course = Course {
            engine,
            limit: 6_000,
            // Ten clients at each of three proxies: 3 of 6.7 requests a second.
            here: Some(3),
            crossings: 0.2,
            windows: 3,
            ..CALM
        };
        for record in runs(2, course) {
            show(&course, &record);
            let granted = record.windows.values().flat_map(|windows| windows.values());
            let granted: u64 = granted.map(|window| window.granted).sum();
            println!(
                "{granted} granted, {} leased, {} lapsed",
                record.leased, record.lapsed
            );
            assert!(granted - record.leased <= granted / 50, "{course:?}");
            assert_eq!(
                (record.denied, record.overdue),
                (0, 0),
                "nothing fails: {course:?}"
            );
        }
    }
}

#[test]
fn two_limits_and_a_rule_for_each_request_are_charged_together() {
    for engine in ENGINES {
        let course = Course {
            engine,
            limit: 300,
            second: Some(450),
            each: true,
            crossings: 0.2,
            leaving: 0.05,
            windows: 4,
            ..CALM
        };
        for record in runs(3, course) {
            show(&course, &record);
            let sum = |rule: char| {
                let own = record
                    .windows
                    .iter()
                    .filter(|(counted, _)| counted.0 == rule);
                let own = own.filter(|(counted, _)| counted.1 == 0);
                own.flat_map(|(_, windows)| windows.values())
                    .map(|window| window.granted)
                    .sum::<u64>()
            };
            println!(
                "{} each, {} leased, {} passed",
                sum(EACH),
                sum(LEASED),
                record.passed
            );
            assert!(record.passed <= sum(EACH));
            assert_eq!(
                (record.denied, record.overdue),
                (0, 0),
                "nothing fails: {course:?}"
            );
        }
    }
}

#[test]
fn a_flood_of_invented_keys_is_none_at_the_limiter() {
    let course = Course {
        limit: 1_000,
        invented: 1_000.0,
        cold_keys_per_second: 20,
        windows: 1,
        ..CALM
    };
    for record in runs(2, course) {
        let seconds = course.period / SECOND;
        let most = 20 * (seconds + 1) * u64::from(course.proxies) * course.workers as u64;
        let known = record.windows.keys().filter(|(.., key)| *key < 1_000_000);
        assert_eq!(known.count(), 1);
        println!(
            "{} asks of {most}, {} denied, {} values",
            record.asks, record.denied, record.values
        );
        // A key's first lease is refilled, once, though it is never seen again.
        assert!(record.asks <= 2 * most + 1_000);
        assert!(record.values <= 65_536 / 4 + 8);
    }
}

#[test]
fn no_more_wait_than_may() {
    let course = Course {
        limit: 60_000,
        max_parked: 4,
        offered: 1.5,
        rtt: 10 * MILLI,
        keys: 20,
        windows: 2,
        ..CALM
    };
    for record in runs(1, course) {
        show(&course, &record);
        assert!(record.denied > 0);
    }
}

#[test]
fn keys_that_come_seldom_are_admitted_in_each_window() {
    for engine in ENGINES {
        // One request in two windows and key, of three that it may.
        let course = Course {
            engine,
            limit: 3,
            keys: 500,
            offered: 0.15,
            windows: 6,
            ..CALM
        };
        for record in runs(2, course) {
            let windows = record.windows.values().flat_map(|windows| windows.values());
            for window in windows.filter(|window| window.refused > 0) {
                assert!(window.leased >= 3, "refused with some left: {window:?}");
            }
            assert_eq!(record.denied, 0);
        }
    }
}

#[test]
fn windows_of_a_second_are_never_mixed_up() {
    for skew in [-9, 0, 9] {
        let course = Course {
            period: SECOND,
            windows: 30,
            skew: skew * MILLI as i64,
            ..CALM
        };
        for record in runs(2, course) {
            show(&course, &record);
            assert!(record.undershoot(&course) <= 20, "{course:?}");
        }
    }
}

#[test]
fn clocks_may_be_apart_by_the_guard() {
    for engine in ENGINES {
        for skew in [-9, 9] {
            let course = Course {
                engine,
                windows: 8,
                skew: skew * MILLI as i64,
                ..CALM
            };
            // Too few to spend it all: leases are left when the window ends.
            for offered in [0.9, 2.0] {
                runs(2, Course { offered, ..course });
            }
        }
    }
}

#[test]
fn everything_at_once_keeps_the_limit() {
    for engine in ENGINES {
        for (proxies, workers) in [(1, 1), (1, 4), (2, 2), (3, 3)] {
            for on_error in ["deny", "local"] {
                for limit in [100, 6_000] {
                    let course = Course {
                        engine,
                        on_error,
                        proxies,
                        workers,
                        limit,
                        keys: 3,
                        invented: 20.0,
                        cold_keys_per_second: 5,
                        each: limit == 100,
                        here: Some(10),
                        lost: 0.02,
                        late: 0.05,
                        garbled: 0.01,
                        crossings: 0.2,
                        leaving: 0.1,
                        deaths: 0.2,
                        skew: 8 * MILLI as i64,
                        outage: Some((Outage::Hangs, 103 * SECOND, 109 * SECOND)),
                        windows: 4,
                        ..CALM
                    };
                    for record in runs(2, course) {
                        show(&course, &record);
                    }
                }
            }
        }
    }
}
