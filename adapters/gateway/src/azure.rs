//! What Azure's platforms say of themselves, for options that the operator left out.
//!
//! | option | App Service, Functions | Container Apps |
//! |---|---|---|
//! | `--listen` | `FUNCTIONS_CUSTOMHANDLER_PORT`, on loopback: the Functions host is in front | |
//! | `--resource` | `WEBSITE_HOSTNAME` | `CONTAINER_APP_NAME`, `CONTAINER_APP_ENV_DNS_SUFFIX` |
//! | `--client-id` | `WEBSITE_AUTH_CLIENT_ID`, Easy Auth's own setting | |
//! | `--tenant`, `--authority` | `WEBSITE_AUTH_OPENID_ISSUER`, likewise | |

use url::Url;

/// An option's value and the variable that it comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Derived {
    pub(crate) option: &'static str,
    pub(crate) value: String,
    pub(crate) variable: &'static str,
}

/// Everything that can be derived. The path of the MCP endpoint is that of the server behind.
pub(crate) fn derive(variable: impl Fn(&str) -> Option<String>, upstream: &str) -> Vec<Derived> {
    let variable = |name| variable(name).filter(|value| !value.is_empty());
    let path = Url::parse(upstream).map_or_else(|_| "/mcp".into(), |url| url.path().to_owned());
    let mut derived = Vec::new();
    let mut add = |option, variable, value| derived.push(Derived { option, value, variable });

    if let Some(port) = variable("FUNCTIONS_CUSTOMHANDLER_PORT") {
        add("listen", "FUNCTIONS_CUSTOMHANDLER_PORT", format!("127.0.0.1:{port}"));
    }
    if let Some(host) = variable("WEBSITE_HOSTNAME") {
        // the Functions host on a developer's machine says localhost:7071
        let scheme = if host.starts_with("localhost") { "http" } else { "https" };
        add("resource", "WEBSITE_HOSTNAME", format!("{scheme}://{host}{path}"));
    } else if let (Some(name), Some(suffix)) =
        (variable("CONTAINER_APP_NAME"), variable("CONTAINER_APP_ENV_DNS_SUFFIX"))
    {
        add("resource", "CONTAINER_APP_ENV_DNS_SUFFIX", format!("https://{name}.{suffix}{path}"));
    }
    if let Some(client_id) = variable("WEBSITE_AUTH_CLIENT_ID") {
        add("client-id", "WEBSITE_AUTH_CLIENT_ID", client_id);
    }
    let issuer = variable("WEBSITE_AUTH_OPENID_ISSUER").and_then(|issuer| Url::parse(&issuer).ok());
    if let Some(issuer) = issuer {
        let tenant = issuer.path_segments().and_then(|mut segments| segments.next());
        if let Some(tenant) = tenant.filter(|tenant| !tenant.is_empty()) {
            add("tenant", "WEBSITE_AUTH_OPENID_ISSUER", tenant.to_owned());
        }
        // v1 issuers are at another host than the one where users sign in
        if issuer.host_str().is_some_and(|host| !host.starts_with("sts.")) {
            let origin = issuer.origin().ascii_serialization();
            add("authority", "WEBSITE_AUTH_OPENID_ISSUER", origin);
        }
    }
    derived
}

#[cfg(test)]
mod tests {
    use super::*;

    fn derived(variables: &[(&str, &str)], upstream: &str) -> Vec<(&'static str, String)> {
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        derive(variable, upstream).into_iter().map(|d| (d.option, d.value)).collect()
    }

    #[test]
    fn functions_with_easy_auth_needs_an_upstream_and_nothing_else() {
        let variables = [
            ("FUNCTIONS_CUSTOMHANDLER_PORT", "50123"),
            ("WEBSITE_HOSTNAME", "notes.azurewebsites.net"),
            ("WEBSITE_AUTH_CLIENT_ID", "99999999-8888-4777-8666-555555555555"),
            ("WEBSITE_AUTH_OPENID_ISSUER", "https://login.microsoftonline.us/contoso.us/v2.0"),
        ];
        assert_eq!(
            derived(&variables, "http://127.0.0.1:9000/api/mcp"),
            [
                ("listen", "127.0.0.1:50123".into()),
                ("resource", "https://notes.azurewebsites.net/api/mcp".into()),
                ("client-id", "99999999-8888-4777-8666-555555555555".into()),
                ("tenant", "contoso.us".into()),
                ("authority", "https://login.microsoftonline.us".into()),
            ]
        );
    }

    #[test]
    fn a_v1_issuer_names_the_tenant_alone() {
        let variables = [("WEBSITE_AUTH_OPENID_ISSUER", "https://sts.windows.net/contoso.com/")];
        assert_eq!(derived(&variables, ""), [("tenant", "contoso.com".into())]);
    }

    #[test]
    fn container_apps_and_a_developers_machine() {
        let variables = [
            ("CONTAINER_APP_NAME", "notes"),
            ("CONTAINER_APP_ENV_DNS_SUFFIX", "kind-sea.westeurope.azurecontainerapps.io"),
        ];
        assert_eq!(
            derived(&variables, ""),
            [("resource", "https://notes.kind-sea.westeurope.azurecontainerapps.io/mcp".into())]
        );
        let variables = [("WEBSITE_HOSTNAME", "localhost:7071")];
        assert_eq!(derived(&variables, ""), [("resource", "http://localhost:7071/mcp".into())]);
        assert_eq!(derived(&[("WEBSITE_HOSTNAME", "")], ""), []);
    }
}
