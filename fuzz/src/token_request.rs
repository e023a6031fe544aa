//! What goes to Entra is ours and nothing of the client's; a request is parsed to the same again.

use http::HeaderValue;
use mcp_entra_core::token::TokenRequest;

use crate::oracle::check_upstream;
use crate::setting::SETTINGS;

/// The body of a token request.
pub fn check(body: &[u8]) {
    let form = HeaderValue::from_static("application/x-www-form-urlencoded");
    for setting in SETTINGS.iter() {
        let settings = setting.settings();
        let Ok(request) = TokenRequest::parse(Some(&form), body, settings) else { continue };
        let upstream = request.to_upstream(settings);
        check_upstream(&upstream, settings);
        let sent: Vec<_> = form_urlencoded::parse(upstream.body()).into_owned().collect();
        let came: Vec<_> = form_urlencoded::parse(body).into_owned().collect();
        for name in ["code", "code_verifier", "grant_type", "redirect_uri", "refresh_token"] {
            let of = |pairs: &[(String, String)]| {
                pairs.iter().find(|(n, v)| n == name && !v.is_empty()).map(|(_, v)| v.clone())
            };
            if let Some(sent) = of(&sent) {
                assert_eq!(Some(sent), of(&came), "{name} was changed");
            }
        }
        let again = TokenRequest::parse(Some(&form), upstream.body(), settings);
        let again = again.expect("what Entra gets is a token request").to_upstream(settings);
        assert_eq!(again.body(), upstream.body());
    }
}
