//! The Kubernetes resources of the examples, held against what Istio and Envoy Gateway themselves publish of them.
//!
//! Their CRDs are in their Go modules, and are read from there: `go` downloads each once, into its cache. What CRDs
//! say in CEL (`x-kubernetes-validations`) is not judged.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test stops where it is surprised"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use jsonschema::Validator;
use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};

/// A resource of an example, and where its CRD is: a Go module and a file in it.
struct Resource {
    example: &'static str,
    module: &'static str,
    file: &'static str,
}

const ISTIO: Resource = Resource {
    example: "examples/istio/wasmplugin.yaml",
    module: "istio.io/api@v1.31.1",
    file: "kubernetes/customresourcedefinitions.gen.yaml",
};

const ENVOY_GATEWAY: Resource = Resource {
    example: "examples/envoy-gateway/envoyextensionpolicy.yaml",
    module: "github.com/envoyproxy/gateway@v1.9.1",
    file: "charts/gateway-helm/charts/crds/crds/generated/gateway.envoyproxy.io_envoyextensionpolicies.yaml",
};

const ENVOY_PATCH: Resource = Resource {
    example: "examples/envoy-gateway/envoypatchpolicy.yaml",
    module: "github.com/envoyproxy/gateway@v1.9.1",
    file: "charts/gateway-helm/charts/crds/crds/generated/gateway.envoyproxy.io_envoypatchpolicies.yaml",
};

#[test]
fn a_wasm_plugin_is_what_istio_takes_for_one() {
    assert_eq!(ISTIO.errors(|_| {}), [""; 0]);
}

#[test]
fn an_envoy_extension_policy_is_what_envoy_gateway_takes_for_one() {
    assert_eq!(ENVOY_GATEWAY.errors(|_| {}), [""; 0]);
}

#[test]
fn an_envoy_patch_policy_is_what_envoy_gateway_takes_for_one() {
    assert_eq!(ENVOY_PATCH.errors(|_| {}), [""; 0]);
}

/// The patch is of the filter that the policy beside it makes, in a listener of the same Gateway.
#[test]
fn the_patch_is_of_the_policy_beside_it() {
    let (policy, patch) = (ENVOY_GATEWAY.read(), ENVOY_PATCH.read());
    let name =
        |resource: &Value, member: &str| resource["metadata"][member].as_str().unwrap().to_owned();
    assert_eq!(patch["spec"]["targetRef"], policy["spec"]["targetRefs"][0]);
    let (namespace, gateway) = (
        name(&patch, "namespace"),
        &patch["spec"]["targetRef"]["name"],
    );
    assert_eq!(namespace, name(&policy, "namespace"));
    let patch = &patch["spec"]["jsonPatches"][0];
    let listener = patch["name"].as_str().unwrap();
    let gateway = gateway.as_str().unwrap();
    assert!(
        listener.starts_with(&format!("{namespace}/{gateway}/")),
        "{listener}"
    );
    let filter = format!(
        "'envoy.filters.http.wasm/envoyextensionpolicy/{namespace}/{}/wasm/0'",
        name(&policy, "name")
    );
    let path = patch["operation"]["jsonPath"].as_str().unwrap();
    assert!(path.contains(&filter), "{path}: {filter}");
}

/// Breaks each in every way that counts: a field that does not exist, a value that is none of the list, a wrong type,
/// a field that must be there.
#[test]
fn what_neither_knows_is_an_error_where_it_stands() {
    let broken: [Broken; 5] = [
        ("/spec", |plugin| {
            plugin["spec"]["failPolicy"] = json!("FAIL_RELOAD")
        }),
        ("/spec/failStrategy", |plugin| {
            plugin["spec"]["failStrategy"] = json!("RELOAD")
        }),
        ("/spec/vmConfig/env/0", |plugin| {
            plugin["spec"]["vmConfig"]["env"][0]["values"] = json!("20")
        }),
        ("/spec/pluginConfig", |plugin| {
            plugin["spec"]["pluginConfig"] = json!("{}")
        }),
        ("/spec/sha256", |plugin| {
            plugin["spec"]["sha256"] = json!("latest")
        }),
    ];
    is_refused(&ISTIO, broken);
    let broken: [Broken; 5] = [
        ("/spec/wasm/0", |policy| {
            policy["spec"]["wasm"][0]["failPolicy"] = json!(false)
        }),
        ("/spec/wasm/0/code/image", |policy| {
            policy["spec"]["wasm"][0]["code"]["image"]["digest"] = json!("0")
        }),
        ("/spec/wasm/0/failOpen", |policy| {
            policy["spec"]["wasm"][0]["failOpen"] = json!("no")
        }),
        ("/spec/targetRefs/0/kind", |policy| {
            policy["spec"]["targetRefs"][0]["kind"] = Value::Null
        }),
        ("/spec/wasm/0/code/image", |policy| {
            without(&mut policy["spec"]["wasm"][0]["code"]["image"], "url")
        }),
    ];
    is_refused(&ENVOY_GATEWAY, broken);
    let broken: [Broken; 3] = [
        ("/spec/type", |policy| {
            policy["spec"]["type"] = json!("MergePatch")
        }),
        ("/spec/jsonPatches/0", |policy| {
            policy["spec"]["jsonPatches"][0]["operations"] = json!([])
        }),
        ("/spec/jsonPatches/0/operation/op", |policy| {
            policy["spec"]["jsonPatches"][0]["operation"]["op"] = json!("set")
        }),
    ];
    is_refused(&ENVOY_PATCH, broken);
}

/// Where a change is an error, and the change.
type Broken = (&'static str, fn(&mut Value));

/// Each change is to be the only mistake, where it says.
fn is_refused<const N: usize>(resource: &Resource, broken: [Broken; N]) {
    let example = resource.read();
    let validator = resource.validator(&example);
    for (place, change) in broken {
        let mut example = example.clone();
        change(&mut example);
        let errors = validator.iter_errors(&example);
        let places: Vec<_> = errors
            .map(|error| error.instance_path().to_string())
            .collect();
        assert_eq!(places, [place]);
    }
}

/// What the page on installing says of registries that want credentials.
#[test]
fn secrets_to_pull_with_are_named_so() {
    let secret = |plugin: &mut Value| plugin["spec"]["imagePullSecret"] = json!("registry");
    assert_eq!(ISTIO.errors(secret), [""; 0]);
    let secret = |policy: &mut Value| {
        policy["spec"]["wasm"][0]["code"]["image"]["pullSecretRef"] = json!({ "name": "registry" });
    };
    assert_eq!(ENVOY_GATEWAY.errors(secret), [""; 0]);
}

/// What a configuration takes from the environment is what the resource beside it hands on.
#[test]
fn variables_are_those_that_are_handed_on() {
    let plugin = ISTIO.read();
    let handed_on: Vec<&Value> = plugin["spec"]["vmConfig"]["env"]
        .as_array()
        .unwrap()
        .iter()
        .map(|variable| &variable["name"])
        .collect();
    assert_eq!(variables(&plugin["spec"]["pluginConfig"]), handed_on);
    let policy = ENVOY_GATEWAY.read();
    let wasm = &policy["spec"]["wasm"][0];
    let handed_on: Vec<&Value> = wasm["env"]["hostKeys"].as_array().unwrap().iter().collect();
    assert_eq!(variables(&wasm["config"]), handed_on);
}

impl Resource {
    fn read(&self) -> Value {
        documents(&root().join(self.example)).remove(0)
    }

    /// What is wrong with the example after this change.
    fn errors(&self, change: fn(&mut Value)) -> Vec<String> {
        let mut resource = self.read();
        change(&mut resource);
        let validator = self.validator(&resource);
        let errors = validator.iter_errors(&resource);
        errors
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect()
    }

    /// The CRD of this resource, as strict as it is for those who mistype.
    fn validator(&self, resource: &Value) -> Validator {
        let definitions = documents(&downloaded(self.module).join(self.file));
        let group_and_version = resource["apiVersion"].as_str().unwrap();
        let (group, version) = group_and_version.split_once('/').unwrap();
        let definition = definitions.iter().find(|definition| {
            let spec = &definition["spec"];
            spec["group"] == group && spec["names"]["kind"] == resource["kind"]
        });
        let versions = definition.expect("a CRD of this kind")["spec"]["versions"].as_array();
        let version = versions
            .unwrap()
            .iter()
            .find(|each| each["name"] == version);
        let mut schema = version.expect("this version")["schema"]["openAPIV3Schema"].clone();
        // What every resource has, and not every CRD repeats.
        for member in ["apiVersion", "kind"] {
            schema["properties"][member] = json!({ "type": "string" });
        }
        schema["properties"]["metadata"] = json!({
            "type": "object",
            "properties": { "name": { "type": "string" }, "namespace": { "type": "string" } },
            "required": ["name"],
        });
        forbid_unknown(&mut schema);
        jsonschema::validator_for(&schema).unwrap()
    }
}

/// Kubernetes drops fields that a schema does not name; this makes them errors.
fn forbid_unknown(schema: &mut Value) {
    let Value::Object(members) = schema else {
        return;
    };
    let is_open = members.contains_key("additionalProperties")
        || members.contains_key("x-kubernetes-preserve-unknown-fields");
    if let Some(Value::Object(properties)) = members.get_mut("properties") {
        properties.values_mut().for_each(forbid_unknown);
        if !is_open {
            members.insert("additionalProperties".to_owned(), json!(false));
        }
    }
    if let Some(items) = members.get_mut("items") {
        forbid_unknown(items);
    }
}

/// The folder of a Go module at a version.
fn downloaded(module: &str) -> PathBuf {
    let output = Command::new("go")
        .args(["mod", "download", "-json", module])
        .current_dir(std::env::temp_dir())
        .output()
        .unwrap_or_else(|error| panic!("go, which the README asks for: {error}"));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    match told["Dir"].as_str() {
        Some(folder) => PathBuf::from(folder),
        None => panic!("{module}: {}", told["Error"]),
    }
}

/// The names of the variables that a configuration refers to.
fn variables(configuration: &Value) -> Vec<&Value> {
    match configuration {
        Value::Object(members) if members.contains_key("env") => vec![&members["env"]],
        Value::Object(members) => members.values().flat_map(variables).collect(),
        Value::Array(items) => items.iter().flat_map(variables).collect(),
        _ => Vec::new(),
    }
}

fn without(object: &mut Value, member: &str) {
    object.as_object_mut().unwrap().remove(member).unwrap();
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The documents of a YAML file.
fn documents(path: &Path) -> Vec<Value> {
    let text =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let documents = Yaml::load_from_str(&text).unwrap();
    documents.iter().map(value).collect()
}

fn value(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(value)) => json!(value),
        Yaml::Value(Scalar::Integer(value)) => json!(value),
        Yaml::Value(Scalar::FloatingPoint(value)) => json!(value.into_inner()),
        Yaml::Value(Scalar::String(value)) => json!(value),
        Yaml::Sequence(items) => items.iter().map(value).collect(),
        Yaml::Mapping(members) => {
            let members = members.iter().map(|(name, member)| {
                let name = name.as_str().expect("a name that is text");
                (name.to_owned(), value(member))
            });
            Value::Object(members.collect::<Map<_, _>>())
        }
        other => panic!("{other:?}"),
    }
}
