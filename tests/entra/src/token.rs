//! The token endpoint: what every grant has in common.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::aadsts;
use crate::answer::Answer;
use crate::application::Application;
use crate::parameters::Parameters;
use crate::refusal::{Ids, Refusal};
use crate::tenant::Segment;
use crate::world::World;

/// A token request.
pub(crate) struct TokenRequest<'a> {
    /// The tenant segment as written, and what it means.
    pub(crate) segment: &'a str,
    pub(crate) tenant: Segment,
    pub(crate) parameters: &'a Parameters,
    pub(crate) origin: Option<&'a str>,
    basic: Option<(String, String)>,
}

/// The headers that matter.
#[derive(Default)]
pub(crate) struct TokenHeaders<'a> {
    pub(crate) content_type: Option<&'a str>,
    pub(crate) origin: Option<&'a str>,
    pub(crate) authorization: Option<&'a str>,
    pub(crate) correlation: Option<&'a str>,
}

impl TokenRequest<'_> {
    pub(crate) fn required(&self, name: &str) -> Result<&str, Refusal> {
        self.parameters.get(name).ok_or_else(|| Refusal::new(aadsts::MISSING).with("name", name))
    }

    /// From the form, or from Basic. [doc v2-oauth2-auth-code-flow]
    fn client_id(&self) -> Option<&str> {
        self.parameters.get("client_id").or_else(|| self.basic.as_ref().map(|(id, _)| id.as_str()))
    }

    pub(crate) fn secret(&self) -> Option<&str> {
        self.parameters
            .get("client_secret")
            .or_else(|| self.basic.as_ref().map(|(_, secret)| secret.as_str()))
    }
}

impl World {
    pub(crate) fn token(
        &mut self,
        segment: &str,
        headers: &TokenHeaders<'_>,
        body: &[u8],
    ) -> Answer {
        // a body of another type has no parameters for Entra: JSON gets AADSTS900144 for grant_type
        let form = headers
            .content_type
            .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        let parameters = if form { Parameters::parse(body) } else { Parameters::default() };
        let ids = Ids::new(
            self.now(),
            headers.correlation.or_else(|| parameters.get("client-request-id")),
        );
        match self.grant(segment, headers, &parameters) {
            Ok(tokens) => Answer::tokens(&tokens),
            Err(refusal) => {
                let entry = refusal.aadsts();
                let status = if entry.error == "invalid_client" && entry.status == 401 {
                    self.strictness.invalid_client_status
                } else {
                    entry.status
                };
                let answer =
                    Answer::json(status, &ids.json(&refusal, self.form.separator, &self.authority));
                // the time is the fixture's; MSAL assumes 60 s without it
                if status == 429 { answer.header("retry-after", "17") } else { answer }
            }
        }
    }

    fn grant(
        &mut self,
        segment: &str,
        headers: &TokenHeaders<'_>,
        parameters: &Parameters,
    ) -> Result<Value, Refusal> {
        let tenant = Segment::parse(segment, &self.tenant, &self.domain)?;
        if let Some(name) = parameters.duplicate() {
            return Err(Refusal::new(aadsts::DUPLICATED).with("name", name));
        }
        let basic = headers.authorization.and_then(basic);
        let request = TokenRequest { segment, tenant, parameters, origin: headers.origin, basic };
        let grant = request.required("grant_type")?;
        if !["authorization_code", "refresh_token", "client_credentials"].contains(&grant) {
            // Entra knows more; the stand-in serves those that a layer before it may use
            return Err(Refusal::new(aadsts::GRANT_TYPE).with("grant", grant));
        }
        let app: Application = self.client(request.client_id())?.clone();
        tenant.admits(&app)?;
        match grant {
            "authorization_code" => self.redeem_code(&request, &app),
            "refresh_token" => self.redeem_refresh_token(&request, &app),
            _ => self.client_credentials(&request, &app),
        }
    }
}

/// `client_secret_basic`: both parts are form-encoded. [RFC 6749 §2.3.1, doc]
fn basic(authorization: &str) -> Option<(String, String)> {
    let (scheme, value) = authorization.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    let decode = |text: &str| {
        form_urlencoded::parse(format!("v={text}").as_bytes())
            .next()
            .map(|(_, value)| value.into_owned())
    };
    Some((decode(id)?, decode(secret)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_credentials() {
        assert_eq!(basic("Basic YTpiJTJC"), Some(("a".into(), "b+".into())));
        assert_eq!(basic("Bearer YTpiJTJC"), None);
        assert_eq!(basic("Basic ?"), None);
    }
}
