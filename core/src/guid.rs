//! The GUIDs by which Entra ID names tenants, applications and users.

use std::fmt;
use std::str::FromStr;

/// A GUID in its canonical form: 8-4-4-4-12 hexadecimal digits, kept in lower case.
///
/// ```
/// use mcp_entra_core::Guid;
///
/// let guid: Guid = "99999999-8888-4777-8666-55555555555A".parse().unwrap();
/// assert_eq!(guid.as_str(), "99999999-8888-4777-8666-55555555555a");
/// assert!("{99999999-8888-4777-8666-555555555555}".parse::<Guid>().is_err());
/// ```
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Guid([u8; 36]);

impl Guid {
    /// The canonical text.
    pub fn as_str(&self) -> &str {
        // from_str admits hexadecimal digits and hyphens only
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for Guid {
    type Err = GuidError;

    fn from_str(text: &str) -> Result<Self, GuidError> {
        let mut octets: [u8; 36] = text.as_bytes().try_into().map_err(|_| GuidError)?;
        for (index, octet) in octets.iter_mut().enumerate() {
            let good = match index {
                8 | 13 | 18 | 23 => *octet == b'-',
                _ => octet.is_ascii_hexdigit(),
            };
            if !good {
                return Err(GuidError);
            }
            octet.make_ascii_lowercase();
        }
        Ok(Self(octets))
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not a GUID of the form `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a GUID of the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx")]
pub struct GuidError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_shown_as_it_is_written() {
        let text = "99999999-8888-4777-8666-555555555555";
        let guid: Guid = text.parse().unwrap();
        assert_eq!((format!("{guid}"), format!("{guid:?}")), (text.into(), text.into()));
    }

    #[test]
    fn only_the_canonical_form() {
        for bad in [
            "",
            "99999999888847778666555555555555",
            "99999999-8888-4777-8666-55555555555g",
            "99999999-8888-4777-8666-5555555555555",
            "99999999_8888_4777_8666_555555555555",
            "é9999999-8888-4777-8666-55555555555",
        ] {
            assert_eq!(bad.parse::<Guid>(), Err(GuidError), "{bad}");
        }
    }
}
