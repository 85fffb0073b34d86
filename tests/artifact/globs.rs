//! What globs cost inside the module, in fuel (see [`crate::cost`]): so much for each byte of a path and no more,
//! whatever path and glob are.

use serde_json::json;

use crate::request::Request;
use crate::scene::Scene;

/// The most fuel that a glob of one word takes for one byte of a path.
const FOR_A_BYTE: u64 = 47;

/// The most fuel that it takes for a path besides.
const FOR_A_PATH: u64 = 400;

/// Fuel of a request that no pattern holds for.
fn fuel(patterns: &[serde_json::Value], path: &str) -> u64 {
    let document = json!({"rules": [{"name": "a", "match": {"path": patterns},
        "key": ["client_ip"], "limits": [{"requests": 1, "per": "1s"}]}]});
    let mut scene = Scene::new(&document.to_string());
    let request = Request::get(path);
    // The first request of a worker costs more.
    scene.exchange(&request);
    let exchange = scene.exchange(&request);
    // Headers, and nothing of the client's address: no rule matched.
    assert_eq!(exchange.allocations, 1, "{patterns:?} {path}");
    exchange.fuel
}

/// Fuel that globs alone take.
fn of(globs: &[&str], path: &str) -> u64 {
    let patterns: Vec<_> = globs.iter().map(|glob| json!({ "glob": glob })).collect();
    fuel(&patterns, path) - fuel(&[json!({ "prefix": "/none" })], path)
}

#[test]
fn ten_ordinary_globs_cost_little_of_a_long_path() {
    let ten = [
        "/api/**/admin/**",
        "/**/search",
        "/**/*.php",
        "/api/*/orders/**",
        "/**/.git/**",
        "/v*/users/*/orders",
        "/**/wp-*/**",
        "/assets/**/*.js",
        "/**/admin",
        "/**/export/*",
    ];
    for (path, most) in [
        ("/a/b".to_owned(), 3_200),
        (format!("/{}", "a/".repeat(1_023)), 295_000),
        (format!("/api/{}", "a/".repeat(1_021)), 392_000),
    ] {
        let fuel = of(&ten, &path);
        println!("{} bytes: {fuel} fuel", path.len());
        assert!(fuel <= most, "{} bytes: {fuel} fuel", path.len());
    }
}

#[test]
fn no_path_makes_a_glob_look_at_a_byte_twice() {
    let many = "*a".repeat(62);
    // All of what is left of a glob may still come, but for the `z`.
    for glob in [
        "/*a*a*a*z*c",
        "**a**a**z**",
        "/**/a/*/a/**/z/*c",
        "**/*a/**/*a/**z**",
        &format!("**{many}*z**"),
        &format!("{}**z**", many.replace('*', "**")),
    ] {
        for part in ["a", "a/", "ab", "aaaaaaab/"] {
            for length in [500, 4_000] {
                let path = format!("/{}c", &part.repeat(length)[..length]);
                let fuel = of(&[glob], &path);
                let most = FOR_A_PATH + FOR_A_BYTE * path.len() as u64;
                assert!(
                    fuel <= most,
                    "{glob} {part} {length}: {fuel} fuel, at most {most}"
                );
            }
        }
    }
}
