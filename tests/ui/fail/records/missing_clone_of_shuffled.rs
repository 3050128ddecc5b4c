use streamflow::prelude::*;

struct Event(u64);

#[stream]
fn both(events: DStream<Event>) -> (DStream<Event>, DStream<u64>) {
    let spread = events.repartition(4);
    (spread, spread.map(|event| event.0))
}

fn main() {}
