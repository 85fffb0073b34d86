//! One configured plugin in one VM.

use super::call::{self, Level, Map};
use super::clock::Clock;
use super::meter::{Meter, Registry};
use super::request::Request;
use super::shared::Shared;
use crate::config;
use crate::decision::Decision;
use crate::engine::{Engine, Incidents, Met};
use crate::facts::Facts;
use crate::key;
use crate::local::store::{Fault, Founding};
use crate::log::{self, Incident, RefusalLines, Told};
use crate::plan::LogKeys;
use crate::reply::draft_11::Policies;
use crate::reply::headers::{Change, ResponseHeaders};
use crate::reply::{self, LocalReply};
use crate::units::Now;

/// How often the gauge of tracked keys is set, and a table that could not be joined is tried again.
const TICK_MS: u32 = 10_000;

/// Sets looked at on a tick: about 10,000 instructions each, and exact up to 2,048 keys.
const SETS_SAMPLED: u32 = 256;

/// A plan at work for one plugin configuration.
pub struct Root {
    engine: Engine,
    policies: Policies,
    meter: Meter,
    clock: Clock,
    lines: RefusalLines,
    /// What its table is found by; `None` as long as the shared data could not be used.
    founding: Option<Founding>,
    /// The rules that the request in hand meets; kept for its memory.
    met: Vec<Met>,
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
            Err(refusal) => {
                let status = refusal.status();
                error(&format!(
                    "the configuration cannot be read: the host answered {status}"
                ));
                return None;
            }
        };
        let environment =
            |name: &str| std::env::var_os(name).and_then(|value| value.into_string().ok());
        let plan = match config::load(&text, &environment) {
            Ok(plan) => plan,
            Err(errors) => {
                errors.lines().for_each(error);
                return None;
            }
        };
        let mut root = Self {
            policies: Policies::new(&plan),
            meter: Meter::new(&plan, registry),
            lines: RefusalLines::new(plan.log.refusals_per_second),
            engine: Engine::new(plan),
            clock: Clock::default(),
            founding: None,
            met: Vec::new(),
        };
        if let Err(incident) = root.join() {
            told.tell(incident);
        }
        // Without a tick only the gauge of tracked keys is missing.
        let _ = call::set_tick_period(TICK_MS);
        Some(root)
    }

    /// Decides about the request whose callback is running.
    pub fn on_request(&mut self, told: &mut Told) -> Verdict {
        let mut request = Request;
        let mut facts = Facts::new(&mut request);
        self.engine.select(&mut facts, &mut self.met);
        if self.met.is_empty() {
            return Verdict::Pass(None);
        }
        let mut incidents = Incidents::default();
        let (decision, now) = match self.now() {
            Ok(now) => (
                self.engine
                    .decide(&self.met, now, &mut Shared, &mut incidents),
                now,
            ),
            Err(incident) => {
                told.tell(incident);
                (
                    self.engine.decide_without_counters(&self.met),
                    Now::default(),
                )
            }
        };
        self.meter.count(&decision);
        self.meter.count_store(&incidents.stats);
        if let Some(fault) = incidents.fault {
            told.tell(Incident::Store(fault));
        }
        if incidents.stats.corrupt > 0 {
            told.tell(Incident::Corrupt);
        }
        let grpc = decision.refusal.is_some() && facts.is_grpc();
        let plan = self.engine.plan();
        match reply::refusal(plan, &self.policies, &decision, now, grpc) {
            Some(reply) => {
                self.report(&decision, now, &mut facts);
                if send(&reply).is_err() {
                    told.tell(Incident::Reply);
                }
                Verdict::Answered
            }
            None if plan.response.shows_quotas() => Verdict::Pass(Some(ResponseHeaders::new(
                plan,
                &self.policies,
                &decision,
                now,
            ))),
            None => Verdict::Pass(None),
        }
    }

    /// Joins the table again, in case there was none or the host has forgotten where it is, and sets the gauge
    /// of tracked keys.
    pub fn on_tick(&mut self, told: &mut Told) {
        if let Err(incident) = self.join() {
            told.tell(incident);
        }
        match self.clock.read_both() {
            Ok(now) => {
                let first = u32::try_from(now.monotonic.0 % (1 << 31)).unwrap_or(0);
                let entries = self
                    .engine
                    .tracked_keys(&mut Shared, now, first, SETS_SAMPLED);
                self.meter.record_entries(entries);
            }
            Err(_) => told.tell(Incident::Clock),
        }
    }

    /// Writes a line about a refusal, if there may be one now.
    fn report(&mut self, decision: &Decision, now: Now, facts: &mut Facts<'_, Request>) {
        let Some(suppressed) = self.lines.admit(now.monotonic) else {
            return;
        };
        let plan = self.engine.plan();
        let rule = decision
            .refusal
            .and_then(|refusal| plan.rules.get(refusal.rule));
        let shown = rule.filter(|_| plan.log.keys == LogKeys::Plain);
        let key = shown.and_then(|rule| key::plain(rule, &plan.client_ip, facts));
        if let Some(line) = log::refusal_line(plan, decision, key.as_deref(), suppressed) {
            call::log(Level::Info, &line);
        }
    }

    fn join(&mut self) -> Result<(), Incident> {
        self.clock.read_both().map_err(|_| Incident::Clock)?;
        let seed = match self.founding {
            Some(founding) => founding.seed,
            None => {
                let mut seed = [0; 16];
                let host = |refusal: call::Refusal| Incident::Store(Fault::Host(refusal.status()));
                call::random(&mut seed).map_err(host)?;
                seed
            }
        };
        let founding = Founding::join(&mut Shared, seed).map_err(Incident::Store)?;
        if self.founding != Some(founding) {
            self.engine.join(&founding);
            self.founding = Some(founding);
        }
        Ok(())
    }

    fn now(&mut self) -> Result<Now, Incident> {
        let now = if self.engine.reads_wall_clock() {
            self.clock.read_both()
        } else {
            self.clock.read_monotonic()
        };
        now.map_err(|_| Incident::Clock)
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
