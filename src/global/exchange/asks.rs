//! What one worker asks next.

use super::{Asking, Books, Call, Exchange, MOST_ASKS, Purpose, Wanted};
use crate::global::caller::Caller;
use crate::global::lease::pot::{Waiting, Way};
use crate::global::parking::{Question, Reply};
use crate::local::store::SharedData;
use crate::plan::Service;
use crate::units::{Instant, Nanos};

impl Exchange {
    /// What the next call is to ask: for those who wait, then for pots whose leases run out. Empty when there is
    /// nothing to ask, or too many calls are under way. What it asks for pots is marked there: it must be sent, or
    /// [`Self::not_begun`]. Also tells whether some who wait could be served without.
    pub fn prepare(
        &mut self,
        service: &Service,
        books: &mut Books<'_, impl SharedData>,
    ) -> (Vec<Asking>, bool) {
        let now = books.now.monotonic;
        self.forget(service, now);
        let own = self.calls.iter().filter(|call| !self.is_of_stream(call));
        let most_calls = match self.parking.caller() {
            Caller::Root => service.engine.most_calls(),
            // Kong's host frees what a root's call holds only when it is the last.
            Caller::Stream => 1,
        };
        if own.count() >= most_calls {
            return (Vec::new(), false);
        }
        let way = Way {
            rtt: self.rtt,
            timeout: service.timeout,
        };
        let most = most_asks(service);
        let mut asks = self.ask_for_requests(most);
        let mut servable = false;
        let (needs, rest) = self.needs();
        self.wanted = rest;
        for (pot, question, waiting) in needs {
            if asks.len() < most {
                let room = most - asks.len();
                let (debits, rests) = books.debits(&question, pot, waiting, way, room);
                asks.extend(debits.into_iter().map(|debit| Asking {
                    question: question.clone(),
                    hits: debit.hits(),
                    purpose: Purpose::Lease(pot, debit),
                }));
                servable |= rests && waiting.first > 0;
            } else if waiting.first == 0 {
                // Those who wait are found again.
                let due = now;
                self.wanted.push(Wanted { question, due });
            }
        }
        (asks, servable)
    }

    /// What the next call of a stream that has just been parked is to ask; nothing else goes with it, since its client may
    /// not wait for the answer. It is the only one with anything unasked: another that cannot ask does not stay parked.
    pub fn prepare_for_stream(&mut self, service: &Service, now: Instant) -> Vec<Asking> {
        self.forget(service, now);
        self.ask_for_requests(most_asks(service))
    }

    /// Forgets calls whose answers a host has forgotten: it owes them for twice as long as they may take. Not those that
    /// streams have made for themselves: looking a name up counts for no time-out there, and the stream goes on at the
    /// answer, however late, whether it is known or not.
    fn forget(&mut self, service: &Service, now: Instant) {
        let longest = 2 * service.timeout.0 + Nanos::SECOND.0;
        let calls = std::mem::take(&mut self.calls);
        let is_owed = |call: &Call| self.is_of_stream(call) || now.since(call.sent).0 < longest;
        self.calls = calls.into_iter().filter(is_owed).collect();
    }

    /// Forgets a stream that has gone, and with it the calls that it made for itself.
    pub fn leave(&mut self, stream: u32) {
        self.parking.leave(stream);
        if self.parking.caller() == Caller::Stream {
            let is_of =
                |asking: &Asking| matches!(asking.purpose, Purpose::Request(of, _) if of == stream);
            self.calls.retain(|call| !call.asks.iter().any(is_of));
        }
    }

    /// Whether a stream made it for itself.
    fn is_of_stream(&self, call: &Call) -> bool {
        let asks_for_requests = || {
            let mut asks = call.asks.iter();
            asks.any(|asking| matches!(asking.purpose, Purpose::Request(..)))
        };
        self.parking.caller() == Caller::Stream && asks_for_requests()
    }

    fn ask_for_requests(&mut self, most: usize) -> Vec<Asking> {
        let mut asks = Vec::new();
        for (stream, at, question, reply) in self.parking.unasked().take(most) {
            *reply = Reply::Asked;
            asks.push(Asking {
                question: question.clone(),
                hits: 1,
                purpose: Purpose::Request(stream, at),
            });
        }
        asks
    }

    /// What may be needed of pots beyond what calls of this worker ask for, and what nobody will look at now.
    ///
    /// More of them than a call asks: those that turn out to need nothing must not hold up the others.
    fn needs(&mut self) -> (Vec<(u64, Question, Waiting)>, Vec<Wanted>) {
        let wanted = std::mem::take(&mut self.wanted);
        let mut waited_for: Vec<(u64, &Question, Waiting)> = Vec::new();
        let mut unasked = 0;
        for (pot, question) in self.parking.served_by_pots() {
            let mut known = waited_for.iter_mut();
            if let Some((.., waiting)) = known.find(|(known, ..)| *known == pot) {
                waiting.all += 1;
                continue;
            }
            let asked = self.asked_for(pot);
            unasked += usize::from(asked == 0);
            if asked > 0 || unasked <= MOST_ASKS {
                let (all, first, ahead) = (1, 1, false);
                let waiting = Waiting {
                    all,
                    first,
                    asked,
                    ahead,
                };
                waited_for.push((pot, question, waiting));
            }
        }
        let is_open = |waiting: &Waiting| waiting.asked == 0 || waiting.asked < waiting.all;
        let open = waited_for.iter().filter(|(.., waiting)| is_open(waiting));
        let open = open.map(|(pot, question, waiting)| (*pot, (*question).clone(), *waiting));
        let mut needs: Vec<(u64, Question, Waiting)> = open.collect();
        let mut rest = Vec::new();
        for Wanted { question, due } in wanted {
            let Some(pot) = question.pot else { continue };
            if self.asked_for(pot) > 0 || needs.iter().any(|(known, ..)| *known == pot) {
                continue;
            }
            if needs.len() < MOST_ASKS {
                // Where streams ask, who found it empty has asked for itself.
                let ahead = self.parking.caller() == Caller::Stream;
                needs.push((
                    pot,
                    question,
                    Waiting {
                        ahead,
                        ..Waiting::default()
                    },
                ));
            } else {
                rest.push(Wanted { question, due });
            }
        }
        (needs, rest)
    }

    /// What calls under way ask for a pot.
    pub(super) fn asked_for(&self, pot: u64) -> u32 {
        let asks = self.calls.iter().flat_map(|call| &call.asks);
        let tokens = asks.filter_map(|asking| match asking.purpose {
            Purpose::Lease(asked, debit) if asked == pot => Some(debit.tokens),
            _ => None,
        });
        tokens.fold(0, u32::saturating_add)
    }
}

fn most_asks(service: &Service) -> usize {
    service.engine.most_asks().min(MOST_ASKS)
}
