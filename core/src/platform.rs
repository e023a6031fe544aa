//! The two choices that are words: where redirect URIs are registered, and whose word is taken.

use std::str::FromStr;

use crate::redirect_uri::RedirectKind;

/// Which redirect URIs the app registration has on the Web platform, where a secret is needed
/// (AADSTS7000218) and not refused (AADSTS700025).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Platform {
    /// `https` is Web; loopback and private schemes are Mobile and desktop.
    Auto,
    /// None.
    Native,
    /// All.
    Web,
}

impl Platform {
    /// Whether a redirect URI of this kind is on the Web platform.
    pub fn is_web(self, kind: RedirectKind) -> bool {
        match self {
            Self::Auto => kind == RedirectKind::Https,
            Self::Native => false,
            Self::Web => true,
        }
    }
}

impl FromStr for Platform {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "auto" => Ok(Self::Auto),
            "native" => Ok(Self::Native),
            "web" => Ok(Self::Web),
            _ => Err(UnknownWord),
        }
    }
}

/// Whose word on the caller is taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Trust {
    /// App Service's or Container Apps' own authentication in front of us.
    EasyAuth,
    /// The access token alone.
    Token,
}

impl FromStr for Trust {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "easy-auth" => Ok(Self::EasyAuth),
            "token" => Ok(Self::Token),
            _ => Err(UnknownWord),
        }
    }
}

/// The text is none of the words that the option takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("it is none of the words that the option takes")]
pub struct UnknownWord;
