//! Entra's error codes on this path: what each means here, and what mends it.
//!
//! Entra's own text describes its side. The person who reads it needs to know which setting of
//! this deployment it is about, so every code that a sign-in through us can meet has a cause and a
//! mend, and an [`Action`] that decides what an OAuth client is told.
//!
//! Source: Microsoft's list of AADSTS codes, and what users of MCP clients reported.

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

/// The codes of an Entra error text such as `AADSTS70002: … AADSTS54005: …`, in their order.
pub fn codes_in(text: &str) -> impl Iterator<Item = u32> {
    text.split("AADSTS").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest.get(..end)?.parse().ok()
    })
}

use Action::{Client, Operator, Retry, SignIn};

const fn code(code: u32, action: Action, cause: &'static str, mend: &'static str) -> Aadsts {
    Aadsts { code, action, cause, mend }
}

const PLATFORM: &str = "under Authentication, keep https redirect URIs on Web and loopback and \
    private-scheme ones on Mobile and desktop, or say by --platform where they are";
const SIGN_IN: &str = "the client signs the user in again";
const WAIT: &str = "the client tries again after a moment";

/// In the order of their numbers.
pub const CODES: &[Aadsts] = &[
    code(16000, SignIn, "the browser has several sessions and none was chosen", SIGN_IN),
    code(
        28000,
        Client,
        "the scopes of a token request belong to more than one API",
        "ask for the scopes of this MCP server only",
    ),
    code(
        28003,
        Client,
        "a code was redeemed without a scope",
        "let the request come through mcp-entra, which adds one",
    ),
    code(
        50011,
        Operator,
        "the redirect URI is not in the app registration",
        "add it under Authentication, exactly as it is shown; the port of http://localhost is free, the path is not",
    ),
    code(
        50012,
        Operator,
        "the client credential is wrong",
        "create a new secret under Certificates & secrets",
    ),
    code(
        50020,
        SignIn,
        "the account belongs to another tenant, in which the user is no guest",
        "sign in with an account of this tenant, or invite the user",
    ),
    code(50034, SignIn, "the account does not exist in the tenant", "sign in with another account"),
    code(
        50053,
        SignIn,
        "the account is locked, or the sign-in came from a blocked address",
        "wait, or unlock the account",
    ),
    code(50055, SignIn, "the password has expired", SIGN_IN),
    code(50057, SignIn, "the account is disabled", "enable the account, or sign in with another"),
    code(50058, SignIn, "no session exists and no page may be shown", SIGN_IN),
    code(50074, SignIn, "multi-factor authentication is required", SIGN_IN),
    code(50076, SignIn, "a policy asks for multi-factor authentication", SIGN_IN),
    code(50079, SignIn, "the user has to register for multi-factor authentication", SIGN_IN),
    code(50097, SignIn, "a policy asks for a device that signs in", SIGN_IN),
    code(
        50105,
        Operator,
        "the application is for assigned users only and this one is not",
        "assign the user under Enterprise applications > Users and groups",
    ),
    code(50126, SignIn, "the user name or password is wrong", SIGN_IN),
    code(50158, SignIn, "another provider has to be satisfied as well", SIGN_IN),
    code(50173, SignIn, "the password was changed, and earlier tokens ended with it", SIGN_IN),
    code(
        50194,
        Operator,
        "the application is for one tenant and --tenant stands for several",
        "give the tenant's GUID as --tenant, or make the application multi-tenant",
    ),
    code(53000, SignIn, "a policy asks for a compliant device", "use a managed device"),
    code(53001, SignIn, "a policy asks for a domain-joined device", "use a managed device"),
    code(
        53002,
        SignIn,
        "a policy allows approved applications only",
        "let the administrator exclude this application from the policy",
    ),
    code(
        53003,
        SignIn,
        "a Conditional Access policy blocks the sign-in",
        "let the administrator look at the sign-in log with the correlation id",
    ),
    code(54005, SignIn, "the code was already redeemed", SIGN_IN),
    code(
        65001,
        SignIn,
        "nobody has consented to the scopes",
        "consent at the sign-in, or grant admin consent under API permissions",
    ),
    code(
        65002,
        Operator,
        "a first-party client is not pre-authorised",
        "add it under Expose an API > Authorized client applications",
    ),
    code(65004, SignIn, "the user declined the consent", SIGN_IN),
    code(
        65005,
        Operator,
        "the application asks for something that its API permissions do not have",
        "add the scope under API permissions",
    ),
    code(70000, SignIn, "the code or refresh token is not valid any more", SIGN_IN),
    code(70002, SignIn, "the code, its verifier or the refresh token was refused", SIGN_IN),
    code(70008, SignIn, "the code or refresh token has expired", SIGN_IN),
    code(
        70011,
        Client,
        "a scope is not valid, or .default stands beside named scopes",
        "ask for the names under Expose an API",
    ),
    code(70016, Client, "the sign-in is still pending", WAIT),
    code(70043, SignIn, "a policy's sign-in frequency ended the refresh token", SIGN_IN),
    code(70044, SignIn, "a policy's sign-in frequency ended the session", SIGN_IN),
    code(
        75011,
        SignIn,
        "the session was made by another method than the one that is wanted",
        SIGN_IN,
    ),
    code(
        90009,
        Client,
        "the application asks for a token for itself without naming its scope by GUID",
        "let the refresh come through mcp-entra, which adds the scope",
    ),
    code(90014, Client, "a parameter is missing", "let the request come through mcp-entra"),
    code(90015, Client, "the request is too long", "use a shorter state"),
    code(
        90023,
        Client,
        "a parameter has a value that Entra does not take, such as prompt",
        "leave it out",
    ),
    code(90024, Retry, "Entra is busy", WAIT),
    code(90033, Retry, "an Entra service is temporarily unavailable", WAIT),
    code(90055, Retry, "the tenant is throttled", WAIT),
    code(
        90072,
        SignIn,
        "the account does not exist in the tenant",
        "sign in with another account, or invite the user",
    ),
    code(90090, Retry, "Entra could not be reached from within", WAIT),
    code(
        90094,
        SignIn,
        "an administrator has to consent",
        "grant admin consent under API permissions",
    ),
    code(
        90095,
        SignIn,
        "an administrator has to approve the consent request",
        "approve it under Enterprise applications > Admin consent requests",
    ),
    code(135010, Retry, "Entra's keys could not be found for a moment", WAIT),
    code(
        500011,
        Operator,
        "the API does not exist in the tenant under this Application ID URI",
        "set it under Expose an API, or give the right one as --app-id-uri",
    ),
    code(
        500113,
        Operator,
        "the app registration has no redirect URI at all",
        "add the client's under Authentication",
    ),
    code(
        500200,
        SignIn,
        "a personal account was used with an application for work accounts",
        "sign in with a work or school account",
    ),
    code(501481, SignIn, "the code verifier does not match the challenge", SIGN_IN),
    code(501491, Client, "the code challenge is malformed", "send the S256 challenge of RFC 7636"),
    code(530003, SignIn, "a policy asks for a managed device", "use a managed device"),
    code(
        650052,
        Operator,
        "the tenant has no service principal for the API",
        "let an administrator consent once",
    ),
    code(
        650053,
        Client,
        "the API exposes no scope of this name",
        "ask for the names under Expose an API",
    ),
    code(
        650056,
        Operator,
        "the application is misconfigured for the tenant",
        "grant admin consent under API permissions",
    ),
    code(
        650057,
        Operator,
        "the API is not among the application's API permissions",
        "add it under API permissions",
    ),
    code(700003, SignIn, "the device was not found", SIGN_IN),
    code(
        700005,
        Operator,
        "the code was redeemed at another tenant than it was issued by",
        "give one --tenant to every instance",
    ),
    code(
        700016,
        Operator,
        "the application does not exist in the tenant",
        "check --client-id and --tenant against the app registration's Overview",
    ),
    code(700025, Operator, "a secret was sent for a redirect URI on a public platform", PLATFORM),
    code(
        700027,
        Operator,
        "the client assertion's signature is wrong",
        "check the certificate under Certificates & secrets",
    ),
    code(700038, Operator, "the client id is all zeros or not a GUID", "check --client-id"),
    code(
        700054,
        Operator,
        "the response type is not enabled",
        "let the request come through mcp-entra, which asks for a code",
    ),
    code(700082, SignIn, "the refresh token was not used for too long", SIGN_IN),
    code(
        700084,
        SignIn,
        "the refresh token of a single-page application lives for a day",
        "move the redirect URI from Single-page application to Mobile and desktop",
    ),
    code(
        900144,
        Client,
        "a parameter is missing, mostly scope",
        "let the request come through mcp-entra, which adds it",
    ),
    code(900382, Operator, "a confidential client was used across clouds", "check --authority"),
    code(900432, Operator, "a confidential client was used across clouds", "check --authority"),
    code(
        900561,
        Client,
        "the endpoint was called by another method",
        "use POST at the token endpoint",
    ),
    code(
        900971,
        Operator,
        "the app registration has no redirect URI",
        "add the client's under Authentication",
    ),
    code(
        901002,
        Client,
        "'resource' was sent to Entra",
        "let the request come through mcp-entra, which leaves it out",
    ),
    code(
        7000112,
        Operator,
        "the application is disabled",
        "enable it under Enterprise applications",
    ),
    code(
        7000215,
        Operator,
        "the client secret is wrong",
        "give the secret's Value, not its ID, as MCP_ENTRA_CLIENT_SECRET",
    ),
    code(
        7000218,
        Operator,
        "the redirect URI is on the Web platform and no secret was sent",
        "set MCP_ENTRA_CLIENT_SECRET, or move the redirect URI to Mobile and desktop",
    ),
    code(
        7000222,
        Operator,
        "the client secret has expired",
        "create a new one under Certificates & secrets",
    ),
    code(9000411, Client, "a parameter was given twice", "give it once"),
    code(
        9001023,
        Client,
        "the grant is not for common or consumers",
        "give the tenant's GUID as --tenant",
    ),
    code(9002313, Client, "the request is malformed", "let the request come through mcp-entra"),
    code(
        9002325,
        Operator,
        "the redirect URI is on the Single-page application platform",
        "move it to Mobile and desktop",
    ),
    code(
        9002326,
        Operator,
        "a browser's Origin reached Entra for a redirect URI that is not a single-page application's",
        "let the request come through mcp-entra, which leaves it out",
    ),
    code(
        9002327,
        Operator,
        "the redirect URI is on the Single-page application platform, whose codes only a browser may redeem",
        "move it to Mobile and desktop",
    ),
    code(
        9002331,
        Operator,
        "the application is for personal accounts only",
        "give consumers as --tenant",
    ),
    code(
        9010010,
        Client,
        "'resource' does not match the scopes",
        "let the request come through mcp-entra, which leaves it out",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_so_that_every_code_is_found() {
        assert!(CODES.is_sorted_by(|a, b| a.code < b.code));
        for known in CODES {
            assert_eq!(explain(known.code), Some(known));
            assert!(!known.cause.ends_with('.') && !known.mend.ends_with('.'), "{}", known.code);
        }
    }

    #[test]
    fn codes_are_found_in_entras_text() {
        let text = "AADSTS70002: Error validating credentials. AADSTS54005: already redeemed";
        assert_eq!(codes_in(text).collect::<Vec<_>>(), [70002, 54005]);
        assert_eq!(codes_in("AADSTS: AADSTS99999999999: AADSTSé").count(), 0);
    }
}
