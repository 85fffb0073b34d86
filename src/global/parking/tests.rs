use super::*;
use crate::decision::Quota;
use crate::engine::Direct;
use crate::engine::MetKey;
use crate::global::wire::Descriptor;
use crate::units::{Nanos, Wait};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const MAX_WAIT: Nanos = Nanos(10);

/// The same for all, but that a request which asks for itself waits for twice as long.
const WAITS: MaxWait = MaxWait {
    lease: MAX_WAIT,
    per_request: Nanos(2 * MAX_WAIT.0),
};

fn question(limit: usize, pot: Option<u64>) -> Question {
    Question {
        rule: 0,
        limit,
        descriptor: Descriptor::default(),
        pot,
    }
}

fn park(parking: &mut Parking, stream: u32, pots: &[Option<u64>], at: u64) {
    let met = Met {
        rule: 0,
        key: MetKey::Counted(u64::from(stream)),
    };
    let questions = pots.iter().enumerate();
    let questions = questions.map(|(limit, pot)| question(limit, *pot));
    parking.park(stream, vec![met], questions.collect(), Instant(at));
}

fn quota(remaining: u32) -> Quota {
    Quota {
        rule: 0,
        limit: 0,
        remaining,
        reset: Nanos(0),
        violated: None,
        counted: None,
    }
}

/// The next request of the look under way, however many were settled.
fn next(parking: &mut Parking, at: u64) -> Option<Ready> {
    parking.next_ready(&mut Batch::default(), Instant(at), WAITS)
}

/// The streams that can be decided about at some time, and what each was told and may.
fn ready(parking: &mut Parking, at: u64) -> Vec<(u32, Option<Vec<u32>>, bool)> {
    parking.look();
    let mut all = Vec::new();
    while let Some(ready) = next(parking, at) {
        let remaining = |quotas: &[Quota]| quotas.iter().map(|quota| quota.remaining).collect();
        let told = ready.asked().told.map(remaining);
        all.push((ready.parked.stream, told, ready.asked().may_wait));
    }
    all
}

#[test]
fn a_question_is_asked_once_and_a_request_is_ready_when_all_of_its_own_are_told() {
    let mut parking = Parking::new(Caller::Root);
    park(&mut parking, 1, &[None, None], 0);
    park(&mut parking, 2, &[None], 0);
    let asked: Vec<(u32, usize)> = parking
        .unasked()
        .map(|(stream, at, _, reply)| {
            *reply = Reply::Asked;
            (stream, at)
        })
        .collect();
    assert_eq!(asked, [(1, 0), (1, 1), (2, 0)]);
    assert_eq!(parking.unasked().count(), 0);
    parking.reply(1, 0, Reply::Told(Some(quota(5))));
    assert!(ready(&mut parking, 0).is_empty());
    parking.reply(1, 1, Reply::Told(None));
    parking.reply(2, 0, Reply::Told(Some(quota(6))));
    let told = [(1, Some(vec![5]), true), (2, Some(vec![6]), true)];
    assert_eq!(ready(&mut parking, 0), told);
    assert!(parking.is_empty());
}

#[test]
fn a_refusal_is_not_forgotten_for_what_else_is_not_told() {
    let refused = Quota {
        violated: Some(Wait::After(Nanos(5))),
        ..quota(0)
    };
    for other in [
        Reply::Unasked,
        Reply::Asked,
        Reply::Failed,
        Reply::Told(None),
    ] {
        let mut parking = Parking::new(Caller::Root);
        park(&mut parking, 1, &[None, None, Some(7)], 0);
        parking.reply(1, 0, Reply::Told(Some(refused)));
        parking.reply(1, 1, other);
        parking.look();
        let ready = next(&mut parking, 0).unwrap();
        assert_eq!(ready.asked().told, Some(&[refused][..]), "{other:?}");
    }
}

#[test]
fn nobody_waits_for_what_has_failed_or_for_too_long() {
    let mut parking = Parking::new(Caller::Root);
    park(&mut parking, 1, &[None], 1);
    park(&mut parking, 2, &[None, Some(7)], 2);
    park(&mut parking, 3, &[None], 3);
    park(&mut parking, 4, &[None, Some(8)], 3);
    parking.reply(1, 0, Reply::Failed);
    parking.fail(8);
    assert_eq!(
        ready(&mut parking, 11),
        [(1, None, false), (4, None, false)]
    );
    assert_eq!(ready(&mut parking, 22), [(2, None, false)]);
    parking.release();
    let last = next(&mut parking, 22).unwrap();
    assert!(!last.is_overdue && !last.asked().may_wait);
    // What is told of who has gone is nobody's.
    park(&mut parking, 5, &[None], 12);
    parking.leave(5);
    parking.reply(5, 0, Reply::Failed);
    assert!(parking.is_empty());
}

#[test]
fn a_pot_that_has_too_little_is_not_looked_at_again_in_a_round() {
    let mut parking = Parking::new(Caller::Root);
    let pots: [&[Option<u64>]; 5] = [
        &[Some(7), Some(8)],
        &[Some(8)],
        &[Some(7)],
        &[Some(8)],
        &[Some(7)],
    ];
    for (stream, pots) in (1..).zip(pots) {
        park(&mut parking, stream, pots, 0);
    }
    parking.look();
    // Which of two pots the first one lacks nobody knows; the second one lacks its own.
    for stream in [1, 2] {
        let short = next(&mut parking, 0).unwrap();
        assert_eq!(short.parked.stream, stream);
        parking.wait_on(&mut Batch::default(), short);
    }
    for stream in [3, 5] {
        let served = next(&mut parking, 0).unwrap();
        assert_eq!(served.parked.stream, stream);
    }
    assert!(next(&mut parking, 0).is_none());
    let pots = parking.served_by_pots().map(|(pot, _)| pot);
    assert!(pots.eq([7, 8, 8, 8]));
}

#[test]
fn what_is_granted_beside_a_pot_goes_to_as_many_as_it_is_for() {
    let mut parking = Parking::new(Caller::Root);
    for stream in 1..=4 {
        park(&mut parking, stream, &[Some(7)], 0);
    }
    let direct = Direct {
        pot: 7,
        quota: Some(quota(0)),
    };
    parking.grant(Grant { direct, left: 2 });
    let first = next(&mut parking, 0).unwrap();
    assert_eq!(first.asked().direct, [direct]);
    // Refused by something else: the next one may.
    parking.refund(&first);
    for has in [true, true, false] {
        let ready = next(&mut parking, 0).unwrap();
        assert_eq!(ready.asked().direct.len(), usize::from(has));
    }
    assert!(next(&mut parking, 0).is_none());
    assert_eq!(parking.take_lapsed(), 0);
    // Nobody waits for what comes too late.
    parking.grant(Grant { direct, left: 3 });
    let quota = None;
    let without = Direct { quota, ..direct };
    parking.grant(Grant {
        direct: without,
        left: 5,
    });
    assert!(next(&mut parking, 0).is_none());
    assert_eq!(parking.take_lapsed(), 3);
    assert_eq!(parking.take_lapsed(), 0);
}

/// A proxy whose streams ask for themselves, as on Kong.
fn by_streams() -> Parking {
    Parking::new(Caller::Stream)
}

#[test]
fn where_streams_ask_for_themselves_a_pot_is_asked_for_too_and_serves_nobody_who_waits() {
    let mut parking = by_streams();
    park(&mut parking, 1, &[Some(7), None], 0);
    assert_eq!(parking.served_by_pots().count(), 0);
    assert!(parking.is_unasked(1));
    for (_, at, _, reply) in parking.unasked() {
        *reply = Reply::Told(Some(quota(u32::try_from(at).unwrap())));
    }
    assert!(!parking.is_unasked(1));
    // What becomes of the pot is of no concern to it.
    parking.fail(7);
    parking.look();
    let ready = next(&mut parking, 0).unwrap();
    let quota = Some(quota(0));
    assert_eq!(ready.asked().direct, [Direct { pot: 7, quota }]);
    assert_eq!(ready.asked().told.map(<[Quota]>::len), Some(1));
    assert!(ready.asked().may_wait);
}

#[test]
fn who_asked_for_itself_is_decided_about_at_its_own_answer_and_at_no_other_time() {
    let mut parking = by_streams();
    park(&mut parking, 1, &[None], 0);
    parking
        .unasked()
        .for_each(|(.., reply)| *reply = Reply::Asked);
    let late = MAX_WAIT.0 * 2;
    parking.look();
    assert!(next(&mut parking, late).is_none());
    parking.release();
    assert!(next(&mut parking, late).is_none());
    parking.reply(1, 0, Reply::Failed);
    parking.look();
    let ready = next(&mut parking, late).unwrap();
    assert!(ready.is_overdue && !ready.asked().may_wait);
}

/// The streams of one callback after the other, until the look has ended.
fn batches(parking: &mut Parking, at: u64) -> Vec<Vec<u32>> {
    let mut all = Vec::new();
    while parking.is_looking() {
        let (mut batch, mut streams) = (Batch::default(), Vec::new());
        while let Some(ready) = parking.next_ready(&mut batch, Instant(at), WAITS) {
            streams.push(ready.parked.stream);
        }
        all.push(streams);
    }
    all
}

fn crowd(streams: std::ops::Range<u32>) -> Parking {
    let mut parking = Parking::new(Caller::Root);
    for stream in streams {
        park(&mut parking, stream, &[None], 0);
    }
    parking
}

#[test]
fn a_callback_settles_a_batch_and_the_next_ones_the_rest_in_order() {
    let mut parking = crowd(0..200);
    parking.release();
    let all: Vec<u32> = (0..200).collect();
    let expected: Vec<Vec<u32>> = all.chunks(MOST_SETTLED).map(<[u32]>::to_vec).collect();
    assert_eq!(batches(&mut parking, 0), expected);
    assert!(parking.is_empty());
}

#[test]
fn who_leaves_or_comes_between_two_callbacks_makes_nobody_forgotten() {
    let mut parking = crowd(0..200);
    parking.release();
    let mut batch = Batch::default();
    while parking.next_ready(&mut batch, Instant(0), WAITS).is_some() {}
    for gone in [70, 64, 199] {
        parking.leave(gone);
    }
    // Another is not released with the others, nor looked at with them.
    park(&mut parking, 500, &[None], 0);
    let rest: Vec<u32> = (65..199).filter(|stream| *stream != 70).collect();
    assert_eq!(batches(&mut parking, 0).concat(), rest);
    assert_eq!(parking.len(), 1);
    parking.look();
    assert_eq!(batches(&mut parking, 0), [Vec::<u32>::new()]);
}

#[test]
fn a_look_that_begins_again_keeps_what_was_granted_and_serves_the_first_first() {
    let mut parking = Parking::new(Caller::Root);
    for stream in 0..100 {
        park(&mut parking, stream, &[Some(7)], 0);
    }
    let direct = Direct {
        pot: 7,
        quota: Some(quota(0)),
    };
    parking.grant(Grant { direct, left: 80 });
    let mut batch = Batch::default();
    // The first one needs more than it is granted: it waits on, and takes no place of the batch.
    let first = parking.next_ready(&mut batch, Instant(0), WAITS).unwrap();
    parking.wait_on(&mut batch, first);
    parking.look();
    let mut streams = Vec::new();
    while let Some(ready) = parking.next_ready(&mut batch, Instant(0), WAITS) {
        assert_eq!(ready.asked().direct.len(), 1);
        streams.push(ready.parked.stream);
    }
    assert_eq!(streams, (0..64).collect::<Vec<_>>());
    parking.grant(Grant { direct, left: 10 });
    let mut granted = 0;
    while let Some(ready) = next(&mut parking, 0) {
        granted += ready.asked().direct.len();
    }
    assert_eq!(granted, 26);
}

#[test]
fn grants_are_bounded_and_what_has_no_room_lapses() {
    let mut parking = crowd(0..1);
    for pot in 0..1_000 {
        let quota = Some(quota(0));
        let direct = Direct { pot, quota };
        parking.grant(Grant { direct, left: 1 });
    }
    assert_eq!(parking.take_lapsed(), 1_000 - 256);
    assert!(next(&mut parking, 0).is_none());
    assert_eq!(parking.take_lapsed(), 256);
}

#[test]
fn who_asks_for_itself_waits_longer_than_who_waits_for_a_lease() {
    let mut parking = Parking::new(Caller::Root);
    park(&mut parking, 1, &[Some(7)], 0);
    park(&mut parking, 2, &[Some(7), None], 0);
    let mut overdue = |at| {
        let mut streams = Vec::new();
        parking.look();
        while let Some(ready) = next(&mut parking, at) {
            match ready.is_overdue {
                true => streams.push(ready.parked.stream),
                false => parking.wait_on(&mut Batch::default(), ready),
            }
        }
        streams
    };
    assert_eq!(overdue(MAX_WAIT.0 - 1), [0; 0]);
    assert_eq!(overdue(2 * MAX_WAIT.0 - 1), [1]);
    assert_eq!(overdue(2 * MAX_WAIT.0), [2]);
}
