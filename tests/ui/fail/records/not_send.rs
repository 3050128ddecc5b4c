use std::rc::Rc;

use streamflow::prelude::*;

struct Event(Rc<u64>);

#[stream]
fn spread(numbers: DStream<u64>) -> DStream<u64> {
    numbers.map(|number| Event(Rc::new(number))).repartition(4).map(|event| *event.0)
}

fn main() {}
