//! Nothing fails: what leases cost, and what they save.

use crate::course::{CALM, Course, ENGINES, Engine, Load, MILLI, SECOND};
use crate::record::Record;
use crate::world::run;

/// A few seeds of a course. Whatever it is, a lease is spent in its own window, nothing is admitted beyond the
/// limit, and nobody is forgotten.
pub fn runs(seeds: u64, course: Course) -> Vec<Record> {
    let kept = |seed| {
        let record = run(seed, course);
        assert_eq!(record.overshoot(&course), 0, "seed {seed}, {course:?}");
        assert_eq!(record.stray, 0, "seed {seed}, {course:?}");
        assert_eq!(record.overdue, 0, "seed {seed}, {course:?}");
        record
    };
    (0..seeds).map(kept).collect()
}

fn show(course: &Course, record: &Record) {
    let Course {
        engine,
        limit,
        period,
        load,
        offered,
        ..
    } = course;
    println!(
        "{engine:?}, {limit} per {} s, {load:?} at {offered}x: {} over, {} under, calls fall {:.1}x, \
         {:.2} % wait, {:.1} ms at most",
        period / SECOND,
        record.overshoot(course),
        record.undershoot(course),
        record.calls_fall(),
        record.waited(),
        record.longest_wait as f64 / MILLI as f64,
    );
}

/// A limit a minute at three proxies of two workers: the worst undershoot, the least fall of calls at twice the
/// limit and at ten times, and the largest share that waits, in percent.
fn holds(limit: u32, under: u64, falls: [f64; 2], waits: f64) {
    for engine in ENGINES {
        for load in [Load::Even, Load::Skewed, Load::Bursts] {
            for (offered, falls) in [(2.0, falls[0]), (10.0, falls[1])] {
                let course = Course {
                    engine,
                    limit,
                    load,
                    offered,
                    windows: 4,
                    woken: false,
                    ..CALM
                };
                for record in runs(1, course) {
                    show(&course, &record);
                    assert!(record.undershoot(&course) <= under, "{course:?}");
                    assert!(record.calls_fall() >= falls, "{course:?}");
                    assert!(record.waited() <= waits, "{course:?}");
                    assert_eq!(record.abandoned, 0, "{course:?}");
                }
            }
        }
    }
}

#[test]
fn a_hundred_a_minute() {
    holds(100, 2, [1.0, 1.0], 26.0);
}

#[test]
fn a_thousand_a_minute() {
    holds(1_000, 5, [1.5, 4.5], 3.5);
}

#[test]
fn twenty_thousand_a_minute() {
    holds(20_000, 20, [20.0, 65.0], 1.9);
}

/// What an issue asks of two real proxies, with room for their noise.
#[test]
fn two_proxies_ask_seldom() {
    let course = Course {
        limit: 20_000,
        proxies: 2,
        windows: 4,
        ..CALM
    };
    for record in runs(2, course) {
        show(&course, &record);
        assert!(record.calls_fall() >= 30.0 && record.waited() <= 0.5);
    }
}

#[test]
fn windows_of_a_second_are_never_mixed_up() {
    for load in [Load::Even, Load::Skewed] {
        for skew in [-9, 0, 9] {
            let course = Course {
                period: SECOND,
                windows: 30,
                load,
                skew: skew * MILLI as i64,
                ..CALM
            };
            for record in runs(2, course) {
                show(&course, &record);
                assert!(record.undershoot(&course) <= 20, "{course:?}");
            }
        }
    }
}

#[test]
fn clocks_may_be_apart_by_the_guard() {
    for engine in ENGINES {
        for skew in [-9, 9] {
            let course = Course {
                engine,
                period: 10 * SECOND,
                windows: 12,
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
fn a_clock_that_is_wrong_by_more_breaks_it() {
    let wrong = |engine, skew: u64| Course {
        engine,
        period: 10 * SECOND,
        windows: 12,
        offered: 0.9,
        skew: (skew * MILLI) as i64,
        ..CALM
    };
    let record = run(0, wrong(Engine::Gubernator, 300));
    assert!(record.stray > 0, "what the tests would not see");
    // Where a reset is a time from now, not a time of day, more than a second is found out.
    runs(4, wrong(Engine::Ratelimit, 3_400));
}

#[test]
fn workers_that_cross_keep_the_limit() {
    for engine in ENGINES {
        let course = Course {
            engine,
            crossings: 0.3,
            workers: 4,
            windows: 4,
            ..CALM
        };
        for record in runs(3, course) {
            assert!(record.lost_swaps > 500, "{}", record.lost_swaps);
            assert!(record.undershoot(&course) <= 5, "{course:?}");
        }
    }
}

#[test]
fn costs_differ_keys_are_many_and_spends_come_back() {
    for engine in ENGINES {
        let course = Course {
            engine,
            cost: 9,
            keys: 12,
            given_back: 0.2,
            crossings: 0.1,
            windows: 4,
            ..CALM
        };
        for record in runs(2, course) {
            show(&course, &record);
            // Of a debit that does not fit ratelimit burns less than a request's cost, at each of the workers.
            assert!(record.undershoot(&course) <= 60, "{course:?}");
        }
    }
}

#[test]
fn below_the_limit_nobody_is_refused() {
    for engine in ENGINES {
        let course = Course {
            engine,
            limit: 20_000,
            offered: 0.5,
            windows: 3,
            ..CALM
        };
        for record in runs(1, course) {
            show(&course, &record);
            assert_eq!((record.refused, record.alone), (0, 0), "{course:?}");
            assert!(record.lapsed > 0, "some is left when a window ends");
        }
    }
}

#[test]
fn a_seed_decides_everything() {
    let course = Course {
        engine: Engine::Limitador,
        crossings: 0.2,
        deaths: 0.1,
        lost: 0.05,
        ..CALM
    };
    let [first, second] = [0, 1].map(|_| format!("{:?}", run(7, course)));
    assert_eq!(first, second);
}
