//! Requests that cost more than one. Those of one, with all that comes between a request and its pot, are run by
//! `tests/global`.

use crate::course::{CALM, Course, ENGINES, MILLI, SECOND};
use crate::record::Record;
use crate::world::run;

/// A few seeds of a course. Whatever it is, a lease is spent in its own window, nothing is admitted beyond the
/// limit, and nobody is forgotten.
fn runs(seeds: u64, course: Course) -> Vec<Record> {
    let kept = |seed| {
        let record = run(seed, course);
        assert_eq!(record.overshoot(&course), 0, "seed {seed}, {course:?}");
        assert_eq!(record.stray, 0, "seed {seed}, {course:?}");
        assert_eq!(record.overdue, 0, "seed {seed}, {course:?}");
        record
    };
    (0..seeds).map(kept).collect()
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
            // Of a debit that does not fit ratelimit burns less than a request's cost, at each of the workers.
            assert!(record.undershoot(&course) <= 60, "{course:?}");
        }
    }
}

#[test]
fn everything_at_once_keeps_the_limit() {
    for engine in ENGINES {
        for limit in [100, 6_000] {
            let course = Course {
                engine,
                limit,
                period: 10 * SECOND,
                cost: 5,
                keys: 3,
                workers: 3,
                lost: 0.02,
                late: 0.05,
                crossings: 0.2,
                given_back: 0.1,
                deaths: 0.2,
                skew: 8 * MILLI as i64,
                outage: Some((23 * SECOND, 27 * SECOND)),
                windows: 6,
                ..CALM
            };
            runs(3, course);
        }
    }
}
