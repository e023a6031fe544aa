//! JSON objects, strictly: no member twice, and what is not looked at passes byte for byte.
//!
//! RFC 8259 section 4 leaves open which of two equal names counts, so two parsers may see two
//! documents in one. Here such a document is refused.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use bytes::Bytes;
use memchr::memchr;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer as _};
use serde_json::ser::CompactFormatter;
use serde_json::value::RawValue;

/// The members of an object in their order, each value as it is written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Members<'a>(Vec<(Cow<'a, str>, Cow<'a, RawValue>)>);

impl<'a> Members<'a> {
    /// None yet, with room for as many as most documents have.
    pub(crate) fn new() -> Self {
        Self(Vec::with_capacity(20))
    }

    pub(crate) fn parse(text: &'a [u8]) -> Result<Self, serde_json::Error> {
        // of another kind of value the parser's error would quote what is there
        if text.trim_ascii_start().first() != Some(&b'{') {
            return Err(serde_json::Error::custom("it does not begin with '{'"));
        }
        // at once, not string by string
        match str::from_utf8(text) {
            Ok(text) => serde_json::from_str(text),
            Err(_) => serde_json::from_slice(text),
        }
    }

    fn has_twice(&self) -> bool {
        // texts are compared only where numbers are equal
        let start = |name: &str| name.bytes().take(8).fold(0, |n, byte| n << 8 | u64::from(byte));
        let mut names: Vec<_> = self.names().map(|name| (start(name), name)).collect();
        names.sort_unstable();
        names.windows(2).any(|pair| matches!(pair, [a, b] if a == b))
    }

    /// The value of a member, where it is there, not null, and of the type that is wanted.
    pub(crate) fn get<'s, T: Deserialize<'s>>(&'s self, name: &str) -> Option<T> {
        serde_json::from_str::<Option<T>>(self.raw(name)?.get()).ok().flatten()
    }

    /// The value of a member that is a string.
    pub(crate) fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        let raw = self.raw(name)?.get();
        let quoted = raw.strip_prefix('"')?.strip_suffix('"')?;
        match memchr(b'\\', quoted.as_bytes()) {
            // it is sound, since a raw value is
            None => Some(Cow::Borrowed(quoted)),
            Some(_) => serde_json::from_str::<Text<'_>>(raw).ok().map(|text| text.0),
        }
    }

    /// The value of a member as it is written.
    pub(crate) fn raw(&self, name: &str) -> Option<&RawValue> {
        self.0.iter().find(|(seen, _)| seen == name).map(|(_, raw)| raw.as_ref())
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_ref())
    }

    /// Puts a value in the place of the member, or at the end where there is none.
    pub(crate) fn set(&mut self, name: &'static str, value: &impl Serialize) {
        let Ok(raw) = serde_json::value::to_raw_value(value) else { return };
        match self.0.iter_mut().find(|(seen, _)| seen == name) {
            Some((_, old)) => *old = Cow::Owned(raw),
            None => self.0.push((name.into(), Cow::Owned(raw))),
        }
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.0.retain(|(seen, _)| seen != name);
    }

    pub(crate) fn to_bytes(&self) -> Bytes {
        let length: usize = self.0.iter().map(|(name, raw)| name.len() + raw.get().len() + 4).sum();
        write_object(length + 2, |object| {
            self.0.iter().try_for_each(|(name, raw)| object.serialize_entry(name, raw.as_ref()))
        })
    }
}

/// What writes an object, member by member.
pub(crate) type Object<'w> = serde_json::ser::Compound<'w, &'w mut Vec<u8>, CompactFormatter>;

/// Writes an object of members that always serialize, as strings, numbers and lists of them do.
pub(crate) fn write_object(
    length: usize,
    members: impl FnOnce(&mut Object<'_>) -> Result<(), serde_json::Error>,
) -> Bytes {
    let mut text = Vec::with_capacity(length);
    let mut serializer = serde_json::Serializer::new(&mut text);
    let written = serializer.serialize_map(None).and_then(|mut object| {
        members(&mut object)?;
        object.end()
    });
    written.map_or_else(|_| Bytes::new(), |()| text.into())
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Members::new();
                while let Some((Text(name), raw)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    if members.0.len() == MAX_MEMBERS {
                        return Err(A::Error::custom("too many members"));
                    }
                    members.0.push((name, Cow::Borrowed(raw)));
                }
                if members.has_twice() {
                    return Err(A::Error::custom("a member is there twice"));
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// More than any document here has.
const MAX_MEMBERS: usize = 512;

/// A string that borrows where it has no escapes.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_is_what_the_parser_reads(text in ".{0,8}", escaped in any::<bool>()) {
            let mut value = serde_json::to_string(&text).unwrap();
            if escaped {
                value = value.replace('a', "\\u0061");
            }
            let document = format!("{{\"m\": {value} , \"n\":1}}");
            let members = Members::parse(document.as_bytes()).unwrap();
            prop_assert_eq!(members.text("m").map(Cow::into_owned), Some(text));
            prop_assert_eq!(members.text("n"), None);
        }
    }

    #[test]
    fn a_member_twice_is_refused_however_it_is_written() {
        assert!(Members::parse(br#"{"a":1,"b":2}"#).is_ok());
        assert!(Members::parse(br#"{"a":1,"a":2}"#).is_err());
        assert!(Members::parse(br#"{"a":1,"\u0061":2}"#).is_err());
    }

    #[test]
    fn what_is_not_looked_at_passes_byte_for_byte() {
        let mut members = Members::parse(br#"{"n":1.50e3,"s":"\u0041","x":null}"#).unwrap();
        members.set("n", &2);
        members.set("new", &"v");
        assert_eq!(&members.to_bytes()[..], br#"{"n":2,"s":"\u0041","x":null,"new":"v"}"#);
        assert_eq!(members.get::<String>("s").as_deref(), Some("A"));
        assert_eq!(members.get::<String>("x"), None);
        assert_eq!(members.get::<u64>("s"), None);
    }
}
