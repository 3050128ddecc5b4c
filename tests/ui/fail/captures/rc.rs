use std::rc::Rc;

use streamflow::prelude::*;

#[stream]
fn known(words: DStream<String>, names: Rc<Vec<String>>) -> DStream<String> {
    words.filter(|word| names.contains(word))
}

fn main() {}
