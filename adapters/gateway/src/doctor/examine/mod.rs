//! From what was seen to findings: each examination is a function of the observations alone.

use super::finding::{Finding, Severity};
use super::kinds;
use super::seen::Observations;

pub(crate) mod app_registration;
mod authorization;
mod authorization_server;
mod browsers;
mod challenge;
mod protected_resource;
mod registration;
mod token;

pub(crate) use authorization::comes_to_entra;

/// What is to be said of one step.
type Examination = fn(&Observations) -> Vec<Finding>;
/// What is said of it where nothing is wrong.
type Well = fn(&Observations) -> Option<Finding>;

/// Everything that was found, in the order of the walk.
pub(crate) fn examine(seen: &Observations) -> Vec<Finding> {
    if let [first, ..] = seen.calls.as_slice()
        && let Err(reason) = &first.answer
        && seen.calls.iter().all(|call| call.answer.is_err())
    {
        let finding = Finding::of(&kinds::UNREACHABLE)
            .with("resource", seen.resource.as_str())
            .with("reason", reason.to_string())
            .seen(first, reason.to_string(), "an answer");
        return vec![finding];
    }
    let mut findings: Vec<Finding> = Vec::new();
    let examinations: [(Examination, Well); 7] = [
        (challenge::examine, challenge::well),
        (protected_resource::examine, protected_resource::well),
        (authorization_server::examine, authorization_server::well),
        (registration::examine, registration::well),
        (authorization::examine, authorization::well),
        (token::examine, token::well),
        (browsers::examine, browsers::well),
    ];
    for (examination, well) in examinations {
        let found = examination(seen);
        let sound = found.iter().all(|finding| finding.kind.severity > Severity::Warning);
        findings.extend(found);
        findings.extend(if sound { well(seen) } else { None });
    }
    findings
}

/// Entra's error in an answer's text: the first code, and its sentence.
pub(crate) fn entra_error(text: &str) -> Option<(u32, String)> {
    let start = text.match_indices("AADSTS").find_map(|(start, _)| {
        let digits = text.get(start + 6..)?;
        let end = digits.find(|c: char| !c.is_ascii_digit())?;
        // a page's scripts may speak of codes; an error has a colon after it
        (end > 0 && digits.get(end..)?.starts_with(':')).then_some(start)
    })?;
    let rest = text.get(start..)?;
    let code = mcp_entra_core::aadsts::codes_in(rest).next()?;
    let ends = [" Trace ID", "\r", "\n", "\\r", "\\n", "<", "\"", "Trace ID"];
    let end = ends.iter().filter_map(|end| rest.find(end)).min().unwrap_or(rest.len());
    let sentence = unescaped(rest.get(..end)?.trim());
    // the rest says where to look in the portal, which we know better
    let first = sentence.find(". ").and_then(|end| sentence.get(..=end)).map(str::to_owned);
    Some((code, first.unwrap_or(sentence)))
}

/// The few escapes that Entra's pages use, of HTML and of scripts.
fn unescaped(text: &str) -> String {
    [
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("\\u0027", "'"),
        ("&quot;", "\""),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&amp;", "&"),
        ("\\u0026", "&"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (escape, character)| text.replace(escape, character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_entras() {
        for (text, expected) in [
            (
                "<p>AADSTS50011: The redirect URI &#39;x&#39; is not.</p>",
                Some((50011, "AADSTS50011: The redirect URI 'x' is not.")),
            ),
            (
                r#""strServiceExceptionMessage":"AADSTS700016: Application with identifier \u0027a\u0027 was not found.\r\nTrace ID: b""#,
                Some((700016, "AADSTS700016: Application with identifier 'a' was not found.")),
            ),
            (
                "AADSTS9002313: Invalid request. Trace ID: 1",
                Some((9002313, "AADSTS9002313: Invalid request.")),
            ),
            ("if (code == 'AADSTS50058') {} AADSTSx AADSTS", None),
            ("a sign-in page", None),
        ] {
            let expected = expected.map(|(code, text)| (code, text.to_owned()));
            assert_eq!(entra_error(text), expected, "{text}");
        }
    }
}
