//! What may come back from Entra in the place of an answer.

/// Why Entra gave no answer. The driver says which; what a client is told is decided here.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum UpstreamError {
    /// The connection broke before the answer was whole.
    #[error("Entra ID's answer broke off")]
    Incomplete,
    /// No answer in the time that the driver allows.
    #[error("Entra ID did not answer in time")]
    Timeout,
    /// More octets than the continuation's limit.
    #[error("Entra ID's answer was too long")]
    TooLong,
    /// No connection: name, address or certificate.
    #[error("Entra ID cannot be reached")]
    Unreachable,
}
