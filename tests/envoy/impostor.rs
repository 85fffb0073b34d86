//! A rate limit service of the tests' own: it answers as envoyproxy/ratelimit does, or misbehaves on command.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// In every answer, once at least in its head, and in the body of one that is none of the service's.
pub const MARK: &str = "written-by-an-impostor";

/// How the impostor answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Conduct {
    /// As the service would.
    #[default]
    Honest,
    /// As the service would, once it is told to be [`Conduct::Honest`].
    Held,
    /// As the service would, with so many more headers.
    Lengthy(usize),
    /// As the service would, but so late.
    Late(Duration),
    /// With a head that is no HTTP.
    GarbledHead,
    /// With some bits of the body turned over.
    GarbledBody,
    /// With the first half of the body, and then the end of the connection.
    Truncated,
    /// With a status less than it was asked for.
    TooFew,
    /// With one more.
    TooMany,
    /// With no byte, but a connection reset.
    ResetBefore,
    /// With a connection reset after half of the body.
    ResetWithin,
    /// With a page and this status.
    Page(u16),
    /// As the service would, but with megabytes that mean nothing.
    Huge,
    /// With a head, and then nothing.
    Silent,
    /// As the service would, then with the first [`MISCONDUCT`], as the service would, with the second and so on.
    InTurn,
}

/// Every way to answer that is none of the service's.
pub const MISCONDUCT: [Conduct; 12] = [
    Conduct::Late(Duration::from_millis(5 * TIMEOUT_MS)),
    Conduct::GarbledHead,
    Conduct::GarbledBody,
    Conduct::Truncated,
    Conduct::TooFew,
    Conduct::TooMany,
    Conduct::ResetBefore,
    Conduct::ResetWithin,
    Conduct::Page(200),
    Conduct::Page(429),
    Conduct::Huge,
    Conduct::Silent,
];

/// The most that a call may take, for an answer to be late.
pub const TIMEOUT_MS: u64 = 500;

/// The impostor. It is gone with the runtime of the test that started it.
pub struct Impostor {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

/// What became of the hits of one descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counter {
    /// All that were asked for. They are debited whatever becomes of the answer, as by the service.
    pub asked: u64,
    /// Of those, the ones that were granted by an answer that a proxy can believe.
    pub granted: u64,
}

#[derive(Default)]
struct State {
    quota: u64,
    conduct: Conduct,
    /// Answers of [`Conduct::InTurn`] so far.
    turns: usize,
    counters: HashMap<String, Counter>,
}

impl Impostor {
    /// An honest one, which grants so many hits a day to each descriptor of one entry.
    pub async fn start(quota: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State {
            quota,
            ..State::default()
        }));
        let served = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A proxy that breaks off a connection is none of its concern.
                tokio::spawn(converse(stream, Arc::clone(&served)));
            }
        });
        Self { address, state }
    }

    /// Answers so from now on, to what has been asked and is still [held](Conduct::Held) too.
    pub fn conduct(&self, conduct: Conduct) {
        lock(&self.state).conduct = conduct;
    }

    /// What became of the hits of the descriptor whose entry has this value.
    pub fn counter(&self, value: &str) -> Counter {
        let state = lock(&self.state);
        state.counters.get(value).copied().unwrap_or_default()
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap()
}

async fn converse(stream: TcpStream, state: Arc<Mutex<State>>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    loop {
        let asked = read_request(&mut stream).await?;
        let (statuses, granted) = lock(&state).debit(&asked);
        while lock(&state).conduct == Conduct::Held {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let conduct = lock(&state).next();
        if matches!(conduct, Conduct::Honest | Conduct::Lengthy(_)) {
            lock(&state).grant(granted);
        }
        if let Conduct::Late(delay) = conduct {
            tokio::time::sleep(delay).await;
        }
        let answer = Answer::of(conduct, statuses);
        answer.send(stream.get_mut()).await?;
    }
}

impl State {
    /// How to answer now.
    fn next(&mut self) -> Conduct {
        if self.conduct != Conduct::InTurn {
            return self.conduct;
        }
        let turn = self.turns;
        self.turns += 1;
        match turn % 2 {
            0 => Conduct::Honest,
            _ => MISCONDUCT[turn / 2 % MISCONDUCT.len()],
        }
    }

    /// Debits every descriptor of a request; gives their statuses, and what is granted if they arrive.
    fn debit(&mut self, asked: &Value) -> (Vec<Value>, Vec<(String, u64)>) {
        let (mut statuses, mut grants) = (Vec::new(), Vec::new());
        for descriptor in asked["descriptors"].as_array().unwrap() {
            let value = descriptor["entries"][0]["value"].as_str().unwrap();
            let hits = descriptor["hitsAddend"].as_u64().unwrap();
            let counter = self.counters.entry(value.to_owned()).or_default();
            counter.asked += hits;
            let left = self.quota.checked_sub(counter.asked);
            statuses.push(status(self.quota, left));
            if left.is_some() {
                grants.push((value.to_owned(), hits));
            }
        }
        (statuses, grants)
    }

    fn grant(&mut self, grants: Vec<(String, u64)>) {
        for (value, hits) in grants {
            self.counters.entry(value).or_default().granted += hits;
        }
    }
}

/// A day that began with the first status: the clock's may end while a test runs.
static DAY: LazyLock<Instant> = LazyLock::new(|| Instant::now() + Duration::from_hours(24));

/// A status as the service writes it: it leaves out what is zero.
fn status(quota: u64, left: Option<u64>) -> Value {
    let reset = DAY.saturating_duration_since(Instant::now()).as_secs();
    let mut status = json!({
        "code": if left.is_some() { "OK" } else { "OVER_LIMIT" },
        "currentLimit": { "requestsPerUnit": quota, "unit": "DAY" },
        "durationUntilReset": format!("{reset}s"),
    });
    if let Some(left @ 1..) = left {
        status["limitRemaining"] = left.into();
    }
    status
}

/// The body of the next request: JSON, as long as its head says.
async fn read_request(stream: &mut BufReader<TcpStream>) -> io::Result<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(serde_json::from_slice(&body).unwrap())
}

/// What is sent, and what becomes of the connection then.
struct Answer {
    bytes: Vec<u8>,
    ending: Ending,
}

enum Ending {
    /// It stays open for the next request.
    Open,
    Closed,
    Reset,
    /// It stays open, and no request is answered on it any more.
    Silence,
}

impl Answer {
    fn of(conduct: Conduct, mut statuses: Vec<Value>) -> Self {
        match conduct {
            Conduct::TooFew => drop(statuses.pop()),
            Conduct::TooMany => statuses.push(status(1_000, Some(999))),
            _ => {}
        }
        let over = statuses.iter().any(|status| status["code"] != "OK");
        let (code, overall) = if over {
            (429, "OVER_LIMIT")
        } else {
            (200, "OK")
        };
        let document = json!({ "overallCode": overall, "statuses": statuses }).to_string();
        let (document, half) = (document.as_bytes(), document.len() / 2);
        let whole = Self::whole(code, document);
        match conduct {
            Conduct::Honest | Conduct::Held | Conduct::InTurn => whole,
            Conduct::Late(_) | Conduct::TooFew | Conduct::TooMany => whole,
            Conduct::Lengthy(headers) => whole.with_headers(headers),
            Conduct::GarbledHead => Self {
                bytes: [MARK.as_bytes(), b"\0", &whole.bytes].concat(),
                ..whole
            },
            Conduct::GarbledBody => Self::whole(code, &garbled(document)),
            Conduct::Page(code) => Self::whole(code, format!("<title>{MARK}</title>").as_bytes()),
            Conduct::Huge => Self::whole(code, &inflated(document)),
            Conduct::Truncated => whole.without(half, Ending::Closed),
            Conduct::ResetBefore => Self {
                bytes: Vec::new(),
                ending: Ending::Reset,
            },
            Conduct::ResetWithin => whole.without(half, Ending::Reset),
            Conduct::Silent => whole.without(document.len(), Ending::Silence),
        }
    }

    fn whole(code: u16, body: &[u8]) -> Self {
        let head = format!(
            "HTTP/1.1 {code} {MARK}\r\nx-impostor: {MARK}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        Self {
            bytes: [head.as_bytes(), body].concat(),
            ending: Ending::Open,
        }
    }

    fn with_headers(mut self, n: usize) -> Self {
        let after_status = self.bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        let headers = (0..n).map(|at| format!("x-impostor-{at}: {MARK}\r\n"));
        let headers: String = headers.collect();
        self.bytes
            .splice(after_status..after_status, headers.bytes());
        self
    }

    /// All but the last bytes.
    fn without(mut self, last: usize, ending: Ending) -> Self {
        self.bytes.truncate(self.bytes.len() - last);
        Self { ending, ..self }
    }

    /// An error ends the connection, be it the proxy's doing or meant.
    async fn send(self, stream: &mut TcpStream) -> io::Result<()> {
        stream.write_all(&self.bytes).await?;
        match self.ending {
            Ending::Open => Ok(()),
            Ending::Closed => Err(io::ErrorKind::BrokenPipe.into()),
            Ending::Reset => {
                // A reset overtakes what has not been read yet: mostly it has been by then.
                tokio::time::sleep(Duration::from_millis(5)).await;
                stream.set_zero_linger()?;
                Err(io::ErrorKind::ConnectionReset.into())
            }
            // The proxy says no more, but in the end closes its side.
            Ending::Silence => stream.read_u8().await.map(drop),
        }
    }
}

/// With bytes in it that are no UTF-8 anywhere.
fn garbled(document: &[u8]) -> Vec<u8> {
    let bytes = document.iter().enumerate();
    let garbled = bytes.map(|(at, byte)| if at % 7 == 3 { byte ^ 0x80 } else { *byte });
    garbled.collect()
}

/// The same with a member of megabytes, which nobody asked for.
fn inflated(document: &[u8]) -> Vec<u8> {
    let (last, members) = document.split_last().unwrap();
    let padding = format!(",\"{MARK}\":\"{}\"", MARK.repeat(200_000));
    [members, padding.as_bytes(), &[*last]].concat()
}
