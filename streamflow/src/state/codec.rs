//! How keys and states are written to a checkpoint and read back.
//!
//! A stream's types need nothing for this to compile: the emitted code looks whether they are `Serialize` and
//! `DeserializeOwned`, by the same auto-reference that selects how records are owned. A program with a checkpoint directory
//! whose state cannot be written is refused at the start, with the operator and the types.

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// Writes and reads values of one type, in postcard's encoding.
pub struct Codec<T> {
    encode: fn(&T, Vec<u8>) -> postcard::Result<Vec<u8>>,
    decode: fn(&[u8]) -> postcard::Result<(T, &[u8])>,
}

impl<T> Clone for Codec<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Codec<T> {}

impl<T: Serialize + DeserializeOwned> Codec<T> {
    /// The codec of a type that serde can write and read.
    pub fn new() -> Self {
        Self {
            encode: |value, buffer| postcard::to_extend(value, buffer),
            decode: |bytes| postcard::take_from_bytes(bytes),
        }
    }
}

impl<T: Serialize + DeserializeOwned> Default for Codec<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Codec<T> {
    /// Appends a value to a buffer.
    pub(crate) fn write(&self, value: &T, buffer: &mut Vec<u8>) -> Result<()> {
        *buffer = (self.encode)(value, std::mem::take(buffer)).map_err(|error| {
            Error::output(format!("a `{}` cannot be written to the checkpoint", crate::plan::explain::type_name::<T>()))
                .because(error)
        })?;
        Ok(())
    }

    /// Takes a value from the front of the bytes.
    pub(crate) fn read(&self, bytes: &mut &[u8]) -> Result<T> {
        let (value, rest) = (self.decode)(bytes).map_err(|error| {
            let what = crate::plan::explain::type_name::<T>();
            Error::input(format!("what the checkpoint holds is not a `{what}`, as this program expects")).because(error)
        })?;
        *bytes = rest;
        Ok(value)
    }
}

/// Carries a type to the selection of its codec.
pub struct CodecTag<T>(PhantomData<fn() -> T>);

impl<T> CodecTag<T> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }
}

/// Carries the types of a key and its state to the selection of their codecs.
pub struct PairTag<K, S>(PhantomData<fn() -> (K, S)>);

impl<K, S> PairTag<K, S> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }
}

/// The codecs of a key and its state.
pub struct PairCodec<K, S> {
    pub(crate) key: Codec<K>,
    pub(crate) state: Codec<S>,
}

impl<K, S> Clone for PairCodec<K, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, S> Copy for PairCodec<K, S> {}

/// First choice: the type can be written.
pub trait HasCodec {
    /// The codec, or codecs.
    type Codec;
    /// The codec of the type.
    fn codec(&self) -> Option<Self::Codec>;
}

impl<T: Serialize + DeserializeOwned> HasCodec for &CodecTag<T> {
    type Codec = Codec<T>;
    fn codec(&self) -> Option<Codec<T>> {
        Some(Codec::new())
    }
}

impl<K, S> HasCodec for &PairTag<K, S>
where
    K: Serialize + DeserializeOwned,
    S: Serialize + DeserializeOwned,
{
    type Codec = PairCodec<K, S>;
    fn codec(&self) -> Option<PairCodec<K, S>> {
        Some(PairCodec { key: Codec::new(), state: Codec::new() })
    }
}

/// Last choice: it cannot.
pub trait NoCodec {
    /// The codec, or codecs, that there would be.
    type Codec;
    /// Nothing.
    fn codec(&self) -> Option<Self::Codec> {
        None
    }
}

impl<T> NoCodec for CodecTag<T> {
    type Codec = Codec<T>;
}

impl<K, S> NoCodec for PairTag<K, S> {
    type Codec = PairCodec<K, S>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::needless_borrow, reason = "the references select the implementation, as in the emitted code")]
    fn codecs_are_found_where_they_exist() {
        struct Opaque;
        assert!((&&CodecTag::<(String, u64)>::new()).codec().is_some());
        assert!((&&CodecTag::<Opaque>::new()).codec().is_none());
        assert!((&&PairTag::<String, Vec<u8>>::new()).codec().is_some());
        assert!((&&PairTag::<String, Opaque>::new()).codec().is_none());
    }

    #[test]
    fn values_are_read_one_after_the_other() {
        let (key, state) = (Codec::<String>::new(), Codec::<u64>::new());
        let mut buffer = Vec::new();
        key.write(&"word".to_owned(), &mut buffer).unwrap();
        state.write(&7, &mut buffer).unwrap();
        let mut bytes = &buffer[..];
        assert_eq!(key.read(&mut bytes).unwrap(), "word");
        assert_eq!(state.read(&mut bytes).unwrap(), 7);
        assert!(bytes.is_empty());
        assert!(state.read(&mut bytes).is_err());
    }
}
