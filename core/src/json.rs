//! JSON objects, strictly: no member twice, and what is not looked at passes byte for byte.
//!
//! RFC 8259 section 4 leaves open which of two equal names counts, so two parsers may see two
//! documents in one. Here such a document is refused.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use bytes::Bytes;
use memchr::{memchr, memchr2};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// The members of an object in their order, each value as it is written.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Members<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

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
        match str::from_utf8(text).ok().and_then(Self::scan) {
            Some(members) => Ok(members),
            None => serde_json::from_slice(text),
        }
    }

    /// Reads what tokens, their answers and most registrations are: one line, whose strings have few
    /// escapes and may be long. `None` for all else, faults among it, which the parser reads.
    fn scan(text: &'a str) -> Option<Self> {
        let least = text.bytes().fold(u8::MAX, u8::min);
        if least < b' ' {
            return None;
        }
        let mut members = Self::new();
        let mut rest = after_spaces(text).strip_prefix('{')?;
        loop {
            let (quoted, colon) = scan_string(after_spaces(rest))?;
            let (value, end) = scan_value(after_spaces(after_spaces(colon).strip_prefix(':')?))?;
            if members.0.len() == MAX_MEMBERS {
                return None;
            }
            members.0.push((Cow::Borrowed(unquoted(quoted)?), Cow::Borrowed(value)));
            let end = after_spaces(end);
            match end.strip_prefix(',') {
                Some(next) => rest = next,
                None if after_spaces(end.strip_prefix('}')?).is_empty() => break,
                None => return None,
            }
        }
        (!members.has_twice()).then_some(members)
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
        serde_json::from_str::<Option<T>>(self.raw(name)?).ok().flatten()
    }

    /// The value of a member that is a string.
    pub(crate) fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        let raw = self.raw(name)?;
        match unquoted(raw) {
            Some(text) if memchr(b'\\', text.as_bytes()).is_none() => Some(Cow::Borrowed(text)),
            Some(_) => serde_json::from_str::<Text<'_>>(raw).ok().map(|text| text.0),
            None => None,
        }
    }

    /// The value of a member as it is written.
    pub(crate) fn raw(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(seen, _)| seen == name).map(|(_, raw)| raw.as_ref())
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_ref())
    }

    /// Puts a value in the place of the member, or at the end where there is none.
    pub(crate) fn set(&mut self, name: &'static str, value: &impl Serialize) {
        let Ok(raw) = serde_json::to_string(value) else { return };
        match self.0.iter_mut().find(|(seen, _)| seen == name) {
            Some((_, old)) => *old = Cow::Owned(raw),
            None => self.0.push((name.into(), Cow::Owned(raw))),
        }
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.0.retain(|(seen, _)| seen != name);
    }

    pub(crate) fn to_bytes(&self) -> Bytes {
        let length: usize = self.0.iter().map(|(name, raw)| name.len() + raw.len() + 4).sum();
        let mut object = Object::with_capacity(length + 2);
        for (name, raw) in &self.0 {
            object.raw(name.clone(), raw);
        }
        object.finish()
    }
}

/// An object that is being written.
pub(crate) struct Object(Vec<u8>);

impl Object {
    pub(crate) fn with_capacity(length: usize) -> Self {
        let mut text = Vec::with_capacity(length);
        text.push(b'{');
        Self(text)
    }

    /// Adds a member whose value always serializes, as strings, numbers and lists of them do.
    pub(crate) fn set(&mut self, name: &'static str, value: &impl Serialize) {
        self.name(name.into());
        _ = serde_json::to_writer(&mut self.0, value);
    }

    /// Adds a member whose value is JSON already.
    pub(crate) fn raw<'n>(&mut self, name: impl Into<Cow<'n, str>>, json: &str) {
        self.name(name.into());
        self.0.extend_from_slice(json.as_bytes());
    }

    fn name(&mut self, name: Cow<'_, str>) {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        match name {
            // it is ours, or it came without escapes
            Cow::Borrowed(name) => {
                self.0.push(b'"');
                self.0.extend_from_slice(name.as_bytes());
                self.0.push(b'"');
            }
            Cow::Owned(name) => _ = serde_json::to_writer(&mut self.0, &name),
        }
        self.0.push(b':');
    }

    pub(crate) fn finish(mut self) -> Bytes {
        self.0.push(b'}');
        self.0.into()
    }
}

fn after_spaces(text: &str) -> &str {
    // most documents have none
    if text.starts_with(' ') { text.trim_start_matches(' ') } else { text }
}

/// A string without escapes, in its quotes, and what follows it. The text has no control character.
fn scan_string(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('"')?;
    let end = memchr2(b'"', b'\\', inner.as_bytes())?;
    let (quoted, rest) = text.split_at_checked(end + 2)?;
    quoted.ends_with('"').then_some((quoted, rest))
}

fn unquoted(text: &str) -> Option<&str> {
    text.strip_prefix('"')?.strip_suffix('"')
}

/// Digits alone; of other numbers the parser knows more.
fn scan_digits(text: &str) -> Option<(&str, &str)> {
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at_checked(end)?;
    let is_number = digits == "0" || !digits.is_empty() && !digits.starts_with('0');
    (is_number && rest.starts_with([',', '}', ' '])).then_some((digits, rest))
}

fn scan_value(text: &str) -> Option<(&str, &str)> {
    scan_string(text).or_else(|| scan_digits(text)).or_else(|| {
        let mut values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
        let value = values.next()?.ok()?;
        Some((value.get(), text.get(values.byte_offset()..)?))
    })
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
                    members.0.push((name, Cow::Borrowed(raw.get())));
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

    fn document() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            " ",
            "\"",
            "\"a\"",
            "\"b\"",
            "\"\"",
            "\"a\\u0062\"",
            "\\",
            "\\\"",
            "0",
            "-1.50e3",
            "01",
            "null",
            "true",
            "é",
            "\n",
            "\u{1}",
            "\u{7f}",
            "{}",
            "[[],{}]",
            "\"a\":",
            "\"b\" : ",
            ",\"c\":",
        ]);
        let value = prop_oneof![
            "[ -~]{0,8}".prop_map(|text| format!("{text:?}")),
            "-?[0-9]{1,3}(\\.[0-9])?|null|\\[1, \"x\"\\]|\\{\"a\":\\{\\}\\}",
        ];
        let member = ("[a-e]|\\\\u006[1-3]", value, "[ ]?").prop_map(|(name, value, space)| {
            format!("{space}\"{name}\"{space}:{space}{value}{space}")
        });
        prop_oneof![
            prop::collection::vec(member, 0..5).prop_map(|all| format!(" {{{}}} ", all.join(","))),
            prop::collection::vec(piece, 0..8).prop_map(|all| format!("{{{}}}", all.concat())),
        ]
    }

    proptest! {
        #[test]
        fn what_is_scanned_is_what_the_parser_reads(text in document()) {
            let parsed = serde_json::from_str::<Members<'_>>(&text);
            if let Some(scanned) = Members::scan(&text) {
                prop_assert_eq!(scanned, parsed.unwrap());
            }
        }

        #[test]
        fn a_text_is_what_the_parser_reads(text in document()) {
            let Ok(members) = serde_json::from_str::<Members<'_>>(&text) else { return Ok(()) };
            for name in members.names() {
                let read = members.text(name).map(Cow::into_owned);
                prop_assert_eq!(read, members.get::<String>(name));
            }
        }
    }

    #[test]
    fn what_tokens_are_is_scanned() {
        for text in [
            r#"{"aud":"a","exp":1,"roles":["a","b"],"name":"Ren\u00e9","ver":"2.0"}"#,
            r#"{ "redirect_uris": ["http://localhost/"], "client_name": "é" } "#,
        ] {
            let parsed = serde_json::from_str::<Members<'_>>(text).unwrap();
            assert_eq!(Members::scan(text), Some(parsed), "{text}");
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
