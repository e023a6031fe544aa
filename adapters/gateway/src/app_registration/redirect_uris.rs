//! The redirect URIs of a registration against those that are wanted, over all platforms.

use mcp_entra_core::known_client::{KNOWN_CLIENTS, KnownClient};
use serde_json::{Value, json};

use super::check::Difference;
use super::registration::Registration;
use super::wanted::{AppPlatform, Wanted, WantedRedirectUri};

/// The most redirect URIs that a registration can have; fewer with personal accounts.
const MOST: usize = 256;
const MOST_WITH_PERSONAL_ACCOUNTS: usize = 100;

pub(crate) fn check(registration: &Registration, wanted: &Wanted) -> Vec<Difference> {
    let present: Vec<(AppPlatform, String)> = AppPlatform::ALL
        .into_iter()
        .flat_map(|platform| {
            registration.redirect_uris(platform).into_iter().map(move |uri| (platform, uri))
        })
        .collect();
    let mend = mend(registration, wanted);
    let mut differences = Vec::new();
    for platform in AppPlatform::ALL {
        let missing: Vec<&WantedRedirectUri> = wanted
            .redirect_uris
            .iter()
            .filter(|w| w.platform == platform)
            .filter(|w| !present.iter().any(|(_, uri)| alike(uri, &w.uri)))
            .collect();
        if !missing.is_empty() {
            let problem = format!(
                "sign-ins of these clients fail without them (AADSTS50011){}",
                almost(&missing, &present)
            );
            let values = missing.iter().map(|w| w.uri.clone()).collect();
            differences.push(
                Difference::fault(setting(platform), values, blade(platform), problem)
                    .set(mend.clone()),
            );
        }
        let elsewhere: Vec<&(AppPlatform, String)> = present
            .iter()
            .filter(|(on, uri)| {
                *on == platform && belongs(uri, wanted).is_some_and(|to| to != platform)
            })
            .collect();
        for to in AppPlatform::ALL {
            let values: Vec<String> = elsewhere
                .iter()
                .filter(|(_, uri)| belongs(uri, wanted) == Some(to))
                .map(|(_, uri)| uri.clone())
                .collect();
            if !values.is_empty() {
                let problem =
                    format!("they belong to {}: {}", to.name(), consequence(platform, to));
                differences.push(
                    Difference::fault(setting(platform), values, blade(platform), problem)
                        .set(mend.clone()),
                );
            }
        }
    }
    differences.extend(wildcards(&present, &mend));
    differences.extend(too_many(registration, &present));
    differences.extend(notes(registration, wanted, &present));
    differences
}

/// The lists that differ, as they should be.
fn mend(registration: &Registration, wanted: &Wanted) -> Value {
    let mut properties = serde_json::Map::new();
    for platform in AppPlatform::ALL {
        let present = registration.redirect_uris(platform);
        let mut right: Vec<String> = present
            .iter()
            .filter(|uri| !uri.contains('*'))
            .filter(|uri| belongs(uri, wanted).is_none_or(|to| to == platform))
            .cloned()
            .collect();
        for uri in wanted.redirect_uris_on(platform) {
            if !right.iter().any(|known| alike(known, uri)) {
                right.push(uri.into());
            }
        }
        if right != present {
            properties.insert(platform.property().into(), json!({ "redirectUris": right }));
        }
    }
    Value::Object(properties)
}

/// The platform of a redirect URI that is wanted.
fn belongs(uri: &str, wanted: &Wanted) -> Option<AppPlatform> {
    wanted.redirect_uris.iter().find(|w| alike(uri, &w.uri)).map(|w| w.platform)
}

/// Whether Entra takes one for the other: all is compared but the port of `http://localhost`.
fn alike(one: &str, other: &str) -> bool {
    one == other || without_localhost_port(one) == without_localhost_port(other)
}

fn without_localhost_port(uri: &str) -> String {
    const HOST: &str = "http://localhost";

    match uri.strip_prefix(HOST).and_then(|rest| rest.strip_prefix(':')) {
        Some(rest) => {
            let path = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            format!("{HOST}{path}")
        }
        None => uri.into(),
    }
}

fn consequence(on: AppPlatform, to: AppPlatform) -> &'static str {
    match (on, to) {
        (AppPlatform::Spa, _) => {
            "on Single-page application Entra gives tokens to browsers only (AADSTS9002327)"
        }
        (AppPlatform::Web, _) => "on Web Entra asks for the client secret (AADSTS7000218)",
        _ => {
            "on Mobile and desktop applications Entra refuses the client secret (AADSTS700025); \
             without one, serve with --platform native"
        }
    }
}

/// What is there and differs in a way that is easily overlooked.
fn almost(missing: &[&WantedRedirectUri], present: &[(AppPlatform, String)]) -> String {
    let fold = |uri: &str| uri.trim_end_matches('/').to_ascii_lowercase();
    let near = missing.iter().find_map(|w| {
        present.iter().find(|(_, uri)| fold(uri) == fold(&w.uri)).map(|(_, uri)| uri)
    });
    near.map_or_else(String::new, |uri| {
        format!("; {uri} is not the same: case and the last slash count")
    })
}

fn wildcards(present: &[(AppPlatform, String)], mend: &Value) -> Option<Difference> {
    let with: Vec<&(AppPlatform, String)> =
        present.iter().filter(|(_, uri)| uri.contains('*')).collect();
    let (platform, _) = with.first()?;
    let values = with.iter().map(|(_, uri)| uri.clone()).collect();
    Some(
        Difference::fault(
            setting(*platform),
            values,
            blade(*platform),
            "whoever gets hold of any host that a wildcard stands for can receive codes",
        )
        .set(mend.clone()),
    )
}

fn too_many(registration: &Registration, present: &[(AppPlatform, String)]) -> Option<Difference> {
    let personal = registration.sign_in_audience().is_some_and(|a| a.contains("Personal"));
    let most = if personal { MOST_WITH_PERSONAL_ACCOUNTS } else { MOST };
    (present.len() > most).then(|| {
        Difference::fault(
            "redirectUris",
            vec![present.len().to_string()],
            "Authentication",
            format!(
                "Entra takes {most} redirect URIs for one registration; remove what nobody uses"
            ),
        )
    })
}

/// What is there and not needed.
fn notes(
    registration: &Registration,
    wanted: &Wanted,
    present: &[(AppPlatform, String)],
) -> Vec<Difference> {
    let mut notes = Vec::new();
    for platform in AppPlatform::ALL {
        let mut remarks: Vec<(String, Vec<String>)> = Vec::new();
        for (_, uri) in present.iter().filter(|(on, _)| *on == platform) {
            for remark in [shadow(uri, present), stranger(uri, wanted)].into_iter().flatten() {
                match remarks.iter_mut().find(|(known, _)| *known == remark) {
                    Some((_, uris)) => uris.push(uri.clone()),
                    None => remarks.push((remark, vec![uri.clone()])),
                }
            }
        }
        notes.extend(remarks.into_iter().map(|(remark, uris)| {
            Difference::note(setting(platform), uris, blade(platform), remark)
        }));
    }
    if registration.grants_implicitly() {
        notes.push(Difference::note(
            "web.implicitGrantSettings",
            vec!["enableAccessTokenIssuance".into()],
            "Authentication > Implicit grant and hybrid flows",
            "no MCP client uses the implicit grant, which puts tokens into URLs",
        ));
    }
    notes
}

/// That another one differs by its port only.
fn shadow(uri: &str, present: &[(AppPlatform, String)]) -> Option<String> {
    let twin = present.iter().any(|(_, other)| alike(uri, other) && uri != other);
    twin.then(|| {
        "Entra ignores the port of http://localhost, so these are one: keep one of each path".into()
    })
}

/// Whose a redirect URI is that nobody asked for.
fn stranger(uri: &str, wanted: &Wanted) -> Option<String> {
    if uri.contains('*') || belongs(uri, wanted).is_some() {
        return None;
    }
    let connectors =
        |client: &&KnownClient| client.connectors.is_some_and(|prefix| uri.starts_with(prefix));
    Some(if let Some(client) = KNOWN_CLIENTS.iter().find(connectors) {
        format!(
            "{} makes such a one for each connector; look whether it is yours, and name it with \
             --redirect-uri",
            client.name
        )
    } else if let Some(name) = known_client(uri) {
        format!("for {name}, which --client does not name")
    } else {
        "no client that is known uses these; each can receive codes, so look whose it is, and name \
         those that you want with --redirect-uri"
            .into()
    })
}

fn known_client(uri: &str) -> Option<&'static str> {
    let with_port = |client: &KnownClient, known: &str| {
        let path = known.strip_prefix("http://127.0.0.1");
        client
            .default_port
            .zip(path)
            .is_some_and(|(port, path)| uri == format!("http://127.0.0.1:{port}{path}"))
    };
    let client = KNOWN_CLIENTS.iter().find(|client| {
        client.redirect_uris.iter().any(|known| alike(known, uri) || with_port(client, known))
    });
    client.map(|client| client.name)
}

fn setting(platform: AppPlatform) -> &'static str {
    match platform {
        AppPlatform::MobileAndDesktop => "publicClient.redirectUris",
        AppPlatform::Spa => "spa.redirectUris",
        AppPlatform::Web => "web.redirectUris",
    }
}

fn blade(platform: AppPlatform) -> &'static str {
    match platform {
        AppPlatform::MobileAndDesktop => "Authentication > Mobile and desktop applications",
        AppPlatform::Spa => "Authentication > Single-page application",
        AppPlatform::Web => "Authentication > Web",
    }
}

#[cfg(test)]
mod tests {
    use mcp_entra_core::{Options, Settings};
    use serde_json::json;

    use crate::app_registration::check::tests::{NOW, differences, right};
    use crate::app_registration::check::{Weight, check};
    use crate::app_registration::registration::tests::registration;
    use crate::app_registration::wanted::Wanted;

    #[test]
    fn what_is_not_needed_is_mentioned_mildly() {
        for (setting, values, addition) in [
            (
                "publicClient.redirectUris",
                vec!["http://localhost:1/callback", "http://localhost:2/callback"],
                json!(["http://localhost:1/callback", "http://localhost:2/callback"]),
            ),
            (
                "publicClient.redirectUris",
                vec!["https://who.example/cb"],
                json!(["https://who.example/cb"]),
            ),
            (
                "publicClient.redirectUris",
                vec!["https://chatgpt.com/connector/oauth/abc"],
                json!(["https://chatgpt.com/connector/oauth/abc"]),
            ),
        ] {
            let mut object = right();
            let list = object["publicClient"]["redirectUris"].as_array_mut().unwrap();
            list.retain(|uri| uri != "http://localhost/callback" || values.len() == 1);
            list.extend(addition.as_array().cloned().unwrap());
            let found = differences(&object);
            assert_eq!(found.len(), 1, "{found:#?}");
            assert_eq!((found[0].setting, found[0].weight), (setting, Weight::Note));
            let connector = values[0].starts_with("https://chatgpt.com/");
            assert_eq!(found[0].problem.starts_with("ChatGPT makes"), connector, "{found:#?}");
            assert_eq!(found[0].values, values);
        }
        let mut object = right();
        object["web"]["implicitGrantSettings"] = json!({ "enableAccessTokenIssuance": true });
        object["api"]["preAuthorizedApplications"]
            .as_array_mut()
            .unwrap()
            .push(json!({ "appId": "aebc6443-996d-45c2-90f0-388ff96faa56" }));
        let found: Vec<_> = differences(&object).iter().map(|d| (d.setting, d.weight)).collect();
        assert_eq!(
            found,
            [
                ("web.implicitGrantSettings", Weight::Note),
                ("api.preAuthorizedApplications", Weight::Note)
            ]
        );
        let settings = Settings::parse(&Options {
            resource: "https://mcp.example.com/mcp".into(),
            tenant: "contoso.com".into(),
            client_id: "99999999-8888-4777-8666-555555555555".into(),
            ..Options::default()
        });
        let cursor = mcp_entra_core::known_client::find("cursor").unwrap();
        let few = Wanted::new(&settings.unwrap(), &[cursor]);
        let found = check(&registration(&right()), &few, NOW);
        assert!(found.iter().all(|d| d.weight == Weight::Note), "{found:#?}");
        assert!(found.iter().any(|d| d.problem.contains("Claude")), "{found:#?}");
    }

    #[test]
    fn a_port_of_localhost_is_as_good_as_none_and_case_is_not() {
        let mut object = right();
        let list = object["publicClient"]["redirectUris"].as_array_mut().unwrap();
        for uri in list.iter_mut().filter(|uri| *uri == "http://localhost/callback") {
            *uri = "http://localhost:8787/callback".into();
        }
        assert_eq!(differences(&object), []);
        let list = object["publicClient"]["redirectUris"].as_array_mut().unwrap();
        for uri in list.iter_mut().filter(|uri| *uri == "http://127.0.0.1/oauth_callback") {
            *uri = "http://127.0.0.1/OAuth_callback/".into();
        }
        let found = differences(&object);
        assert_eq!(found[0].values, ["http://127.0.0.1/oauth_callback"]);
        assert!(found[0].problem.contains("http://127.0.0.1/OAuth_callback/ is not the same"));
    }
}
