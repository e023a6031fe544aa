//! The settings under which every target runs.

use std::sync::{Arc, LazyLock};

use mcp_entra_core::{Discovery, Facade, KeySet, Options, Settings};

pub(crate) const TENANT: &str = "11111111-2222-4333-8444-555555555555";
pub(crate) const CLIENT: &str = "99999999-8888-4777-8666-555555555555";
pub(crate) const ORIGIN: &str = "https://mcp.example.com";
/// No output may hold it but a request to Entra.
pub(crate) const SECRET: &str = "Canary~Of~Our~Secret";

/// A facade with the documents that its driver holds.
pub(crate) struct Setting {
    pub(crate) facade: Facade,
    pub(crate) discovery: Arc<Discovery>,
    pub(crate) keys: Arc<KeySet>,
}

impl Setting {
    pub(crate) fn settings(&self) -> &Settings {
        self.facade.settings()
    }

    fn new(options: &Options) -> Self {
        let settings = Settings::parse(options).expect("the options are good");
        let facade = Facade::new(settings);
        let document: &[u8] = match options.tenant.as_str() {
            "common" => include_bytes!("../../core/tests/fixtures/v2_common.json"),
            _ => include_bytes!("../../core/tests/fixtures/v2_tenant.json"),
        };
        let discovery = facade.read_discovery(document).expect("the document is good");
        let keys = include_bytes!("../../core/tests/fixtures/jwks_v2_common.json");
        let keys = Arc::new(KeySet::parse(keys).expect("the keys are good"));
        Self { facade, discovery: Arc::new(discovery), keys }
    }
}

fn options() -> Options {
    Options {
        resource: "https://mcp.example.com/mcp".into(),
        tenant: TENANT.into(),
        client_id: CLIENT.into(),
        scopes: vec!["access_as_user".into(), "files/read".into()],
        client_secret: Some(SECRET.into()),
        redirect_uris: vec!["https://h/cb?x=y".into(), "http://localhost:4000/one".into()],
        ..Options::default()
    }
}

/// The ways in which an operator may run it, the first of which the small targets use.
pub(crate) static SETTINGS: LazyLock<[Setting; 5]> = LazyLock::new(|| {
    [
        Setting::new(&options()),
        Setting::new(&Options {
            resource: ORIGIN.into(),
            tenant: "common".into(),
            allowed_tenants: vec![TENANT.into()],
            platform: "web".into(),
            issue_client_secret: true,
            ..options()
        }),
        Setting::new(&Options {
            trust: "easy-auth".into(),
            forward_token: true,
            app_roles: vec!["Admin".into()],
            ..options()
        }),
        Setting::new(&Options {
            operation_scopes: vec!["tools/call:delete_*=mcp.write,mcp.audit".into()],
            scope_implies: vec!["mcp.write=access_as_user".into()],
            app_roles: vec!["Mcp.Invoke".into()],
            ..options()
        }),
        Setting::new(&Options {
            app_id_uri: "https://contoso.com/tools".into(),
            client_secret: None,
            clock_skew: Some(0),
            ..options()
        }),
    ]
});

pub(crate) fn first() -> &'static Setting {
    &SETTINGS[0]
}
