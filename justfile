# What CI runs, step by step. `just check` does everything.

check: fmt clippy test docs examples browser

fmt:
    cargo fmt --all --check

clippy:
    cargo clippy --workspace --all-targets --all-features -- -D warnings

test:
    cargo test --workspace
    cargo test --workspace --features sqlite sqlite
    cargo test --features sqlite --test kill_sqlite

docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --all-features --no-deps

examples:
    .ci/examples

browser:
    .ci/browser

bench:
    cargo bench --bench fused
    cargo bench --bench ratios

deny:
    cargo deny check

# Each feature alone, and none.
features:
    cargo check -p streamflow --no-default-features
    cargo check -p streamflow --all-features
