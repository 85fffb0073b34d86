//! One configured plugin in one VM.

mod calling;
mod replying;
mod waiting;

pub use replying::show;
use replying::{conclude, refuse_fields};

use super::call::{self, Buffer};
use super::clock::Clock;
use super::meter::Meter;
use super::notes::Notes;
use super::request::CurrentRequest;
use super::service::Link;
use super::shared::Shared;
use crate::config;
use crate::decision::Count;
use crate::engine::{Asked, Incidents, Met};
use crate::facts::Facts;
use crate::global::parking::Batch;
use crate::limiter::{Answer, Limiter, Request};
use crate::local::store::{Fault, Founding};
use crate::log::{Incident, RefusalLines};
use crate::metrics::ServiceCount;
use crate::refusals::{Generation, Refusals};
use crate::reply::headers::ResponseHeaders;
use crate::units::{Instant, Nanos, Now};

/// How long counters are kept back at least: a little less than what is between two ticks of [`Pace::Idle`].
const BETWEEN_HAND_OVERS: Nanos = Nanos(900 * Nanos::MILLISECOND.0);

/// How often the gauge of tracked keys is set and the table is joined again: about every ten seconds.
const HANDED_OVER_BETWEEN_LOOKS: u32 = 10;

/// Sets looked at for the gauge: about 10,000 instructions each, and exact up to 2,048 keys.
const SETS_SAMPLED: u32 = 256;

/// A plan at work for one plugin configuration.
pub struct Root {
    limiter: Limiter,
    meter: Meter,
    clock: Clock,
    lines: RefusalLines,
    /// What its table is found by; `None` as long as the shared data could not be used.
    founding: Option<Founding>,
    /// The rules that the request in hand meets; kept for its memory.
    met: Vec<Met>,
    pace: Pace,
    /// When counters were last handed over, and how often.
    handed_over: (Instant, u32),
    /// The host's number of this root.
    number: u32,
    /// Whether refusals are sent without a body: Kong's host loses those that have one, after an answer that has none.
    is_bare: bool,
    /// How the service is asked; `None` when there is none, or the root cannot be woken.
    link: Option<Link>,
}

/// What happens to a request.
pub enum Verdict {
    /// It goes on; its response is to say this.
    Pass(Option<ResponseHeaders>),
    /// It was answered from here.
    Answered,
    /// It waits, and is resumed by a later callback of the root.
    Parked,
}

/// A request that went on after it had waited, and what its response is to say.
pub struct Resumed {
    /// The host's number of its stream.
    pub stream: u32,
    /// What its response is to say.
    pub headers: ResponseHeaders,
}

/// What one callback settles of the requests that wait, and how much of it there may still be.
pub struct Settlement<'v> {
    /// The cache of the VM.
    pub refusals: &'v mut Refusals,
    /// Requests that go on.
    pub resumed: Vec<Resumed>,
    batch: Batch,
}

impl<'v> Settlement<'v> {
    /// Nothing settled yet.
    pub fn new(refusals: &'v mut Refusals) -> Self {
        Self {
            refusals,
            resumed: Vec::new(),
            batch: Batch::default(),
        }
    }
}

/// How often the root ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// Often enough for counters.
    Idle,
    /// Often enough for requests that wait.
    Watching,
}

impl Pace {
    const fn millis(self) -> u32 {
        match self {
            Self::Idle => 1_000,
            Self::Watching => 10,
        }
    }
}

impl Root {
    /// Reads the configuration of the plugin whose `on_configure` is running and puts it to work.
    ///
    /// `None` when it is refused; every reason is then in the log.
    pub fn configure(
        number: u32,
        len: usize,
        generation: Generation,
        notes: &mut Notes,
    ) -> Option<Self> {
        let text = match call::read_buffer(Buffer::PluginConfiguration, len) {
            Ok(text) => text,
            Err(refused) => {
                let status = refused.status();
                error(&format!(
                    "the configuration cannot be read: the host answered {status}"
                ));
                return None;
            }
        };
        #[expect(clippy::disallowed_methods, reason = "this is where it comes from")]
        let environment =
            |name: &str| std::env::var_os(name).and_then(|value| value.into_string().ok());
        let plan = match config::load(&text, &environment) {
            Ok(plan) => plan,
            Err(errors) => {
                errors.lines().for_each(error);
                return None;
            }
        };
        notes.reconfigured();
        let (meter, failed) = Meter::new(&plan, &mut notes.metrics);
        if failed.is_some() {
            notes.tell(Incident::Metric);
        }
        let mut root = Self {
            meter,
            lines: RefusalLines::new(plan.log.refusals_per_second),
            limiter: Limiter::new(plan, generation),
            clock: Clock::default(),
            founding: None,
            met: Vec::new(),
            pace: Pace::Idle,
            handed_over: (Instant::default(), 0),
            number,
            is_bare: false,
            link: None,
        };
        if let Err(incident) = root.join() {
            notes.tell(incident);
        }
        root.open_link(notes);
        if root.limiter.plan().asks_nobody() {
            notes.tell(Incident::NoGlobalRule);
        }
        root.record_breaker(notes);
        root.begin_to_tick();
        Some(root)
    }

    /// Answers the request of stream number `stream`, whose callback is running.
    pub fn on_request(
        &mut self,
        stream: u32,
        fields: usize,
        refusals: &mut Refusals,
        notes: &mut Notes,
    ) -> Verdict {
        let mut request = CurrentRequest { fields };
        let mut facts = Facts::new(&mut request);
        let mut met = std::mem::take(&mut self.met);
        let meter = &self.meter;
        let skip = |rule| meter.count_one(rule, Count::Skipped, &mut notes.metrics);
        let unreadable = self.limiter.engine().select(&mut facts, &mut met, skip);
        if let Some(fault) = unreadable {
            notes.tell(Incident::Facts(fault));
        }
        let verdict = if unreadable.is_some() && !call::is_readable(fields) {
            refuse_fields(notes)
        } else if met.is_empty() {
            Verdict::Pass(None)
        } else {
            let now = self.now(notes);
            self.answer(stream, &met, now, &mut facts, refusals, notes)
        };
        self.met = met;
        verdict
    }

    fn answer(
        &mut self,
        stream: u32,
        met: &[Met],
        now: Option<Now>,
        facts: &mut Facts<'_, CurrentRequest>,
        refusals: &mut Refusals,
        notes: &mut Notes,
    ) -> Verdict {
        let mut incidents = Incidents::default();
        let grpc = || facts.is_grpc();
        let request = Request { met, now, grpc };
        let mut answer = self
            .limiter
            .answer(request, refusals, &mut Shared, &mut incidents);
        if let Answer::Park { cold } = answer {
            if self.park(stream, met, cold, now, facts, notes) {
                self.meter
                    .count_service(ServiceCount::Parked, 1, &mut notes.metrics);
                return Verdict::Parked;
            }
            let grpc = || facts.is_grpc();
            let request = Request { met, now, grpc };
            answer = self.limiter.decide(
                request,
                Asked::FAILED,
                refusals,
                &mut Shared,
                &mut incidents,
            );
            self.meter
                .count_service(ServiceCount::Alone, 1, &mut notes.metrics);
        }
        let lines = &mut self.lines;
        let verdict = conclude(answer, now, false, &self.meter, lines, facts, notes);
        self.take_in(&incidents, met, now, facts, notes);
        verdict
    }

    /// Looks for requests that have waited too long, hands counters over, and now and then looks after the table.
    pub fn on_tick(&mut self, settlement: &mut Settlement<'_>, notes: &mut Notes) {
        let now = match self.link {
            Some(_) => {
                let now = self.now_for_service(notes);
                self.watch(now, settlement, notes);
                now
            }
            None => self.clock.read_monotonic().ok(),
        };
        if self.is_time_to_hand_over(now) {
            notes.metrics.hand_over();
            let (_, times) = self.handed_over;
            if self.founding.is_none() || times.is_multiple_of(HANDED_OVER_BETWEEN_LOOKS) {
                self.look_after_table(notes);
            }
        }
    }

    /// Ends with its root context.
    pub fn close(self, notes: &mut Notes) {
        if let Some(link) = self.link {
            link.close(&mut notes.queues);
        }
    }

    /// By the clock: each change of pace sets the host's timer back, so ticks do not tell how much time has passed. Where
    /// it cannot be read, at each tick.
    fn is_time_to_hand_over(&mut self, now: Option<Now>) -> bool {
        let (last, times) = self.handed_over;
        let now = now.map(|now| now.monotonic);
        if now.is_some_and(|now| now.since(last) < BETWEEN_HAND_OVERS) {
            return false;
        }
        self.handed_over = (now.unwrap_or(last), times.wrapping_add(1));
        true
    }

    fn now(&mut self, notes: &mut Notes) -> Option<Now> {
        let now = if self.limiter.engine().reads_wall_clock() {
            self.clock.read_both()
        } else {
            self.clock.read_monotonic()
        };
        note_time(now.ok(), notes)
    }

    /// Joins the table again, in case there was none or the host has forgotten where it is, and sets the gauge
    /// of tracked keys.
    fn look_after_table(&mut self, notes: &mut Notes) {
        if let Err(incident) = self.join() {
            notes.tell(incident);
        }
        self.open_link(notes);
        match self.clock.read_both() {
            Ok(now) => {
                if self.is_asked_for(now.monotonic) {
                    self.record_breaker(notes);
                }
                let first = u32::try_from(now.monotonic.0 % (1 << 31)).unwrap_or(0);
                let entries =
                    self.limiter
                        .engine()
                        .tracked_keys(&mut Shared, now, first, SETS_SAMPLED);
                self.meter.record_entries(entries, &notes.metrics);
                if let Some(pots) = self.limiter.engine().pots() {
                    let tokens = pots.in_hand(&mut Shared, now.monotonic, first, SETS_SAMPLED);
                    self.meter.record_in_hand(tokens, &notes.metrics);
                }
            }
            Err(_) => notes.tell(Incident::Clock),
        }
    }

    fn join(&mut self) -> Result<(), Incident<'static>> {
        self.clock.read_both().map_err(|_| Incident::Clock)?;
        let seed = match self.founding {
            Some(founding) => founding.seed,
            None => {
                let mut seed = [0; 16];
                let host = |error: call::HostError| Incident::Store(Fault::Host(error.status()));
                call::random(&mut seed).map_err(host)?;
                seed
            }
        };
        let founding = Founding::join(&mut Shared, seed).map_err(Incident::Store)?;
        if self.founding != Some(founding) {
            self.limiter.join(&founding);
            self.founding = Some(founding);
        }
        Ok(())
    }
}

/// Notes what a clock said, or that it said nothing.
fn note_time(now: Option<Now>, notes: &mut Notes) -> Option<Now> {
    match now {
        Some(now) => notes.now = now.monotonic,
        None => notes.tell(Incident::Clock),
    }
    now
}

fn error(line: &str) {
    ::log::error!("weir: {line}");
}
