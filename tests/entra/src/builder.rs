//! Building a stand-in.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpListener;

use crate::application::{Application, GRAPH};
use crate::keys::Keys;
use crate::options::{Cloud, Consent, Form, Strictness, User};
use crate::scope::Consents;
use crate::server;
use crate::stand_in::EntraStandIn;
use crate::world::World;

/// The tenant if none is set.
pub const EXAMPLE_TENANT: &str = "11111111-2222-4333-8444-555555555555";

/// Options of a stand-in; [`EntraStandIn::builder`] begins one.
#[derive(Clone, Debug)]
#[must_use]
pub struct EntraStandInBuilder {
    tenant: String,
    domain: String,
    cloud: Cloud,
    apps: Vec<Application>,
    users: Vec<User>,
    signed_in: bool,
    consent: Consent,
    strictness: Strictness,
    form: Form,
    listen: SocketAddr,
    authority: Option<String>,
}

impl Default for EntraStandInBuilder {
    fn default() -> Self {
        Self {
            tenant: EXAMPLE_TENANT.into(),
            domain: "contoso.onmicrosoft.com".into(),
            cloud: Cloud::default(),
            apps: Vec::new(),
            users: Vec::new(),
            signed_in: true,
            consent: Consent::default(),
            strictness: Strictness::default(),
            form: Form::default(),
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            authority: None,
        }
    }
}

impl EntraStandInBuilder {
    /// The tenant's GUID.
    pub fn tenant(mut self, guid: impl Into<String>) -> Self {
        self.tenant = guid.into().to_ascii_lowercase();
        self
    }

    /// The tenant's domain.
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = domain.into().to_ascii_lowercase();
        self
    }

    /// The cloud that documents and keys name.
    pub fn cloud(mut self, cloud: Cloud) -> Self {
        self.cloud = cloud;
        self
    }

    /// Adds an application; without any there is [`Application::example`]. Microsoft Graph is always there.
    pub fn application(mut self, app: Application) -> Self {
        self.apps.push(app);
        self
    }

    /// Adds a user; without any there is [`User::default`]. The first is signed in.
    pub fn user(mut self, user: User) -> Self {
        self.users.push(user);
        self
    }

    /// Nobody is signed in at first: authorize shows a page with the users.
    pub fn signed_out(mut self) -> Self {
        self.signed_in = false;
        self
    }

    /// Who consents.
    pub fn consent(mut self, consent: Consent) -> Self {
        self.consent = consent;
        self
    }

    /// What to do where the facts are uncertain.
    pub fn strictness(mut self, strictness: Strictness) -> Self {
        self.strictness = strictness;
        self
    }

    /// The form of tokens and answers.
    pub fn form(mut self, form: Form) -> Self {
        self.form = form;
        self
    }

    /// The address to listen on; `127.0.0.1` and any free port if not set.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// The authority that documents and tokens name, if it is not `http://` and the address: behind a proxy, or where a
    /// client resolves another name to it.
    pub fn authority(mut self, url: &str) -> Self {
        self.authority = Some(url.trim_end_matches('/').to_owned());
        self
    }

    /// Makes the keys and listens. Needs a Tokio runtime, which it occupies for the time of making an RSA key.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub async fn start(self) -> io::Result<EntraStandIn> {
        let listener = TcpListener::bind(self.listen).await?;
        let address = listener.local_addr()?;
        let mut world = self.world();
        if world.authority.is_empty() {
            world.authority = format!("http://{address}");
        }
        let world = Arc::new(Mutex::new(world));
        let task = tokio::spawn(server::serve(listener, Arc::clone(&world)));
        Ok(EntraStandIn::new(world, address, task.abort_handle()))
    }

    pub(crate) fn world(self) -> World {
        let mut apps = self.apps;
        if apps.is_empty() {
            apps.push(Application::example());
        }
        if apps.iter().all(|app| app.app_id != GRAPH) {
            apps.push(Application::graph());
        }
        let users = if self.users.is_empty() { vec![User::default()] } else { self.users };
        World {
            authority: self.authority.unwrap_or_default(),
            tenant: self.tenant,
            domain: self.domain,
            cloud: self.cloud,
            apps,
            signed_in: users.first().filter(|_| self.signed_in).cloned(),
            users,
            consent: self.consent,
            consents: Consents::default(),
            app_roles: HashMap::new(),
            strictness: self.strictness,
            form: self.form,
            keys: Keys::new(),
            codes: HashMap::new(),
            refresh_tokens: HashMap::new(),
            ahead: Duration::ZERO,
            faults: HashMap::new(),
            policy: HashMap::new(),
            requests: Vec::new(),
        }
    }
}
