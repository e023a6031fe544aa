//! Strict `application/x-www-form-urlencoded`, for query strings and token requests.
//!
//! ```text
//! form  = [ pair *( "&" pair ) ]      WHATWG URL, section 5.1
//! pair  = name [ "=" value ]          "+" is a space, "%" HEXDIG HEXDIG an octet of UTF-8
//! ```
//!
//! RFC 6749 section 3.1: parameters must not be included more than once, and one without a value
//! is treated as if it were omitted. Names are compared after decoding, so `%72esource` is
//! `resource`. What a lenient parser would repair (a stray `%`, broken UTF-8, control characters)
//! is refused here; on everything that is accepted the result equals that of `form_urlencoded`.
//!
//! ```
//! use mcp_entra_core::form::{Form, FormError};
//!
//! let form = Form::parse(b"grant_type=refresh_token&%73cope=openid+profile").unwrap();
//! assert_eq!(form.get("scope"), Some("openid profile"));
//!
//! let twice = Form::parse(b"scope=a&%73cope=b");
//! assert_eq!(twice.unwrap_err(), FormError::Duplicate { name: "scope".into() });
//! ```

use std::borrow::Cow;
use std::fmt;

use memchr::{memchr, memchr_iter, memchr2};

/// The most parameters that one form may have; OAuth requests have about a dozen.
pub const MAX_PARAMETERS: usize = 64;

/// The one parameter that may repeat: RFC 8707 section 2 allows several `resource` values.
const REPEATABLE: &str = "resource";

/// A parsed form. Borrows from the input where nothing had to be decoded.
#[derive(Clone, Default)]
pub struct Form<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Form<'a> {
    /// Parses a query string (without its `?`) or a form body.
    ///
    /// # Errors
    /// What is wrong with the form, and the name of the parameter where there is one.
    pub fn parse(text: &'a [u8]) -> Result<Self, FormError> {
        // what is printable in the whole text is so in each part of it
        let printable = is_printable(text);
        let separators = memchr_iter(b'&', text).count();
        let mut pairs = Vec::with_capacity(separators.min(MAX_PARAMETERS - 1) + 1);
        let mut rest = Some(text);
        while let Some(text) = rest {
            if let [b'&', after @ ..] = text {
                rest = Some(after);
                continue;
            }
            let pair;
            (pair, rest) = split_once(text, b'&');
            if pair.is_empty() {
                break;
            }
            if pairs.len() == MAX_PARAMETERS {
                return Err(FormError::TooMany);
            }
            let read = if memchr2(b'%', b'+', pair).is_some() { decoded } else { borrowed };
            let (name, value) = split_once(pair, b'=');
            pairs.push((read(name, printable)?, read(value.unwrap_or_default(), printable)?));
        }
        let form = Self { pairs };
        match form.duplicate() {
            Some(name) => Err(FormError::Duplicate { name: shown(name) }),
            None => Ok(form),
        }
    }

    /// The first by name. Parameters are few, so each is held against those before it.
    fn duplicate(&self) -> Option<&str> {
        let again = self.iter().enumerate().filter(|&(at, (name, _))| {
            name != REPEATABLE && self.iter().take(at).any(|(before, _)| before == name)
        });
        again.map(|(_, (name, _))| name).min()
    }

    /// The value of a parameter; an empty one counts as omitted (RFC 6749 section 3.1).
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Every value of a parameter that may repeat.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.iter()
            .filter(move |(seen, value)| *seen == name && !value.is_empty())
            .map(|(_, value)| value)
    }

    /// The decoded pairs in their order, empty values included.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }
}

impl fmt::Debug for Form<'_> {
    /// Shows the names alone: a value may be a code or a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

/// Why a form was refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FormError {
    /// A control character, once decoded: no OAuth parameter has one (RFC 6749 appendix A).
    #[error("the request has a control character in a parameter")]
    Control,
    /// RFC 6749 section 3.1: request parameters must not be included more than once.
    #[error("the parameter '{name}' is given more than once")]
    Duplicate {
        /// The decoded name, cut to a length that can be shown.
        name: String,
    },
    /// A `%` without two hexadecimal digits after it.
    #[error("the request has a '%' that is not followed by two hexadecimal digits")]
    Percent,
    /// More than [`MAX_PARAMETERS`].
    #[error("the request has more than {MAX_PARAMETERS} parameters")]
    TooMany,
    /// The octets are not UTF-8, once decoded.
    #[error("the request is not valid UTF-8")]
    Utf8,
}

fn split_once(text: &[u8], separator: u8) -> (&[u8], Option<&[u8]>) {
    match memchr(separator, text).and_then(|at| text.split_at_checked(at)) {
        Some((before, rest)) => (before, rest.get(1..)),
        None => (text, None),
    }
}

fn borrowed(text: &[u8], printable: bool) -> Result<Cow<'_, str>, FormError> {
    let text = str::from_utf8(text).map_err(|_| FormError::Utf8)?;
    if !printable && text.contains(char::is_control) {
        return Err(FormError::Control);
    }
    Ok(Cow::Borrowed(text))
}

fn decoded(text: &[u8], printable: bool) -> Result<Cow<'_, str>, FormError> {
    if memchr2(b'%', b'+', text).is_none() {
        return borrowed(text, printable);
    }
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(&byte) = rest.next() {
        octets.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = hex(rest.next()).ok_or(FormError::Percent)?;
                let low = hex(rest.next()).ok_or(FormError::Percent)?;
                high * 16 + low
            }
            other => other,
        });
    }
    let text = String::from_utf8(octets).map_err(|_| FormError::Utf8)?;
    if !is_printable(text.as_bytes()) && text.contains(char::is_control) {
        return Err(FormError::Control);
    }
    Ok(Cow::Owned(text))
}

/// Whether all is printable ASCII; seen many octets at a time.
fn is_printable(text: &[u8]) -> bool {
    let least = text.iter().copied().fold(u8::MAX, u8::min);
    let most = text.iter().copied().fold(u8::MIN, u8::max);
    least >= b' ' && most <= b'~'
}

fn hex(digit: Option<&u8>) -> Option<u8> {
    let digit = char::from(*digit?).to_digit(16)?;
    u8::try_from(digit).ok()
}

/// Appends pairs to a query string or a form body, as `form_urlencoded` writes them.
#[derive(Clone)]
pub(crate) struct Writer(String);

impl Writer {
    /// Goes on behind `start`: a URL that ends with its `?`, pairs, or nothing.
    pub(crate) fn new(start: String) -> Self {
        Self(start)
    }

    /// A name, which needs no escape, and its value.
    pub(crate) fn pair(&mut self, name: &'static str, value: &str) -> &mut Self {
        let text = &mut self.0;
        if !text.is_empty() && !text.ends_with('?') {
            text.push('&');
        }
        text.push_str(name);
        text.push('=');
        append_escaped(text, value);
        self
    }

    pub(crate) fn finish(self) -> String {
        self.0
    }
}

fn append_escaped(target: &mut String, text: &str) {
    let mut rest = text;
    while let Some((run, escaped)) = rest.split_at_checked(unescaped_length(rest.as_bytes())) {
        target.push_str(run);
        let mut characters = escaped.chars();
        let Some(first) = characters.next() else { break };
        let mut octets = [0; 4];
        let octets = first.encode_utf8(&mut octets).as_bytes();
        target.extend(form_urlencoded::byte_serialize(octets));
        rest = characters.as_str();
    }
}

/// How many octets at the beginning stand for themselves; those of most codes and tokens do.
fn unescaped_length(text: &[u8]) -> usize {
    let blocks = text.chunks_exact(32);
    let is_whole = |block: &&[u8]| block.iter().fold(true, |all, &byte| all & is_unescaped(byte));
    let whole = blocks.take_while(is_whole).count() * 32;
    let rest = text.get(whole..).unwrap_or_default();
    let is_escaped = |&byte: &u8| UNESCAPED.get(usize::from(byte)) == Some(&false);
    whole + rest.iter().position(is_escaped).unwrap_or(rest.len())
}

/// WHATWG URL, section 5.2.
const fn is_unescaped(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'*' | b'-' | b'.' | b'_')
}

/// The same, looked up: by computing it a whole authorization would take 4 % more instructions.
#[expect(clippy::indexing_slicing, reason = "the index ends where the table does")]
const UNESCAPED: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = is_unescaped(byte as u8);
        byte += 1;
    }
    table
};

fn shown(name: &str) -> String {
    name.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn vectors() {
        let pairs = |text: &'static str| {
            Form::parse(text.as_bytes())
                .map(|form| form.iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>())
        };
        assert_eq!(pairs("").unwrap(), [""; 0]);
        assert_eq!(pairs("a=1&&b=2&").unwrap(), ["a=1", "b=2"]);
        assert_eq!(pairs("a&b=&c==d").unwrap(), ["a=", "b=", "c==d"]);
        assert_eq!(pairs("a=%C3%A9+%2B").unwrap(), ["a=é +"]);
        assert_eq!(pairs("resource=a&resource=b").unwrap(), ["resource=a", "resource=b"]);
        assert_eq!(pairs("a=%").unwrap_err(), FormError::Percent);
        assert_eq!(pairs("a=%4").unwrap_err(), FormError::Percent);
        assert_eq!(pairs("a=%4g").unwrap_err(), FormError::Percent);
        assert_eq!(pairs("a=%FF").unwrap_err(), FormError::Utf8);
        assert_eq!(pairs("a=b%0d%0aSet-Cookie:x").unwrap_err(), FormError::Control);
        for control in
            ["a=b\n", "a=\u{7f}", "a=\u{85}", "a=+\u{85}", "\u{1}=a", "a=%7f", "a=%C2%85"]
        {
            assert_eq!(pairs(control).unwrap_err(), FormError::Control, "{control:?}");
        }
        assert_eq!(pairs("a=é~").unwrap(), ["a=é~"]);
        assert_eq!(pairs("%61=1&a=2").unwrap_err(), FormError::Duplicate { name: "a".into() });
        assert_eq!(Form::parse(b"a=\xff").unwrap_err(), FormError::Utf8);
    }

    #[test]
    fn an_empty_value_counts_as_omitted() {
        let form = Form::parse(b"scope=&resource=&resource=x").unwrap();
        assert_eq!(form.get("scope"), None);
        assert_eq!(form.all("resource").collect::<Vec<_>>(), ["x"]);
    }

    #[test]
    fn its_debug_shows_the_names_alone() {
        let form = Form::parse(b"code=c&state=s").unwrap();
        assert_eq!(format!("{form:?}"), r#"{"code", "state"}"#);
    }

    #[test]
    fn a_long_value_is_escaped_where_it_has_to_be() {
        for before in [0, 1, 31, 32, 33, 63, 64, 65] {
            for after in [0, 1, 31, 32, 64] {
                let (before, after) = ("a".repeat(before), "b".repeat(after));
                let mut writer = Writer::new(String::new());
                writer.pair("x", &format!("{before}/ é{after}")).pair("y", "");
                assert_eq!(writer.finish(), format!("x={before}%2F+%C3%A9{after}&y="));
            }
        }
    }

    #[test]
    fn the_number_of_parameters_is_bounded() {
        let text = (0..=MAX_PARAMETERS).map(|i| format!("p{i}=v&")).collect::<String>();
        assert_eq!(Form::parse(text.as_bytes()).unwrap_err(), FormError::TooMany);
    }

    proptest! {
        #[test]
        fn agrees_with_form_urlencoded_on_what_it_accepts(text in "[a-c%+&=0-9\u{e9}]{0,40}") {
            if let Ok(form) = Form::parse(text.as_bytes()) {
                let ours = form.iter().map(|(n, v)| (n.into(), v.into())).collect::<Vec<_>>();
                let theirs = form_urlencoded::parse(text.as_bytes())
                    .into_owned()
                    .collect::<Vec<(String, String)>>();
                prop_assert_eq!(ours, theirs);
            }
        }

        #[test]
        fn writes_what_form_urlencoded_writes(values in prop::collection::vec(".{0,40}", 0..4)) {
            let mut ours = Writer::new("https://h/?".into());
            let mut theirs = form_urlencoded::Serializer::for_suffix("https://h/?".to_owned(), 11);
            for value in &values {
                ours.pair("scope", value);
                theirs.append_pair("scope", value);
            }
            prop_assert_eq!(ours.finish(), theirs.finish());
        }

        #[test]
        fn accepts_whatever_a_serializer_writes(
            pairs in prop::collection::btree_map("[a-z]{1,8}", "[^\\p{Cc}]{0,20}", 0..8)
        ) {
            let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
            let form = Form::parse(text.as_bytes()).unwrap();
            for (name, value) in &pairs {
                prop_assert_eq!(form.get(name).unwrap_or_default(), value);
            }
        }
    }
}
