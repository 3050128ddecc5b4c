//! What the compiler says: `ui/fail/<theme>/<mistake>.rs` has one mistake and beside it, in `.stderr`, its message;
//! `ui/pass/<feature>.rs` compiles and runs.
//!
//! `TRYBUILD=overwrite cargo test --test ui` accepts the messages as they are now; read the difference first.

use std::process::Command;

/// Messages of the compiler change from version to version; the expected ones are those of this one.
const TOOLCHAIN: &str = "rustc 1.95.";

#[test]
fn programs_that_compile() {
    trybuild::TestCases::new().pass("tests/ui/pass/*.rs");
}

/// The messages of a theme.
fn messages(theme: &str) {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().expect("the compiler that builds this can be asked");
    let version = String::from_utf8_lossy(&version.stdout);
    if version.starts_with(TOOLCHAIN) {
        trybuild::TestCases::new().compile_fail(format!("tests/ui/fail/{theme}/*.rs"));
    } else {
        println!("skipped: the messages are those of `{TOOLCHAIN}x`, and this is `{}`", version.trim());
    }
}

/// A test for each theme, so that the name of what failed says where to look, and one that no theme was forgotten.
macro_rules! themes {
    ($($theme:ident),+ $(,)?) => {
        $(
            #[test]
            fn $theme() {
                messages(stringify!($theme));
            }
        )+

        #[test]
        fn every_theme_has_a_test() {
            let themes = std::fs::read_dir("tests/ui/fail").expect("tests run in the root of the package");
            let mut themes: Vec<_> = themes.map(|theme| theme.expect("a directory can be read").file_name()).collect();
            themes.sort();
            assert_eq!(themes, [$(stringify!($theme)),+]);
        }
    };
}

themes!(arguments, captures, closures, graph, keyed, names, records, several, signature, state, window);
