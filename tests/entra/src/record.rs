//! What the stand-in has received, for assertions. Secrets included: this is a test double.

use crate::fault::Endpoint;
use crate::parameters::Parameters;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct RecordedRequest {
    /// HTTP method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The query, undecoded; empty if there is none.
    pub query: String,
    /// Header names (lower case) and values in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
    /// Which endpoint it was for, if any.
    pub endpoint: Option<Endpoint>,
}

impl RecordedRequest {
    /// The header's first value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Decoded names and values of the query.
    #[must_use]
    pub fn query_pairs(&self) -> Vec<(String, String)> {
        Parameters::parse(self.query.as_bytes()).0
    }

    /// Decoded names and values of the body as a form.
    #[must_use]
    pub fn form_pairs(&self) -> Vec<(String, String)> {
        Parameters::parse(self.body.as_bytes()).0
    }

    /// The parameter's first value, from the query or else from the form.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = self.query_pairs().into_iter().chain(self.form_pairs());
        pairs.find(|(known, _)| known == name).map(|(_, value)| value)
    }
}
