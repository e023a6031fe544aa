//! A function for `tests/emulator.rs`: it sends one server-sent event, and the last one when
//! somebody lets it, on a connection to the address in `GATE`.

use lambda_http::lambda_runtime::streaming::channel;
use lambda_http::{Error, Request, Response, run_with_streaming_response, service_fn};
use mcp_entra_lambda::{Entra, Options};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let options = Options {
        resource: std::env::var("MCP_ENTRA_RESOURCE")?,
        tenant: std::env::var("MCP_ENTRA_TENANT")?,
        client_id: std::env::var("MCP_ENTRA_CLIENT_ID")?,
        authority: std::env::var("MCP_ENTRA_AUTHORITY")?,
        ..Options::default()
    };
    let gate = std::env::var("GATE")?;
    let handler = service_fn(move |_: Request| {
        let gate = gate.clone();
        async move {
            let (mut events, body) = channel();
            tokio::spawn(async move {
                events.send_data("data: first\n\n".into()).await?;
                TcpStream::connect(gate).await?.read_u8().await?;
                events.send_data("data: last\n\n".into()).await?;
                Ok::<_, Error>(())
            });
            let response = Response::builder().header("content-type", "text/event-stream");
            Ok::<_, Error>(response.body(body)?)
        }
    });
    run_with_streaming_response(Entra::new(&options).await?.protect(handler)).await
}
