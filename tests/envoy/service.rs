//! A real rate limit service: envoyproxy/ratelimit in front of a Redis of its own.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::client::{Connection, get};
use crate::proxy::{repository, until};

/// The service, its store, and where it listens. Both are killed when it is dropped, a panic included.
pub struct Service {
    redis: Child,
    server: Child,
    dir: TempDir,
    pub address: SocketAddr,
}

impl Service {
    /// A service with this configuration (YAML of its own kind), once it answers.
    pub async fn start(limits: &str) -> Self {
        let dir = TempDir::new().unwrap();
        let folder = dir.path().join("ratelimit/config");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("limits.yaml"), limits).unwrap();
        let [store, address, grpc, debug] = free_ports();
        let redis = Command::new("redis-server")
            .args(["--port", &store.port().to_string()])
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server: run `make test`, which installs it");
        until("Redis", async || TcpStream::connect(store).ok()).await;
        let port = |address: SocketAddr| address.port().to_string();
        let log = fs::File::create(dir.path().join("log")).unwrap();
        let server = Command::new(binary())
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
            .env("EXPIRATION_JITTER_MAX_SECONDS", "0")
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("ratelimit: run `make test`, which installs it");
        let service = Self {
            redis,
            server,
            dir,
            address,
        };
        until("the rate limit service", async || {
            TcpStream::connect(address).ok()?;
            let mut connection = Connection::http1(address).await;
            let health = connection.send(get("/healthcheck")).await;
            (health.status == 200).then_some(())
        })
        .await;
        service
    }

    /// Ends the service; its store goes on.
    pub fn kill(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }

    /// Stops the service where it is: it accepts connections and answers none.
    pub async fn stop(&self) {
        stop(&self.server).await;
    }

    /// Stops the store: the service asks it, and waits.
    pub async fn stop_store(&self) {
        stop(&self.redis).await;
    }

    /// Lets what was stopped go on.
    pub fn go_on(&self) {
        signal(&self.server, "CONT");
        signal(&self.redis, "CONT");
    }

    /// Ends the store; the service goes on.
    pub fn kill_store(&mut self) {
        self.redis.kill().unwrap();
        self.redis.wait().unwrap();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // A process that has been stopped would outlive a gentler signal.
        for process in [&mut self.server, &mut self.redis] {
            let _ = process.kill();
            let _ = process.wait();
        }
        if std::thread::panicking() {
            let log = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            println!("--- the rate limit service\n{log}");
        }
    }
}

async fn stop(process: &Child) {
    signal(process, "STOP");
    // A signal has been sent before it has been obeyed.
    let state = format!("/proc/{}/stat", process.id());
    until("a process to stop", async || {
        let state = fs::read_to_string(&state).unwrap();
        state.rsplit(") ").next()?.starts_with('T').then_some(())
    })
    .await;
}

fn signal(process: &Child, name: &str) {
    let number = process.id().to_string();
    let kill = Command::new("kill").args(["-s", name, &number]).status();
    assert!(kill.unwrap().success());
}

fn binary() -> PathBuf {
    std::env::var_os("WEIR_RATELIMIT")
        .map_or_else(|| repository(".tools/bin/service_cmd"), PathBuf::from)
}

/// Ports that nobody listens on now; all different.
fn free_ports<const N: usize>() -> [SocketAddr; N] {
    let held = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    held.map(|listener| listener.local_addr().unwrap())
}
