//! A server's challenge, read by a parser that is not ours.

use super::seen::{Answer, Call};

/// What clients read of the `WWW-Authenticate` of a 401.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Challenge {
    pub(crate) resource_metadata: Option<String>,
    pub(crate) scope: Option<String>,
    pub(crate) error: Option<String>,
}

/// What is in the `WWW-Authenticate` headers of an answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Challenges {
    Missing,
    /// The header, and what the parser said.
    Unparseable(String, String),
    /// Schemes that are there, `Bearer` not among them.
    Others(Vec<String>),
    /// The first `Bearer`, and how many there are.
    Bearer(Challenge, usize),
}

impl Challenges {
    pub(crate) fn of(answer: &Answer) -> Self {
        let mut bearers = Vec::new();
        let mut others = Vec::new();
        for value in answer.headers.get_all("www-authenticate") {
            let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
            let parsed = match http_auth::parse_challenges(&text) {
                Ok(parsed) => parsed,
                Err(error) => return Self::Unparseable(text.clone(), error.to_string()),
            };
            for challenge in parsed {
                if !challenge.scheme.eq_ignore_ascii_case("bearer") {
                    others.push(challenge.scheme.to_owned());
                    continue;
                }
                let value = |name: &str| {
                    let found = challenge.params.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
                    found.map(|(_, value)| value.to_unescaped())
                };
                bearers.push(Challenge {
                    resource_metadata: value("resource_metadata"),
                    scope: value("scope"),
                    error: value("error"),
                });
            }
        }
        let count = bearers.len();
        match (bearers.into_iter().next(), others.is_empty()) {
            (Some(first), _) => Self::Bearer(first, count),
            (None, true) => Self::Missing,
            (None, false) => Self::Others(others),
        }
    }
}

impl Challenge {
    /// The challenge that a client finds first.
    pub(crate) fn of(calls: &[Call]) -> Option<Self> {
        calls.iter().find_map(|call| match Challenges::of(call.answer.as_ref().ok()?) {
            Challenges::Bearer(challenge, _) => Some(challenge),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn challenges(values: &[&'static str]) -> Challenges {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("www-authenticate", value.parse().unwrap());
        }
        Challenges::of(&Answer { status: 401, headers, body: "".into() })
    }

    #[test]
    fn headers() {
        assert_eq!(challenges(&[]), Challenges::Missing);
        assert_eq!(challenges(&["Basic realm=\"x\""]), Challenges::Others(vec!["Basic".into()]));
        let full = r#"Bearer resource_metadata="https://h/x", scope="a b""#;
        let read = Challenge {
            resource_metadata: Some("https://h/x".into()),
            scope: Some("a b".into()),
            error: None,
        };
        assert_eq!(challenges(&[full]), Challenges::Bearer(read.clone(), 1));
        assert_eq!(challenges(&["Basic realm=\"x\"", full]), Challenges::Bearer(read, 1));
        assert!(matches!(challenges(&["Bearer", full]), Challenges::Bearer(_, 2)));
        assert!(matches!(
            challenges(&["Bearer resource_metadata=https://h/x"]),
            Challenges::Unparseable(..)
        ));
    }
}
