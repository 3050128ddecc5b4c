//! A key as the tables of a shuffle keep it: text that is short lies in the table itself.
//!
//! Most keys that are text are short. A `String` for each costs an allocation when the key is new, and a look into far
//! memory whenever it is compared. So a key of type `String` is kept in the same 24 bytes as [`Text`], which holds up to
//! [`INLINE`] bytes of text in place; it becomes a `String` when it leaves the shuffle as part of a record. A key of any
//! other type is kept as it is.

use std::any::TypeId;
use std::hash::{Hash, Hasher};
use std::mem::{ManuallyDrop, MaybeUninit};

use super::own::{FindKey, LiftedKey};

/// Most bytes of text that are kept in place: the size of a `String` without a length and a tag.
const INLINE: usize = size_of::<String>() - 2;

/// Text in the size of a `String`.
enum Text {
    Inline { len: u8, bytes: [u8; INLINE] },
    Heap(Box<str>),
}

const _: () = assert!(size_of::<Text>() == size_of::<String>() && align_of::<Text>() <= align_of::<String>());

impl Text {
    #[inline]
    fn new(text: &str) -> Self {
        if text.len() > INLINE {
            return Self::Heap(text.into());
        }
        let mut bytes = [0; INLINE];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Self::Inline { len: text.len() as u8, bytes }
    }

    #[inline]
    fn as_str(&self) -> &str {
        match self {
            // SAFETY: `new` copied `len` bytes of a `str` to the front of `bytes`, and nothing changes them.
            Self::Inline { len, bytes } => unsafe {
                str::from_utf8_unchecked(bytes.get_unchecked(..usize::from(*len)))
            },
            Self::Heap(text) => text,
        }
    }

    #[inline]
    fn is(&self, text: &str) -> bool {
        match self {
            Self::Inline { .. } => same_short(self.as_str().as_bytes(), text.as_bytes()),
            Self::Heap(kept) => **kept == *text,
        }
    }

    fn into_string(self) -> String {
        match self {
            Self::Inline { .. } => self.as_str().to_owned(),
            Self::Heap(text) => text.into_string(),
        }
    }
}

/// Whether `kept`, which has at most 24 bytes, equals `bytes`.
///
/// A word is compared for every record: in two or three registers that is much faster than by a call. The first and the
/// last register overlap, so no length needs a loop.
#[inline]
fn same_short(kept: &[u8], bytes: &[u8]) -> bool {
    let len = kept.len();
    if len != bytes.len() {
        return false;
    }
    let eight = |at: usize| kept[at..at + 8] == bytes[at..at + 8];
    let four = |at: usize| kept[at..at + 4] == bytes[at..at + 4];
    match len {
        0 => true,
        1..4 => kept[0] == bytes[0] && kept[len / 2] == bytes[len / 2] && kept[len - 1] == bytes[len - 1],
        4..8 => four(0) && four(len - 4),
        _ => eight(0) && eight(len - 8) && (len <= 16 || eight(8)),
    }
}

/// A key of type `K` in a table.
///
/// **Invariant**: it holds a [`Text`] if `K` is `String`, otherwise a `K`.
#[repr(transparent)]
pub(crate) struct Kept<K: 'static>(MaybeUninit<K>);

impl<K: 'static> Kept<K> {
    /// Whether keys of this type are kept as [`Text`]; known when the code is compiled.
    #[inline]
    fn is_text() -> bool {
        TypeId::of::<K>() == TypeId::of::<String>()
    }

    /// Keeps an owned key.
    #[inline]
    pub(crate) fn new(key: K) -> Self {
        if !Self::is_text() {
            return Self(MaybeUninit::new(key));
        }
        let key = ManuallyDrop::new(key);
        // SAFETY: `K` is `String`, and `key` is not used again, nor dropped.
        let key = unsafe { std::ptr::read((&raw const key).cast::<String>()) };
        Self::from_text(if key.len() > INLINE { Text::Heap(key.into_boxed_str()) } else { Text::new(&key) })
    }

    /// Keeps a key by its view.
    #[inline]
    pub(crate) fn lifted<Q: LiftedKey<Owned = K>>(key: Q) -> Self {
        match key.text() {
            Some(text) if Self::is_text() => Self::from_text(Text::new(text)),
            _ => Self::new(key.own()),
        }
    }

    #[inline]
    fn from_text(text: Text) -> Self {
        assert!(Self::is_text());
        let mut kept = MaybeUninit::<K>::uninit();
        // SAFETY: `K` is `String`, which is as large as a `Text`, at least as aligned, and without padding that a move
        // could lose.
        unsafe { kept.as_mut_ptr().cast::<Text>().write(text) };
        Self(kept)
    }

    #[inline]
    fn as_text(&self) -> Option<&Text> {
        // SAFETY: by the invariant it holds a `Text` if `K` is `String`.
        Self::is_text().then(|| unsafe { &*self.0.as_ptr().cast::<Text>() })
    }

    /// A copy of the key as part of a record.
    #[inline]
    pub(crate) fn to_key(&self) -> K
    where
        K: Clone,
    {
        match self.as_text() {
            Some(text) => Self::from_text(Text::new(text.as_str())).into_key(),
            // SAFETY: by the invariant it holds a `K`.
            None => unsafe { self.0.assume_init_ref() }.clone(),
        }
    }

    /// The key as part of a record.
    #[inline]
    pub(crate) fn into_key(self) -> K {
        let kept = ManuallyDrop::new(self);
        if !Self::is_text() {
            // SAFETY: by the invariant it holds a `K`, which is read once: `kept` is not dropped.
            return unsafe { kept.0.assume_init_read() };
        }
        // SAFETY: by the invariant it holds a `Text`, which is read once: `kept` is not dropped.
        let text = unsafe { kept.0.as_ptr().cast::<Text>().read() };
        let key = ManuallyDrop::new(text.into_string());
        // SAFETY: `K` is `String`, and `key` is not used again, nor dropped.
        unsafe { std::ptr::read((&raw const key).cast::<K>()) }
    }

    /// Whether this is the owned form of `key`.
    #[inline]
    pub(crate) fn is<Q: LiftedKey<Owned = K>>(&self, key: &Q) -> bool {
        self.matches(key.text(), |owned| key.same_key(owned))
    }

    /// Whether this is the owned form of a key that is looked up.
    #[inline]
    pub(crate) fn is_found<Q: FindKey<Owned = K>>(&self, key: &Q) -> bool {
        self.matches(key.text(), |owned| key.same_key(owned))
    }

    #[inline]
    fn matches(&self, text: Option<&str>, same: impl Fn(&K) -> bool) -> bool {
        match (self.as_text(), text) {
            (Some(kept), Some(text)) => kept.is(text),
            // Keys that become a `String` know their text; one that did not would still be compared rightly.
            (Some(kept), None) => same(&Self::from_text(Text::new(kept.as_str())).into_key()),
            // SAFETY: by the invariant it holds a `K`.
            (None, _) => same(unsafe { self.0.assume_init_ref() }),
        }
    }

    /// Hashes the key as its owned form would be hashed.
    #[inline]
    pub(crate) fn hash<H: Hasher>(&self, state: &mut H)
    where
        K: Hash,
    {
        match self.as_text() {
            Some(text) => text.as_str().hash(state),
            // SAFETY: by the invariant it holds a `K`.
            None => unsafe { self.0.assume_init_ref() }.hash(state),
        }
    }

    /// Whether both are the same key.
    #[inline]
    pub(crate) fn same(&self, other: &Self) -> bool
    where
        K: Eq,
    {
        match (self.as_text(), other.as_text()) {
            (Some(left), Some(right)) => left.is(right.as_str()),
            // SAFETY: by the invariant both hold a `K`.
            _ => unsafe { self.0.assume_init_ref() == other.0.assume_init_ref() },
        }
    }
}

impl<K: 'static> Drop for Kept<K> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: by the invariant it holds a `Text` if `K` is `String`, otherwise a `K`; neither is used again.
        unsafe {
            if Self::is_text() {
                self.0.as_mut_ptr().cast::<Text>().drop_in_place();
            } else {
                self.0.assume_init_drop();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::own::{HowView as _, tag};

    fn comes_back<K: Clone + Eq + std::fmt::Debug + 'static>(key: K) {
        let kept = Kept::new(key.clone());
        assert!(kept.same(&Kept::new(key.clone())));
        assert_eq!(kept.into_key(), key);
    }

    #[test]
    fn short_text_differs_in_any_byte_or_in_length() {
        for len in 0..=INLINE {
            let text = vec![b'a'; len];
            assert!(same_short(&text, &text.clone()));
            assert!(!same_short(&text, &vec![b'a'; len + 1]));
            for place in 0..len {
                let mut other = text.clone();
                other[place] = b'b';
                assert!(!same_short(&text, &other), "byte {place} of {len}");
            }
        }
    }

    #[test]
    fn keys_come_back_as_they_were() {
        for len in [0, 1, INLINE - 1, INLINE, INLINE + 1, 100] {
            comes_back("é".repeat(len / 2) + &"x".repeat(len % 2));
        }
        comes_back(7_u64);
        comes_back(("pair".to_owned(), 3_u8));
        comes_back(vec![1, 2, 3]);
    }

    #[test]
    fn views_are_kept_as_their_owned_form() {
        for len in [0, 3, INLINE, INLINE + 1] {
            let text = "x".repeat(len);
            let lift = |text| {
                let view: &str = text;
                (&&&&tag(&view)).how().lift(view)
            };
            let kept: Kept<String> = Kept::lifted(lift(&text));
            assert!(kept.is(&lift(&text)) && !kept.is(&lift("other")));
            let owned = text.clone();
            assert!(kept.is(&crate::record::own::ById.lift(owned)));
            assert!(kept.same(&Kept::new(text.clone())));
            assert_eq!(kept.into_key(), text);
        }
    }

    #[test]
    fn a_kept_key_is_dropped_once() {
        let shared = std::sync::Arc::new(());
        drop(Kept::new(std::sync::Arc::clone(&shared)));
        drop(Kept::new(std::sync::Arc::clone(&shared)).into_key());
        assert_eq!(std::sync::Arc::strong_count(&shared), 1);
        drop(Kept::new("x".repeat(100)));
    }
}
