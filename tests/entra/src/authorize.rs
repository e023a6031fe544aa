//! The authorize endpoint.

use crate::aadsts;
use crate::answer::Answer;
use crate::application::Application;
use crate::fault::Endpoint;
use crate::options::{Consent, User};
use crate::parameters::Parameters;
use crate::random;
use crate::redirect::{self, Platform};
use crate::refusal::{Ids, Refusal, escape, page};
use crate::scope::{Leg, Scopes};
use crate::tenant::Segment;
use crate::world::{Challenge, CodeGrant, World};

/// What is known once the redirect URI is: from here on the client may be answered.
struct Client {
    app: Application,
    segment: Segment,
    redirect_uri: String,
    platform: Platform,
}

/// What comes of a request with a good redirect URI.
enum Outcome {
    Code(String),
    SignInPage,
}

impl World {
    pub(crate) fn authorize(
        &mut self,
        segment: &str,
        parameters: &Parameters,
        query: &str,
        correlation: Option<&str>,
    ) -> Answer {
        let ids = Ids::new(self.now(), correlation.or_else(|| parameters.get("client-request-id")));
        let client = match self.identify(segment, parameters, query) {
            Ok(client) => client,
            Err(refusal) => return self.error_page(&ids, &refusal),
        };
        match self.sign_in(segment, &client, parameters) {
            Ok(Outcome::Code(code)) => {
                let session = random::guid();
                self.redirect(
                    &client.redirect_uri,
                    parameters,
                    &[("code", &code)],
                    &[("session_state", &session)],
                )
            }
            Ok(Outcome::SignInPage) => Answer::html(200, self.sign_in_page(query)),
            Err(refusal) if refusal.aadsts().redirects() => {
                let error = ids.redirect(&refusal, self.form.separator, &self.authority);
                let error: Vec<_> =
                    error.iter().map(|(name, value)| (*name, value.as_str())).collect();
                self.redirect(&client.redirect_uri, parameters, &error, &[])
            }
            Err(refusal) => self.error_page(&ids, &refusal),
        }
    }

    /// Whatever is wrong here is told to the user, on a page: the client is not known yet.
    fn identify(
        &self,
        segment: &str,
        parameters: &Parameters,
        query: &str,
    ) -> Result<Client, Refusal> {
        if query.len() > self.strictness.longest_query {
            return Err(Refusal::new(aadsts::QUERY_TOO_LONG));
        }
        let segment = Segment::parse(segment, &self.tenant, &self.domain)?;
        if let Some(name) = parameters.duplicate() {
            return Err(Refusal::new(aadsts::DUPLICATED).with("name", name));
        }
        let app = self.client(parameters.get("client_id"))?.clone();
        let (redirect_uri, platform) = match parameters.get("redirect_uri") {
            Some(uri) => (uri.to_owned(), app.platform_of(uri, &self.strictness)),
            // Entra picks one of the registered [doc v2-oauth2-auth-code-flow]
            None => match app.registered().next() {
                Some((platform, uri)) => (uri.to_owned(), Some(platform)),
                None => return Err(Refusal::new(aadsts::NO_REDIRECT_URI)),
            },
        };
        let Some(platform) = platform else {
            return Err(Refusal::new(aadsts::REDIRECT_URI)
                .with("redirect_uri", redirect_uri)
                .about(&app));
        };
        segment.admits(&app)?;
        Ok(Client { app, segment, redirect_uri, platform })
    }

    /// The application of a `client_id`. [doc 700016, wire 700038]
    pub(crate) fn client(&self, id: Option<&str>) -> Result<&Application, Refusal> {
        let id = id.ok_or_else(|| Refusal::new(aadsts::MISSING).with("name", "client_id"))?;
        let nil = id.bytes().all(|byte| matches!(byte, b'0' | b'-'));
        let code = if nil { aadsts::CLIENT_ID_INVALID } else { aadsts::UNKNOWN_CLIENT };
        let unknown = || Refusal::new(code).with("client", id).with("tenant", &*self.domain);
        self.app(id).ok_or_else(unknown)
    }

    fn sign_in(
        &mut self,
        segment: &str,
        client: &Client,
        parameters: &Parameters,
    ) -> Result<Outcome, Refusal> {
        response_type(parameters)?;
        let missing = || Refusal::new(aadsts::MISSING).with("name", "scope");
        let scope = parameters.get("scope").ok_or_else(missing)?;
        let prompt = parameters.get("prompt");
        // the only values [doc v2-oauth2-auth-code-flow]
        if prompt
            .is_some_and(|prompt| !["login", "none", "consent", "select_account"].contains(&prompt))
        {
            return Err(Refusal::new(aadsts::PROMPT));
        }
        let challenge = challenge(parameters)?;
        if client.platform == Platform::Spa && challenge.is_none() {
            return Err(Refusal::new(aadsts::SPA_NEEDS_PKCE));
        }
        let scopes = self.parse_scopes(scope)?;
        self.check_resource(
            parameters.get("resource"),
            scopes.apis.iter().map(|api| &*api.app_id),
        )?;
        // all before this Entra finds without a user; bare scopes only after sign-in [live claude-ai-mcp#514]
        let Some(user) = self.user(parameters.get("login_hint")) else {
            let silent = prompt == Some("none");
            return if silent {
                Err(Refusal::new(aadsts::NOT_SIGNED_IN))
            } else {
                Ok(Outcome::SignInPage)
            };
        };
        self.check_user(client, &user)?;
        self.check_scopes(&scopes, &client.app, Leg::Authorize)?;
        self.consent_to(&scopes, client, &user, prompt)?;
        self.ordered_refusal(Endpoint::Authorize, &client.app)?;

        let code = random::opaque::<512>();
        let grant = CodeGrant {
            client: client.app.app_id.clone(),
            redirect_uri: client.redirect_uri.clone(),
            platform: client.platform,
            segment: segment.to_ascii_lowercase(),
            user,
            scopes,
            challenge,
            nonce: parameters.get("nonce").map(str::to_owned),
            issued: self.now(),
            spent: false,
        };
        self.codes.insert(code.clone(), grant);
        Ok(Outcome::Code(code))
    }

    /// The user of the browser's session, or the one hinted at.
    fn user(&self, hint: Option<&str>) -> Option<User> {
        let hinted = hint.and_then(|hint| {
            self.users.iter().find(|user| user.preferred_username.eq_ignore_ascii_case(hint))
        });
        hinted.or(self.signed_in.as_ref()).cloned()
    }

    /// [doc 50020]
    fn check_user(&self, client: &Client, user: &User) -> Result<(), Refusal> {
        let tid = self.tenant_of(user);
        let fits = match client.segment {
            Segment::Tenant => tid == self.tenant,
            Segment::Common => true,
            Segment::Organizations => !self.is_personal(user),
            Segment::Consumers => self.is_personal(user),
        };
        let refusal = || {
            Refusal::new(aadsts::WRONG_TENANT_USER)
                .about(&client.app)
                .with("user", &*user.preferred_username)
        };
        if fits { Ok(()) } else { Err(refusal().with("tid", tid).with("tenant", &*self.domain)) }
    }

    fn consent_to(
        &mut self,
        scopes: &Scopes,
        client: &Client,
        user: &User,
        prompt: Option<&str>,
    ) -> Result<(), Refusal> {
        let app = &client.app;
        let denied =
            || Refusal::new(aadsts::ADMIN_CONSENT).about(app).with("tenant", &*self.domain);
        // the user is asked anew even for what is consented to, and may not answer [issues claude-code#94804, obot#41]
        if prompt == Some("consent") && self.consent == Consent::AdminOnly {
            return Err(denied());
        }
        let silent = prompt == Some("none")
            && (self.strictness.silent_needs_consent || self.consent == Consent::AdminOnly);
        let mut given = Vec::new();
        for wanted in &scopes.apis {
            let Some(api) = self.app(&wanted.app_id) else { continue };
            let consented = self.consented(&app.app_id, &api.app_id, &user.oid);
            let open: Vec<_> = self.names(wanted, app).difference(&consented).cloned().collect();
            let admins =
                open.iter().any(|name| api.scope(name).is_some_and(|scope| scope.kind == "Admin"));
            match self.consent {
                _ if open.is_empty() => {}
                Consent::Never => {}
                // nobody can be asked, so nobody sees a page
                Consent::User | Consent::AdminOnly if silent => {
                    return Err(Refusal::new(aadsts::NOT_CONSENTED).about(app));
                }
                Consent::User if !admins => given.push((api.app_id.clone(), open)),
                Consent::User | Consent::AdminOnly => return Err(denied()),
            }
        }
        for (api, names) in given {
            self.consents.grant(&app.app_id, &api, Some(&user.oid), names);
        }
        Ok(())
    }

    /// Throttling and outages keep their status; else see `Strictness`.
    fn error_page(&self, ids: &Ids, refusal: &Refusal) -> Answer {
        let status = match refusal.aadsts().status {
            status @ (429 | 503) => status,
            _ => self.strictness.page_status,
        };
        Answer::html(status, ids.page(refusal))
    }

    fn redirect(
        &self,
        uri: &str,
        parameters: &Parameters,
        first: &[(&str, &str)],
        last: &[(&str, &str)],
    ) -> Answer {
        let state = parameters.given("state").map(without_markup);
        let state = state.as_deref().map(|state| ("state", state));
        let all: Vec<_> = first.iter().copied().chain(state).chain(last.iter().copied()).collect();
        match parameters.get("response_mode") {
            Some("fragment") => Answer::redirect(&redirect::with_fragment(uri, &all)),
            Some("form_post") => Answer::html(200, form_post(uri, &all)),
            _ => Answer::redirect(&redirect::with_query(uri, &all)),
        }
    }

    fn sign_in_page(&self, query: &str) -> String {
        let link = |user: &User| {
            let hint: String =
                form_urlencoded::byte_serialize(user.preferred_username.as_bytes()).collect();
            let query = query.split('&').filter(|pair| !pair.starts_with("login_hint="));
            let query: Vec<_> = query.collect();
            let href = format!("?{}&login_hint={hint}", query.join("&"));
            format!(
                "<li><a href=\"{}\">{}</a></li>",
                escape(&href),
                escape(&user.preferred_username)
            )
        };
        let users: String = self.users.iter().map(link).collect();
        page("Sign in to your account", &format!("<h1>Pick an account</h1>\n<ul>{users}</ul>"))
    }
}

/// Only `code`, which the stand-in supports. [doc 700054, 70005]
fn response_type(parameters: &Parameters) -> Result<(), Refusal> {
    let missing = || Refusal::new(aadsts::MISSING).with("name", "response_type");
    let response_type = parameters.get("response_type").ok_or_else(missing)?;
    let mut types = response_type.split(' ').filter(|kind| !kind.is_empty());
    let refusal = if types.clone().any(|kind| kind == "token") {
        Refusal::new(aadsts::TOKEN_NOT_ENABLED)
    } else if types.clone().any(|kind| kind == "id_token") {
        Refusal::new(aadsts::ID_TOKEN_NOT_ENABLED)
    } else if types.any(|kind| kind != "code") {
        Refusal::new(aadsts::RESPONSE_TYPE).with("response_type", response_type)
    } else {
        return match parameters.get("response_mode") {
            None | Some("query" | "fragment" | "form_post") => Ok(()),
            Some(mode) => Err(Refusal::new(aadsts::RESPONSE_MODE).with("response_mode", mode)),
        };
    };
    Err(refusal)
}

/// Without a method it is `plain`. [doc v2-oauth2-auth-code-flow]
fn challenge(parameters: &Parameters) -> Result<Option<Challenge>, Refusal> {
    let hashed = match parameters.get("code_challenge_method") {
        None | Some("plain") => false,
        Some("S256") => true,
        Some(_) => return Err(Refusal::new(aadsts::CHALLENGE_METHOD)),
    };
    let Some(value) = parameters.get("code_challenge") else { return Ok(None) };
    let lengths = if hashed { 43..=43 } else { 43..=128 };
    let allowed = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_')
            || !hashed && matches!(byte, b'.' | b'~')
    };
    if !lengths.contains(&value.len()) || !value.bytes().all(allowed) {
        return Err(Refusal::new(aadsts::CHALLENGE_SIZE));
    }
    Ok(Some(Challenge { hashed, value: value.to_owned() }))
}

/// Entra strips HTML from `state`. [doc reply-url]
fn without_markup(state: &str) -> String {
    let mut out = String::new();
    let mut rest = state;
    while let Some((before, after)) = rest.split_once('<') {
        let Some((_, after)) = after.split_once('>') else { break };
        out.push_str(before);
        rest = after;
    }
    out + rest
}

fn form_post(uri: &str, parameters: &[(&str, &str)]) -> String {
    let input = |(name, value): &(&str, &str)| {
        format!("<input type=\"hidden\" name=\"{}\" value=\"{}\">", escape(name), escape(value))
    };
    let inputs: String = parameters.iter().map(input).collect();
    let form = format!(
        "<form method=\"POST\" name=\"hiddenform\" action=\"{}\">{inputs}<noscript><button>Submit</button></noscript></form>",
        escape(uri)
    );
    page("Working...", &format!("{form}<script>document.forms[0].submit();</script>"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_without_markup() {
        for (state, kept) in
            [("abc", "abc"), ("a<b>c", "ac"), ("a<b", "a<b"), ("a>b", "a>b"), ("", "")]
        {
            assert_eq!(without_markup(state), kept);
        }
    }

    #[test]
    fn challenges() {
        let check = |challenge: &str, method: &str| {
            let pairs = [("code_challenge", challenge), ("code_challenge_method", method)];
            let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
            super::challenge(&Parameters(pairs.into())).map_err(|refusal| refusal.aadsts().code)
        };
        assert!(check(&"a".repeat(43), "S256").is_ok());
        assert!(check(&"a".repeat(128), "plain").is_ok());
        for (challenge, method, code) in [
            ("a".repeat(44), "S256", 501491),
            ("a".repeat(42) + "=", "S256", 501491),
            ("a".repeat(42), "plain", 501491),
            ("a".repeat(129), "plain", 501491),
            ("a".repeat(43), "s256", 50149),
        ] {
            assert_eq!(check(&challenge, method).err(), Some(code), "{challenge} {method}");
        }
    }
}
