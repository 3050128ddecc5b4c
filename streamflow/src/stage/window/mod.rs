//! Windows over whole batches.
//!
//! A window of length `L` and slide `S` ends every `S` after the stream's zero time and holds the batches of its parent in
//! `(end - L, end]`. Both are multiples of the parent's slide; the macro checks literals, the start of the context checks
//! the rest with the same words.
//!
//! ```text
//!   parent   ▪   ▪   ▪   ▪   ▪   ▪   ▪   ▪      a batch every interval
//!            └───────────────┘                  length 4, slide 2: the windows
//!                    └───────────────┘          overlap by two batches
//! ```
//!
//! Batches are grouped into **panes** of `gcd(L, S)`: every window consists of whole panes, and a pane enters and leaves as
//! one. [`raw`] windows keep the shared blocks of the panes; windows of aggregates ([`keyed`], [`total`]) keep a partial
//! aggregate for each key and pane ([`panes`]), combined by an inverse function or by two stacks ([`fold`]).
//!
//! *Failure*: a window that lacks a batch, because the batch failed, fails from then on, and says which batch it lacks.
//! Nothing else would be right: its parent's records are gone.

pub(crate) mod fold;
pub(crate) mod keyed;
pub(crate) mod panes;
pub(crate) mod raw;
mod saved;
pub(crate) mod total;

use std::time::Duration;

use crate::error::{Error, Result};
use crate::time::BatchTime;

/// Length and slide of a window, as declared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WindowSpec {
    pub(crate) length: Duration,
    /// The parent's slide if nothing was said.
    pub(crate) slide: Option<Duration>,
}

impl WindowSpec {
    /// The window's slide over a parent that yields a data set every `parent_slide`.
    ///
    /// # Errors
    /// If length or slide is zero or not a multiple of the parent's slide.
    pub(crate) fn check(&self, parent_slide: Duration) -> Result<Duration> {
        let slide = self.slide.unwrap_or(parent_slide);
        for (what, duration) in [("length", self.length), ("slide", slide)] {
            if duration.is_zero() {
                return Err(Error::invalid(format!("a window {what} of zero holds nothing")));
            }
            if !duration.as_nanos().is_multiple_of(parent_slide.as_nanos()) {
                return Err(Error::invalid(format!(
                    "window {what} {duration:?} is not a multiple of the slide {parent_slide:?} of its parent: \
                     a window holds whole batches of the stream that it stands on"
                )));
            }
        }
        Ok(slide)
    }

    /// What windows that end every `slide` have in common: the length of a pane.
    pub(crate) fn pane(&self, slide: Duration) -> Duration {
        Duration::from_millis(gcd(self.length.as_millis() as u64, slide.as_millis() as u64))
    }
}

/// One batch as a window sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WindowStep {
    /// The time of the batch.
    pub(crate) time: BatchTime,
    /// Milliseconds since the zero time of the stream.
    pub(crate) since_zero: u64,
    /// Slide of the parent, in milliseconds.
    pub(crate) parent_slide: u64,
    /// Length, in milliseconds.
    pub(crate) length: u64,
    /// Slide, in milliseconds.
    pub(crate) slide: u64,
}

impl WindowStep {
    fn pane_millis(&self) -> u64 {
        gcd(self.length, self.slide)
    }

    /// The pane that the batch belongs to; panes are numbered from 1.
    pub(crate) fn pane(&self) -> u64 {
        self.since_zero.div_ceil(self.pane_millis())
    }

    /// Whether the batch is the last of its pane.
    pub(crate) fn ends_pane(&self) -> bool {
        self.since_zero.is_multiple_of(self.pane_millis())
    }

    /// Whether a window ends with this batch.
    pub(crate) fn ends_window(&self) -> bool {
        self.since_zero.is_multiple_of(self.slide)
    }

    /// The last pane that a window ending with this batch no longer holds; 0 if it holds all.
    pub(crate) fn last_left(&self) -> u64 {
        self.pane().saturating_sub(self.length / self.pane_millis())
    }

    /// Whether some window will hold the batch: with a slide longer than the length, batches in between are in none.
    pub(crate) fn in_some_window(&self) -> bool {
        let window_end = self.since_zero.next_multiple_of(self.slide);
        self.since_zero + self.length > window_end
    }
}

/// Sees that a window is given every batch of its parent, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Continuity {
    last: Option<u64>,
    /// Whether a batch was taken in by half.
    lost: bool,
}

impl Continuity {
    /// Notes a batch.
    ///
    /// # Errors
    /// If one is missing before it.
    pub(crate) fn step(&mut self, step: &WindowStep) -> Result<()> {
        if self.lost {
            return Err(Error::input("the window lost its state when one of its functions failed in an earlier batch"));
        }
        let slide = step.parent_slide.max(1);
        // A checkpoint may be taken between two batches of the parent.
        let expected = self.last.map_or(step.since_zero.min(slide), |last| last / slide * slide + slide);
        if step.since_zero != expected && step.parent_slide > 0 {
            let missing = step.time - Duration::from_millis(step.since_zero.saturating_sub(expected));
            return Err(Error::input(format!(
                "the window lacks the batch of {missing}, which failed; only a restart from a checkpoint can run it again"
            )));
        }
        self.last = Some(step.since_zero);
        Ok(())
    }

    /// Goes on after the batch that ended `since_zero` milliseconds after the zero time.
    pub(crate) fn resume(&mut self, since_zero: u64) {
        self.last = Some(since_zero);
    }

    /// Notes that the state can no longer be trusted.
    pub(crate) fn lose(&mut self) {
        self.lost = true;
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a.max(1) } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(since_zero: u64, length: u64, slide: u64) -> WindowStep {
        WindowStep { time: BatchTime::from_millis(since_zero), since_zero, parent_slide: 1, length, slide }
    }

    #[test]
    fn panes_are_what_windows_have_in_common() {
        let at = |since_zero| step(since_zero, 6, 4);
        assert_eq!([1, 2, 3, 4, 8].map(|t| at(t).pane()), [1, 1, 2, 2, 4]);
        assert!(!at(1).ends_pane() && at(2).ends_pane() && !at(2).ends_window() && at(8).ends_window());
        assert_eq!(at(8).last_left(), 1, "the window (2, 8] holds panes 2, 3 and 4");
    }

    #[test]
    fn batches_between_windows_are_in_none() {
        let held: Vec<u64> = (1..=10).filter(|&t| step(t, 2, 5).in_some_window()).collect();
        assert_eq!(held, [4, 5, 9, 10]);
    }

    #[test]
    fn lengths_and_slides_are_whole_batches() {
        let check = |length, slide| {
            let slide = Some(Duration::from_secs(slide));
            WindowSpec { length: Duration::from_secs(length), slide }.check(Duration::from_secs(10))
        };
        assert!(check(20, 10).is_ok());
        assert!(check(25, 10).unwrap_err().to_string().contains("length 25s is not a multiple of the slide 10s"));
        assert!(check(20, 5).is_err());
        assert!(check(0, 10).is_err());
    }

    #[test]
    fn a_missing_batch_is_named() {
        let slow = |since_zero| WindowStep { parent_slide: 4, ..step(since_zero, 8, 4) };
        let mut continuity = Continuity::default();
        continuity.resume(10);
        assert!(continuity.step(&slow(16)).is_err());
        continuity.step(&slow(12)).unwrap();
        let mut continuity = Continuity::default();
        continuity.step(&step(1, 2, 1)).unwrap();
        let error = continuity.step(&step(3, 2, 1)).unwrap_err();
        assert!(error.to_string().contains("lacks the batch of 2 ms"), "{error}");
    }
}
