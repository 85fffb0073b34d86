//! Callers on many connections, so that the proxy is what limits the rate.
//!
//! Each connection has one request on its way at a time: Envoy closes one that pipelines more than two.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::thread;

/// Threads, and connections that each of them serves in turn.
const THREADS: usize = 2;
const CONNECTIONS: usize = 16;

/// Callers that send one request after the other.
pub struct Crowd {
    threads: Vec<Vec<BufReader<TcpStream>>>,
}

impl Crowd {
    pub fn connect(to: SocketAddr) -> Self {
        let connection = |_| {
            let stream = TcpStream::connect(to).unwrap();
            stream.set_nodelay(true).unwrap();
            BufReader::new(stream)
        };
        Self {
            threads: (0..THREADS)
                .map(|_| (0..CONNECTIONS).map(connection).collect())
                .collect(),
        }
    }

    /// Sends the requests with these numbers, each with its key in the header `x-key`; all answers must be 200.
    pub fn send(&mut self, requests: Range<u64>, key: impl Fn(u64) -> u64 + Copy + Send) {
        let share = (requests.end - requests.start).div_ceil(THREADS as u64);
        thread::scope(|scope| {
            for (index, connections) in (0..).zip(&mut self.threads) {
                let start = requests.end.min(requests.start + index * share);
                let mut keys = (start..requests.end.min(start + share)).map(key);
                scope.spawn(move || while send_one_each(connections, &mut keys) {});
            }
        });
    }
}

/// One request on each connection, then all answers; false when the keys have run out.
fn send_one_each(
    connections: &mut [BufReader<TcpStream>],
    keys: &mut impl Iterator<Item = u64>,
) -> bool {
    let mut sent = 0;
    for (connection, key) in connections.iter_mut().zip(keys) {
        let request =
            format!("GET /v1/loans HTTP/1.1\r\nhost: weir.test\r\nx-key: {key:016x}\r\n\r\n");
        connection.get_mut().write_all(request.as_bytes()).unwrap();
        sent += 1;
    }
    connections.iter_mut().take(sent).for_each(read_answer);
    sent > 0
}

fn read_answer(connection: &mut BufReader<TcpStream>) {
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
