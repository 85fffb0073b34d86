//! Requests that wait for the rate limit service, from the root's side.

use super::super::call;
use super::super::notes::Notes;
use super::super::queues::Queues;
use super::super::request::CurrentRequest;
use super::super::service::CALLER;
use super::super::shared::Shared;
use super::{Pace, Resumed, Root, Settlement, Verdict, conclude};
use crate::engine::{Incidents, Met};
use crate::facts::Facts;
use crate::global::caller::Caller;
use crate::global::client::Parks;
use crate::global::parking::{Batch, Ready};
use crate::limiter::{Answer, Request};
use crate::log::Incident;
use crate::metrics::ServiceCount;
use crate::refusals::Refusals;
use crate::units::{Instant, Now};

impl Root {
    /// Lets a stream wait for the service; false when it cannot.
    #[inline(never)]
    pub(super) fn park(
        &mut self,
        stream: u32,
        met: &[Met],
        cold: bool,
        now: Option<Now>,
        facts: &mut Facts<'_, CurrentRequest>,
        notes: &mut Notes,
    ) -> bool {
        let (Some(link), Some(service)) = (&mut self.link, &self.limiter.plan().service) else {
            return false;
        };
        let since = now.unwrap_or_default().monotonic;
        let parks = link.client.parks(service, cold, since, &mut Shared);
        if parks == Parks::No {
            return false;
        }
        let questions = self.limiter.questions(met, facts);
        let exchange = &mut link.client.exchange;
        if parks == Parks::Probes {
            if let Some(question) = questions.into_iter().next() {
                exchange.know(question);
            }
            let _ = link.wake(&mut notes.queues);
            return false;
        }
        if link.wake(&mut notes.queues).is_err() {
            notes.tell(Incident::NoWaiting);
            return false;
        }
        let parking = &mut link.client.exchange.parking;
        parking.park(stream, met.to_vec(), questions, since);
        match CALLER {
            Caller::Root => true,
            Caller::Stream => self.ask_for_stream(stream, now, notes),
        }
    }

    /// Sees to it that leases are taken anew which run out.
    #[inline(never)]
    pub(super) fn refill(
        &mut self,
        low: &[u64],
        met: &[Met],
        now: Option<Now>,
        facts: &mut Facts<'_, CurrentRequest>,
        queues: &mut Queues,
    ) {
        let Some(link) = &mut self.link else {
            return;
        };
        if !link.client.exchange.is_news(low) {
            return;
        }
        let now = now.unwrap_or_default().monotonic;
        for question in self.limiter.questions(met, facts) {
            if question.pot.is_some_and(|pot| low.contains(&pot)) {
                link.client.want(question, self.limiter.plan(), now);
            }
        }
        if self.pace == Pace::Idle {
            // Should it fail, who finds the pot empty tries again.
            let _ = link.wake(queues);
        }
    }

    /// Decides about requests that waited, as far as that can be done and the callback may settle them, and lets them go on
    /// or answers them. A request that has gone meanwhile is charged nothing here.
    #[inline(never)]
    pub(super) fn serve(
        &mut self,
        now: Option<Now>,
        settlement: &mut Settlement<'_>,
        notes: &mut Notes,
    ) {
        let at = now.unwrap_or_default().monotonic;
        let mut is_about_streams = false;
        while let Some(ready) = self.next_ready(&mut settlement.batch, at) {
            // One that has asked for itself is the one that its answer is about.
            if CALLER == Caller::Root {
                is_about_streams = true;
                if call::set_effective_context(ready.parked.stream).is_err() {
                    self.refund(&ready);
                    continue;
                }
            }
            match self.decide_parked(&ready, now, settlement.refusals, notes) {
                Verdict::Parked => {
                    if let Some(link) = &mut self.link {
                        let parking = &mut link.client.exchange.parking;
                        parking.wait_on(&mut settlement.batch, ready);
                    }
                }
                Verdict::Answered => self.refund(&ready),
                Verdict::Pass(headers) => {
                    // A stream that cannot go on has gone.
                    let _ = call::continue_request();
                    let stream = ready.parked.stream;
                    let resumed = headers.map(|headers| Resumed { stream, headers });
                    settlement.resumed.extend(resumed);
                }
            }
        }
        if let Some(link) = &mut self.link {
            let lapsed = link.client.exchange.parking.take_lapsed();
            self.meter
                .count_service(ServiceCount::Lapsed, lapsed, &mut notes.metrics);
        }
        if is_about_streams {
            // The rest of this callback is about the root again.
            let _ = call::set_effective_context(self.number);
        }
    }

    fn next_ready(&mut self, batch: &mut Batch, now: Instant) -> Option<Ready> {
        let max_wait = self.limiter.plan().service.as_ref()?.max_wait;
        let parking = &mut self.link.as_mut()?.client.exchange.parking;
        parking.next_ready(batch, now, max_wait)
    }

    fn refund(&mut self, ready: &Ready) {
        if let Some(link) = &mut self.link {
            link.client.exchange.parking.refund(ready);
        }
    }

    /// Decides about a request that waited, whose stream is the effective context.
    #[inline(never)]
    fn decide_parked(
        &mut self,
        ready: &Ready,
        now: Option<Now>,
        refusals: &mut Refusals,
        notes: &mut Notes,
    ) -> Verdict {
        if ready.is_overdue {
            self.meter
                .count_service(ServiceCount::Overdue, 1, &mut notes.metrics);
        }
        let mut is_alone = !ready.asked().may_wait;
        // That it could be read is why it was let wait.
        let mut request = CurrentRequest { fields: 0 };
        let mut facts = Facts::new(&mut request);
        let mut incidents = Incidents::default();
        let grpc = || facts.is_grpc();
        let met = &ready.parked.met;
        let request = Request { met, now, grpc };
        let mut answer = self.limiter.decide(
            request,
            ready.asked(),
            refusals,
            &mut Shared,
            &mut incidents,
        );
        if CALLER == Caller::Stream && matches!(answer, Answer::Park { .. }) {
            // Nothing more is going to be answered.
            is_alone = true;
            let grpc = || facts.is_grpc();
            let request = Request { met, now, grpc };
            let asked = ready.asked().at_last();
            answer = self
                .limiter
                .decide(request, asked, refusals, &mut Shared, &mut incidents);
        }
        if is_alone {
            self.meter
                .count_service(ServiceCount::Alone, 1, &mut notes.metrics);
        }
        let (facts, lines) = (&mut facts, &mut self.lines);
        let (meter, is_bare) = (&self.meter, self.is_bare);
        let verdict = conclude(answer, now, is_bare, meter, lines, facts, notes);
        self.take_in(&incidents, met, now, facts, notes);
        if let Verdict::Answered | Verdict::Pass(_) = verdict {
            let waited = now.unwrap_or_default().monotonic.since(ready.parked.since);
            self.meter.record_waited(waited, &notes.metrics);
        }
        verdict
    }

    /// Takes in what happened besides a decision.
    pub(super) fn take_in(
        &mut self,
        incidents: &Incidents,
        met: &[Met],
        now: Option<Now>,
        facts: &mut Facts<'_, CurrentRequest>,
        notes: &mut Notes,
    ) {
        self.meter.count_store(&incidents.stats, &mut notes.metrics);
        self.meter.count_pots(&incidents.pots, &mut notes.metrics);
        notes.tell_all(incidents);
        self.refill(&incidents.low, met, now, facts, &mut notes.queues);
    }

    /// Forgets a stream that has gone.
    pub fn on_gone(&mut self, stream: u32) {
        if let Some(link) = &mut self.link {
            link.client.exchange.leave(stream);
        }
    }

    /// Lets nobody wait any longer: another configuration takes this one's place.
    pub fn release_all(&mut self, settlement: &mut Settlement<'_>, notes: &mut Notes) {
        let Some(link) = &mut self.link else {
            return;
        };
        link.client.exchange.parking.release();
        let now = self.now_for_service(notes);
        self.serve(now, settlement, notes);
        self.go_on_looking(notes);
    }

    /// Whether requests wait.
    pub fn has_waiting(&self) -> bool {
        let link = self.link.as_ref();
        link.is_some_and(|link| !link.client.exchange.parking.is_empty())
    }

    /// Wakes the root again where a callback could not settle all that it might have.
    pub(super) fn go_on_looking(&mut self, notes: &mut Notes) {
        if let Some(link) = &mut self.link
            && link.client.exchange.parking.is_looking()
        {
            // Should it fail, a tick goes on.
            let _ = link.wake(&mut notes.queues);
        }
    }
}
