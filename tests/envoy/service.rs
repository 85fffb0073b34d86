//! A real rate limit service: envoyproxy/ratelimit in front of a Redis of its own.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tempfile::TempDir;
use tokio::net::TcpSocket;

use crate::client::{Connection, get};
use crate::process::{Process, until_ready};
use crate::proxy::{pinned, repository, until};

/// How much of a day is to be left when a test begins.
const ENOUGH: Duration = Duration::from_secs(45);

/// The service, its store, and where it listens. Both are killed when it is dropped, a panic included.
pub struct Service {
    redis: Process,
    server: Process,
    dir: TempDir,
    _ports: [TcpSocket; 4],
    pub address: SocketAddr,
    /// Where it speaks gRPC, as Envoy's own filter does.
    #[allow(dead_code, reason = "the benches use it")]
    pub grpc: SocketAddr,
}

impl Service {
    /// A service with this configuration (YAML of its own kind), once it answers.
    pub async fn start(limits: &str) -> Self {
        Self::start_set(limits, &[]).await
    }

    /// The same with settings of its own.
    pub async fn start_set(limits: &str, settings: &[(&str, &str)]) -> Self {
        // Its quotas of a day are those of the clock, and as good as new where one ends meanwhile.
        until("a day that goes on", async || {
            (until_midnight() > ENOUGH).then_some(())
        })
        .await;
        let dir = TempDir::new().unwrap();
        let folder = dir.path().join("ratelimit/config");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("limits.yaml"), limits).unwrap();
        let held = [(); 4].map(|()| held_port());
        let ports @ [store, address, grpc, _] =
            held.each_ref().map(|held| held.local_addr().unwrap());
        let mut redis = Process::start(&mut redis_at(store), "redis-server");
        let ready = async || TcpStream::connect(store).ok().map(drop);
        let answers = until_ready([&mut redis], "Redis", ready).await;
        answers.expect("Redis goes on");
        let log = fs::File::create(dir.path().join("log")).unwrap();
        let mut server = ratelimit_at(ports, &dir);
        server.envs(settings.iter().copied());
        server.stdout(log.try_clone().unwrap()).stderr(log);
        let mut service = Self {
            redis,
            server: Process::start(&mut server, "ratelimit"),
            dir,
            _ports: held,
            address,
            grpc,
        };
        let ready = async || {
            TcpStream::connect(address).ok()?;
            // It may end while it is asked.
            let health = tokio::spawn(async move {
                let mut connection = Connection::http1(address).await;
                connection.send(get("/healthcheck")).await
            });
            (health.await.ok()?.status == 200).then_some(())
        };
        let both = [&mut service.redis, &mut service.server];
        let answers = until_ready(both, "the rate limit service", ready).await;
        answers.expect("the rate limit service goes on");
        service
    }

    /// Ends the service; its store goes on.
    pub fn kill(&mut self) {
        self.server.kill();
    }

    /// Stops the service where it is: it accepts connections and answers none.
    pub async fn stop(&self) {
        self.server.stop().await;
    }

    /// Stops the store: the service asks it, and waits.
    pub async fn stop_store(&self) {
        self.redis.stop().await;
    }

    /// Lets what was stopped go on.
    pub fn go_on(&self) {
        self.server.signal("CONT");
        self.redis.signal("CONT");
    }

    /// Ends the store; the service goes on.
    pub fn kill_store(&mut self) {
        self.redis.kill();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            println!("--- the rate limit service\n{log}");
        }
    }
}

fn until_midnight() -> Duration {
    const DAY: u64 = 86_400;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Duration::from_secs(DAY - now.as_secs() % DAY)
}

fn redis_at(address: SocketAddr) -> Command {
    let mut redis = Command::new("redis-server");
    redis
        .args(["--port", &address.port().to_string()])
        .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    redis
}

/// The service, with its configuration in this folder.
fn ratelimit_at([store, address, grpc, debug]: [SocketAddr; 4], dir: &TempDir) -> Command {
    let port = |address: SocketAddr| address.port().to_string();
    let mut server = Command::new(binary());
    // All of its settings are variables.
    server
        .env_clear()
        .env("RUNTIME_ROOT", dir.path())
        .env("RUNTIME_SUBDIRECTORY", "ratelimit")
        .env("RUNTIME_WATCH_ROOT", "false")
        .env("REDIS_SOCKET_TYPE", "tcp")
        .env("REDIS_URL", store.to_string())
        .envs([("HOST", "127.0.0.1"), ("GRPC_HOST", "127.0.0.1")])
        .env("DEBUG_HOST", "127.0.0.1")
        .env("PORT", port(address))
        .env("GRPC_PORT", port(grpc))
        .env("DEBUG_PORT", port(debug))
        .envs([("USE_STATSD", "false"), ("DISABLE_STATS", "true")])
        .env("EXPIRATION_JITTER_MAX_SECONDS", "0");
    server
}

fn binary() -> PathBuf {
    let commit = pinned("RATELIMIT_COMMIT");
    let installed = || repository(&format!(".tools/ratelimit-{commit}/service_cmd"));
    std::env::var_os("WEIR_RATELIMIT").map_or_else(installed, PathBuf::from)
}

/// A port that nobody else is given while this lives, also when nobody listens there any more.
///
/// Two rate limit services that listen on one port share what arrives there, and neither says so.
fn held_port() -> TcpSocket {
    let held = TcpSocket::new_v4().unwrap();
    // Without these nobody could listen there beside it.
    held.set_reuseaddr(true).unwrap();
    held.set_reuseport(true).unwrap();
    held.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    held
}
