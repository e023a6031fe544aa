//! A connection by the octet: for what no HTTP client would send.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Gateway, within};

/// A connection to a gateway.
#[derive(Debug)]
pub(crate) struct Wire(TcpStream);

impl Wire {
    pub(crate) async fn to(gateway: &Gateway) -> Self {
        let address = gateway.origin().trim_start_matches("http://");
        Self(within("a connection", TcpStream::connect(address)).await.expect("it listens"))
    }

    pub(crate) async fn send(&mut self, octets: impl AsRef<[u8]>) {
        // a server that has said no may close before it has read everything
        _ = self.0.write_all(octets.as_ref()).await;
    }

    /// Everything that comes until the server closes.
    pub(crate) async fn rest(mut self) -> String {
        let mut all = Vec::new();
        let read = async {
            // a reset is an end too
            while let Ok(1..) = self.0.read_buf(&mut all).await {}
        };
        within("the connection ends", read).await;
        String::from_utf8_lossy(&all).into_owned()
    }

    /// What comes first.
    pub(crate) async fn some(&mut self) -> String {
        let mut some = vec![0; 64 * 1024];
        let count = within("an answer", self.0.read(&mut some)).await.unwrap_or_default();
        String::from_utf8_lossy(&some[..count]).into_owned()
    }
}

/// The status of an answer; 0 where there is none.
pub(crate) fn status_of(answer: &str) -> u16 {
    let status = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
    status.and_then(|status| status.parse().ok()).unwrap_or_default()
}
