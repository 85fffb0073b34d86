//! One configured plugin in one VM.

use super::call::{self, Level, Map};
use super::clock::Clock;
use super::meter::{Meter, Registry};
use super::request::Request;
use super::shared::Shared;
use crate::config;
use crate::decision::{Count, Decision};
use crate::engine::{Incidents, Met};
use crate::facts::Facts;
use crate::key;
use crate::limiter::{Answer, Limiter};
use crate::local::store::{Fault, Founding};
use crate::log::{self, Incident, RefusalLines, Told};
use crate::plan::{LogKeys, Plan};
use crate::reply::LocalReply;
use crate::reply::headers::{Change, ResponseHeaders};

/// How often counters are handed over to the host.
const TICK_MS: u32 = 1_000;

/// Every so many ticks the gauge of tracked keys is set and the table is joined again.
const TICKS_BETWEEN_LOOKS: u32 = 10;

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
    ticks: u32,
}

/// What happens to a request.
pub enum Verdict {
    /// It goes on; its response is to say this.
    Pass(Option<ResponseHeaders>),
    /// It was answered from here.
    Answered,
}

impl Root {
    /// Reads the configuration of the plugin whose `on_configure` is running and puts it to work.
    ///
    /// `None` when it is refused; every reason is then in the log.
    pub fn configure(len: usize, registry: &mut Registry, told: &mut Told) -> Option<Self> {
        let text = match call::read_plugin_configuration(len) {
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
        let (meter, failed) = Meter::new(&plan, registry);
        if failed.is_some() {
            told.tell(Incident::Metric);
        }
        let mut root = Self {
            meter,
            lines: RefusalLines::new(plan.log.refusals_per_second),
            limiter: Limiter::new(plan),
            clock: Clock::default(),
            founding: None,
            met: Vec::new(),
            ticks: 0,
        };
        if let Err(incident) = root.join() {
            told.tell(incident);
        }
        // Without ticks requests are limited all the same, and nobody counts them.
        let _ = call::set_tick_period(TICK_MS);
        Some(root)
    }

    /// Answers the request whose callback is running.
    pub fn on_request(&mut self, registry: &mut Registry, told: &mut Told) -> Verdict {
        let mut request = Request;
        let mut facts = Facts::new(&mut request);
        let engine = self.limiter.engine();
        let meter = &self.meter;
        let skip = |rule| meter.count_one(rule, Count::Skipped, registry);
        if let Some(fault) = engine.select(&mut facts, &mut self.met, skip) {
            told.tell(Incident::Facts(fault));
        }
        if self.met.is_empty() {
            return Verdict::Pass(None);
        }
        let now = if engine.reads_wall_clock() {
            self.clock.read_both()
        } else {
            self.clock.read_monotonic()
        };
        if now.is_err() {
            told.tell(Incident::Clock);
        }
        let now = now.ok();
        let mut incidents = Incidents::default();
        let answer = self
            .limiter
            .answer(&self.met, now, &mut Shared, &mut incidents, || {
                facts.is_grpc()
            });
        self.meter.count_store(&incidents.stats, registry);
        if let Some(fault) = incidents.fault {
            told.tell(Incident::Store(fault));
        }
        if incidents.stats.corrupt > 0 {
            told.tell(Incident::Corrupt);
        }
        let (plan, refused) = match answer {
            Answer::Pass(decision, headers) => {
                self.meter.count(&decision, registry);
                return Verdict::Pass(headers);
            }
            Answer::Refuse(plan, refused) => (plan, refused),
        };
        self.meter.count(&refused.decision, registry);
        if let Some(suppressed) = self.lines.admit(now.unwrap_or_default().monotonic) {
            report(plan, &refused.decision, suppressed, &mut facts);
        }
        if send(&refused.reply).is_err() {
            told.tell(Incident::Reply);
        }
        Verdict::Answered
    }

    /// Hands counters over, and now and then looks after the table.
    pub fn on_tick(&mut self, registry: &mut Registry, told: &mut Told) {
        registry.hand_over();
        self.ticks = self.ticks.wrapping_add(1);
        if self.founding.is_none() || self.ticks.is_multiple_of(TICKS_BETWEEN_LOOKS) {
            self.look_after_table(told);
        }
    }

    /// Joins the table again, in case there was none or the host has forgotten where it is, and sets the gauge
    /// of tracked keys.
    fn look_after_table(&mut self, told: &mut Told) {
        if let Err(incident) = self.join() {
            told.tell(incident);
        }
        match self.clock.read_both() {
            Ok(now) => {
                let first = u32::try_from(now.monotonic.0 % (1 << 31)).unwrap_or(0);
                let entries =
                    self.limiter
                        .engine()
                        .tracked_keys(&mut Shared, now, first, SETS_SAMPLED);
                self.meter.record_entries(entries);
            }
            Err(_) => told.tell(Incident::Clock),
        }
    }

    fn join(&mut self) -> Result<(), Incident> {
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

/// Writes a line about a refusal.
fn report(plan: &Plan, decision: &Decision, suppressed: u64, facts: &mut Facts<'_, Request>) {
    let rule = decision
        .refusal
        .and_then(|refusal| plan.rules.get(refusal.rule));
    let shown = rule.filter(|_| plan.log.keys == LogKeys::Plain);
    let key = shown.and_then(|rule| key::plain(rule, &plan.client_ip, facts));
    if let Some(line) = log::refusal_line(plan, decision, key.as_deref(), suppressed) {
        call::log(Level::Info, &line);
    }
}

/// Adds to the response whose callback is running what it is to say.
pub fn show(headers: ResponseHeaders) {
    let upstream = headers
        .sentinel()
        .and_then(|name| call::read_header(Map::Response, name).ok());
    for change in headers.changes(upstream.as_deref()) {
        // A header that cannot be set is one that the client goes without.
        let _ = match change {
            Change::Add(name, value) => call::add_header(Map::Response, name, &value),
            Change::Replace(name, value) => call::replace_header(Map::Response, name, &value),
        };
    }
}

fn send(reply: &LocalReply) -> call::Outcome<()> {
    // Without it only the access log is poorer.
    let _ = call::set_property(b"weir", &reply.filter_state);
    let grpc_status = reply.grpc_status.unwrap_or(-1);
    call::send_local_response(
        reply.status,
        &reply.details,
        &reply.body,
        &reply.headers,
        grpc_status,
    )
}

impl Told {
    fn tell(&mut self, incident: Incident) {
        if let Some(line) = self.line(incident) {
            call::log(Level::Warn, &line);
        }
    }
}

fn error(line: &str) {
    call::log(Level::Error, &format!("weir: {line}"));
}
