//! Callers on many connections, so that the proxy is what limits the rate.
//!
//! Each connection has one request on its way at a time: Envoy closes one that pipelines more than two.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use crate::load::PATH;

/// Threads, and connections that each of them serves in turn.
const THREADS: usize = 2;
const CONNECTIONS: usize = 16;

/// Callers that send one request after the other.
pub struct Crowd {
    threads: Vec<Vec<Caller>>,
}

impl Crowd {
    pub fn connect(to: SocketAddr) -> Self {
        let thread = |_| (0..CONNECTIONS).map(|_| Caller::connect(to)).collect();
        Self {
            threads: (0..THREADS).map(thread).collect(),
        }
    }

    /// Sends the requests with these numbers, each with its key in the header `x-key`; all answers must be 200.
    pub fn send(&mut self, requests: Range<u64>, key: impl Fn(u64) -> u64 + Copy + Send) {
        let share = (requests.end - requests.start).div_ceil(THREADS as u64);
        thread::scope(|scope| {
            for (index, callers) in (0..).zip(&mut self.threads) {
                let start = requests.end.min(requests.start + index * share);
                let mut keys = (start..requests.end.min(start + share)).map(key);
                scope.spawn(move || while send_one_each(callers, &mut keys) {});
            }
        });
    }
}

/// One request on each connection, then all answers; false when the keys have run out.
fn send_one_each(callers: &mut [Caller], keys: &mut impl Iterator<Item = u64>) -> bool {
    let mut sent = 0;
    for (caller, key) in callers.iter_mut().zip(keys) {
        caller.ask(key);
        sent += 1;
    }
    callers.iter_mut().take(sent).for_each(Caller::hear);
    sent > 0
}

/// Who has one connection.
pub struct Caller(BufReader<TcpStream>);

impl Caller {
    pub fn connect(to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    /// How long one request takes.
    pub fn call(&mut self) -> Duration {
        let asked = Instant::now();
        self.ask(0);
        self.hear();
        asked.elapsed()
    }

    /// Sends a request with this key.
    fn ask(&mut self, key: u64) {
        let request =
            format!("GET {PATH} HTTP/1.1\r\nhost: weir.test\r\nx-key: {key:016x}\r\n\r\n");
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
    }

    /// Waits for the whole answer, which must be 200.
    fn hear(&mut self) {
        let connection = &mut self.0;
        let mut line = String::new();
        let mut length = 0;
        connection.read_line(&mut line).unwrap();
        assert!(
            line.starts_with("HTTP/1.1 200 "),
            "the proxy answered {line:?}"
        );
        while line != "\r\n" {
            line.clear();
            assert_ne!(
                connection.read_line(&mut line).unwrap(),
                0,
                "the proxy closed the connection"
            );
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim_end().parse().unwrap();
            }
        }
        connection.read_exact(&mut vec![0; length]).unwrap();
    }
}
