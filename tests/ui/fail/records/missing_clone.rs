use streamflow::prelude::*;

struct Event(u64);

#[stream]
fn both(numbers: DStream<u64>) -> (DStream<u64>, DStream<u64>) {
    let events = numbers.map(|number| Event(number));
    (events.map(|event| event.0), events.map(|event| event.0 + 1))
}

fn main() {}
