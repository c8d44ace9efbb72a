# The front door. `make` lists what there is.

.DEFAULT_GOAL := help
SHELL := /bin/sh
NODE_OLDEST := 20.19
EXAMPLE ?= petstore
PORT ?= 3000
ROUNDS ?= 2000
SECONDS ?= 60

.PHONY: help run test bench soak compat fuzz lint install check-node check-python check-cargo sdk-deps

help: ## What there is
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

run: check-cargo check-node ## Build motia and run an example with it (EXAMPLE=petstore PORT=3000)
	cargo build --release --locked -p motia
	@cd examples/$(EXAMPLE) && if [ -f package.json ] && [ ! -d node_modules ]; then ../../target/release/motia install; fi
	cd examples/$(EXAMPLE) && ../../target/release/motia dev --port $(PORT)

test: check-cargo check-node check-python sdk-deps ## Run all tests
	cd sdk/node && npm test
	cd sdk/python && PYTHONDONTWRITEBYTECODE=1 python3 -m unittest discover -q -s tests -t .
	@if command -v ruby >/dev/null; then cd sdk/ruby && ruby -Ilib -Itest test/all.rb; else echo "sdk/ruby: skipped, ruby is not on PATH"; fi
	node --import ./sdk/stream-client/test/support/siblings.mjs --test sdk/stream-client*/test/*.test.mjs
	node --test compat/
	@if cargo nextest --version >/dev/null 2>&1; \
	then cargo nextest run --workspace --locked; \
	else cargo test --workspace --locked; fi

soak: check-cargo check-node ## Kill the engine and its workers under load, again and again (ROUNDS=2000)
	MOTIA_KILL_ROUNDS=$(ROUNDS) cargo test --locked -p motia --test e2e -- --nocapture kills::nothing_acknowledged

bench: check-cargo check-node ## Measure motia beside its peers (BENCH_ARGS=--help)
	cargo build --profile dist --locked -p motia
	cargo build --release --locked -p motia-bench
	target/release/motia-bench --motia target/dist/motia $(BENCH_ARGS)

compat: check-cargo check-node ## Run other people's projects and write docs/compatibility.md (COMPAT=part-of-a-name runs some)
	cargo build --release --locked -p motia
	node compat/run.mjs $(COMPAT)

lint: check-cargo check-node ## Formatting, clippy, licences, the SDK's style
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	@cargo deny --version >/dev/null 2>&1 || cargo install --locked cargo-deny
	cargo fetch --locked
	cargo deny --offline check licenses bans sources
	npx --yes @biomejs/biome@2.6.8 check --error-on-warnings
	@test -x target/lint/bin/ruff || (python3 -m venv target/lint && target/lint/bin/pip install --quiet ruff==0.14.6)
	target/lint/bin/ruff check sdk/python
	target/lint/bin/ruff format --check sdk/python

fuzz: check-cargo ## Feed random bytes to the decoders (SECONDS=60 each)
	@cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz
	@for target in http websocket worker; do cargo fuzz run -s none $$target -- -max_total_time=$(SECONDS) -max_len=4096 || exit 1; done

install: check-cargo ## Put motia on PATH (in cargo's bin folder)
	cargo install --locked --profile dist --path crates/motia

sdk-deps:
	@for folder in sdk/node tests/streams sdk/stream-client-react/test/react-18; \
	do if [ ! -d $$folder/node_modules ]; then (cd $$folder && npm ci --no-audit --no-fund) || exit 1; fi; done

check-cargo:
	@command -v cargo >/dev/null || { echo "cargo is missing: install Rust from https://rustup.rs"; exit 1; }

# A project has it or not; its tests need one.
check-python:
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null || { echo "python3 is missing or older than 3.9: install it from https://www.python.org"; exit 1; }

check-node:
	@command -v node >/dev/null || { echo "node is missing: install Node $(NODE_OLDEST) or later from https://nodejs.org"; exit 1; }
	@node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' \
	|| { echo "node $$(node --version) is too old: steps need $(NODE_OLDEST) or later"; exit 1; }
