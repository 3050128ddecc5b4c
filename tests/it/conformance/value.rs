//! The records of the conformance tables: values whose type is known only at run time.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// One record, or a part of one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Text(String),
    List(Vec<Value>),
    Fields(BTreeMap<String, Value>),
}

impl Value {
    pub(crate) fn list(items: impl IntoIterator<Item = Value>) -> Self {
        Value::List(items.into_iter().collect())
    }

    pub(crate) fn pair((key, value): (Value, Value)) -> Self {
        Value::List(vec![key, value])
    }

    /// Key and value of a record that is a pair.
    pub(crate) fn split(self) -> (Value, Value) {
        match <[Value; 2]>::try_from(self.items()) {
            Ok([key, value]) => (key, value),
            Err(items) => panic!("not a pair: {items:?}"),
        }
    }

    pub(crate) fn items(self) -> Vec<Value> {
        match self {
            Value::List(items) => items,
            other => panic!("not a list: {other:?}"),
        }
    }

    pub(crate) fn int(&self) -> i64 {
        match self {
            Value::Int(number) => *number,
            other => panic!("not a number: {other:?}"),
        }
    }

    pub(crate) fn is_true(&self) -> bool {
        match self {
            Value::Bool(truth) => *truth,
            other => panic!("not a truth value: {other:?}"),
        }
    }

    pub(crate) fn field(&self, name: &str) -> Value {
        match self {
            Value::Fields(fields) if fields.contains_key(name) => fields[name].clone(),
            other => panic!("no field `{name}` in {other:?}"),
        }
    }
}

impl From<Option<Value>> for Value {
    fn from(value: Option<Value>) -> Self {
        value.unwrap_or(Value::Null)
    }
}

impl From<&serde_json::Value> for Value {
    fn from(json: &serde_json::Value) -> Self {
        use serde_json::Value as Json;
        match json {
            Json::Null => Value::Null,
            Json::Bool(truth) => Value::Bool(*truth),
            Json::Number(number) => Value::Int(number.as_i64().expect("the tables hold whole numbers")),
            Json::String(text) => Value::Text(text.clone()),
            Json::Array(items) => Value::list(items.iter().map(Value::from)),
            Json::Object(fields) => Value::Fields(fields.iter().map(|(k, v)| (k.clone(), v.into())).collect()),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Bool(truth) => write!(f, "{truth}"),
            Value::Int(number) => write!(f, "{number}"),
            Value::Text(text) => write!(f, "{text:?}"),
            Value::List(items) => f.debug_list().entries(items).finish(),
            Value::Fields(fields) => f.debug_map().entries(fields).finish(),
        }
    }
}
