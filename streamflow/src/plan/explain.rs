//! A topology as text and as a drawing.

/// The name of a record type without the paths of its parts.
pub(crate) fn type_name<T: ?Sized>() -> String {
    strip_paths(std::any::type_name::<T>())
}

fn strip_paths(name: &str) -> String {
    let mut short = String::new();
    let mut word = String::new();
    for symbol in name.chars() {
        match symbol {
            ':' => word.clear(),
            _ if symbol.is_alphanumeric() || symbol == '_' => word.push(symbol),
            _ => {
                short.push_str(&word);
                word.clear();
                short.push(symbol);
            }
        }
    }
    short + &word
}
