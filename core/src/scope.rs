//! Scopes: from what clients ask for to what Entra ID understands, and back.
//!
//! Entra reads a bare scope as one of Microsoft Graph (AADSTS650053), needs one on every leg
//! (AADSTS900144, AADSTS28003, AADSTS90009), and takes the scopes of one resource at a time
//! (AADSTS28000). So each name of our API is qualified, the OpenID Connect ones are left alone, and
//! what is missing is added:
//!
//! | asked for | sent to Entra ID |
//! |---|---|
//! | nothing, or OpenID Connect scopes only | the required scopes as well |
//! | `access_as_user` | `api://<client-id>/access_as_user` |
//! | `api://<client-id>/x`, `<client-id>/x`, `<resource>/x` | the same scope, in one spelling |
//! | `.default` alone | `api://<client-id>/.default openid` (AADSTS70011 without `openid`) |
//! | `.default` beside named scopes | the named ones (AADSTS70011 when mixed) |
//! | `address`, `phone` | dropped: Entra has neither |
//! | a scope of another API | refused: its token would not be for us |
//! | anything without `offline_access` | `offline_access` as well, or there is no refresh token |
//!
//! ```
//! use mcp_entra_core::scope::{Api, ApiName};
//!
//! let id = "99999999-8888-4777-8666-555555555555".parse().unwrap();
//! let api = Api::of_client(id, ["access_as_user".parse().unwrap()]);
//! let asked = Some("openid access_as_user");
//! assert_eq!(
//!     api.qualify(asked, ApiName::AppIdUri).unwrap(),
//!     "openid api://99999999-8888-4777-8666-555555555555/access_as_user offline_access"
//! );
//! let answered = "api://99999999-8888-4777-8666-555555555555/access_as_user";
//! assert_eq!(api.granted(answered, asked, true).unwrap(), "openid access_as_user");
//! ```

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use memchr::memchr_iter;

use crate::guid::Guid;
use crate::resource::Resource;

/// The OpenID Connect scopes that Entra knows.
pub const OPENID_SCOPES: [&str; 4] = ["openid", "profile", "email", OFFLINE_ACCESS];

/// The most scopes that one request may name.
pub const MAX_SCOPES: usize = 64;

const OFFLINE_ACCESS: &str = "offline_access";
const DEFAULT: &str = ".default";
const UNSUPPORTED: [&str; 2] = ["address", "phone"];

/// The API whose scopes are asked for: how Entra ID names it, and the scopes of it that matter.
#[derive(Clone, Debug)]
pub struct Api {
    app_id_uri: AppIdUri,
    /// Set where the client and the API are one application, and its GUID names the API too.
    client_id: Option<Guid>,
    resource: Option<Resource>,
    required: Vec<ScopeName>,
    optional: Vec<ScopeName>,
}

impl Api {
    /// The API of the client's own app registration, by the default `api://<client-id>`.
    pub fn of_client(client_id: Guid, required: impl IntoIterator<Item = ScopeName>) -> Self {
        Self {
            app_id_uri: AppIdUri(format!("api://{client_id}")),
            client_id: Some(client_id),
            resource: None,
            required: required.into_iter().collect(),
            optional: Vec::new(),
        }
    }

    /// An API with an Application ID URI of its own. Whether it is the client's application is
    /// not known then, so the client's GUID does not name it.
    pub fn new(app_id_uri: AppIdUri, required: impl IntoIterator<Item = ScopeName>) -> Self {
        let required = required.into_iter().collect();
        Self { app_id_uri, client_id: None, resource: None, required, optional: Vec::new() }
    }

    /// Scopes that some operations need and a sign-in does not ask for.
    #[must_use]
    pub fn with_optional(mut self, optional: impl IntoIterator<Item = ScopeName>) -> Self {
        self.optional = optional.into_iter().filter(|o| !self.required.contains(o)).collect();
        self
    }

    /// The URL under which clients know the API; scopes under it are understood as well.
    #[must_use]
    pub fn with_resource(mut self, resource: Resource) -> Self {
        self.resource = Some(resource);
        self
    }

    /// The Application ID URI.
    pub fn app_id_uri(&self) -> &AppIdUri {
        &self.app_id_uri
    }

    /// The scopes that every call needs and that are asked for when a client names none.
    pub fn required(&self) -> &[ScopeName] {
        &self.required
    }

    /// The scopes that only some operations need.
    pub fn optional(&self) -> &[ScopeName] {
        &self.optional
    }

    /// What to send to Entra for what a client asked, with the API named as `name` says.
    /// Idempotent; the client's order is kept.
    ///
    /// # Errors
    /// A scope of another API, a character outside RFC 6749 section 3.3, or too many scopes.
    pub fn qualify(&self, asked: Option<&str>, name: ApiName) -> Result<String, ScopeError> {
        let asked = self.parse(asked.unwrap_or_default())?;
        let prefix = match (name, &self.client_id) {
            (ApiName::ClientId, Some(id)) => id.as_str(),
            _ => self.app_id_uri.as_str(),
        };
        let named = asked.iter().any(|(_, scope)| matches!(scope, Scope::Named(_)));
        let default = asked.iter().any(|(_, scope)| *scope == Scope::Default);

        let length: usize = asked.iter().map(|(word, _)| word.len() + prefix.len() + 2).sum();
        let mut sent = String::with_capacity(length + 128);
        let mut seen = Vec::with_capacity(asked.len() + 2);
        let mut add = |api: &str, name| {
            let scope = (api.is_empty(), name);
            if let Err(place) = seen.binary_search(&scope) {
                seen.insert(place, scope);
                if !sent.is_empty() {
                    sent.push(' ');
                }
                if !api.is_empty() {
                    sent.push_str(api);
                    sent.push('/');
                }
                sent.push_str(name);
            }
        };
        for (_, scope) in asked {
            match scope {
                Scope::Default if named => {}
                Scope::Default => add(prefix, DEFAULT),
                Scope::Named(name) => add(prefix, name),
                Scope::OpenId(name) => add("", name),
                Scope::Unsupported => {}
            }
        }
        match (named, default) {
            (false, true) => add("", "openid"),
            (false, false) => self.required.iter().for_each(|name| add(prefix, name.as_str())),
            _ => {}
        }
        add("", OFFLINE_ACCESS);
        Ok(sent)
    }

    /// The `scope` of a token response in the client's own words (RFC 6749 section 5.1), from
    /// what Entra answered, what the client asked at this leg, and whether it got a refresh token.
    ///
    /// Entra names scopes in full, leaves `offline_access` out, and lists all that was ever
    /// consented to. Clients compare: ChatGPT wants back what it asked, and Python SDKs of 2025
    /// refuse a scope more. `None` where the client named none here, as most do: what it asked
    /// at the authorization is not known, and an answer without `scope` means just that.
    pub fn granted(
        &self,
        answered: &str,
        asked: Option<&str>,
        refreshable: bool,
    ) -> Option<String> {
        let asked = self.parse(asked?).unwrap_or_default();
        let answered: Vec<_> =
            answered.split_ascii_whitespace().map(|word| (word, self.read(word).ok())).collect();
        let named: BTreeSet<&str> = answered
            .iter()
            .filter_map(|(_, scope)| match scope {
                Some(Scope::Named(name)) => Some(*name),
                _ => None,
            })
            .collect();

        let mut words: Vec<&str> = Vec::new();
        let mut seen = BTreeSet::new();
        for (word, scope) in asked {
            let granted = match scope {
                Scope::Named(name) => named.contains(name),
                Scope::Default => !named.is_empty(),
                Scope::OpenId(OFFLINE_ACCESS) => refreshable,
                Scope::OpenId(_) => true,
                Scope::Unsupported => false,
            };
            if granted && seen.insert(word) {
                words.push(word);
            }
        }
        if words.is_empty() {
            words.extend(answered.iter().filter_map(|(word, scope)| match scope {
                Some(Scope::Named(name)) => Some(*name),
                Some(Scope::OpenId(OFFLINE_ACCESS)) => None,
                _ => Some(*word),
            }));
        }
        (!words.is_empty()).then(|| words.join(" "))
    }

    /// Whether a text holds nothing but scopes that could be asked for.
    pub(crate) fn understands(&self, text: &str) -> bool {
        self.parse(text).is_ok()
    }

    fn parse<'a>(&self, text: &'a str) -> Result<Vec<(&'a str, Scope<'a>)>, ScopeError> {
        let words = memchr_iter(b' ', text.as_bytes()).count() + 1;
        let mut scopes = Vec::with_capacity(words.min(text.len()).min(MAX_SCOPES));
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            if scopes.len() == MAX_SCOPES {
                return Err(ScopeError::TooMany);
            }
            scopes.push((word, self.read(word)?));
        }
        Ok(scopes)
    }

    fn read<'a>(&self, word: &'a str) -> Result<Scope<'a>, ScopeError> {
        if !word.bytes().all(is_scope_byte) {
            return Err(ScopeError::Character);
        }
        if let Some(name) = OPENID_SCOPES.into_iter().find(|name| *name == word) {
            return Ok(Scope::OpenId(name));
        }
        if UNSUPPORTED.contains(&word) {
            return Ok(Scope::Unsupported);
        }
        let name = if word.contains('/') {
            match self.names().find_map(|name| strip_api(word, name)) {
                Some(name) => name,
                None if self.is_ours(word) => word,
                None => return Err(ScopeError::Foreign { scope: word.into() }),
            }
        } else {
            word
        };
        Ok(if name == DEFAULT { Scope::Default } else { Scope::Named(name) })
    }

    /// Every name that Entra or a client has for the API.
    fn names(&self) -> impl Iterator<Item = &str> {
        let guid = self.client_id.as_ref().map(Guid::as_str);
        let resource = self.resource.as_ref().map(Resource::as_str);
        [Some(self.app_id_uri.as_str()), guid, resource].into_iter().flatten()
    }

    /// Whether a name with a slash in it is one of ours all the same; Entra allows it.
    fn is_ours(&self, word: &str) -> bool {
        self.required.iter().chain(&self.optional).any(|name| name.as_str() == word)
    }
}

/// By which of its names the API is named to Entra ID.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ApiName {
    /// `api://<client-id>`, or what the operator gave.
    AppIdUri,
    /// The bare GUID, which a refresh wants where client and API are one application
    /// (AADSTS90009: "only if resource is specified using the GUID based App Identifier").
    /// Where they may be two applications, this is the Application ID URI.
    ClientId,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Scope<'a> {
    Default,
    Named(&'a str),
    OpenId(&'static str),
    Unsupported,
}

/// The name of a scope that the API exposes, as in a token's `scp` claim: `access_as_user`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ScopeName(String);

impl ScopeName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ScopeName {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        if text.is_empty() || !text.bytes().all(is_scope_byte) {
            return Err(ScopeError::Character);
        }
        let reserved = OPENID_SCOPES.contains(&text) || UNSUPPORTED.contains(&text);
        if reserved || text == DEFAULT || text.contains("://") {
            return Err(ScopeError::NotAName { scope: text.into() });
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for ScopeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The Application ID URI of the API, such as `api://<client-id>` or `https://contoso.com/mcp`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AppIdUri(String);

impl AppIdUri {
    /// The URI.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AppIdUri {
    type Err = ScopeError;

    /// Takes an absolute URI without a trailing slash, or a GUID, as Entra ID does.
    fn from_str(text: &str) -> Result<Self, ScopeError> {
        let absolute = text.split_once(':').is_some_and(|(scheme, rest)| {
            scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
                && !rest.is_empty()
        });
        let good = text.bytes().all(is_scope_byte) && !text.ends_with('/');
        if good && (absolute || text.parse::<Guid>().is_ok()) {
            Ok(Self(text.into()))
        } else {
            Err(ScopeError::NotAnAppIdUri)
        }
    }
}

impl fmt::Display for AppIdUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is wrong with a scope, or with the name of an API.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ScopeError {
    /// A character that RFC 6749 section 3.3 does not allow.
    #[error("a scope has a character that RFC 6749 section 3.3 does not allow")]
    Character,
    /// A scope of another API: one token is for one API (AADSTS28000).
    #[error("the scope '{scope}' belongs to another API than this one")]
    Foreign {
        /// The scope as it was asked for.
        scope: String,
    },
    /// Entra wants `api://…`, `https://…` or a GUID, without a slash at its end.
    #[error("an Application ID URI is an absolute URI without a slash at its end, or a GUID")]
    NotAnAppIdUri,
    /// Configured scopes are bare names of the API's own.
    #[error("'{scope}' is not the name of a scope that an API can expose")]
    NotAName {
        /// The scope as it was given.
        scope: String,
    },
    /// More than [`MAX_SCOPES`].
    #[error("the request names more than {MAX_SCOPES} scopes")]
    TooMany,
}

/// `scope-token = 1*( %x21 / %x23-5B / %x5D-7E )`, RFC 6749 section 3.3.
pub(crate) fn is_scope_byte(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)
}

/// The part of a scope after the API's name, which Entra compares without case.
fn strip_api<'a>(word: &'a str, api: &str) -> Option<&'a str> {
    let (prefix, rest) = word.split_at_checked(api.len())?;
    let rest = rest.strip_prefix('/')?;
    (prefix.eq_ignore_ascii_case(api) && !rest.is_empty()).then_some(rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "99999999-8888-4777-8666-555555555555";

    fn api() -> Api {
        Api::of_client(ID.parse().unwrap(), ["access_as_user".parse().unwrap()])
            .with_optional(["mcp.write".parse().unwrap(), "files/read".parse().unwrap()])
            .with_resource("https://h/mcp".parse().unwrap())
    }

    /// `~` stands for the API's name.
    fn check(asked: &str, sent: &str) {
        for (name, prefix) in [(ApiName::AppIdUri, "api://"), (ApiName::ClientId, "")] {
            let prefix = format!("{prefix}{ID}");
            let got = api().qualify(Some(&asked.replace('~', &prefix)), name);
            assert_eq!(got.unwrap(), sent.replace('~', &prefix), "{asked}");
        }
    }

    #[test]
    fn vectors() {
        check("", "~/access_as_user offline_access");
        check("access_as_user", "~/access_as_user offline_access");
        check("~/access_as_user", "~/access_as_user offline_access");
        check("mcp.write access_as_user", "~/mcp.write ~/access_as_user offline_access");
        check("access_as_user ~/access_as_user", "~/access_as_user offline_access");
        check("https://h/mcp/mcp.write", "~/mcp.write offline_access");
        check("files/read", "~/files/read offline_access");
        check("files.new", "~/files.new offline_access");
        check("openid profile email", "openid profile email ~/access_as_user offline_access");
        check("openid email offline_access mcp.write", "openid email offline_access ~/mcp.write");
        check("address phone", "~/access_as_user offline_access");
        check(".default", "~/.default openid offline_access");
        check("~/.default offline_access", "~/.default offline_access openid");
        check(".default access_as_user", "~/access_as_user offline_access");
        check("OpenId", "~/OpenId offline_access");
    }

    #[test]
    fn refusals() {
        let refused = |asked: &str| api().qualify(Some(asked), ApiName::AppIdUri).unwrap_err();
        for foreign in [
            "https://graph.microsoft.com/User.Read",
            "api://11111111-8888-4777-8666-555555555555/access_as_user",
            "https://h/mcp2/x",
            "a/b",
            "api://",
        ] {
            assert_eq!(refused(foreign), ScopeError::Foreign { scope: foreign.into() });
        }
        assert_eq!(refused("a\"b"), ScopeError::Character);
        assert_eq!(refused("a\u{e9}"), ScopeError::Character);
        assert_eq!(refused(&"a ".repeat(MAX_SCOPES + 1)), ScopeError::TooMany);
    }

    #[test]
    fn the_clients_guid_does_not_name_an_api_with_a_uri_of_its_own() {
        let api = Api::new("https://contoso.com/mcp".parse().unwrap(), ["x".parse().unwrap()]);
        let sent = api.qualify(None, ApiName::ClientId).unwrap();
        assert_eq!(sent, "https://contoso.com/mcp/x offline_access");
        assert!(api.qualify(Some(&format!("{ID}/x")), ApiName::ClientId).is_err());
    }

    #[test]
    fn granted_scopes_come_back_in_the_clients_words() {
        let full = format!("api://{ID}/access_as_user");
        let both = format!("{full} api://{ID}/mcp.write");
        let granted = |answered: &str, asked: Option<&str>| api().granted(answered, asked, true);
        assert_eq!(granted(&full, Some("access_as_user")).unwrap(), "access_as_user");
        assert_eq!(granted(&full, Some(&full)).unwrap(), full);
        assert_eq!(granted(&both, Some("access_as_user")).unwrap(), "access_as_user");
        assert_eq!(
            granted(&both, Some("openid offline_access mcp.write other")).unwrap(),
            "openid offline_access mcp.write"
        );
        assert_eq!(granted(&full, Some("mcp.write")).unwrap(), "access_as_user");
        let with_others = format!("openid offline_access {full}");
        assert_eq!(granted(&with_others, Some("mcp.write")).unwrap(), "openid access_as_user");
        assert_eq!(granted(&both, None), None);
        assert_eq!(granted(&full, Some(".default")).unwrap(), ".default");
        assert_eq!(granted("", None), None);
        let refreshless = api().granted(&full, Some("offline_access access_as_user"), false);
        assert_eq!(refreshless.unwrap(), "access_as_user");
    }

    #[test]
    fn names() {
        for bad in ["", "openid", "offline_access", "phone", ".default", "api://x/y", "a b", "é"] {
            assert!(bad.parse::<ScopeName>().is_err(), "{bad}");
        }
        for bad in ["", "x", "api:", "https://h/", "1:x", "https://h/ x", "https://h/\"x"] {
            assert!(bad.parse::<AppIdUri>().is_err(), "{bad}");
        }
        for good in ["api://x", ID, "urn:x:y", "https://contoso.com/mcp"] {
            assert_eq!(good.parse::<AppIdUri>().unwrap().to_string(), good);
        }
    }

    proptest! {
        #[test]
        fn qualification_is_idempotent_and_loses_no_scope(
            words in prop::collection::vec(
                prop_oneof![
                    "[a-z]{1,6}", Just("openid".into()), Just(".default".into()),
                    Just("files/read".into()), Just(format!("{ID}/x")), Just(format!("api://{ID}/y")),
                ],
                0..8,
            ),
            guid: bool,
        ) {
            let name = if guid { ApiName::ClientId } else { ApiName::AppIdUri };
            let asked = words.join(" ");
            let once = api().qualify(Some(&asked), name).unwrap();
            prop_assert_eq!(&api().qualify(Some(&once), name).unwrap(), &once);
            let named = words.iter().any(|w| w != ".default" && w != "openid");
            for word in words.iter().filter(|w| !(*w == ".default" && named)) {
                let last = word.strip_prefix("api://").unwrap_or(word).replace(&format!("{ID}/"), "");
                let qualified = format!("/{last}");
                prop_assert!(once.split(' ').any(|sent| sent == last || sent.ends_with(&qualified)));
            }
        }
    }
}
