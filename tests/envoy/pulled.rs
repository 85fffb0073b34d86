//! From a registry into Envoy: the image is pushed, pulled by others' means, and its module run by URI and digest.

use serde_json::json;

use crate::client::get;
use crate::document::{self, Listener};
use crate::proxy::{self, Envoy, repository};
use crate::registry::{Image, Registry, sha256};

/// Both digests that are printed are those of what a registry then has, and the module is the one that was built.
#[tokio::test]
async fn what_is_pulled_is_what_was_built() {
    let registry = Registry::start().await;
    let printed = registry.push("weir:shipped");
    let image = registry.pull("weir", "shipped").await;
    let module = sha256(&repository("dist/weir.wasm"));
    assert_eq!(sha256(&image.module()), module);
    assert_eq!(image.manifest["annotations"]["weir.module.sha256"], module);
    let manifest = image.digest.strip_prefix("sha256:").unwrap();
    for told in [
        format!(
            "pushed    {}/weir:shipped@{}",
            registry.address, image.digest
        ),
        format!("manifest  {manifest} "),
        format!("module    {module} "),
    ] {
        assert!(printed.contains(&told), "{told} is not in {printed}");
    }
}

/// What Istio and Envoy Gateway need to find: one gzipped layer of an image that says it is a module.
#[tokio::test]
async fn the_image_is_of_the_kind_that_both_control_planes_take() {
    let registry = Registry::start().await;
    registry.push("weir:kind");
    let manifest = registry.pull("weir", "kind").await.manifest;
    for (field, expected) in [
        ("/mediaType", "application/vnd.oci.image.manifest.v1+json"),
        (
            "/config/mediaType",
            "application/vnd.oci.image.config.v1+json",
        ),
        (
            "/layers/0/mediaType",
            "application/vnd.oci.image.layer.v1.tar+gzip",
        ),
        ("/annotations/module.wasm.image~1variant", "compat"),
        (
            "/annotations/org.opencontainers.image.title",
            env!("CARGO_PKG_NAME"),
        ),
        (
            "/annotations/org.opencontainers.image.version",
            env!("CARGO_PKG_VERSION"),
        ),
        (
            "/annotations/org.opencontainers.image.licenses",
            env!("CARGO_PKG_LICENSE"),
        ),
        (
            "/annotations/org.opencontainers.image.source",
            env!("CARGO_PKG_REPOSITORY"),
        ),
    ] {
        let found = manifest.pointer(field);
        assert_eq!(found, Some(&json!(expected)), "{field}");
    }
    for stamped in ["revision", "created"] {
        let field = format!("/annotations/org.opencontainers.image.{stamped}");
        assert!(manifest.pointer(&field).is_some(), "{field}");
    }
}

#[tokio::test]
async fn a_proxy_runs_it_by_uri_and_digest() {
    let image = pulled().await;
    let server = serve(&image).await;
    let digest = sha256(&image.module());
    for host in proxy::everywhere() {
        let envoy = host
            .start(one_a_day().fetched(server.address, &digest))
            .await;
        let statuses = envoy.connect().await.statuses(2, || get("/")).await;
        assert_eq!(statuses, [200, 429]);
    }
}

/// A module that is not the promised one never runs; the proxy starts, and refuses what it would have limited.
#[tokio::test]
async fn a_proxy_does_not_run_another_module_than_the_digest_says() {
    let image = pulled().await;
    let server = serve(&image).await;
    // Of any other file.
    let digest = sha256(&repository("Makefile"));
    for host in proxy::everywhere() {
        let envoy = host
            .start(one_a_day().fetched(server.address, &digest))
            .await;
        assert_eq!(envoy.connect().await.send(get("/")).await.status, 503);
        assert_eq!(envoy.stat("wasm.remote_load_fetch_failures").await, 1);
        assert_eq!(envoy.stat("wasm.envoy.wasm.runtime.v8.created").await, 0);
    }
}

/// A proxy without the code takes any configuration for it, and refuses every request once it knows better; one that
/// has the code refuses the configuration, as with a file.
#[tokio::test]
async fn a_bad_configuration_is_refused_where_the_code_is_there() {
    let module = proxy::module();
    let site = document::file_server(&module);
    let server = proxy::newest().start_static(&site.to_string()).await;
    let digest = sha256(&module);
    let bad = document::per_client(&json!([{ "requests": 1, "per": "0s" }]));
    for host in proxy::everywhere() {
        let unlucky = Listener::new(&bad).fetched(server.address, &digest);
        let envoy = host.start(unlucky).await;
        assert_eq!(envoy.connect().await.send(get("/")).await.status, 503);
        let mut envoy = host
            .start(one_a_day().fetched(server.address, &digest))
            .await;
        assert_eq!(envoy.reload_refused(&bad).await.len(), 1);
        let statuses = envoy.connect().await.statuses(2, || get("/")).await;
        assert_eq!(statuses, [200, 429]);
    }
}

async fn pulled() -> Image {
    let registry = Registry::start().await;
    registry.push("weir:pulled");
    registry.pull("weir", "pulled").await
}

/// A web server with the module of this image, on any path.
async fn serve(image: &Image) -> Envoy {
    let site = document::file_server(&image.module());
    proxy::newest().start_static(&site.to_string()).await
}

fn one_a_day() -> Listener {
    let limit = json!([{ "requests": 1, "per": "1d" }]);
    Listener::new(&document::per_client(&limit))
}
