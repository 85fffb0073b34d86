//! What the other tests take for granted about the harness itself.

use serde_json::json;

use crate::client::{Connection, get};
use crate::document::Listener;
use crate::proxy;

#[tokio::test]
async fn a_reload_reaches_every_worker_and_keeps_the_port() {
    for host in proxy::everywhere() {
        let mut envoy = host
            .start(Listener::new(&json!({ "enabled": false, "rules": [] })))
            .await;
        let address = envoy.address;
        for _ in 0..3 {
            envoy
                .reload(&json!({ "enabled": false, "rules": [] }))
                .await;
        }
        for connection in &mut envoy.connect_all().await {
            assert_eq!(connection.send(get("/")).await.status, 200);
        }
        let upstream = Connection::http2(address)
            .await
            .send(get("/upstream/strict"))
            .await;
        assert_eq!(upstream.number("x-ratelimit-limit"), 2);
        envoy.access_log("/", envoy.workers).await;
    }
}
