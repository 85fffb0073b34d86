//! The rate limit service, from the root's side.

use super::super::call::{self, Level};
use super::super::meter::Registry;
use super::super::service::{self, Client};
use super::super::shared::Shared;
use super::{Pace, Resumed, Root};
use crate::global::breaker::{Event, Permit};
use crate::global::exchange::{Asking, Books};
use crate::global::lease::pots::Stats;
use crate::global::parking::Round;
use crate::global::wire::Fault;
use crate::limiter::Limiter;
use crate::local::store::Dialect;
use crate::log::{self, Incident, Told};
use crate::metrics::ServiceCount;
use crate::units::{Instant, Now};

impl Root {
    /// Makes ready to ask the service, where there is one.
    ///
    /// A host whose shared data is of the other dialect traps on a queue that its operator has not declared, and
    /// resumes no stream from a root: there `on_error` holds.
    #[inline(never)]
    pub(super) fn open_client(&mut self, told: &mut Told) {
        let dialect = self.founding.map(|founding| founding.dialect);
        let Some(service) = &self.limiter.plan().service else {
            return;
        };
        if self.client.is_some() {
            return;
        }
        if dialect == Some(Dialect::ZeroOverwrites)
            && let Ok(client) = Client::new(service, Dialect::ZeroOverwrites)
        {
            self.client = Some(client);
        } else {
            told.tell(Incident::Service(Fault::Unreachable));
        }
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
        number: u32,
        body_len: usize,
        registry: &mut Registry,
        told: &mut Told,
    ) -> Vec<Resumed> {
        let now = self.now_for_service(told);
        let service = &self.limiter.plan().service;
        let (Some(client), Some(service)) = (&mut self.client, service) else {
            return Vec::new();
        };
        let Some(asked) = client.exchange.asked(number) else {
            return Vec::new();
        };
        let read = service::read(service.engine, asked, body_len);
        let (mut round, mut stats, mut shared) = (Round::default(), Stats::default(), Shared);
        let mut books = books(&self.limiter, &mut shared, now, &mut stats);
        let heard = client
            .exchange
            .answered(number, read, &mut round, &mut books);
        let at = now.unwrap_or_default().monotonic;
        self.take_note(heard.event(), heard.fault, at, registry, told);
        self.meter.record_latency(heard.took, registry);
        if heard.unmatched {
            told.tell(Incident::Unmatched);
        }
        if heard.disagrees {
            told.tell(Incident::Disagrees);
        }
        self.meter.count_pots(&stats, registry);
        let mut resumed = self.serve(round, now, registry, told);
        resumed.extend(self.ask(registry, told));
        resumed
    }

    /// Asks for what is needed, unless the service is to be left alone: then nobody waits for it.
    #[inline(never)]
    fn ask(&mut self, registry: &mut Registry, told: &mut Told) -> Vec<Resumed> {
        if !self.client.as_ref().is_some_and(Client::is_asking) {
            return Vec::new();
        }
        let now = self.now_for_service(told);
        let plan = self.limiter.plan();
        let (Some(client), Some(service)) = (&mut self.client, &plan.service) else {
            return Vec::new();
        };
        let at = now.unwrap_or_default().monotonic;
        let round = match client.permit(service, at) {
            Permit::Wait(_) => Round::last(),
            Permit::Probe => {
                let _ = client.tell(service, Event::ProbeSent, at);
                if let Some(probe) = client.exchange.probe() {
                    self.call(vec![probe], Event::ProbeFailed, now, registry, told);
                }
                Round::last()
            }
            Permit::Call => match self.call_for_all(now, registry, told) {
                true => Round::default(),
                false => return Vec::new(),
            },
        };
        self.serve(round, now, registry, told)
    }

    /// Calls for all that is needed; tells whether some who wait can be served without, or cannot be served.
    #[inline(never)]
    fn call_for_all(&mut self, now: Option<Now>, registry: &mut Registry, told: &mut Told) -> bool {
        let (mut servable, mut stats, mut shared) = (false, Stats::default(), Shared);
        loop {
            let service = &self.limiter.plan().service;
            let (Some(client), Some(service)) = (&mut self.client, service) else {
                return false;
            };
            let mut books = books(&self.limiter, &mut shared, now, &mut stats);
            let (asks, rest) = client.exchange.prepare(service, &mut books);
            servable |= rest;
            if asks.is_empty() {
                break;
            }
            if !self.call(asks, Event::Failed, now, registry, told) {
                servable = true;
                break;
            }
        }
        self.meter.count_pots(&stats, registry);
        servable
    }

    /// Makes a call, and tells whether it was begun: `failing` is what happened if not.
    #[inline(never)]
    fn call(
        &mut self,
        asks: Vec<Asking>,
        failing: Event,
        now: Option<Now>,
        registry: &mut Registry,
        told: &mut Told,
    ) -> bool {
        let plan = self.limiter.plan();
        let (Some(client), Some(service)) = (&mut self.client, &plan.service) else {
            return false;
        };
        let at = now.unwrap_or_default().monotonic;
        if let Ok(number) = service::send(plan, service, &asks) {
            client.exchange.begun(number, asks, at);
            self.meter.count_service(ServiceCount::Calls, 1, registry);
            return true;
        }
        // No healthy host, or a circuit breaker of the proxy's own.
        let (mut stats, mut shared) = (Stats::default(), Shared);
        let mut books = books(&self.limiter, &mut shared, now, &mut stats);
        client.exchange.not_begun(asks, &mut books);
        self.meter.count_pots(&stats, registry);
        self.take_note(failing, Some(Fault::Unreachable), at, registry, told);
        false
    }

    /// Takes note of how a call ended.
    fn take_note(
        &mut self,
        event: Event,
        fault: Option<Fault>,
        now: Instant,
        registry: &mut Registry,
        told: &mut Told,
    ) {
        let (Some(client), Some(service)) = (&mut self.client, &self.limiter.plan().service) else {
            return;
        };
        if let Some(change) = client.tell(service, event, now) {
            self.meter.record_breaker(change.state(), registry);
            call::log(Level::Warn, &log::breaker_line(change, fault));
        }
        if let Some(fault) = fault {
            self.meter
                .count_service(ServiceCount::of(fault), 1, registry);
            told.tell(Incident::Service(fault));
        }
    }

    /// Looks for who can be served meanwhile or has waited too long, and asks for who needs it.
    #[inline(never)]
    pub(super) fn watch(&mut self, registry: &mut Registry, told: &mut Told) -> Vec<Resumed> {
        if let Some(client) = self.client.as_mut().filter(|client| client.is_waking()) {
            // In case the message that was to wake the root is lost.
            client.woken();
        }
        let now = self.now_for_service(told);
        let mut resumed = self.serve(Round::default(), now, registry, told);
        resumed.extend(self.ask(registry, told));
        if let Some(client) = &self.client
            && client.is_idle(now.unwrap_or_default().monotonic)
        {
            self.set_pace(Pace::Idle);
        }
        resumed
    }

    /// Both clocks: the service's windows are on the wall clock.
    pub(super) fn now_for_service(&mut self, told: &mut Told) -> Option<Now> {
        let now = self.clock.read_both();
        if now.is_err() {
            told.tell(Incident::Clock);
        }
        now.ok()
    }

    fn set_pace(&mut self, pace: Pace) {
        if self.pace != pace {
            self.pace = pace;
            // Without ticks requests are limited all the same, but none is given up for waiting too long.
            let _ = call::set_tick_period(pace.millis());
        }
    }
}

/// What an exchange works with. Without a clock no pot can be looked at.
fn books<'a>(
    limiter: &'a Limiter,
    data: &'a mut Shared,
    now: Option<Now>,
    stats: &'a mut Stats,
) -> Books<'a, Shared> {
    Books {
        plan: limiter.plan(),
        pots: limiter.engine().pots().filter(|_| now.is_some()),
        data,
        now: now.unwrap_or_default(),
        stats,
    }
}
