//! What an outside observer can prove about a token bucket from when requests were sent and answered.

use std::time::Instant;

/// A request and what became of it. The proxy judged it some time between the two instants.
pub struct Observation {
    pub sent: Instant,
    pub answered: Instant,
    pub admitted: bool,
}

/// A bucket that was full before the first observation.
pub struct Bucket {
    pub capacity: u64,
    pub per_second: u64,
}

impl Bucket {
    /// Fails unless the observations are those of exactly this bucket, as far as their instants can tell.
    pub fn assert_explains(&self, seen: &[Observation]) {
        let admitted: Vec<_> = seen.iter().filter(|one| one.admitted).collect();
        for first in &admitted {
            for last in &admitted {
                self.assert_not_over(&admitted, first.sent, last.answered);
            }
        }
        for refused in seen.iter().filter(|one| !one.admitted) {
            self.assert_was_empty(&admitted, refused);
        }
    }

    /// Whatever was judged within a span took no more than a full bucket and the refill of that span.
    fn assert_not_over(&self, admitted: &[&Observation], from: Instant, to: Instant) {
        let within = admitted
            .iter()
            .filter(|one| one.sent >= from && one.answered <= to)
            .count();
        let allowed = self.capacity + self.refill(from, to);
        assert!(
            within as u64 <= allowed,
            "{within} admitted in {:?}, {allowed} allowed",
            to - from
        );
    }

    /// A request is refused only if, since some admission, as much was taken as the bucket can have held.
    ///
    /// An admission counts as taken unless it was certainly judged before that instant or after the refusal,
    /// and the refill counts only for the time that certainly passed.
    fn assert_was_empty(&self, admitted: &[&Observation], refused: &Observation) {
        let explained = admitted.iter().map(|one| one.answered).any(|since| {
            let taken = admitted
                .iter()
                .filter(|one| one.answered >= since && one.sent <= refused.answered);
            taken.count() as u64 >= self.capacity + self.refill(since, refused.sent)
        });
        assert!(
            explained,
            "a request was refused while the bucket held a token"
        );
    }

    /// Whole tokens that come back in a span; none in one that ends before it starts.
    fn refill(&self, from: Instant, to: Instant) -> u64 {
        let nanos = to.saturating_duration_since(from).as_nanos() * u128::from(self.per_second);
        u64::try_from(nanos / 1_000_000_000).unwrap()
    }
}
