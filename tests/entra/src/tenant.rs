//! The first path segment: which tenant a request is for.

use crate::aadsts;
use crate::application::{Application, SignInAudience};
use crate::refusal::Refusal;

/// The tenant of personal accounts.
pub const CONSUMERS: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

/// What a path's first segment stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    /// The stand-in's tenant, by GUID or domain.
    Tenant,
    Common,
    Organizations,
    Consumers,
}

impl Segment {
    pub(crate) fn parse(segment: &str, tenant: &str, domain: &str) -> Result<Self, Refusal> {
        match segment.to_ascii_lowercase().as_str() {
            "common" => Ok(Self::Common),
            "organizations" => Ok(Self::Organizations),
            "consumers" | CONSUMERS => Ok(Self::Consumers),
            known if known == tenant || known == domain => Ok(Self::Tenant),
            unknown if is_guid(unknown) || unknown.contains('.') => {
                Err(Refusal::new(aadsts::UNKNOWN_TENANT).with("tenant", segment))
            }
            _ => Err(Refusal::new(aadsts::TENANT_INVALID).with("tenant", segment)),
        }
    }

    /// Whether the application may be used here. [doc 50194, 9002332; issue 9002331]
    pub(crate) fn admits(self, app: &Application) -> Result<(), Refusal> {
        use SignInAudience::{AzureADMultipleOrgs, AzureADMyOrg, PersonalMicrosoftAccount};
        let code = match (app.sign_in_audience, self) {
            (AzureADMyOrg, Self::Common | Self::Organizations) => aadsts::NOT_MULTI_TENANT,
            (AzureADMyOrg | AzureADMultipleOrgs, Self::Consumers) => aadsts::NO_CONSUMERS,
            (PersonalMicrosoftAccount, Self::Tenant | Self::Organizations) => {
                aadsts::CONSUMERS_ONLY
            }
            _ => return Ok(()),
        };
        Err(Refusal::new(code).about(app))
    }
}

pub(crate) fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}
