//! Whether Easy Auth's word can be taken on the platform that we run on.
//!
//! Its headers say who has signed in only where its module runs in front and nothing else leads
//! to our port. App Service and Functions tell by a variable whether it runs; Container Apps has
//! no such variable, so there the operator alone can know.

/// What to say at the start, where there is something to say.
pub(crate) fn check(
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<&'static str>, String> {
    const TRUST: &str = "--trust (MCP_ENTRA_TRUST) 'easy-auth'";

    if variable("WEBSITE_SITE_NAME").or_else(|| variable("WEBSITE_INSTANCE_ID")).is_some() {
        let enabled = variable("WEBSITE_AUTH_ENABLED").unwrap_or_default();
        if !enabled.eq_ignore_ascii_case("true") {
            return Err(format!(
                "{TRUST}: WEBSITE_AUTH_ENABLED is '{enabled}', so App Service authentication is off and \
                 anybody could set its headers; turn it on under Settings > Authentication, or use token"
            ));
        }
        let provider = variable("WEBSITE_AUTH_DEFAULT_PROVIDER").unwrap_or_default();
        if !["", "AzureActiveDirectory", "AAD"].contains(&provider.as_str()) {
            return Err(format!(
                "{TRUST}: WEBSITE_AUTH_DEFAULT_PROVIDER is '{provider}'; choose Microsoft under Settings > \
                 Authentication, or use token"
            ));
        }
        return Ok(None);
    }
    if variable("CONTAINER_APP_NAME").is_some() {
        return Ok(Some(
            "Container Apps does not tell whether its authentication is on: see that it is, and that \
             nothing in the environment or the network reaches this port around it",
        ));
    }
    Ok(Some(
        "neither App Service, Functions nor Container Apps: whoever reaches this port can say who they are",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(variables: &[(&str, &str)]) -> Result<Option<&'static str>, String> {
        check(|name| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn app_service_has_to_say_that_it_authenticates() {
        let site = ("WEBSITE_SITE_NAME", "mcp");
        let enabled = ("WEBSITE_AUTH_ENABLED", "True");
        assert!(on(&[site]).unwrap_err().contains("WEBSITE_AUTH_ENABLED is ''"));
        assert!(on(&[site, ("WEBSITE_AUTH_ENABLED", "False")]).is_err());
        assert_eq!(on(&[site, enabled]), Ok(None));
        assert_eq!(
            on(&[site, enabled, ("WEBSITE_AUTH_DEFAULT_PROVIDER", "AzureActiveDirectory")]),
            Ok(None)
        );
        assert!(on(&[site, enabled, ("WEBSITE_AUTH_DEFAULT_PROVIDER", "Google")]).is_err());
    }

    #[test]
    fn elsewhere_the_operator_is_told_what_nobody_can_check() {
        assert!(on(&[("CONTAINER_APP_NAME", "mcp")]).unwrap().unwrap().contains("Container Apps"));
        assert!(on(&[]).unwrap().is_some());
    }
}
