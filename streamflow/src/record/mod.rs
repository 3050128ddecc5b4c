//! What flows through a stream: records, the views that operators see, and the blocks that hold a partition.
//!
//! A stream of a sized type (`DStream<Tweet>`, `DStream<(String, u64)>`) hands its records to operators **by value**.
//! A stream of an unsized type (`DStream<str>`, `DStream<[u8]>`) hands out **views** (`&str`, `&[u8]`) that borrow from
//! the block of the partition, so that reading a line costs no allocation. [`Record`] says, for each type, which of the
//! two it is; nobody needs to implement it.
//!
//! | module | what it holds |
//! |---|---|
//! | [`text`] | [`TextBlock`] and [`BytesBlock`]: many short strings in one allocation |
//! | [`rows`] | sized records of one partition, moved out or cloned chunk by chunk |
//! | [`own`] | how a borrowed record becomes an owned one when it crosses a stage |
//! | [`kept`] | a key as the tables of a shuffle keep it |

pub(crate) mod kept;
pub(crate) mod own;
pub(crate) mod rows;
pub(crate) mod text;

use std::any::Any;
use std::hash::Hash;
use std::sync::Arc;

use crate::state::codec::Codec;

use crate::error::Result;

pub(crate) use self::rows::Rows;
pub use self::text::{BytesBlock, TextBlock};

/// A type whose values can flow through a [`DStream`](crate::DStream).
///
/// Implemented for every sized type that is `Send + Sync + 'static`, and for `str` and `[u8]`. It cannot be
/// implemented for other types, and does not need to be: `#[derive(Record)]` is for types *with a lifetime*, and says
/// how they become owned (see [`derive@crate::Record`]).
///
/// In a generic `#[stream]` function write the plain bounds (`T: Send + Sync + 'static`), not `T: Record`: only then
/// does the compiler know that an operator receives a `T` and not some view of it.
///
/// **Source**: Spark has no counterpart, its records are JVM objects.
pub trait Record: Send + Sync + 'static {
    /// What an operator receives: `T` itself, or `&str` and `&[u8]` for the unsized records.
    type View<'a>;
    /// Immutable storage of one partition.
    type Block: Block;
    /// A block in the hands of the task that reads it.
    #[doc(hidden)]
    type Held: Send;
    /// How records of a shared block are cloned; nothing for views.
    #[doc(hidden)]
    type Cloner: Copy + Send + Sync + 'static;

    /// Takes hold of a block: moves its records out when this is the only reader, otherwise remembers how to clone them.
    #[doc(hidden)]
    fn hold(block: Arc<Self::Block>, cloner: Option<Self::Cloner>) -> Self::Held;
    /// Number of records of a held block that were not read yet.
    #[doc(hidden)]
    fn held_len(held: &Self::Held) -> usize;
    /// The records of a held block, in order.
    #[doc(hidden)]
    fn views(held: &mut Self::Held) -> impl Iterator<Item = Self::View<'_>>;
    /// How a block is written to a log, for those records that need no help of the program.
    #[doc(hidden)]
    fn block_codec() -> Option<Codec<Self::Block>> {
        None
    }
    /// Record `index` of a block without taking it.
    #[doc(hidden)]
    fn peek(block: &Self::Block, index: usize) -> &Self;
    /// Adds a record to a block.
    #[doc(hidden)]
    fn append_view(block: &mut Self::Block, record: Self::View<'_>) -> Result<()>;
    /// The record as text, if it is some kind of string: outputs print it without quotes.
    #[doc(hidden)]
    fn as_text(&self) -> Option<&str>;
}

/// Storage of one partition of a batch; the default is an empty one.
pub trait Block: Default + Send + Sync + 'static {
    /// Number of records.
    fn len(&self) -> usize;
    /// About how many bytes it takes. What sized records own on the heap is not seen.
    fn bytes(&self) -> usize;
    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What may leave its stage: records and parts of records, keys, values and states.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot leave its stage: it is not `Send + Sync + 'static`",
    label = "it would be sent to another thread here",
    note = "a shuffle sends records to other threads, and several threads may read a batch",
    note = "use `Arc` for `Rc`, and `Mutex` or an atomic type for `RefCell` and `Cell`"
)]
pub trait Data: Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Send + Sync + 'static> Data for T {}

/// What records can be told apart by.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a key: it is not `Hash + Eq`",
    label = "this needs a key",
    note = "the key decides which partition a record is shuffled to, and which records belong together",
    note = "derive `Hash, PartialEq, Eq` for it; a type with a lifetime needs `#[record(key)]` beside `#[derive(Record)]`"
)]
pub trait Key: Hash + Eq {}

#[diagnostic::do_not_recommend]
impl<T: Hash + Eq> Key for T {}

/// A record that several consumers may receive: `Clone` types, `str` and `[u8]`.
///
/// Needed wherever one record goes to two places: a handle of a stream that is cloned, a stream with two consumers, a
/// window, a source whose batches may have to be replayed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is used by more than one consumer, so it must be `Clone`",
    label = "this stream forks here",
    note = "each consumer of a record gets a record of its own; all but the last get a clone",
    note = "add `#[derive(Clone)]` to the type, or use the stream only once"
)]
pub trait Fork: Record {
    /// The function that clones records of a block, if they need one.
    #[doc(hidden)]
    fn cloner() -> Option<Self::Cloner>;
}

impl<T: Send + Sync + 'static> Record for T {
    type View<'a> = T;
    type Block = Vec<T>;
    type Held = Rows<T>;
    type Cloner = fn(&[T]) -> Vec<T>;

    fn hold(block: Arc<Vec<T>>, cloner: Option<Self::Cloner>) -> Rows<T> {
        Rows::new(block, cloner)
    }

    fn held_len(held: &Rows<T>) -> usize {
        held.size_hint().0
    }

    fn views(held: &mut Rows<T>) -> impl Iterator<Item = T> {
        held
    }

    fn peek(block: &Vec<T>, index: usize) -> &T {
        &block[index]
    }

    fn append_view(block: &mut Vec<T>, record: T) -> Result<()> {
        block.push(record);
        Ok(())
    }

    fn as_text(&self) -> Option<&str> {
        let record: &dyn Any = self;
        let owned = record.downcast_ref::<String>().map(String::as_str);
        owned.or_else(|| record.downcast_ref::<&'static str>().copied())
    }
}

impl<T: Clone + Send + Sync + 'static> Fork for T {
    fn cloner() -> Option<fn(&[T]) -> Vec<T>> {
        Some(<[T]>::to_vec)
    }
}

impl<T: Send + Sync + 'static> Block for Vec<T> {
    fn len(&self) -> usize {
        self.len()
    }

    fn bytes(&self) -> usize {
        self.len() * size_of::<T>().max(1)
    }
}

impl Record for str {
    fn block_codec() -> Option<Codec<TextBlock>> {
        Some(Codec::new())
    }

    type View<'a> = &'a str;
    type Block = TextBlock;
    type Held = Arc<TextBlock>;
    type Cloner = ();

    fn hold(block: Arc<TextBlock>, _: Option<()>) -> Arc<TextBlock> {
        block
    }

    fn held_len(held: &Arc<TextBlock>) -> usize {
        held.len()
    }

    fn views(held: &mut Arc<TextBlock>) -> impl Iterator<Item = &str> {
        held.iter()
    }

    fn peek(block: &TextBlock, index: usize) -> &str {
        block.get(index)
    }

    fn append_view(block: &mut TextBlock, record: &str) -> Result<()> {
        block.push(record)
    }

    fn as_text(&self) -> Option<&str> {
        Some(self)
    }
}

impl Fork for str {
    fn cloner() -> Option<()> {
        None
    }
}

impl Record for [u8] {
    fn block_codec() -> Option<Codec<BytesBlock>> {
        Some(Codec::new())
    }

    type View<'a> = &'a [u8];
    type Block = BytesBlock;
    type Held = Arc<BytesBlock>;
    type Cloner = ();

    fn hold(block: Arc<BytesBlock>, _: Option<()>) -> Arc<BytesBlock> {
        block
    }

    fn held_len(held: &Arc<BytesBlock>) -> usize {
        held.len()
    }

    fn views(held: &mut Arc<BytesBlock>) -> impl Iterator<Item = &[u8]> {
        held.iter()
    }

    fn peek(block: &BytesBlock, index: usize) -> &[u8] {
        block.get(index)
    }

    fn append_view(block: &mut BytesBlock, record: &[u8]) -> Result<()> {
        block.push(record)
    }

    fn as_text(&self) -> Option<&str> {
        None
    }
}

impl Fork for [u8] {
    fn cloner() -> Option<()> {
        None
    }
}
