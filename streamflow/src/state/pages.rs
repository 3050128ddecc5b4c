//! What makes far memory nearer: large pages, and asking early.
//!
//! A look-up of a key in a table of many megabytes waits less for the memory itself than for the system's tables that say
//! where the memory is: there is an entry for each 4 KiB, and the processor remembers some thousand. Linux has entries for
//! 2 MiB too, and uses them where a program asks.

/// An empty vector with room for so many items, in large pages if that is much memory and the system has them.
pub(crate) fn with_room<T>(items: usize) -> Vec<T> {
    let mut vec = Vec::with_capacity(items);
    prefer_large(vec.spare_capacity_mut());
    vec
}

#[cfg(target_os = "linux")]
fn prefer_large<T>(memory: &mut [std::mem::MaybeUninit<T>]) {
    const LARGE: usize = 2 << 20;
    let (first, bytes) = (memory.as_mut_ptr().cast::<u8>(), size_of_val(memory));
    let before = first.align_offset(LARGE);
    let whole = bytes.saturating_sub(before) / LARGE * LARGE;
    if whole > 0 {
        // SAFETY: the range lies in memory that is borrowed here. The call is a wish: it changes no content, and nothing
        // depends on whether it is granted.
        unsafe { libc::madvise(first.add(before).cast(), whole, libc::MADV_HUGEPAGE) };
    }
}

#[cfg(not(target_os = "linux"))]
fn prefer_large<T>(_: &mut [std::mem::MaybeUninit<T>]) {}

/// Asks for memory that is read soon, and does not wait for it. Many such reads then wait side by side.
#[inline(always)]
pub(crate) fn bring_near<T>(memory: Option<&T>) {
    #[cfg(target_arch = "x86_64")]
    if let Some(memory) = memory {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint, which changes nothing, for memory that may be read.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(memory).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = memory;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_room() {
        for items in [0, 1, 1 << 20] {
            let mut vec = with_room::<u64>(items);
            assert!(vec.is_empty() && vec.capacity() >= items);
            vec.resize(items, 7);
            assert!(vec.iter().all(|item| *item == 7));
        }
        assert!(with_room::<()>(5).capacity() >= 5);
        bring_near(Some(&5));
        bring_near::<()>(None);
    }
}
