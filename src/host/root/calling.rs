//! The rate limit service, from the root's side.

use super::super::call::{self, HostError};
use super::super::notes::Notes;
use super::super::service::{self, CALLER, Link};
use super::super::shared::Shared;
use super::{Pace, Root, Settlement, note_time};
use crate::global::breaker;
use crate::global::caller::Caller;
use crate::global::client::Turn;
use crate::global::exchange::Books;
use crate::global::lease::pots::Stats;
use crate::global::wire::Fault;
use crate::limiter::Limiter;
use crate::log::{self, Incident};
use crate::metrics::ServiceCount;
use crate::units::{Instant, Now};

impl Root {
    /// Makes ready to ask the service, where there is one.
    #[inline(never)]
    pub(super) fn open_link(&mut self, notes: &mut Notes) {
        let service = &self.limiter.plan().service;
        let (Some(founding), Some(service), None) = (self.founding, service, &self.link) else {
            return;
        };
        match Link::new(service, founding.dialect) {
            Ok(link) => self.link = Some(link),
            Err(incident) => notes.tell(incident),
        }
    }

    /// Whether requests came lately that need the service.
    pub(super) fn is_asked_for(&self, now: Instant) -> bool {
        let link = self.link.as_ref();
        link.is_some_and(|link| link.client.is_in_use(now))
    }

    /// Sets the gauge of the breaker. A change is told of once, by the worker that brings it about; another configuration
    /// may have left the gauge as its own was.
    pub(super) fn record_breaker(&self, notes: &Notes) {
        let link = self.link.as_ref();
        let is_open = link.is_some_and(|link| link.client.is_open(&mut Shared));
        self.meter.record_breaker(is_open, &notes.metrics);
    }

    /// Asks for a stream that has just been parked, which is the effective context; tells whether it can wait for the
    /// answer.
    pub(super) fn ask_for_stream(
        &mut self,
        stream: u32,
        now: Option<Now>,
        notes: &mut Notes,
    ) -> bool {
        let mut turn = Turn::of_stream();
        while self.call(&mut turn, now, notes) {}
        let Some(link) = &mut self.link else {
            return false;
        };
        let exchange = &mut link.client.exchange;
        let is_asked = !exchange.parking.is_unasked(stream);
        if !is_asked {
            exchange.leave(stream);
        }
        is_asked
    }

    /// Asks for the streams that have woken the root, after it has settled what an earlier callback could not.
    pub fn on_queue_ready(&mut self, settlement: &mut Settlement<'_>, notes: &mut Notes) {
        let Some(link) = &mut self.link else {
            return;
        };
        link.woken();
        self.set_pace(Pace::Watching);
        let now = self.now_for_service(notes);
        self.attend(now, settlement, notes);
    }

    /// Reads the answer to call number `number`, whose callback is running.
    pub fn on_reply(
        &mut self,
        number: u32,
        fields: usize,
        body_len: usize,
        settlement: &mut Settlement<'_>,
        notes: &mut Notes,
    ) {
        let now = self.now_for_service(notes);
        let service = &self.limiter.plan().service;
        let (Some(Link { client, .. }), Some(service)) = (&mut self.link, service) else {
            return;
        };
        let Some(asked) = client.exchange.asked(number) else {
            return;
        };
        let read = match call::is_readable(fields) {
            false => Err(Fault::Body),
            true => service::read(service.engine, asked, body_len),
        };
        let (mut stats, mut shared) = (Stats::default(), Shared);
        let mut books = books(&self.limiter, &mut shared, now, &mut stats);
        let (heard, change) = client.answered(number, read, service, &mut books);
        if let Some(fault) = heard.fault {
            notes.tell(Incident::Service(fault, &service.cluster));
        }
        self.take_note(change, heard.fault, notes);
        self.meter.record_latency(heard.took, &notes.metrics);
        let plan = self.limiter.plan();
        for question in &heard.unmatched {
            notes.tell(Incident::Unmatched(plan, question));
        }
        for (question, counter) in &heard.disagrees {
            notes.tell(Incident::Disagrees(plan, question, *counter));
        }
        self.meter.count_pots(&stats, &mut notes.metrics);
        self.is_bare = cfg!(feature = "kong") && body_len == 0;
        match CALLER {
            Caller::Root => self.attend(now, settlement, notes),
            // A call that is made here would be the stream's whose answer this is.
            Caller::Stream => self.serve(now, settlement, notes),
        }
        self.is_bare = false;
    }

    /// Settles what can be settled, then asks for the rest. Nothing is asked before the look at those who wait has ended:
    /// what is granted to a request that was not looked at yet would be asked for again.
    #[inline(never)]
    fn attend(&mut self, now: Option<Now>, settlement: &mut Settlement<'_>, notes: &mut Notes) {
        self.serve(now, settlement, notes);
        let is_looking = |link: &Link| link.client.exchange.parking.is_looking();
        if !self.link.as_ref().is_some_and(is_looking) {
            self.ask(now, notes);
            self.serve(now, settlement, notes);
        }
        self.go_on_looking(notes);
    }

    /// Asks for what is needed, unless the service is to be left alone: then nobody waits for it.
    #[inline(never)]
    fn ask(&mut self, now: Option<Now>, notes: &mut Notes) {
        if !self.is_asking(now.unwrap_or_default().monotonic) {
            return;
        }
        let mut turn = Turn::default();
        while self.call(&mut turn, now, notes) {}
        if let Some(link) = &mut self.link {
            link.client.conclude(&turn);
        }
    }

    /// Makes the next call of a turn; tells whether there was one to make.
    #[inline(never)]
    fn call(&mut self, turn: &mut Turn, now: Option<Now>, notes: &mut Notes) -> bool {
        let plan = self.limiter.plan();
        let (Some(Link { client, .. }), Some(service)) = (&mut self.link, &plan.service) else {
            return false;
        };
        let (mut stats, mut shared) = (Stats::default(), Shared);
        let mut books = books(&self.limiter, &mut shared, now, &mut stats);
        let Some(asks) = client.next_call(turn, service, &mut books) else {
            self.meter.count_pots(&stats, &mut notes.metrics);
            return false;
        };
        match service::send(plan, service, &asks, turn.timeout(service)) {
            Ok(number) => {
                client.begun(number, asks, now.unwrap_or_default().monotonic);
                self.meter
                    .count_service(ServiceCount::Calls, 1, &mut notes.metrics);
            }
            // No such cluster, no healthy host in it, or a circuit breaker of the proxy's own.
            Err(refused) => {
                let change = client.not_begun(turn, asks, service, &mut books);
                let cluster = &service.cluster;
                notes.tell(match refused {
                    HostError::BadArgument => Incident::NoCluster(cluster),
                    _ => Incident::Service(Fault::Unreachable, cluster),
                });
                self.take_note(change, Some(Fault::Unreachable), notes);
            }
        }
        self.meter.count_pots(&stats, &mut notes.metrics);
        true
    }

    /// Takes note of how a call ended.
    fn take_note(
        &mut self,
        change: Option<breaker::Change>,
        fault: Option<Fault>,
        notes: &mut Notes,
    ) {
        if let Some(change) = change {
            self.meter.record_breaker(change.opens(), &notes.metrics);
            if let Some(line) = log::breaker_line(change, fault) {
                ::log::warn!("{line}");
            }
        }
        if let Some(fault) = fault {
            self.meter
                .count_service(ServiceCount::of(fault), 1, &mut notes.metrics);
        }
    }

    /// Looks for who can be served meanwhile or has waited too long, and asks for who needs it.
    #[inline(never)]
    pub(super) fn watch(
        &mut self,
        now: Option<Now>,
        settlement: &mut Settlement<'_>,
        notes: &mut Notes,
    ) {
        if let Some(link) = &mut self.link {
            if link.is_waking() {
                // In case the message that was to wake the root is lost.
                link.woken();
            }
            link.client.exchange.parking.look();
        }
        self.attend(now, settlement, notes);
        if let Some(link) = &self.link
            && link.client.is_idle(now.unwrap_or_default().monotonic)
        {
            self.set_pace(Pace::Idle);
        }
    }

    /// Whether anything is to be asked of the service, or found out.
    fn is_asking(&self, now: Instant) -> bool {
        let link = self.link.as_ref();
        link.is_some_and(|link| link.client.is_asking(now))
    }

    /// Both clocks: the service's windows are on the wall clock.
    pub(super) fn now_for_service(&mut self, notes: &mut Notes) -> Option<Now> {
        note_time(self.clock.read_both().ok(), notes)
    }

    /// Begins to tick, as often as a root must that gets no other chance to ask: where streams ask for themselves, the
    /// host lets it be set once.
    pub(super) fn begin_to_tick(&mut self) {
        if CALLER == Caller::Stream && self.limiter.plan().service.is_some() {
            self.pace = Pace::Watching;
        }
        // Without ticks requests are limited all the same, and nobody counts them.
        let _ = call::set_tick_period(self.pace.millis());
    }

    fn set_pace(&mut self, pace: Pace) {
        if CALLER == Caller::Root && self.pace != pace {
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
