//! Pots under any order of any events, with numbers as large as a configuration or a limiter may write them.

use std::num::NonZeroU32;

use weir::global::lease::Share;
use weir::global::lease::debit::{Answer, Debit, Failure};
use weir::global::lease::pot::{Alone, Next, Pot, Spend, Waiting, Way};
use weir::global::lease::span::{Ends, Flight, Windows};
use weir::global::wire::Reset;
use weir::units::{Instant, Nanos, Now, Numbers, UnixTime};

use crate::chance::Chance;
use crate::course::{MILLI, SECOND};

const DAY: u64 = 86_400 * SECOND;

/// What went in and what came out. Every token is in one of these, or in the pot.
#[derive(Debug, Default)]
struct Ledger {
    granted: u64,
    given_back: u64,
    spent: u64,
    lapsed: u64,
    alone: u64,
}

struct Any {
    chance: Chance,
    share: Share,
    time: u64,
    pot: Pot,
    debits: Vec<Debit>,
    /// Spends that may be given back: window and cost.
    spends: Vec<(u32, u32)>,
    ledger: Ledger,
}

impl Any {
    fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let limit = pick(&mut chance, &[0, 1, 2, 100, 20_000, 1_000_000_000]);
        let period = pick(&mut chance, &[MILLI, SECOND, 60 * SECOND, DAY, 366 * DAY]);
        let proxies = pick(&mut chance, &[1, 3, 10_000]);
        Self {
            share: Share {
                limit,
                period: Nanos(period),
                windows: pick(&mut chance, &[Windows::Aligned, Windows::FirstHit]),
                proxies: NonZeroU32::new(proxies).unwrap(),
            },
            // Where both clocks begin as well as where they end.
            time: pick(&mut chance, &[0, 1_000 * DAY, u64::MAX - DAY]),
            chance,
            pot: Pot::default(),
            debits: Vec::new(),
            spends: Vec::new(),
            ledger: Ledger::default(),
        }
    }

    fn now(&self) -> Now {
        Now {
            monotonic: Instant(self.time),
            unix: UnixTime(self.time),
        }
    }

    fn cost(&mut self) -> u32 {
        pick(&mut self.chance, &[0, 1, 1, 1, 7, 1_000_000])
    }

    fn turn(&mut self) {
        let steps = [0, MILLI, 30 * MILLI, self.share.period.0 / 3];
        let step = pick(&mut self.chance, &steps);
        // Also a clock that steps back a little.
        self.time = if self.chance.below(20) == 0 {
            self.time.saturating_sub(MILLI)
        } else {
            self.time.saturating_add(step)
        };
        let now = self.now();
        self.ledger.lapsed += u64::from(self.pot.lapse(now.monotonic));
        match self.chance.below(8) {
            0..3 => self.spend(now),
            3..5 => self.ask(now),
            5 => self.answer(now),
            6 => self.fail_or_give_back(now),
            _ => self.alone(now),
        }
        self.pot = Pot::decode(&self.pot.encode(9), 9).unwrap();
        let ledger = &self.ledger;
        let left = ledger.granted + ledger.given_back - ledger.spent - ledger.lapsed;
        assert_eq!(left, u64::from(self.pot.tokens()), "{:?}", self.pot);
    }

    fn spend(&mut self, now: Now) {
        let cost = self.cost();
        match self.pot.spend(now.monotonic, cost) {
            Spend::Spent { window, .. } => {
                self.ledger.spent += u64::from(cost);
                self.spends.push((window, cost));
            }
            Spend::Refused { until } => assert!(until > now.monotonic || self.time == u64::MAX),
            Spend::Short => {}
        }
    }

    fn ask(&mut self, now: Now) {
        let first = self.cost();
        let waiting = Waiting {
            all: first * 3,
            first,
            ..Waiting::default()
        };
        let way = Way {
            rtt: Nanos(MILLI),
            timeout: Nanos(250 * MILLI),
        };
        let left = self.pot.remaining();
        let left = left.map(|left| left.saturating_sub(self.pot.tokens()));
        if let Next::Debit(debit) = self.pot.next(&self.share, now, waiting, way) {
            assert!(debit.hits() > 0);
            // Where nothing is left the limiter may only watch.
            assert!(
                left.is_none_or(|left| left == 0 || debit.tokens <= left),
                "it would burn"
            );
            self.debits.push(debit);
        }
    }

    fn answer(&mut self, now: Now) {
        let Some(debit) = self.debits.pop() else {
            return;
        };
        let flight = Flight {
            sent: debit.sent,
            received: now,
        };
        let reset = Nanos(pick(&mut self.chance, &[0, SECOND, 42 * SECOND, u64::MAX]));
        let resets = [
            None,
            Some(Reset::RoundedUp(reset)),
            Some(Reset::RoundedDown(reset)),
            Some(Reset::At(UnixTime(self.time.saturating_add(reset.0)))),
            Some(Reset::Aligned),
        ];
        let remaining = [None, Some(0), Some(9), Some(5_000), Some(u32::MAX)];
        let reset = pick(&mut self.chance, &resets);
        let counted = Numbers {
            requests: pick(&mut self.chance, &[0, 1, self.share.limit, u32::MAX]),
            per: pick(
                &mut self.chance,
                &[Nanos(1), self.share.period, Nanos(u64::MAX)],
            ),
        };
        let answer = Answer {
            granted: self.chance.below(3) > 0,
            remaining: pick(&mut self.chance, &remaining),
            ends: Ends::told(flight, reset, self.share.period),
            burns: self.chance.below(2) == 0,
            shadows: self.chance.below(2) == 0,
            counted,
        };
        let filled = self.pot.fill(&self.share, &debit, &answer, now.monotonic);
        if answer.granted {
            self.ledger.granted += u64::from(debit.tokens);
        }
        self.ledger.spent += u64::from(filled.direct);
        self.ledger.lapsed += u64::from(filled.lapsed);
    }

    fn fail_or_give_back(&mut self, now: Now) {
        if self.chance.below(2) == 0 {
            if let Some(debit) = self.debits.pop() {
                let failures = [Failure::Uncounted, Failure::Unknown];
                let failure = pick(&mut self.chance, &failures);
                self.pot.fail(&debit, failure);
            }
        } else if let Some((window, cost)) = self.spends.pop() {
            let before = self.pot.tokens();
            self.pot.give_back(window, cost, now.monotonic);
            self.ledger.given_back += u64::from(self.pot.tokens() - before);
        }
    }

    fn alone(&mut self, now: Now) {
        let cost = self.cost();
        if let Alone::Admitted { .. } = self.pot.spend_alone(&self.share, now, cost) {
            let share = self.pot.share(&self.share);
            assert!(cost <= share.limit, "more than there is");
            self.ledger.alone += u64::from(cost);
        }
    }
}

fn pick<T: Copy>(chance: &mut Chance, of: &[T]) -> T {
    of[chance.below(of.len() as u64) as usize]
}

#[test]
fn whatever_happens_nothing_is_minted() {
    let mut sums = [0; 3];
    for seed in 0..3_000 {
        let mut any = Any::new(seed);
        for _ in 0..200 {
            any.turn();
        }
        let Ledger {
            granted,
            spent,
            alone,
            ..
        } = any.ledger;
        for (sum, amount) in sums.iter_mut().zip([granted, spent, alone]) {
            *sum += amount;
        }
    }
    println!("granted, spent, alone: {sums:?}");
    assert!(sums.iter().all(|sum| *sum > 0));
}
