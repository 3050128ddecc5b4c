//! Code of the user that panics: an error that names the operator, and nothing else is lost.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::{Error, Result};
use crate::plan::Operator;

thread_local! {
    static FAILED_AT: Cell<Option<&'static Operator>> = const { Cell::new(None) };
}

/// Names the operator whose code runs, for the error if it panics.
///
/// It is forgotten when the code returns, so it costs nothing; only unwinding drops it. The innermost one wins.
#[doc(hidden)]
pub struct At(pub &'static Operator);

impl Drop for At {
    #[cold]
    fn drop(&mut self) {
        FAILED_AT.with(|place| {
            if place.get().is_none() {
                place.set(Some(self.0));
            }
        });
    }
}

/// Calls code of the user; its panic becomes an error that names the operator.
pub(crate) fn guard<R>(work: impl FnOnce() -> R) -> Result<R> {
    FAILED_AT.set(None);
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let error = Error::task(format!("panicked: {}", panic_message(&*panic)));
        match FAILED_AT.take() {
            Some(operator) => error.at_operator(operator),
            None => error,
        }
    })
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a value that is not text")
}
