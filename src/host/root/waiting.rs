//! Requests that wait for the rate limit service, from the root's side.

use super::super::call;
use super::super::meter::Registry;
use super::super::request::CurrentRequest;
use super::super::service::{self, Client};
use super::super::shared::Shared;
use super::{Pace, Resumed, Root, Verdict, conclude};
use crate::engine::{Asked, Incidents, Met};
use crate::facts::Facts;
use crate::global::parking::Answered;
use crate::limiter::Request;
use crate::local::store::Dialect;
use crate::log::{Incident, Told};
use crate::metrics::ServiceCount;
use crate::units::{Instant, Now};

impl Root {
    /// Makes ready to ask the service, where there is one.
    ///
    /// A host whose shared data is of the other dialect traps on a queue that its operator has not declared, and
    /// resumes no stream from a root: there `on_error` holds.
    pub(super) fn open_client(&mut self, told: &mut Told) {
        let dialect = self.founding.map(|founding| founding.dialect);
        if self.limiter.plan().service.is_none() || self.client.is_some() {
            return;
        }
        if dialect == Some(Dialect::ZeroOverwrites)
            && let Ok(client) = Client::new()
        {
            self.client = Some(client);
        } else {
            told.tell(Incident::Service(service::NOT_CALLED));
        }
    }

    /// Lets a stream wait for the service; false when it cannot.
    pub(super) fn park(
        &mut self,
        stream: u32,
        met: &[Met],
        now: Option<Now>,
        facts: &mut Facts<'_, CurrentRequest>,
    ) -> bool {
        let (Some(client), Some(service)) = (&mut self.client, &self.limiter.plan().service) else {
            return false;
        };
        if client.waiting() >= service.max_parked {
            return false;
        }
        let questions = self.limiter.questions(met, facts);
        let now = now.unwrap_or_default();
        client.park(stream, met.to_vec(), questions, now).is_ok()
    }

    /// Asks for the streams that have woken the root.
    pub fn on_queue_ready(&mut self, registry: &mut Registry, told: &mut Told) -> Vec<Resumed> {
        let Some(client) = &mut self.client else {
            return Vec::new();
        };
        client.woken();
        self.set_pace(Pace::Watching);
        self.ask(registry, told)
    }

    /// Reads the answer to call number `call`, whose callback is running.
    pub fn on_reply(
        &mut self,
        call: u32,
        body_len: usize,
        registry: &mut Registry,
        told: &mut Told,
    ) -> Vec<Resumed> {
        let now = self.now(told);
        let Some(client) = &mut self.client else {
            return Vec::new();
        };
        let at = now.unwrap_or_default().unix;
        let reply = client.reply(call, body_len, self.limiter.plan(), at);
        if let Some(fault) = reply.fault {
            self.meter.count_service(ServiceCount::Errors, 1, registry);
            told.tell(Incident::Service(fault));
        }
        if reply.unmatched {
            told.tell(Incident::Unmatched);
        }
        let mut resumed = self.resume(reply.answered, now, registry, told);
        resumed.extend(self.ask(registry, told));
        resumed
    }

    /// Forgets a stream that has gone.
    pub fn on_gone(&mut self, stream: u32) {
        if let Some(client) = &mut self.client {
            client.leave(stream);
        }
    }

    pub(super) fn release_overdue(
        &mut self,
        registry: &mut Registry,
        told: &mut Told,
    ) -> Vec<Resumed> {
        let now = self.now(told);
        self.release(now, now.unwrap_or_default().monotonic, registry, told)
    }

    /// Lets nobody wait any longer: another configuration takes this one's place.
    pub fn release_all(&mut self, registry: &mut Registry, told: &mut Told) {
        let now = self.now(told);
        let _without_headers = self.release(now, Instant(u64::MAX), registry, told);
    }

    /// Gives up on whoever has waited too long at `as_of`, and decides about them at `now`.
    fn release(
        &mut self,
        now: Option<Now>,
        as_of: Instant,
        registry: &mut Registry,
        told: &mut Told,
    ) -> Vec<Resumed> {
        let Some(client) = &mut self.client else {
            return Vec::new();
        };
        let overdue = client.overdue(self.limiter.plan(), as_of);
        if !overdue.is_empty() {
            // In case the message that was to wake the root is lost.
            client.woken();
        }
        if client.waiting() == 0 {
            self.set_pace(Pace::Idle);
        }
        let count = u32::try_from(overdue.len()).unwrap_or(u32::MAX);
        self.meter
            .count_service(ServiceCount::Overdue, count, registry);
        let answered = overdue.into_iter().map(|parked| Answered {
            parked,
            quotas: None,
        });
        self.resume(answered.collect(), now, registry, told)
    }

    fn ask(&mut self, registry: &mut Registry, told: &mut Told) -> Vec<Resumed> {
        let Some(client) = &mut self.client else {
            return Vec::new();
        };
        let (calls, failed) = client.ask(self.limiter.plan());
        self.meter
            .count_service(ServiceCount::Calls, calls, registry);
        if failed.is_empty() {
            return Vec::new();
        }
        self.meter.count_service(ServiceCount::Errors, 1, registry);
        told.tell(Incident::Service(service::NOT_CALLED));
        let now = self.now(told);
        self.resume(failed, now, registry, told)
    }

    /// Decides about requests that waited, and lets them go on or answers them. Who has gone meanwhile is charged
    /// nothing here.
    fn resume(
        &mut self,
        answered: Vec<Answered>,
        now: Option<Now>,
        registry: &mut Registry,
        told: &mut Told,
    ) -> Vec<Resumed> {
        let mut resumed = Vec::new();
        for Answered { parked, quotas } in answered {
            if call::set_effective_context(parked.stream).is_err() {
                continue;
            }
            let mut request = CurrentRequest;
            let mut facts = Facts::new(&mut request);
            let mut incidents = Incidents::default();
            let grpc = || facts.is_grpc();
            let met = &parked.met;
            let asked = quotas.as_deref().map_or(Asked::Failed, Asked::Told);
            let request = Request { met, now, grpc };
            let answer = self
                .limiter
                .answer_parked(request, asked, &mut Shared, &mut incidents);
            self.meter.count_store(&incidents.stats, registry);
            told.tell_all(&incidents);
            let facts = &mut facts;
            let lines = &mut self.lines;
            if let Verdict::Pass(headers) =
                conclude(answer, now, &self.meter, lines, facts, registry, told)
            {
                // A stream that cannot go on has gone.
                let _ = call::continue_request();
                let stream = parked.stream;
                resumed.extend(headers.map(|headers| Resumed { stream, headers }));
            }
        }
        // The rest of this callback is about the root again.
        let _ = call::set_effective_context(self.number);
        resumed
    }

    pub(super) fn set_pace(&mut self, pace: Pace) {
        if self.pace != pace {
            self.pace = pace;
            // Without ticks requests are limited all the same, but none is given up for waiting too long.
            let _ = call::set_tick_period(pace.millis());
        }
    }
}
