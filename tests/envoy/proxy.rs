//! Starting, reloading and questioning one Envoy process.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::client::{Connection, get};
use crate::document::{self, Listener};

/// Which Envoy to start, and with how many workers.
pub struct Host {
    binary: PathBuf,
    /// The command that runs Envoy; empty when Envoy runs by itself.
    launcher: Vec<String>,
    pub workers: usize,
}

/// The oldest and the newest supported Envoy, each with one worker and with four.
///
/// Each is printed as it is handed out, so that a failure says where it happened.
pub fn everywhere() -> impl Iterator<Item = Host> {
    ["OLDEST", "NEWEST"]
        .into_iter()
        .flat_map(|age| [1, 4].map(|workers| Host::new(age, workers)))
        .inspect(|host| println!("in {} with {} workers", host.binary.display(), host.workers))
}

/// The newest Envoy with several workers, for what does not depend on the version.
pub fn newest() -> Host {
    Host::new("NEWEST", 4)
}

impl Host {
    fn new(age: &str, workers: usize) -> Self {
        let binary =
            env::var_os(format!("WEIR_ENVOY_{age}")).map_or_else(|| installed(age), PathBuf::from);
        assert!(
            binary.exists(),
            "{} is missing: run `make test`, which installs it",
            binary.display()
        );
        Self {
            binary,
            launcher: Vec::new(),
            workers,
        }
    }

    /// Lets another command run Envoy, as `valgrind` with its options does.
    pub fn under(self, launcher: impl Into<Vec<String>>) -> Self {
        Self {
            launcher: launcher.into(),
            ..self
        }
    }

    /// Starts a proxy whose only dynamic listener runs the filter.
    pub async fn start(&self, listener: Listener) -> Envoy {
        let dir = TempDir::new().unwrap();
        let bootstrap = document::bootstrap(dir.path(), &listener);
        // Envoy ends where it finds no file to watch.
        deliver(&listener, dir.path());
        let mut envoy = self.spawn(dir, "bootstrap.json", &bootstrap.to_string());
        envoy.listener = listener;
        envoy.until_ready().await;
        envoy
    }

    /// Starts a proxy from a static configuration file's text.
    pub async fn start_static(&self, yaml: &str) -> Envoy {
        let mut envoy = self.spawn(TempDir::new().unwrap(), "envoy.yaml", yaml);
        envoy.until_ready().await;
        envoy
    }

    fn spawn(&self, dir: TempDir, name: &str, bootstrap: &str) -> Envoy {
        let file = |name: &str| dir.path().join(name);
        fs::write(file(name), bootstrap).unwrap();
        let output = fs::File::create(file("output")).unwrap();
        let launcher = self.launcher.iter().map(OsStr::new);
        let mut command = launcher.chain([self.binary.as_os_str()]);
        let process = Command::new(command.next().unwrap())
            .args(command)
            .arg("-c")
            .arg(file(name))
            .arg("--admin-address-path")
            .arg(file("admin"))
            .arg("--log-path")
            .arg(file("log"))
            .args(["--concurrency", &self.workers.to_string()])
            .args(["--disable-hot-restart", "--file-flush-interval-msec", "20"])
            .args([
                "--log-level",
                "warning",
                "--component-log-level",
                "wasm:info",
            ])
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        Envoy {
            process,
            dir,
            admin: nowhere,
            address: nowhere,
            workers: self.workers,
            listener: Listener::default(),
            expected_traps: 0,
        }
    }
}

/// A running proxy. It is killed when dropped, a panic included.
pub struct Envoy {
    process: Child,
    dir: TempDir,
    /// Where its administration interface listens.
    pub admin: SocketAddr,
    /// Where the listener with the filter listens.
    pub address: SocketAddr,
    pub workers: usize,
    listener: Listener,
    expected_traps: usize,
}

impl Envoy {
    /// Lets the module trap so often, which is a failure otherwise.
    pub fn expect_traps(&mut self, n: usize) {
        self.expected_traps = n;
    }

    /// Replaces the filter's configuration and returns once every worker serves it.
    pub async fn reload(&mut self, filter: &Value) {
        let refusals = self.stat(REJECTED).await;
        self.listener.replace(filter);
        deliver(&self.listener, self.dir.path());
        until("the new configuration to serve", async || {
            assert_eq!(self.stat(REJECTED).await, refusals, "refused: {filter}");
            self.serves(self.listener.version).await.then_some(())
        })
        .await;
    }

    /// Offers a configuration that must be refused; returns the lines the filter logged about it.
    pub async fn reload_refused(&mut self, filter: &Value) -> Vec<String> {
        let (refusals, logged) = (self.stat(REJECTED).await, self.log().len());
        let kept = self.listener.clone();
        self.listener.replace(filter);
        deliver(&self.listener, self.dir.path());
        // The log is written a little later than the counter, and Envoy's own line after the filter's.
        let log = until("a configuration to be refused", async || {
            let log = self.log().split_off(logged);
            let is_told = log.contains("Failed to configure base Wasm plugin");
            (is_told && self.stat(REJECTED).await > refusals).then_some(log)
        })
        .await;
        self.listener = kept;
        log.lines()
            .filter_map(|line| Some(line.split_once("wasm log weir: weir: ")?.1.to_owned()))
            .collect()
    }

    /// New connections, at least one of them on each worker.
    pub async fn connect_all(&self) -> Vec<Connection> {
        let each = self.connect_each(1).await;
        each.into_iter().flatten().collect()
    }

    /// New connections, at least so many of them on each worker; by worker.
    pub async fn connect_each(&self, least: usize) -> Vec<Vec<Connection>> {
        let mut each: Vec<Vec<Connection>> = (0..self.workers).map(|_| Vec::new()).collect();
        let mut before = self.accepted().await;
        while each.iter().any(|connections| connections.len() < least) {
            let mut connection = self.connect().await;
            // A connection is open before Envoy has accepted it, and answered after.
            connection.send(get(document::VERSION_PATH)).await;
            let now = self.accepted().await;
            let new = |worker: &usize| now[*worker] - before[*worker];
            // Of several that came meanwhile nobody knows which this is.
            if (0..self.workers).map(|worker| new(&worker)).sum::<u64>() == 1 {
                let worker = (0..self.workers).find(|worker| new(worker) == 1);
                each[worker.unwrap()].push(connection);
            }
            before = now;
        }
        each
    }

    /// How many connections each worker has accepted.
    async fn accepted(&self) -> Vec<u64> {
        let mut accepted = Vec::new();
        for worker in 0..self.workers {
            let name = format!("listener.127.0.0.1_0.worker_{worker}.downstream_cx_total");
            accepted.push(self.stat(&name).await);
        }
        accepted
    }

    /// A new HTTP/1.1 connection.
    pub async fn connect(&self) -> Connection {
        Connection::http1(self.address).await
    }

    /// The operating system's number of the process.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// A counter or gauge; 0 for one that does not exist.
    pub async fn stat(&self, name: &str) -> u64 {
        let found = self
            .ask(&format!(
                "/stats?format=json&filter=^{}$",
                name.replace('.', "\\.")
            ))
            .await;
        let found: Value = serde_json::from_str(&found).unwrap();
        found["stats"][0]["value"].as_u64().unwrap_or(0)
    }

    /// The body of an answer of the proxy's administration interface.
    pub async fn ask(&self, path: &str) -> String {
        let answer = Connection::http1(self.admin).await.send(get(path)).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.text().to_owned()
    }

    /// The proxy's log so far.
    pub fn log(&self) -> String {
        self.read("log")
    }

    /// How often the module has trapped, as the log says.
    pub fn traps(&self) -> usize {
        self.log().matches("Uncaught ").count()
    }

    /// What the proxy has written to its standard output, as an access log may be.
    pub fn output(&self) -> String {
        self.read("output")
    }

    /// The access log's lines for `path`, as soon as there are `n`.
    pub async fn access_log(&self, path: &str, n: usize) -> Vec<String> {
        until("the access log", async || {
            let log = self.read("access");
            let lines = log
                .lines()
                .filter(|line| line.split(' ').next() == Some(path))
                .map(str::to_owned);
            Some(lines.collect::<Vec<_>>()).filter(|lines| lines.len() >= n)
        })
        .await
    }

    /// The whole lines of a file: Envoy may be writing the next one.
    fn read(&self, name: &str) -> String {
        let mut text = fs::read(self.dir.path().join(name)).unwrap_or_default();
        let lines = text.iter().rposition(|byte| *byte == b'\n');
        text.truncate(lines.map_or(0, |last| last + 1));
        String::from_utf8_lossy(&text).into()
    }

    async fn until_ready(&mut self) {
        let admin = self.dir.path().join("admin");
        let (process, output) = (&mut self.process, self.dir.path());
        self.admin = until("the administration interface", async || {
            let ended = process.try_wait().unwrap();
            assert!(ended.is_none(), "Envoy ended: {ended:?}\n{}", tail(output));
            fs::read_to_string(&admin).ok()?.trim().parse().ok()
        })
        .await;
        self.address = until("the listener", async || {
            let listeners: Value =
                serde_json::from_str(&self.ask("/listeners?format=json").await).unwrap();
            let mut addresses = listeners["listener_statuses"]
                .as_array()?
                .iter()
                .filter_map(|listener| {
                    listener["local_address"]["socket_address"]["port_value"].as_u64()
                });
            let port = u16::try_from(addresses.next()?).unwrap();
            let ready = Connection::http1(self.admin)
                .await
                .send(get("/ready"))
                .await
                .status
                == 200;
            ready.then_some(SocketAddr::from(([127, 0, 0, 1], port)))
        })
        .await;
    }

    /// Whether every worker answers with this version of the listener.
    async fn serves(&self, version: u32) -> bool {
        for mut connection in self.connect_all().await {
            let answer = connection.send(get(document::VERSION_PATH)).await;
            if answer.text() != version.to_string() {
                return false;
            }
        }
        true
    }
}

/// Puts a listener where Envoy watches for it, by a rename.
fn deliver(listener: &Listener, dir: &Path) {
    let staged = dir.join("staged.json");
    fs::write(&staged, listener.discovery(dir).to_string()).unwrap();
    fs::rename(staged, dir.join(document::WATCHED)).unwrap();
}

/// Counts the listeners that Envoy refused.
const REJECTED: &str = "listener_manager.lds.update_rejected";

impl Drop for Envoy {
    fn drop(&mut self) {
        // Both fail only when the process has already ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            println!("{}", tail(self.dir.path()));
        } else {
            // A trap ends a worker's VM; with FAIL_RELOAD a test might not notice.
            let expected = self.expected_traps;
            assert_eq!(
                self.traps(),
                expected,
                "the module trapped:\n{}",
                self.log()
            );
        }
    }
}

/// Asks again until there is an answer. A minute without one is a failure, not a slow machine.
pub async fn until<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let asked = Instant::now();
    loop {
        if let Some(answer) = probe().await {
            return answer;
        }
        assert!(
            asked.elapsed() < Duration::from_secs(60),
            "waited a minute for {what}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A file of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The module under test: the one that ships.
pub fn module() -> PathBuf {
    let module =
        env::var_os("WEIR_WASM").map_or_else(|| repository("dist/weir.wasm"), PathBuf::from);
    assert!(
        module.exists(),
        "{} is missing: run `make test`, which builds it",
        module.display()
    );
    module
}

/// Where the Makefile installs the Envoy of this age.
fn installed(age: &str) -> PathBuf {
    let version = pinned(&format!("ENVOY_{age}"));
    repository(&format!(".tools/envoy-{version}/envoy/_bin/envoy"))
}

/// The version that the Makefile has under this name.
pub fn pinned(name: &str) -> &'static str {
    let makefile = include_str!("../../Makefile");
    let assigned = |line: &'static str| line.strip_prefix(name)?.strip_prefix(" := ");
    let version = makefile.lines().find_map(assigned);
    version.expect("the Makefile names it")
}

/// The end of what the proxy wrote.
fn tail(dir: &Path) -> String {
    let written: String = ["output", "log"]
        .map(|name| fs::read_to_string(dir.join(name)).unwrap_or_default())
        .concat();
    let lines: Vec<&str> = written.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
