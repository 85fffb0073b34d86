//! What the page on installing tells its reader to type, in its order.

use crate::document;
use crate::examples::{configuration, follow, placed, read};
use crate::proxy::{self, repository};
use crate::readme::{Step, block};

#[tokio::test]
async fn a_local_file_does_what_the_page_shows() {
    let page = read("docs/install.md");
    for host in proxy::everywhere() {
        let yaml = configuration("envoy/bootstrap.yaml");
        follow(section(&page, "Envoy: a local file"), &host, &yaml).await;
    }
}

/// With the configuration that the page's own command makes of the placeholder.
#[tokio::test]
async fn http_does_what_the_page_shows() {
    let page = read("docs/install.md");
    let page = section(&page, "Envoy: over HTTP");
    let site = document::file_server(&repository("dist/weir.wasm"));
    let server = proxy::newest().start_static(&site.to_string()).await;
    let port = format!("port_value: {}", server.address.port());
    let yaml = placed(&with_digest(page)).replace("port_value: 8000", &port);
    for host in proxy::everywhere() {
        follow(page, &host, &yaml).await;
    }
}

/// What the command prints that puts the module's digest into `envoy/remote.yaml`.
fn with_digest(page: &str) -> String {
    let mut lines = block(page, "sh").lines();
    let command = lines.find_map(|line| line.strip_suffix(" > remote.yaml"));
    let step = Step {
        command: command.expect("such a command").to_owned(),
        expected: String::new(),
    };
    step.run(&[]).printed
}

/// What a page says under a heading.
fn section<'p>(page: &'p str, heading: &str) -> &'p str {
    let (_, behind) = page
        .split_once(&format!("\n## {heading}\n"))
        .expect("such a heading");
    behind.split("\n## ").next().unwrap()
}
