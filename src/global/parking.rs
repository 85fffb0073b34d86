//! Requests of one worker that wait for the rate limit service, and what it is asked for them.

use crate::decision::Quota;
use crate::engine::Met;
use crate::global::wire::{Descriptor, Fault, Told};
use crate::local::limit::Limit;
use crate::units::{Instant, Nanos, UnixTime, Wait};

/// The most calls of one worker that are under way at once; who comes meanwhile shares the next one.
pub const MAX_CALLS: usize = 4;

/// A request that waits.
#[derive(Debug, PartialEq, Eq)]
pub struct Parked {
    /// The host's number of its stream.
    pub stream: u32,
    /// The rules that it meets.
    pub met: Vec<Met>,
    /// What is asked for it: one for each limit of each global rule.
    pub questions: Vec<Question>,
    /// When it was parked.
    pub since: Instant,
    /// The call that asks for it, once there is one.
    call: Option<u32>,
}

/// One limit that the service is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Index of the rule in the plan.
    pub rule: usize,
    /// Index of the limit in the rule.
    pub limit: usize,
    /// What the request is counted by.
    pub descriptor: Descriptor,
}

/// A request whose answer has come.
#[derive(Debug, PartialEq, Eq)]
pub struct Answered {
    /// The request.
    pub parked: Parked,
    /// What each of its limits says; `None` when the service did not.
    pub quotas: Option<Vec<Quota>>,
}

/// What one limit says, by what the service told at `now`; `None` where it has no such limit, and would admit anything.
#[must_use]
pub fn quota(question: &Question, limit: &Limit, told: &Told, now: UnixTime) -> Option<Quota> {
    let counter = told.counter?;
    let end = counter.reset.map(|reset| reset.latest(now, limit.per));
    let reset = end.map_or(limit.per, |end| Nanos(end.0.saturating_sub(now.0)));
    let wait = Wait::After(reset.max(Nanos(1)));
    let remaining = counter.remaining.filter(|_| told.granted);
    Some(Quota {
        rule: question.rule,
        limit: question.limit,
        remaining: remaining.unwrap_or(0).min(limit.capacity()),
        reset,
        violated: (!told.granted).then_some(wait),
    })
}

/// The requests that wait, in the order in which they came.
#[derive(Debug, Default)]
pub struct Parking {
    parked: Vec<Parked>,
    /// Calls under way: their numbers.
    calls: Vec<u32>,
}

impl Parking {
    /// Whether nobody waits.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.parked.is_empty()
    }

    /// How many wait.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.parked.len()
    }

    /// Lets a request wait.
    pub fn park(&mut self, stream: u32, met: Vec<Met>, questions: Vec<Question>, since: Instant) {
        self.parked.push(Parked {
            stream,
            met,
            questions,
            since,
            call: None,
        });
    }

    /// What to ask for next: everything that nobody asks for yet, of whole requests and in their order, up to
    /// `most` questions but of one request at least. Empty when there is nothing, or [`MAX_CALLS`] are under way.
    #[must_use]
    pub fn batch(&self, most: usize) -> Vec<&Question> {
        let mut batch = Vec::new();
        for parked in self.next(most) {
            batch.extend(&parked.questions);
        }
        batch
    }

    /// Notes that call number `call` asks for [`Self::batch`].
    pub fn asked(&mut self, most: usize, call: u32) {
        let streams: Vec<u32> = self.next(most).map(|parked| parked.stream).collect();
        for parked in &mut self.parked {
            if streams.contains(&parked.stream) {
                parked.call = Some(call);
            }
        }
        self.calls.push(call);
    }

    /// What call number `call` asks, in the order in which it asked.
    pub fn asked_by(&self, call: u32) -> impl Iterator<Item = &Question> {
        let asked = self
            .parked
            .iter()
            .filter(move |parked| parked.call == Some(call));
        asked.flat_map(|parked| &parked.questions)
    }

    /// Takes out the requests that call number `call` asked for. `told` is what it told of each question, in their
    /// order (see [`quota`]); `None` when it failed. Of who has left in the meantime nothing is heard.
    pub fn answered(
        &mut self,
        call: u32,
        told: Option<Vec<Result<Option<Quota>, Fault>>>,
    ) -> Vec<Answered> {
        self.calls.retain(|known| *known != call);
        let mut told = told.map(Vec::into_iter);
        let (asked, parked) = std::mem::take(&mut self.parked)
            .into_iter()
            .partition(|parked| parked.call == Some(call));
        self.parked = parked;
        let asked: Vec<Parked> = asked;
        let answer = |parked: Parked| {
            let of_its_own = told.as_mut().and_then(|told| {
                let own: Vec<_> = told.by_ref().take(parked.questions.len()).collect();
                (own.len() == parked.questions.len()).then_some(own)
            });
            let quotas = of_its_own.and_then(|own| {
                let own: Result<Vec<Option<Quota>>, Fault> = own.into_iter().collect();
                Some(own.ok()?.into_iter().flatten().collect())
            });
            Answered { parked, quotas }
        };
        let answered = asked.into_iter().map(answer);
        answered
            .filter(|answered| answered.parked.stream != GONE)
            .collect()
    }

    /// Takes out the requests that have waited for `max_wait`. Their call goes on: what it takes is taken.
    pub fn overdue(&mut self, now: Instant, max_wait: Nanos) -> Vec<Parked> {
        let mut overdue = Vec::new();
        for parked in &mut self.parked {
            if parked.stream != GONE && now.since(parked.since) >= max_wait {
                overdue.push(parked.leave());
            }
        }
        self.parked.retain(Parked::is_asked_for);
        overdue
    }

    /// Forgets a request whose client has gone.
    pub fn leave(&mut self, stream: u32) {
        // Every stream that ends comes here, and hardly one of them waits.
        let waits = |parked: &&mut Parked| parked.stream == stream;
        if let Some(parked) = self.parked.iter_mut().find(waits) {
            parked.leave();
            self.parked.retain(Parked::is_asked_for);
        }
    }

    fn next(&self, most: usize) -> impl Iterator<Item = &Parked> {
        let room = if self.calls.len() < MAX_CALLS {
            most
        } else {
            0
        };
        let mut questions = 0;
        let unasked = self.parked.iter().filter(|parked| parked.call.is_none());
        unasked.take_while(move |parked| {
            let first = questions == 0;
            questions += parked.questions.len();
            room > 0 && (first || questions <= room)
        })
    }
}

/// In place of a stream that waits no more, while a call still asks for it. The host counts from 1.
const GONE: u32 = 0;

impl Parked {
    /// The request, whose place stays behind.
    fn leave(&mut self) -> Self {
        Self {
            stream: std::mem::replace(&mut self.stream, GONE),
            met: std::mem::take(&mut self.met),
            questions: self.questions.clone(),
            since: self.since,
            call: self.call,
        }
    }

    const fn is_asked_for(&self) -> bool {
        self.stream != GONE || self.call.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::MetKey;
    use crate::units::Nanos;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn question(limit: usize) -> Question {
        Question {
            rule: 0,
            limit,
            descriptor: Descriptor::default(),
        }
    }

    fn park(parking: &mut Parking, stream: u32, questions: usize, at: u64) {
        let met = Met {
            rule: 0,
            key: MetKey::Counted(u64::from(stream)),
        };
        let questions = (0..questions).map(question).collect();
        parking.park(stream, vec![met], questions, Instant(at));
    }

    fn told(remaining: u32) -> Result<Option<Quota>, Fault> {
        Ok(Some(Quota {
            rule: 0,
            limit: 0,
            remaining,
            reset: Nanos(0),
            violated: None,
        }))
    }

    fn streams(answered: &[Answered]) -> Vec<(u32, Option<Vec<u32>>)> {
        let remaining = |quotas: &Vec<Quota>| quotas.iter().map(|quota| quota.remaining).collect();
        let each = answered.iter().map(|answered| {
            let quotas = answered.quotas.as_ref().map(remaining);
            (answered.parked.stream, quotas)
        });
        each.collect()
    }

    #[test]
    fn a_batch_asks_for_all_who_wait_once() {
        let mut parking = Parking::default();
        park(&mut parking, 1, 1, 0);
        park(&mut parking, 2, 2, 0);
        assert_eq!(parking.batch(10).len(), 3);
        parking.asked(10, 7);
        assert!(parking.batch(10).is_empty());
        park(&mut parking, 3, 1, 0);
        assert_eq!(parking.batch(10).len(), 1);
        let answered = parking.answered(7, Some(vec![told(5), told(6), Ok(None)]));
        assert_eq!(streams(&answered), [(1, Some(vec![5])), (2, Some(vec![6]))]);
        assert_eq!(parking.len(), 1);
    }

    #[test]
    fn a_batch_holds_whole_requests_and_one_at_least() {
        let mut parking = Parking::default();
        for stream in 1..=3 {
            park(&mut parking, stream, 3, 0);
        }
        assert_eq!(parking.batch(7).len(), 6);
        assert_eq!(parking.batch(2).len(), 3);
    }

    #[test]
    fn no_more_than_so_many_calls_are_under_way() {
        let mut parking = Parking::default();
        for call in 0..5 {
            park(&mut parking, call + 1, 1, 0);
            if call < 4 {
                parking.asked(10, call);
            }
        }
        assert!(parking.batch(10).is_empty());
        let _ = parking.answered(2, None);
        assert_eq!(parking.batch(10).len(), 1);
    }

    #[test]
    fn who_leaves_takes_nobody_else_s_answer_along() {
        let mut parking = Parking::default();
        for stream in 1..=4 {
            park(&mut parking, stream, 1, u64::from(stream));
        }
        parking.asked(10, 7);
        parking.leave(2);
        let overdue = parking.overdue(Instant(11), Nanos(10));
        assert_eq!(overdue.len(), 1);
        assert_eq!(overdue[0].stream, 1);
        assert_eq!(overdue[0].met.len(), 1);
        let answered = parking.answered(7, Some(vec![told(1), told(2), told(3), told(4)]));
        assert_eq!(streams(&answered), [(3, Some(vec![3])), (4, Some(vec![4]))]);
        assert!(parking.is_empty());
        // Nobody has asked for this one.
        park(&mut parking, 5, 1, 0);
        parking.leave(5);
        assert!(parking.is_empty());
    }

    #[test]
    fn a_call_that_failed_or_told_too_little_leaves_nobody_waiting() {
        let mut parking = Parking::default();
        for stream in 1..=2 {
            park(&mut parking, stream, 1, 0);
        }
        parking.asked(10, 7);
        let answered = parking.answered(7, Some(vec![told(1)]));
        assert_eq!(streams(&answered), [(1, Some(vec![1])), (2, None)]);
        park(&mut parking, 3, 1, 0);
        parking.asked(10, 8);
        assert_eq!(streams(&parking.answered(8, None)), [(3, None)]);
        assert!(parking.answered(8, None).is_empty());
    }
}
