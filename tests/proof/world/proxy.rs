//! One worker of a proxy, asked about clients of which only the address is known.

use std::net::Ipv4Addr;

use weir::config;
use weir::decision::Decision;
use weir::engine::Incidents;
use weir::facts::{Facts, Source, Unreadable};
use weir::limiter::{Answer, Limiter, Request};
use weir::local::store::{Dialect, Founding};
use weir::refusals::Refusals;
use weir::reply::LocalReply;
use weir::units::Now;

use super::memory::Memory;

/// A request of which only the client's address is known: 10.0.0.0 and so many more.
pub struct Client(pub u64);

impl Source for Client {
    fn headers(&mut self) -> Result<Vec<u8>, Unreadable> {
        Err(Unreadable(2))
    }

    fn header(&mut self, _name: &str) -> Result<Option<Vec<u8>>, Unreadable> {
        Ok(None)
    }

    fn peer(&mut self) -> Result<Option<Vec<u8>>, Unreadable> {
        let address = Ipv4Addr::from_bits(0x0a00_0000 + self.0 as u32);
        Ok(Some(address.to_string().into_bytes()))
    }

    fn route(&mut self) -> Result<Option<Vec<u8>>, Unreadable> {
        Ok(None)
    }
}

/// A proxy of one worker.
pub struct Proxy {
    limiter: Limiter,
    refusals: Refusals,
    data: Memory,
}

impl Proxy {
    pub fn new(document: &str) -> Self {
        let plan = config::load(document.as_bytes(), &|_| None).expect("the document is good");
        let mut data = Memory::new(Dialect::ZeroOverwrites);
        let mut refusals = Refusals::default();
        let mut limiter = Limiter::new(plan, refusals.next_generation());
        let founding = Founding::join(&mut data, [7; 16]).expect("nothing fails");
        limiter.join(&founding);
        Self {
            limiter,
            refusals,
            data,
        }
    }

    /// What a client's request gets at `now`: nothing where it is admitted.
    pub fn ask(&mut self, client: u64, now: Now) -> Option<(Decision, LocalReply)> {
        let mut met = Vec::new();
        let mut client = Client(client);
        let engine = self.limiter.engine();
        let unreadable = engine.select(&mut Facts::new(&mut client), &mut met, |_| ());
        assert_eq!(unreadable, None);
        let request = Request {
            met: &met,
            now: Some(now),
            grpc: || false,
        };
        let mut incidents = Incidents::default();
        let answer =
            self.limiter
                .answer(request, &mut self.refusals, &mut self.data, &mut incidents);
        match answer {
            Answer::Pass(..) => None,
            Answer::Refuse(_, refused) => Some((refused.decision.clone(), refused.reply.clone())),
            Answer::Park { .. } => panic!("no rule is global"),
        }
    }
}
