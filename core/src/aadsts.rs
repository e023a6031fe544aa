//! Entra's error codes on this path: what each means here, and what mends it.
//!
//! Entra's own text describes its side. The person who reads it needs to know which setting of
//! this deployment it is about, so every code that a sign-in through us can meet has a cause and a
//! mend, and an [`Action`] that decides what an OAuth client is told.
//!
//! Source: Microsoft's list of AADSTS codes, and what users of MCP clients reported.

mod codes;

pub use codes::CODES;

/// One code: what it means on this path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Aadsts {
    /// The number after `AADSTS`.
    pub code: u32,
    /// Who can do something about it.
    pub action: Action,
    /// What led to it here.
    pub cause: &'static str,
    /// What to do, with the portal's own words.
    pub mend: &'static str,
    /// Where the setting is.
    pub place: Place,
    /// The one command that mends it, where there is one. `<client-id>` stands for the
    /// Application (client) ID.
    command: Option<&'static str>,
}

impl Aadsts {
    const fn new(
        code: u32,
        action: Action,
        place: Place,
        cause: &'static str,
        mend: &'static str,
    ) -> Self {
        Self { code, action, cause, mend, place, command: None }
    }

    const fn mended_by(self, command: &'static str) -> Self {
        Self { command: Some(command), ..self }
    }

    /// The command that mends it, or that finds out what is wrong in the app registration. In it,
    /// `<client-id>` stands for the Application (client) ID.
    pub fn command(&self) -> Option<&'static str> {
        self.command.or_else(|| self.place.check())
    }
}

/// Where a setting is: a blade of the Entra admin center, our own options, or nowhere.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Place {
    /// *App registrations > API permissions*.
    ApiPermissions,
    /// *App registrations > Authentication*: redirect URIs and their platforms.
    Authentication,
    /// *App registrations > Certificates & secrets*.
    CertificatesAndSecrets,
    /// *Conditional Access > Policies*.
    ConditionalAccess,
    /// *Enterprise applications > Admin consent requests*.
    ConsentRequests,
    /// *Enterprise applications > Properties*.
    EnterpriseApplication,
    /// *App registrations > Expose an API*.
    ExposeAnApi,
    /// Nothing has to be set: it is what the client sends, or it passes.
    Nowhere,
    /// The options of `mcp-entra`.
    Options,
    /// *App registrations > Overview*.
    Overview,
    /// *Users*.
    Users,
    /// *Enterprise applications > Users and groups*.
    UsersAndGroups,
}

impl Place {
    /// The way to the blade, in the words of the Entra admin center.
    pub fn blade(self) -> Option<&'static str> {
        Some(match self {
            Self::ApiPermissions => "App registrations > API permissions",
            Self::Authentication => "App registrations > Authentication",
            Self::CertificatesAndSecrets => "App registrations > Certificates & secrets",
            Self::ConditionalAccess => "Conditional Access > Policies",
            Self::ConsentRequests => "Enterprise applications > Admin consent requests",
            Self::EnterpriseApplication => "Enterprise applications > Properties",
            Self::ExposeAnApi => "App registrations > Expose an API",
            Self::Overview => "App registrations > Overview",
            Self::Users => "Users > All users",
            Self::UsersAndGroups => "Enterprise applications > Users and groups",
            Self::Nowhere | Self::Options => return None,
        })
    }

    /// What compares the app registration with what it should be.
    fn check(self) -> Option<&'static str> {
        match self {
            Self::ApiPermissions | Self::Authentication | Self::ExposeAnApi | Self::Overview => {
                Some("az ad app show --id <client-id> | mcp-entra app-registration --check -")
            }
            _ => None,
        }
    }
}

/// Who can do something about an error of Entra's, and so what a client is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Action {
    /// The client sent something that Entra does not take: Entra's own error is passed on.
    Client,
    /// The app registration or our settings are wrong: `server_error`, since a client that is told
    /// `invalid_client` throws its registration away, which mends nothing.
    Operator,
    /// Entra is busy: `temporarily_unavailable`, never an error that costs the user a sign-in.
    Retry,
    /// The user has to sign in again: `invalid_grant`, which clients know (RFC 6749 section 5.2).
    SignIn,
}

/// The meaning of a code.
///
/// ```
/// use mcp_entra_core::aadsts::{Action, explain};
///
/// let code = explain(70043).unwrap();
/// assert_eq!(code.action, Action::SignIn);
/// assert!(explain(1).is_none());
/// ```
pub fn explain(code: u32) -> Option<&'static Aadsts> {
    CODES.binary_search_by_key(&code, |known| known.code).ok().and_then(|index| CODES.get(index))
}

/// The meaning of several codes: that of the last which is known, since Entra puts the closest to
/// the cause last, as in `AADSTS70002: … AADSTS54005: …`.
pub fn explain_last(codes: &[u32]) -> Option<&'static Aadsts> {
    codes.iter().rev().find_map(|&code| explain(code))
}

/// The codes of an Entra error text such as `AADSTS70002: … AADSTS54005: …`, in their order.
pub fn codes_in(text: &str) -> impl Iterator<Item = u32> {
    text.split("AADSTS").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest.get(..end)?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_so_that_every_code_is_found() {
        assert!(CODES.is_sorted_by(|a, b| a.code < b.code));
        for known in CODES {
            assert_eq!(explain(known.code), Some(known));
            for text in [known.cause, known.mend] {
                assert!(!text.ends_with('.') && !text.contains("  "), "{}", known.code);
            }
            let somewhere = known.place != Place::Nowhere;
            assert!(
                somewhere || known.command().is_none(),
                "{}: a command sets something",
                known.code
            );
            let lines = [Some(known.cause), Some(known.mend), known.command()];
            for text in lines.into_iter().flatten() {
                // what RFC 6749 allows in an error_description
                assert!(text.bytes().all(crate::oauth_error::is_description_byte), "{text}");
            }
        }
    }

    #[test]
    fn a_code_leads_to_the_setting_and_to_the_command_for_it() {
        let check = "az ad app show --id <client-id> | mcp-entra app-registration --check -";
        for (code, blade, command) in [
            (65005, "App registrations > API permissions", check),
            (50011, "App registrations > Authentication", check),
            (50001, "App registrations > Expose an API", check),
            (700016, "App registrations > Overview", check),
            (
                65001,
                "App registrations > API permissions",
                "az ad app permission admin-consent --id <client-id>",
            ),
            (
                7000112,
                "Enterprise applications > Properties",
                "az ad sp update --id <client-id> --set accountEnabled=true",
            ),
            (50105, "Enterprise applications > Users and groups", ""),
            (53003, "Conditional Access > Policies", ""),
            (50020, "Users > All users", ""),
            (90002, "", ""),
            (54005, "", ""),
        ] {
            let known = explain(code).unwrap();
            assert_eq!(known.place.blade().unwrap_or_default(), blade, "{code}");
            assert_eq!(known.command().unwrap_or_default(), command, "{code}");
        }
    }

    #[test]
    fn codes_are_found_in_entras_text() {
        let text = "AADSTS70002: Error validating credentials. AADSTS54005: already redeemed";
        assert_eq!(codes_in(text).collect::<Vec<_>>(), [70002, 54005]);
        assert_eq!(codes_in("AADSTS: AADSTS99999999999: AADSTSé").count(), 0);
    }
}
