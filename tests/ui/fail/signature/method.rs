use streamflow::prelude::*;

struct Program {
    least: usize,
}

impl Program {
    #[stream]
    fn long(&self, words: DStream<String>) -> DStream<String> {
        words.filter(|word| word.len() > self.least)
    }
}

fn main() {}
