//! Vectors made by plain loops.
//!
//! The stages of a program instantiate the code around their loops anew for each operator, although it runs once for a task
//! or a batch. There an adapter chain with `collect` is the wrong tool: it becomes dozens of functions that the compiler must
//! look at for each type. These become a few.

/// `make` called `count` times.
pub(crate) fn filled<T>(count: usize, mut make: impl FnMut() -> T) -> Vec<T> {
    let mut made = Vec::with_capacity(count);
    for _ in 0..count {
        made.push(make());
    }
    made
}

/// What `make` makes of each item.
pub(crate) fn mapped<T, U>(items: Vec<T>, mut make: impl FnMut(T) -> U) -> Vec<U> {
    let mut made = Vec::with_capacity(items.len());
    for item in items {
        made.push(make(item));
    }
    made
}

/// The lengths of lists of lists, summed up.
pub(crate) fn total_len<T>(lists: &[Vec<T>], len: impl Fn(&T) -> usize) -> usize {
    let mut total = 0;
    for list in lists {
        for item in list {
            total += len(item);
        }
    }
    total
}
