//! Calls, and the way to the limiter and back.

use weir::global::wire::Fault;

use super::{Call, Event, Replies, World};
use crate::course::{Outage, TIMEOUT};
use crate::limiter::Ask;
use crate::root::At;

impl World {
    /// Begins a call, and tells its number.
    pub fn send(&mut self, at: At, asks: Vec<(Ask, Option<u64>)>) -> Option<u32> {
        let is_probe = asks.iter().all(|(ask, _)| ask.hits == 0);
        let number = self.calls.len() as u32;
        self.keeps_order(at, is_probe, number);
        if self.course.is_down(self.time) == Some(Outage::Gone) {
            return None;
        }
        self.record.calls += u64::from(!is_probe);
        self.record.probes += u64::from(is_probe);
        self.record.asks += asks.len() as u64;
        self.calls.push(Call {
            at,
            asks,
            is_over: false,
            replies: None,
        });
        self.later(TIMEOUT, Event::TimesOut(number));
        if self.chance.share() >= self.course.lost {
            let way = self.way();
            self.later(way, Event::Arrives(number));
        }
        Some(number)
    }

    /// While the breaker is open there is one probe at a time, and nothing else.
    fn keeps_order(&mut self, at: At, is_probe: bool, number: u32) {
        let proxy = &mut self.proxies[at.proxy];
        let is_open = proxy.open_since.is_some_and(|since| since < self.time);
        let second = proxy
            .probe
            .is_some_and(|(_, sent)| self.time < sent + TIMEOUT);
        self.record.unruly += u64::from(if is_probe { second } else { is_open });
        if is_probe {
            proxy.probe = Some((number, self.time));
        }
    }

    /// Half of the way there and back.
    fn way(&mut self) -> u64 {
        let way = self.course.rtt / 2;
        way - way / 10 + self.chance.below(way / 5)
    }

    pub(super) fn arrives(&mut self, call: u32) {
        let way = self.way();
        match self.course.is_down(self.time) {
            Some(Outage::Refuses | Outage::Gone) => self.later(way, Event::Answers(call)),
            Some(Outage::Hangs) => self.hanging.push(call),
            None => self.hit(call, way),
        }
    }

    pub(super) fn hit(&mut self, call: u32, way: u64) {
        let asks = std::mem::take(&mut self.calls[call as usize].asks);
        let mut replies = Vec::new();
        for (ask, _) in &asks {
            let reply = self
                .limiter
                .hit(ask, self.course.limit, self.time, &mut self.chance);
            if reply.told.granted {
                self.record.window(ask.counted, reply.window).granted += u64::from(ask.hits);
            }
            let is_garbled = self.chance.share() < self.course.garbled;
            replies.push(if is_garbled {
                Err(Fault::Item)
            } else {
                Ok(reply)
            });
        }
        let is_garbled = self.chance.share() < self.course.garbled;
        let answered = &mut self.calls[call as usize];
        answered.asks = asks;
        answered.replies = Some(if is_garbled {
            Err(Fault::Body)
        } else {
            Ok(replies)
        });
        if self.chance.share() >= self.course.lost {
            let is_late = self.chance.share() < self.course.late;
            let late = if is_late {
                self.chance.below(2 * TIMEOUT)
            } else {
                0
            };
            self.later(way + late, Event::Answers(call));
        }
    }

    /// A call ends by its answer or by its time, whichever is first.
    pub(super) fn ends(&mut self, number: u32, replies: Replies) {
        let call = &mut self.calls[number as usize];
        if std::mem::replace(&mut call.is_over, true) {
            return;
        }
        let (at, asks) = (call.at, std::mem::take(&mut call.asks));
        let probe = &mut self.proxies[at.proxy].probe;
        *probe = probe.filter(|(probe, _)| *probe != number);
        self.with(at, |root, world| {
            root.on_reply(world, number, &asks, replies)
        });
    }
}
