use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const TERMS: Terms = Terms {
    failures: 5,
    open: Nanos(250 * Nanos::MILLISECOND.0),
    max_open: Nanos(2_000 * Nanos::MILLISECOND.0),
    probe: Nanos(100 * Nanos::MILLISECOND.0),
};

/// A long time after the zero of the clock, where its milliseconds wrap soon.
const fn at(millis: u64) -> Instant {
    Instant((TIME_MASK - 500 + millis) * Nanos::MILLISECOND.0)
}

const fn millis(span: Nanos) -> u64 {
    span.0 / Nanos::MILLISECOND.0
}

/// A breaker, as it is read after each write.
struct Shared(u64);

impl Shared {
    fn tell(&mut self, event: Event, time: u64, jitter: u64) -> Option<Change> {
        let (after, change) = Breaker::decode(self.0).after(event, at(time), &TERMS, jitter);
        self.0 = after.encode();
        assert_eq!(Breaker::decode(self.0), after);
        change
    }

    fn permit(&self, time: u64) -> Permit {
        Breaker::decode(self.0).permit(at(time), &TERMS)
    }
}

/// Open since 0, for 250 ms.
fn open() -> Shared {
    let mut shared = Shared(0);
    for _ in 0..4 {
        assert_eq!(shared.tell(Event::Failed, 0, 0), None);
        assert_eq!(shared.permit(0), Permit::Call);
    }
    let change = shared.tell(Event::Failed, 0, 0);
    assert_eq!(change, Some(Change::Opened(Reason::InRow(5), TERMS.open)));
    shared
}

#[test]
fn five_failures_in_a_row_open_it() {
    let shared = open();
    assert_eq!(shared.permit(0), Permit::Wait(TERMS.open));
    assert_eq!(shared.permit(249), Permit::Wait(Nanos::MILLISECOND));
    assert_eq!(shared.permit(250), Permit::Probe);
}

#[test]
fn a_success_begins_the_row_anew() {
    let mut shared = Shared(0);
    for _ in 0..4 {
        assert_eq!(shared.tell(Event::Failed, 0, 0), None);
    }
    assert_eq!(shared.tell(Event::Answered, 0, 0), None);
    assert_eq!(shared.tell(Event::Failed, 0, 0), None);
    assert_eq!(shared.permit(0), Permit::Call);
}

/// Calls of which two of three fail, `gap` milliseconds apart, until it opens.
fn two_of_three(gap: u64, calls: u64) -> Option<(u64, Change)> {
    let mut shared = Shared(0);
    (0..calls).find_map(|call| {
        let event = if call % 3 == 0 {
            Event::Answered
        } else {
            Event::Failed
        };
        Some((call, shared.tell(event, call * gap, 0)?))
    })
}

#[test]
fn more_than_half_of_twenty_in_ten_seconds_open_it() {
    let (call, change) = two_of_three(400, 100).unwrap();
    assert_eq!(call, 19);
    assert_eq!(change, Change::Opened(Reason::Share(13, 20), TERMS.open));
    assert_eq!(two_of_three(600, 100), None);
}

#[test]
fn half_is_not_more_than_half_however_many() {
    let mut shared = Shared(0);
    for call in 0..2_000 {
        let event = if call % 2 == 0 {
            Event::Answered
        } else {
            Event::Failed
        };
        assert_eq!(shared.tell(event, call, 0), None, "{call}");
    }
}

#[test]
fn one_probe_at_a_time_and_a_lost_one_is_forgotten() {
    let mut shared = open();
    assert_eq!(shared.tell(Event::ProbeSent, 250, 0), None);
    assert!(matches!(shared.permit(300), Permit::Wait(_)));
    assert_eq!(shared.permit(350), Permit::Probe);
    assert_eq!(shared.tell(Event::ProbeSent, 350, 0), None);
    assert_eq!(
        shared.tell(Event::ProbeAnswered, 360, 0),
        Some(Change::Closed)
    );
    assert_eq!(shared.permit(360), Permit::Call);
}

#[test]
fn each_failed_probe_doubles_the_time() {
    let mut shared = open();
    let mut time = 250;
    for open in [500, 1_000, 2_000, 2_000, 2_000] {
        assert_eq!(shared.permit(time), Permit::Probe);
        shared.tell(Event::ProbeSent, time, 0);
        let change = shared.tell(Event::ProbeFailed, time, 0);
        let open = Nanos(open * Nanos::MILLISECOND.0);
        assert_eq!(change, Some(Change::Opened(Reason::Probe, open)));
        time += millis(open);
    }
    // What opens again soon after it closed opens for as long.
    shared.tell(Event::ProbeSent, time, 0);
    shared.tell(Event::ProbeAnswered, time, 0);
    let reopen = |shared: &mut Shared, time: u64| {
        let changes = (0..5).filter_map(|_| shared.tell(Event::Failed, time, 0));
        changes.last()
    };
    let change = reopen(&mut shared, time + 9_000);
    let longest = Change::Opened(Reason::InRow(5), TERMS.max_open);
    assert_eq!(change, Some(longest));
    time += 11_000;
    shared.tell(Event::ProbeSent, time, 0);
    shared.tell(Event::ProbeAnswered, time, 0);
    shared.tell(Event::Answered, time + 10_000, 0);
    let change = reopen(&mut shared, time + 10_001);
    assert_eq!(change, Some(Change::Opened(Reason::InRow(5), TERMS.open)));
}

#[test]
fn late_answers_change_nothing_while_it_is_open() {
    let mut shared = open();
    let before = shared.0;
    for event in [
        Event::Answered,
        Event::Failed,
        Event::ProbeAnswered,
        Event::ProbeFailed,
    ] {
        assert_eq!(shared.tell(event, 100, 0), None);
        assert_eq!(shared.0, before);
    }
    shared.tell(Event::ProbeSent, 250, 0);
    let before = shared.0;
    for event in [Event::Answered, Event::Failed] {
        assert_eq!(shared.tell(event, 260, 0), None);
        assert_eq!(shared.0, before);
    }
}

#[test]
fn jitter_takes_up_to_a_quarter() {
    for jitter in [1, u64::MAX / 3, u64::MAX] {
        let mut shared = Shared(0);
        let changes = (0..5).filter_map(|_| shared.tell(Event::Failed, 0, jitter));
        let Some(Change::Opened(_, open)) = changes.last() else {
            panic!("it opens")
        };
        assert!(open <= TERMS.open && millis(open) >= 187, "{open:?}");
    }
}

#[test]
fn what_was_left_open_half_a_year_ago_is_probed() {
    let shared = open();
    for days in [1, 90, 120, 190, 250] {
        assert_eq!(shared.permit(days * 86_400_000), Permit::Probe, "{days}");
    }
    // And failures of then are not of now.
    let mut shared = Shared(0);
    for call in 0..200 {
        let event = if call % 4 == 0 {
            Event::Answered
        } else {
            Event::Failed
        };
        let days = call * 120;
        assert_eq!(shared.tell(event, days * 86_400_000, 0), None);
    }
}

#[test]
fn any_number_is_a_state_that_ends() {
    let mut number = 1_u64;
    for _ in 0..10_000 {
        number = number
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let mut shared = Shared(number);
        for event in [Event::Failed, Event::ProbeFailed, Event::ProbeSent] {
            shared.tell(event, number % 10_000, number);
        }
        let later = number % 10_000 + millis(TERMS.max_open);
        assert!(!matches!(shared.permit(later), Permit::Wait(_)), "{number}");
    }
}
