//! The `pipeline` field of a case as a list of steps: every name resolved, or an error.

use serde_json::Value as Json;

use super::functions::{self, Binary, Mapping, Unary, Update};
use crate::common::model::Window;

/// One operator with its functions and numbers.
#[derive(Clone)]
pub(crate) enum Step {
    Map(Unary),
    FlatMap(Unary),
    Filter(Unary),
    Glom,
    MapPartitions(Unary),
    Repartition(usize),
    MapValues(Unary),
    FlatMapValues(Unary),
    GroupByKey,
    ReduceByKey(Binary),
    Reduce(Binary),
    Count,
    CountByValue,
    /// With pipelines that start at the same input.
    Union(Vec<Pipeline>),
    /// The transform of many streams on the context, which unites them.
    UnionAll(Vec<Pipeline>),
    Transform(Transform),
    /// With a pipeline that starts at the second input.
    TransformWith(TransformWith, Pipeline),
    Match(Match, Pipeline),
    Window(Window),
    GroupByKeyAndWindow(Window),
    ReduceByKeyAndWindow(Binary, Window),
    ReduceByKeyAndWindowWithInverse {
        reduce: Binary,
        inverse: Binary,
        keep: Option<Unary>,
        window: Window,
    },
    CountByWindow(Window),
    CountByValueAndWindow(Window),
    UpdateStateByKey(Update),
    MapWithState(MapWithState),
    /// Not a transformation: the case asks for slices of the stream.
    Slice,
}

pub(crate) type Pipeline = Vec<Step>;

#[derive(Clone, Copy)]
pub(crate) enum Transform {
    MapToString,
    /// A function that returns no data set.
    Nothing,
}

#[derive(Clone, Copy)]
pub(crate) enum TransformWith {
    Union,
    Join,
}

/// An operator that matches two keyed streams.
#[derive(Clone, Copy)]
pub(crate) enum Match {
    Cogroup,
    Join,
    LeftOuterJoin,
    RightOuterJoin,
    FullOuterJoin,
}

#[derive(Clone, Copy)]
pub(crate) struct MapWithState {
    pub(crate) function: Mapping,
    pub(crate) timeout_batches: Option<usize>,
    /// Spark looks for idle keys only in batches whose state is checkpointed.
    pub(crate) checkpoint_batches: usize,
}

/// Reads a pipeline; an operator or a function that is not known is an error, never skipped.
pub(crate) fn parse(json: &Json) -> Result<Pipeline, String> {
    json.as_array().ok_or("a pipeline is an array")?.iter().map(|json| Fields(json).step()).collect()
}

/// The fields of one step.
struct Fields<'a>(&'a Json);

impl Fields<'_> {
    fn step(&self) -> Result<Step, String> {
        Ok(match self.text("op")? {
            "map" => Step::Map(self.unary("fn")?),
            "flatMap" => Step::FlatMap(self.unary("fn")?),
            "filter" => Step::Filter(self.unary("fn")?),
            "glom" => Step::Glom,
            "mapPartitions" => Step::MapPartitions(self.unary("fn")?),
            "repartition" => Step::Repartition(self.number("num_partitions")?),
            "mapValues" => Step::MapValues(self.unary("fn")?),
            "flatMapValues" => Step::FlatMapValues(self.unary("fn")?),
            "groupByKey" => Step::GroupByKey,
            "reduceByKey" => Step::ReduceByKey(self.binary("fn")?),
            "reduce" => Step::Reduce(self.binary("fn")?),
            "count" => Step::Count,
            "countByValue" => Step::CountByValue,
            "union" => Step::Union(self.pipelines("with")?),
            "contextTransform" => self.context_transform()?,
            "transform" => Step::Transform(self.transform()?),
            "transformWith" => Step::TransformWith(self.transform_with()?, self.right()?),
            "cogroup" => Step::Match(Match::Cogroup, self.right()?),
            "join" => Step::Match(Match::Join, self.right()?),
            "leftOuterJoin" => Step::Match(Match::LeftOuterJoin, self.right()?),
            "rightOuterJoin" => Step::Match(Match::RightOuterJoin, self.right()?),
            "fullOuterJoin" => Step::Match(Match::FullOuterJoin, self.right()?),
            "window" => Step::Window(self.window()?),
            "groupByKeyAndWindow" => Step::GroupByKeyAndWindow(self.window()?),
            "reduceByKeyAndWindow" => self.reduce_by_key_and_window()?,
            "countByWindow" => Step::CountByWindow(self.window()?),
            "countByValueAndWindow" => Step::CountByValueAndWindow(self.window()?),
            "updateStateByKey" => Step::UpdateStateByKey(self.named("fn", functions::update)?),
            "mapWithState" => Step::MapWithState(self.map_with_state()?),
            "slice" => Step::Slice,
            unknown => return Err(format!("unknown operator `{unknown}`")),
        })
    }

    fn has(&self, field: &str) -> bool {
        self.0.get(field).is_some_and(|value| !value.is_null())
    }

    fn text(&self, field: &str) -> Result<&str, String> {
        self.0.get(field).and_then(Json::as_str).ok_or_else(|| format!("no text `{field}` in {}", self.0))
    }

    fn number(&self, field: &str) -> Result<usize, String> {
        let number = self.0.get(field).and_then(Json::as_u64);
        number.map(|number| number as usize).ok_or_else(|| format!("no number `{field}` in {}", self.0))
    }

    fn named<F>(&self, field: &str, find: impl Fn(&str) -> Option<F>) -> Result<F, String> {
        let name = self.text(field)?;
        find(name).ok_or_else(|| format!("unknown function `{name}` in {}", self.0))
    }

    fn unary(&self, field: &str) -> Result<Unary, String> {
        self.named(field, functions::unary)
    }

    fn binary(&self, field: &str) -> Result<Binary, String> {
        self.named(field, functions::binary)
    }

    fn right(&self) -> Result<Pipeline, String> {
        parse(self.0.get("right").ok_or_else(|| format!("no pipeline `right` in {}", self.0))?)
    }

    fn pipelines(&self, field: &str) -> Result<Vec<Pipeline>, String> {
        let pipelines = self.0.get(field).and_then(Json::as_array);
        pipelines.ok_or_else(|| format!("no pipelines `{field}` in {}", self.0))?.iter().map(parse).collect()
    }

    fn window(&self) -> Result<Window, String> {
        Ok(Window { length: self.number("window_batches")?, slide: self.number("slide_batches")? })
    }

    fn context_transform(&self) -> Result<Step, String> {
        match self.text("fn")? {
            "union_all" => Ok(Step::UnionAll(self.pipelines("with")?)),
            unknown => Err(format!("unknown function `{unknown}` in {}", self.0)),
        }
    }

    fn transform(&self) -> Result<Transform, String> {
        match self.text("fn")? {
            "rdd_map_to_string" => Ok(Transform::MapToString),
            "returns_null" => Ok(Transform::Nothing),
            unknown => Err(format!("unknown function `{unknown}` in {}", self.0)),
        }
    }

    fn transform_with(&self) -> Result<TransformWith, String> {
        match self.text("fn")? {
            "rdd_union" => Ok(TransformWith::Union),
            "rdd_join" => Ok(TransformWith::Join),
            unknown => Err(format!("unknown function `{unknown}` in {}", self.0)),
        }
    }

    fn reduce_by_key_and_window(&self) -> Result<Step, String> {
        let (reduce, window) = (self.binary("fn")?, self.window()?);
        if !self.has("inverse") {
            return Ok(Step::ReduceByKeyAndWindow(reduce, window));
        }
        let keep = self.has("filter").then(|| self.unary("filter")).transpose()?;
        Ok(Step::ReduceByKeyAndWindowWithInverse { reduce, inverse: self.binary("inverse")?, keep, window })
    }

    fn map_with_state(&self) -> Result<MapWithState, String> {
        let optional = |field| self.has(field).then(|| self.number(field)).transpose();
        Ok(MapWithState {
            function: self.named("fn", functions::mapping)?,
            timeout_batches: optional("timeout_batches")?,
            checkpoint_batches: optional("checkpoint_interval_batches")?.unwrap_or(10),
        })
    }
}
