//! What the compiler says: `ui/fail/<theme>/<mistake>.rs` has one mistake and beside it, in `.stderr`, its message;
//! `ui/pass/<feature>.rs` compiles and runs.
//!
//! `TRYBUILD=overwrite cargo test --test ui` accepts the messages as they are now; read the difference first.

use std::process::Command;

/// Messages of the compiler change from version to version; the expected ones are those of this one.
const TOOLCHAIN: &str = "rustc 1.95.";

#[test]
fn messages() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().expect("the compiler that builds this can be asked");
    let version = String::from_utf8_lossy(&version.stdout);
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    if version.starts_with(TOOLCHAIN) {
        cases.compile_fail("tests/ui/fail/*/*.rs");
    } else {
        println!("skipped tests/ui/fail: its messages are those of `{TOOLCHAIN}x`, and this is `{}`", version.trim());
    }
}
