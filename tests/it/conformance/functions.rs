//! The functions that pipelines name, with the meaning that the reference model gives them.

use super::value::Value;
use crate::common::model;

/// The state of a key in the hands of a mapping function: the model's or the library's.
pub(crate) trait State {
    fn get(&self) -> Option<Value>;
    fn is_timing_out(&self) -> bool;
    fn update(&mut self, value: Value);
    fn remove(&mut self);
}

macro_rules! states {
    ($($state:ty, $get:expr;)*) => {$(
        impl State for $state {
            fn get(&self) -> Option<Value> {
                $get(self)
            }
            fn is_timing_out(&self) -> bool {
                self.is_timing_out()
            }
            fn update(&mut self, value: Value) {
                self.update(value);
            }
            fn remove(&mut self) {
                self.remove();
            }
        }
    )*};
}

states! {
    model::State<Value>, |state: &Self| state.get();
    streamflow::State<Value>, |state: &Self| state.get().cloned();
}

/// A function of one value: of a record, of a key's value, of a partition as a list; its result is what the operator
/// needs, for instance a list for `flatMap`.
pub(crate) type Unary = fn(Value) -> Value;
/// A function of two values.
pub(crate) type Binary = fn(Value, Value) -> Value;
/// A function of the batch time in milliseconds, a key, its new values and its state.
pub(crate) type Update = fn(u64, &Value, Vec<Value>, Option<Value>) -> Option<Value>;
/// A function of the batch time in milliseconds, a key, its value and its state.
pub(crate) type Mapping = fn(u64, &Value, Option<Value>, &mut dyn State) -> Option<Value>;

pub(crate) fn unary(name: &str) -> Option<Unary> {
    Some(match name {
        "to_string" => to_string,
        "pair_one" => |x| Value::pair((x, Value::Int(1))),
        "pair_x" => |x| Value::pair((x, Value::Text("x".into()))),
        "plus_4" => |x| sum(x, Value::Int(4)),
        "plus_8" => |x| sum(x, Value::Int(8)),
        "add_10" => |x| sum(x, Value::Int(10)),
        "counter_field" => |state| state.field("counter"),
        "distinct_set" => distinct_set,
        "x_and_double" => |x| Value::list([x.clone(), double(x)]),
        "x_and_plus_10" => |x| Value::list([x.clone(), sum(x, Value::Int(10))]),
        "is_even" => |x| Value::Bool(x.int() % 2 == 0),
        "value_not_zero" => |pair| Value::Bool(pair.split().1 != Value::Int(0)),
        "sum_of_partition" => |part| Value::list([part.items().into_iter().fold(Value::Int(0), sum)]),
        _ => return None,
    })
}

pub(crate) fn binary(name: &str) -> Option<Binary> {
    Some(match name {
        "sum" => sum,
        "subtract" => |a, b| Value::Int(a.int() - b.int()),
        _ => return None,
    })
}

pub(crate) fn update(name: &str) -> Option<Update> {
    Some(match name {
        "running_sum" => |_, _, values, old| Some(total(values, old)),
        "batch_time_accumulate" => batch_time_accumulate,
        "count_with_expiry" => count_with_expiry,
        _ => return None,
    })
}

pub(crate) fn mapping(name: &str) -> Option<Mapping> {
    Some(match name {
        "running_sum_emit_sum" => |_, _, value, state| Some(bump(value, state)),
        "running_sum_emit_doubled_key" => |_, key, value, state| {
            bump(value, state);
            Some(double(key.clone()))
        },
        "running_sum_emit_pair" => |_, key, value, state| Some(Value::pair((key.clone(), bump(value, state)))),
        "running_sum_emit_nothing" => |_, _, value, state| {
            bump(value, state);
            None
        },
        "remove_if_exists_emit_key" => remove_if_exists_emit_key,
        "set_one_emit_key_on_timeout" => |_, key, value, state| {
            if value.is_some() {
                state.update(Value::Int(1));
            }
            state.is_timing_out().then(|| key.clone())
        },
        _ => return None,
    })
}

pub(crate) fn to_string(x: Value) -> Value {
    Value::Text(match x {
        Value::Int(number) => number.to_string(),
        Value::Text(text) => text,
        other => panic!("no table turns {other:?} into text"),
    })
}

fn sum(a: Value, b: Value) -> Value {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Value::Int(a + b),
        (Value::Text(a), Value::Text(b)) => Value::Text(a + &b),
        (a, b) => panic!("cannot add {a:?} and {b:?}"),
    }
}

fn double(x: Value) -> Value {
    sum(x.clone(), x)
}

fn distinct_set(values: Value) -> Value {
    let mut values = values.items();
    values.sort();
    values.dedup();
    Value::List(values)
}

fn total(values: Vec<Value>, old: Option<Value>) -> Value {
    values.into_iter().fold(old.unwrap_or(Value::Int(0)), sum)
}

fn batch_time_accumulate(time: u64, _: &Value, values: Vec<Value>, old: Option<Value>) -> Option<Value> {
    let base = old.unwrap_or(Value::Int(0));
    Some(if values.is_empty() { base } else { Value::Int(base.int() + time as i64) })
}

fn count_with_expiry(_: u64, _: &Value, values: Vec<Value>, old: Option<Value>) -> Option<Value> {
    let field = |name| old.as_ref().map_or(0, |old| old.field(name).int());
    let new = total(values, None).int();
    let (counter, expire) =
        if new == 0 { (field("counter"), field("expire") + 1) } else { (field("counter") + new, 0) };
    let fields = [("counter".to_owned(), Value::Int(counter)), ("expire".to_owned(), Value::Int(expire))];
    (expire != 2).then(|| Value::Fields(fields.into_iter().collect()))
}

fn bump(value: Option<Value>, state: &mut dyn State) -> Value {
    let total = total(value.into_iter().collect(), state.get());
    state.update(total.clone());
    total
}

fn remove_if_exists_emit_key(_: u64, key: &Value, value: Option<Value>, state: &mut dyn State) -> Option<Value> {
    if state.get().is_some() {
        state.remove();
        return Some(key.clone());
    }
    state.update(value.expect("without a timeout every call has a value"));
    None
}
