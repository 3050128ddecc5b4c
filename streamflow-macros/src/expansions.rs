//! Expansions of small topologies, beside what is expected: `tests/expand/<name>.rs` and `<name>.expanded.rs`.
//!
//! `UPDATE_EXPECT=1 cargo test -p streamflow-macros` accepts what is emitted now; read the difference first.

use std::fs;
use std::path::Path;

use proc_macro2::TokenStream;

use crate::expand;

#[test]
fn expansions_are_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/expand");
    let accept = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut different = Vec::new();
    for entry in fs::read_dir(&folder).expect("the folder of expansions") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name in UTF-8").to_owned();
        let Some(name) = name.strip_suffix(".rs").filter(|name| !name.ends_with(".expanded")) else { continue };
        let expanded = expanded(&fs::read_to_string(&path).expect("an input"));
        let expected = folder.join(format!("{name}.expanded.rs"));
        if accept {
            fs::write(&expected, expanded).expect("the folder can be written to");
        } else if fs::read_to_string(&expected).is_ok_and(|expected| expected == expanded) {
            continue;
        } else {
            println!("{name}:\n{expanded}");
            different.push(name.to_owned());
        }
    }
    assert!(different.is_empty(), "other expansions than expected (see above): {different:?}");
}

fn expanded(input: &str) -> String {
    let input: TokenStream = input.parse().expect("tokens");
    let expansion = expand::stream(TokenStream::new(), input);
    prettyplease::unparse(&syn::parse2(expansion).expect("the expansion is Rust"))
}
