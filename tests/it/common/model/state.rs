//! Keyed state, carried from batch to batch in a plain list.

use super::{Stream, flat, groups, values_of};

/// What a mapping function may ask of the state of its key, and do to it.
#[derive(Clone, Debug)]
pub(crate) struct State<S> {
    value: Option<S>,
    timing_out: bool,
    updated: bool,
    removed: bool,
}

impl<S: Clone> State<S> {
    pub(crate) fn new(value: Option<S>) -> Self {
        Self { value, timing_out: false, updated: false, removed: false }
    }

    fn last(value: S) -> Self {
        Self { timing_out: true, ..Self::new(Some(value)) }
    }

    pub(crate) fn exists(&self) -> bool {
        self.value.is_some()
    }

    pub(crate) fn get(&self) -> Option<S> {
        self.value.clone()
    }

    pub(crate) fn is_timing_out(&self) -> bool {
        self.timing_out
    }

    pub(crate) fn update(&mut self, value: S) {
        assert!(!self.removed && !self.timing_out, "a state that is removed or timing out cannot be updated");
        self.value = Some(value);
        self.updated = true;
    }

    pub(crate) fn remove(&mut self) {
        assert!(!self.removed && !self.timing_out, "a state that is removed or timing out cannot be removed");
        self.value = None;
        self.updated = false;
        self.removed = true;
    }
}

/// When an idle key is forgotten.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeout {
    /// Milliseconds; a key is idle when its last update is older than that, strictly.
    pub(crate) idle_ms: u64,
    /// Idle keys are looked for in every batch that is a multiple of this: 10 in Spark, 1 here.
    pub(crate) every_batches: usize,
}

/// One key's state and the time of its last update.
type Row<K, S> = (K, S, u64);

impl<K: Clone + PartialEq, V: Clone> Stream<(K, V)> {
    /// Calls `f(time, key, new values, state)` for every key that has either, and keeps what it returns.
    pub(crate) fn update_state_by_key<S: Clone>(
        &self,
        batch_ms: u64,
        initial: Vec<(K, S)>,
        f: impl Fn(u64, &K, Vec<V>, Option<S>) -> Option<S>,
    ) -> Stream<(K, S)> {
        let mut state = initial;
        let mut step = |number: usize, records: Vec<(K, V)>| {
            let new = groups(&records);
            let mut keys: Vec<K> = state.iter().map(|(key, _)| key.clone()).collect();
            keys.extend(
                new.iter().map(|(key, _)| key.clone()).filter(|key| state.iter().all(|(known, _)| known != key)),
            );
            let old = |key: &K| state.iter().find(|(known, _)| known == key).map(|(_, state)| state.clone());
            let time = number as u64 * batch_ms;
            let next = |key: K| f(time, &key, values_of(&new, &key), old(&key)).map(|state| (key, state));
            state = keys.into_iter().filter_map(next).collect();
            vec![state.clone()]
        };
        let numbered = self.batches.iter().enumerate();
        let batches = numbered.map(|(at, batch)| batch.as_ref().map(|batch| step(at + 1, flat(batch)))).collect();
        Stream { batches, slide: self.slide }
    }

    /// Calls `f(time, key, value, state)` for each record in turn; returns what was mapped, and the state after each batch.
    pub(crate) fn map_with_state<S: Clone, M: Clone>(
        &self,
        batch_ms: u64,
        initial: Vec<(K, S)>,
        timeout: Option<Timeout>,
        f: impl Fn(u64, &K, Option<V>, &mut State<S>) -> Option<M>,
    ) -> (Stream<M>, Stream<(K, S)>) {
        let mut rows: Vec<Row<K, S>> = initial.into_iter().map(|(key, state)| (key, state, 0)).collect();
        let (mut mapped, mut snapshots) = (Vec::new(), Vec::new());
        for (at, batch) in self.batches.iter().enumerate() {
            let time = (at as u64 + 1) * batch_ms;
            let out = batch.as_ref().map(|batch| {
                let mut out = touched(&mut rows, flat(batch), time, timeout, &f);
                if let Some(timeout) = timeout.filter(|timeout| (at + 1).is_multiple_of(timeout.every_batches)) {
                    out.extend(timed_out(&mut rows, time, timeout, &f));
                }
                vec![out]
            });
            let snapshot = rows.iter().map(|(key, state, _)| (key.clone(), state.clone())).collect();
            snapshots.push(out.is_some().then(|| vec![snapshot]));
            mapped.push(out);
        }
        (Stream { batches: mapped, slide: self.slide }, Stream { batches: snapshots, slide: self.slide })
    }
}

/// The records of a batch, one after the other.
fn touched<K: Clone + PartialEq, V, S: Clone, M>(
    rows: &mut Vec<Row<K, S>>,
    records: Vec<(K, V)>,
    time: u64,
    timeout: Option<Timeout>,
    f: &impl Fn(u64, &K, Option<V>, &mut State<S>) -> Option<M>,
) -> Vec<M> {
    let mut out = Vec::new();
    for (key, value) in records {
        let at = rows.iter().position(|(known, ..)| *known == key);
        let mut state = State::new(at.map(|at| rows[at].1.clone()));
        out.extend(f(time, &key, Some(value), &mut state));
        let kept = state.get().filter(|_| state.updated || timeout.is_some());
        match (at, kept) {
            (Some(at), _) if state.removed => drop(rows.remove(at)),
            (Some(at), Some(value)) => rows[at] = (key, value, time),
            (None, Some(value)) => rows.push((key, value, time)),
            (_, None) => {}
        }
    }
    out
}

/// The last call for the keys that were idle too long.
fn timed_out<K: Clone, V, S: Clone, M>(
    rows: &mut Vec<Row<K, S>>,
    time: u64,
    timeout: Timeout,
    f: &impl Fn(u64, &K, Option<V>, &mut State<S>) -> Option<M>,
) -> Vec<M> {
    let idle = |updated: u64| updated + timeout.idle_ms < time;
    let gone: Vec<Row<K, S>> = rows.iter().filter(|(.., updated)| idle(*updated)).cloned().collect();
    rows.retain(|(.., updated)| !idle(*updated));
    gone.into_iter().filter_map(|(key, state, _)| f(time, &key, None, &mut State::last(state))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(batches: &[&[char]]) -> Stream<(char, i64)> {
        let batches: Vec<Vec<char>> = batches.iter().map(|batch| batch.to_vec()).collect();
        Stream::source(&batches, 1).map(|key| (key, 1))
    }

    #[test]
    fn a_state_that_is_not_returned_is_forgotten() {
        let counts = keys(&[&['a', 'b'], &['a'], &[]]).update_state_by_key(1, vec![('c', 7)], |_, _, new, old| {
            let seen = new.len() as i64;
            (seen > 0 || old.is_some_and(|old| old > 1)).then(|| old.unwrap_or(0) + seen)
        });
        assert_eq!(
            counts.records(),
            [vec![('c', 7), ('a', 1), ('b', 1)], vec![('c', 7), ('a', 2)], vec![('c', 7), ('a', 2)]]
        );
    }

    fn count(_: u64, key: &char, value: Option<i64>, state: &mut State<i64>) -> Option<(char, i64, bool)> {
        let total = state.get().unwrap_or(0) + value.unwrap_or(0);
        if !state.is_timing_out() {
            state.update(total);
        }
        Some((*key, total, state.is_timing_out()))
    }

    #[test]
    fn an_idle_key_gets_a_last_call_and_is_forgotten() {
        let timeout = Some(Timeout { idle_ms: 1, every_batches: 1 });
        let (mapped, states) = keys(&[&['a', 'b'], &['a'], &['a'], &[]]).map_with_state(1, vec![], timeout, count);
        let expected = [
            vec![('a', 1, false), ('b', 1, false)],
            vec![('a', 2, false)],
            vec![('a', 3, false), ('b', 1, true)],
            vec![],
        ];
        assert_eq!(mapped.records(), expected);
        assert_eq!(states.records()[2..], [[('a', 3)], [('a', 3)]]);
    }

    #[test]
    fn a_removed_key_starts_afresh() {
        let toggle = |_: u64, key: &char, value: Option<i64>, state: &mut State<i64>| {
            let existed = state.exists();
            if existed {
                state.remove();
            } else {
                state.update(value?);
            }
            existed.then_some(*key)
        };
        let (mapped, states) = keys(&[&['a'], &['a', 'b'], &['a']]).map_with_state(1, vec![], None, toggle);
        assert_eq!(mapped.records(), [vec![], vec!['a'], vec![]]);
        assert_eq!(states.records(), [vec![('a', 1)], vec![('b', 1)], vec![('b', 1), ('a', 1)]]);
    }
}
