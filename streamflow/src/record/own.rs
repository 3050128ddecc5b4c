//! How a record that borrows becomes one that owns, and only where it must.
//!
//! Inside a stage records may borrow from the batch. What leaves the stage must own its data: `&str` becomes `String`,
//! `(&str, u64)` becomes `(String, u64)`. A key is looked up by its view and owned only when it is new, so a word count
//! allocates once per distinct word.
//!
//! The emitted code cannot name types, so it selects by auto-reference: `(&&&&tag(&x)).how().lift(x)` finds
//! [`HowView`] for the types that may borrow ([`Borrowing`]) and falls back to [`HowId`] for everything else, which is
//! then taken as it is. Integer literals whose type is not known yet take the second way, so a declared `u64` still
//! decides them.
//!
//! **Invariant**: a view and its owned form hash alike and compare alike; the shuffle depends on it.

use std::any::Any;
use std::borrow::Cow;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use super::Key;

/// A record that can become owned.
pub trait Own: Sized {
    /// The owned form: `String` for `&str`, itself for what owns already.
    type Owned: Send + Sync + 'static;
    /// Makes the owned form.
    fn own(self) -> Self::Owned;
}

/// A view that can stand for its owned form as a key.
///
/// # Contract
/// `hash_view` feeds the hasher exactly what [`Hash`] of the owned form would, and `same` is its equality.
pub trait OwnKey: Own<Owned: Hash + Eq> {
    /// Hashes the view as its owned form would be hashed.
    fn hash_view<H: Hasher>(&self, state: &mut H);
    /// Whether `owned` is the owned form of this view.
    fn same(&self, owned: &Self::Owned) -> bool;
    /// The text that becomes a `String`; must be given by views whose owned form is one.
    #[inline]
    fn text(&self) -> Option<&str> {
        None
    }
}

/// A `String` behind a type parameter.
#[inline]
fn text_of<T: 'static>(value: &T) -> Option<&str> {
    (value as &dyn Any).downcast_ref::<String>().map(String::as_str)
}

/// Marks the types that may hold references, the only ones that take the owning path at the top level.
pub trait Borrowing: Own {}

macro_rules! own_is_self {
    ($($(#[$meta:meta])* [$($generics:tt)*] $type:ty),* $(,)?) => {$(
        impl<$($generics)*> Own for $type {
            type Owned = Self;
            #[inline]
            fn own(self) -> Self { self }
        }
    )*};
}

macro_rules! key_is_self {
    ($($type:ty),* $(,)?) => {$(
        own_is_self!([] $type);
        impl OwnKey for $type {
            #[inline]
            fn hash_view<H: Hasher>(&self, state: &mut H) { self.hash(state); }
            #[inline]
            fn same(&self, owned: &Self) -> bool { self == owned }
            #[inline]
            fn text(&self) -> Option<&str> { text_of(self) }
        }
    )*};
}

key_is_self!(
    (),
    bool,
    char,
    u8,
    u16,
    u32,
    u64,
    u128,
    usize,
    i8,
    i16,
    i32,
    i64,
    i128,
    isize,
    String,
    Box<str>,
    std::sync::Arc<str>,
    std::time::Duration,
    std::time::SystemTime,
    std::time::Instant,
    std::net::IpAddr,
    std::net::Ipv4Addr,
    std::net::Ipv6Addr,
    std::net::SocketAddr,
    std::path::PathBuf,
    std::num::NonZeroU32,
    std::num::NonZeroU64,
    std::cmp::Ordering,
    crate::time::BatchTime,
);

own_is_self!(
    [] f32,
    [] f64,
    [T: Send + Sync + 'static] std::sync::Arc<T>,
    [T: Send + Sync + 'static] Box<T>,
    [K: Send + Sync + 'static, V: Send + Sync + 'static, S: Send + Sync + 'static] std::collections::HashMap<K, V, S>,
    [K: Send + Sync + 'static, S: Send + Sync + 'static] std::collections::HashSet<K, S>,
    [K: Send + Sync + 'static, V: Send + Sync + 'static] std::collections::BTreeMap<K, V>,
    [K: Send + Sync + 'static] std::collections::BTreeSet<K>,
);

impl Own for &str {
    type Owned = String;
    #[inline]
    fn own(self) -> String {
        self.to_owned()
    }
}

impl OwnKey for &str {
    #[inline]
    fn hash_view<H: Hasher>(&self, state: &mut H) {
        self.hash(state);
    }
    #[inline]
    fn same(&self, owned: &String) -> bool {
        *self == owned.as_str()
    }
    #[inline]
    fn text(&self) -> Option<&str> {
        Some(self)
    }
}

impl<T: Clone + Send + Sync + 'static> Own for &[T] {
    type Owned = Vec<T>;
    #[inline]
    fn own(self) -> Vec<T> {
        self.to_vec()
    }
}

impl<T: Clone + Hash + Eq + Send + Sync + 'static> OwnKey for &[T] {
    #[inline]
    fn hash_view<H: Hasher>(&self, state: &mut H) {
        self.hash(state);
    }
    #[inline]
    fn same(&self, owned: &Vec<T>) -> bool {
        *self == owned.as_slice()
    }
}

/// A reference to a record owns by cloning.
impl<T: Clone + Send + Sync + 'static> Own for &T {
    type Owned = T;
    #[inline]
    fn own(self) -> T {
        self.clone()
    }
}

impl<T: Clone + Hash + Eq + Send + Sync + 'static> OwnKey for &T {
    #[inline]
    fn hash_view<H: Hasher>(&self, state: &mut H) {
        self.hash(state);
    }
    #[inline]
    fn same(&self, owned: &T) -> bool {
        *self == owned
    }
    #[inline]
    fn text(&self) -> Option<&str> {
        text_of(*self)
    }
}

impl Own for Cow<'_, str> {
    type Owned = String;
    #[inline]
    fn own(self) -> String {
        self.into_owned()
    }
}

impl OwnKey for Cow<'_, str> {
    #[inline]
    fn hash_view<H: Hasher>(&self, state: &mut H) {
        self.hash(state);
    }
    #[inline]
    fn same(&self, owned: &String) -> bool {
        self.as_ref() == owned.as_str()
    }
    #[inline]
    fn text(&self) -> Option<&str> {
        Some(self)
    }
}

impl Own for Cow<'_, [u8]> {
    type Owned = Vec<u8>;
    #[inline]
    fn own(self) -> Vec<u8> {
        self.into_owned()
    }
}

impl OwnKey for Cow<'_, [u8]> {
    #[inline]
    fn hash_view<H: Hasher>(&self, state: &mut H) {
        self.hash(state);
    }
    #[inline]
    fn same(&self, owned: &Vec<u8>) -> bool {
        self.as_ref() == owned.as_slice()
    }
}

impl<T: Own> Own for Option<T> {
    type Owned = Option<T::Owned>;
    #[inline]
    fn own(self) -> Self::Owned {
        self.map(Own::own)
    }
}

impl<T: OwnKey> OwnKey for Option<T> {
    #[inline]
    fn hash_view<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        if let Some(view) = self {
            view.hash_view(state);
        }
    }
    #[inline]
    fn same(&self, owned: &Self::Owned) -> bool {
        match (self, owned) {
            (Some(view), Some(owned)) => view.same(owned),
            (None, None) => true,
            _ => false,
        }
    }
}

impl<T: Own, E: Own> Own for Result<T, E> {
    type Owned = Result<T::Owned, E::Owned>;
    #[inline]
    fn own(self) -> Self::Owned {
        self.map(Own::own).map_err(Own::own)
    }
}

impl<T: Own> Own for Vec<T> {
    type Owned = Vec<T::Owned>;
    fn own(self) -> Self::Owned {
        // Collecting in place: no new allocation when the owned form has the size of the view.
        self.into_iter().map(Own::own).collect()
    }
}

impl<T: OwnKey> OwnKey for Vec<T> {
    fn hash_view<H: Hasher>(&self, state: &mut H) {
        // What the standard library feeds a hasher for a slice: its length, then its elements.
        state.write_usize(self.len());
        for view in self {
            view.hash_view(state);
        }
    }
    fn same(&self, owned: &Self::Owned) -> bool {
        self.len() == owned.len() && self.iter().zip(owned).all(|(view, owned)| view.same(owned))
    }
}

macro_rules! tuples {
    ($(($($name:ident $index:tt),+))*) => {$(
        impl<$($name: Own),+> Own for ($($name,)+) {
            type Owned = ($($name::Owned,)+);
            #[inline]
            fn own(self) -> Self::Owned { ($(self.$index.own(),)+) }
        }
        impl<$($name: OwnKey),+> OwnKey for ($($name,)+) {
            #[inline]
            fn hash_view<State: Hasher>(&self, state: &mut State) { $(self.$index.hash_view(state);)+ }
            #[inline]
            fn same(&self, owned: &Self::Owned) -> bool { $(self.$index.same(&owned.$index))&&+ }
        }
        impl<$($name: Own),+> Borrowing for ($($name,)+) {}
    )*};
}

tuples! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
}

impl Borrowing for &str {}
impl<T: Clone + Send + Sync + 'static> Borrowing for &[T] {}
impl<T: Clone + Send + Sync + 'static> Borrowing for &T {}
impl Borrowing for Cow<'_, str> {}
impl Borrowing for Cow<'_, [u8]> {}
impl<T: Borrowing> Borrowing for Option<T> {}
impl<T: Borrowing> Borrowing for Vec<T> {}
impl<T: Borrowing, E: Own> Borrowing for Result<T, E> {}

/// Carries the type of a record to the selection without touching the record.
pub struct Tag<T>(PhantomData<T>);

/// The tag of a record.
#[inline]
pub fn tag<T>(_: &T) -> Tag<T> {
    Tag(PhantomData)
}

/// Selected for types that may borrow.
pub struct ByView;
/// Selected for everything else.
pub struct ById;
/// Selected for pairs of which one half borrows and the other is a foreign type.
pub struct ByHalf<const BORROWS: usize>;

/// First choice: every part of the record says how it is owned.
pub trait HowView {
    /// The way that was selected.
    #[inline]
    fn how(&self) -> ByView {
        ByView
    }
}
impl<T: Borrowing> HowView for &&&Tag<T> {}

/// Second choice: a pair whose first half borrows; the second is taken as it is.
pub trait HowFirst {
    /// The way that was selected.
    #[inline]
    fn how(&self) -> ByHalf<0> {
        ByHalf
    }
}
impl<A: Borrowing, B> HowFirst for &&Tag<(A, B)> {}

/// Third choice: a pair whose second half borrows; the first is taken as it is.
pub trait HowSecond {
    /// The way that was selected.
    #[inline]
    fn how(&self) -> ByHalf<1> {
        ByHalf
    }
}
impl<A, B: Borrowing> HowSecond for &Tag<(A, B)> {}

/// Last choice: the record is taken as it is.
pub trait HowId {
    /// The way that was selected.
    #[inline]
    fn how(&self) -> ById {
        ById
    }
}
impl<T> HowId for Tag<T> {}

impl ByView {
    /// Wraps a view.
    #[inline]
    pub fn lift<T: Own>(self, view: T) -> Viewed<T> {
        Viewed(view)
    }
}

impl ByHalf<0> {
    /// Wraps a pair with a borrowing first half.
    #[inline]
    pub fn lift<A: Own, B>(self, (a, b): (A, B)) -> Viewed<(A, Whole<B>)>
    where
        Whole<B>: Own,
    {
        Viewed((a, Whole(b)))
    }
}

impl ByHalf<1> {
    /// Wraps a pair with a borrowing second half.
    #[inline]
    pub fn lift<A, B: Own>(self, (a, b): (A, B)) -> Viewed<(Whole<A>, B)>
    where
        Whole<A>: Own,
    {
        Viewed((Whole(a), b))
    }
}

impl ById {
    /// Wraps a record that is taken as it is.
    #[inline]
    pub fn lift<T>(self, record: T) -> Id<T>
    where
        T: 'static, // a type of yours that borrows leaves a stage only with `#[derive(Record)]`
    {
        Id(record)
    }
}

/// A key that is looked up, but not moved.
pub trait FindKey {
    /// The owned form of the key.
    type Owned;
    /// Hashes the key as its owned form would be hashed.
    fn hash_key<H: Hasher>(&self, state: &mut H);
    /// Whether `owned` is the owned form of this key.
    fn same_key(&self, owned: &Self::Owned) -> bool;
    /// The text of the key, if its owned form is a `String`.
    fn text(&self) -> Option<&str>;
}

/// A key looked up by its view.
pub struct FindView<'k, T>(&'k T);

/// A key looked up as it is.
pub struct FindId<'k, T>(pub(crate) &'k T);

impl<T: OwnKey> FindKey for FindView<'_, T> {
    type Owned = T::Owned;
    #[inline]
    fn hash_key<H: Hasher>(&self, state: &mut H) {
        self.0.hash_view(state);
    }
    #[inline]
    fn same_key(&self, owned: &T::Owned) -> bool {
        self.0.same(owned)
    }
    #[inline]
    fn text(&self) -> Option<&str> {
        self.0.text()
    }
}

impl<T: Hash + Eq + 'static> FindKey for FindId<'_, T> {
    type Owned = T;
    #[inline]
    fn hash_key<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
    #[inline]
    fn same_key(&self, owned: &T) -> bool {
        self.0 == owned
    }
    #[inline]
    fn text(&self) -> Option<&str> {
        text_of(self.0)
    }
}

impl ByView {
    /// A key to look up.
    #[inline]
    pub fn find<T>(self, key: &T) -> FindView<'_, T> {
        FindView(key)
    }
}

impl ById {
    /// A key to look up.
    #[inline]
    pub fn find<T>(self, key: &T) -> FindId<'_, T> {
        FindId(key)
    }
}

/// A half of a pair that is its own owned form.
pub struct Whole<T>(T);

impl<T: Send + Sync + 'static> Own for Whole<T> {
    type Owned = T;
    #[inline]
    fn own(self) -> T {
        self.0
    }
}

impl<T: Hash + Eq + Send + Sync + 'static> OwnKey for Whole<T> {
    #[inline]
    fn hash_view<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
    #[inline]
    fn same(&self, owned: &T) -> bool {
        self.0 == *owned
    }
    #[inline]
    fn text(&self) -> Option<&str> {
        text_of(&self.0)
    }
}

/// A record on its way out of a stage, not owned yet.
pub trait Lifted {
    /// The owned form.
    type Owned;
    /// Makes the owned form.
    fn own(self) -> Self::Owned;
}

/// The record type that the user declared for a stream, and the one that it has.
#[diagnostic::on_unimplemented(
    message = "this stream is declared as `DStream<{Declared}>`, but its records are `{Self}`",
    label = "records of type `{Self}` arrive here",
    note = "declared types are those of owned records: `String` for `&str`"
)]
pub trait DeclaredAs<Declared> {
    /// The record.
    fn declared(self) -> Declared;
}

#[diagnostic::do_not_recommend]
impl<T> DeclaredAs<T> for T {
    #[inline(always)]
    fn declared(self) -> T {
        self
    }
}

/// A record of the declared type.
#[inline(always)]
pub fn declared<T>(record: impl Lifted<Owned: DeclaredAs<T>>) -> Id<T> {
    Id(record.own().declared())
}

/// A lifted record that can be looked up as a key.
#[diagnostic::on_unimplemented(
    message = "a key must be `Hash + Eq`, but this stream's key is not",
    note = "the key decides which partition a record is shuffled to, and which records belong together",
    note = "derive `Hash, PartialEq, Eq` for it; a type with a lifetime needs `#[record(key)]` beside `#[derive(Record)]`"
)]
pub trait LiftedKey: Lifted<Owned: Hash + Eq> {
    /// Hashes the key as its owned form would be hashed.
    fn hash_key<H: Hasher>(&self, state: &mut H);
    /// Whether `owned` is the owned form of this key.
    fn same_key(&self, owned: &Self::Owned) -> bool;
    /// The text of the key, if its owned form is a `String`.
    fn text(&self) -> Option<&str>;
}

/// A view, or a record that may hold references.
pub struct Viewed<T>(T);

impl<T: Own> Lifted for Viewed<T> {
    type Owned = T::Owned;
    #[inline]
    fn own(self) -> T::Owned {
        self.0.own()
    }
}

impl<T: OwnKey> LiftedKey for Viewed<T> {
    #[inline]
    fn hash_key<H: Hasher>(&self, state: &mut H) {
        self.0.hash_view(state);
    }
    #[inline]
    fn same_key(&self, owned: &T::Owned) -> bool {
        self.0.same(owned)
    }
    #[inline]
    fn text(&self) -> Option<&str> {
        self.0.text()
    }
}

/// A record that is its own owned form.
pub struct Id<T>(pub(crate) T);

impl<T> Lifted for Id<T> {
    type Owned = T;
    #[inline]
    fn own(self) -> T {
        self.0
    }
}

impl<T: Key + 'static> LiftedKey for Id<T> {
    #[inline]
    fn hash_key<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
    #[inline]
    fn same_key(&self, owned: &T) -> bool {
        self.0 == *owned
    }
    #[inline]
    fn text(&self) -> Option<&str> {
        text_of(&self.0)
    }
}

macro_rules! lifted_tuples {
    ($(($($name:ident $index:tt),+))*) => {$(
        impl<$($name: Lifted),+> Lifted for ($($name,)+) {
            type Owned = ($($name::Owned,)+);
            #[inline]
            fn own(self) -> Self::Owned { ($(self.$index.own(),)+) }
        }
        impl<$($name: LiftedKey),+> LiftedKey for ($($name,)+) {
            #[inline]
            fn hash_key<State: Hasher>(&self, state: &mut State) { $(self.$index.hash_key(state);)+ }
            #[inline]
            fn same_key(&self, owned: &Self::Owned) -> bool { $(self.$index.same_key(&owned.$index))&&+ }
            #[inline]
            fn text(&self) -> Option<&str> { None }
        }
    )*};
}

lifted_tuples! {
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::{BuildHasher, RandomState};

    macro_rules! lift {
        ($record:expr) => {{
            let record = $record;
            (&&&&tag(&record)).how().lift(record)
        }};
    }

    fn agrees<L: LiftedKey>(lifted: L, owned: L::Owned)
    where
        L::Owned: Hash,
    {
        let hashes = RandomState::new();
        let mut state = hashes.build_hasher();
        lifted.hash_key(&mut state);
        assert_eq!(state.finish(), hashes.hash_one(&owned));
        assert!(lifted.same_key(&owned));
        assert_eq!(hashes.hash_one(lifted.own()), hashes.hash_one(&owned));
    }

    #[derive(Hash, PartialEq, Eq)]
    struct Foreign(u8);

    #[test]
    fn views_hash_and_compare_as_what_they_become() {
        agrees(lift!("word"), "word".to_owned());
        agrees(lift!(7_u64), 7);
        agrees(lift!(("word", 7_u8)), ("word".to_owned(), 7));
        agrees(lift!((Foreign(1), "word")), (Foreign(1), "word".to_owned()));
        agrees(lift!(("word", Foreign(1))), ("word".to_owned(), Foreign(1)));
        agrees(lift!(Foreign(3)), Foreign(3));
        agrees(lift!(Some("word")), Some("word".to_owned()));
        agrees(lift!(None::<&str>), None);
        agrees(lift!(vec!["a", "b"]), vec!["a".to_owned(), "b".to_owned()]);
        agrees(lift!(&[1_u8, 2][..]), vec![1, 2]);
        agrees(lift!(Cow::Borrowed("word")), "word".to_owned());
        agrees(lift!(&7_u32), 7);
        agrees(lift!(("a", ("b", 1_u8))), ("a".to_owned(), ("b".to_owned(), 1)));
    }

    #[test]
    fn an_untyped_literal_is_decided_later() {
        let lifted = lift!(1);
        let value: u64 = lifted.own();
        assert_eq!(value, 1);
    }
}
