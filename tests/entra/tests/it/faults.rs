//! Faults are what they say.

use std::time::{Duration, Instant};

use mcp_entra_stand_in::{EXAMPLE_TENANT, Endpoint, EntraStandIn, Fault};
use tokio::time::timeout;

use crate::client::{code, get, redeem, send};

fn path() -> String {
    format!("/{EXAMPLE_TENANT}/v2.0/.well-known/openid-configuration")
}

#[tokio::test]
async fn each_fault() {
    let entra = EntraStandIn::builder().start().await.unwrap();
    let whole = get(&entra, &path()).await;
    let disturbed = async |fault: Fault| {
        entra.set_fault(Endpoint::Discovery, Some(fault));
        send(&entra, "GET", &path(), &[], "").await
    };
    assert!(disturbed(Fault::Outage).await.is_err());
    assert!(disturbed(Fault::Reset).await.is_err(), "announces more than it gives");
    let busy = disturbed(Fault::Status(503, Some(7))).await.unwrap();
    assert_eq!((busy.status, busy.headers["retry-after"].as_bytes()), (503, "7".as_bytes()));
    assert!(disturbed(Fault::Html).await.unwrap().text().contains("<html"));
    assert!(disturbed(Fault::Empty).await.unwrap().body.is_empty());
    let huge = disturbed(Fault::Huge).await.unwrap();
    assert!(huge.body.len() > 10 << 20 && huge.json()["padding"].is_string());
    assert_eq!(
        disturbed(Fault::Redirect("https://x.example/".into())).await.unwrap().location(),
        Some("https://x.example/")
    );
    assert_eq!(
        disturbed(Fault::Bom).await.unwrap().body,
        [b"\xef\xbb\xbf", &whole.body[..]].concat()
    );
    let other = disturbed(Fault::OtherTenant).await.unwrap().json();
    assert_ne!(other["issuer"], entra.issuer());
    assert!(timeout(Duration::from_millis(300), disturbed(Fault::Endless)).await.is_err());
    assert!(
        timeout(Duration::from_millis(300), disturbed(Fault::Drip(Duration::from_millis(20))))
            .await
            .is_err()
    );
    let start = Instant::now();
    assert_eq!(disturbed(Fault::Slow(Duration::from_millis(100))).await.unwrap().body, whole.body);
    assert!(start.elapsed() >= Duration::from_millis(100));
    entra.set_fault(Endpoint::Discovery, None);
    assert_eq!(get(&entra, &path()).await.body, whole.body);
}

#[tokio::test]
async fn next_only() {
    let entra = EntraStandIn::builder().start().await.unwrap();
    entra.fault_next(Endpoint::Discovery, Fault::Empty);
    entra.fault_next(Endpoint::Discovery, Fault::Status(429, Some(1)));
    assert!(get(&entra, &path()).await.body.is_empty());
    assert_eq!(get(&entra, &path()).await.status, 429);
    assert_eq!(get(&entra, &path()).await.status, 200);
    assert_eq!(entra.requests().len(), 3, "disturbed requests are recorded too");

    entra.refuse_next(Endpoint::Token, 90055).unwrap();
    let reply = redeem(&entra, &code(&entra, &[]).await, &[], &[]).await;
    assert_eq!(
        (reply.status, reply.code(), reply.headers["retry-after"].as_bytes()),
        (429, Some(90055), "17".as_bytes())
    );
    assert!(entra.refuse_next(Endpoint::Token, 1).is_err());
}

#[tokio::test]
async fn stops_when_dropped() {
    let entra = EntraStandIn::builder().start().await.unwrap();
    let address = entra.address();
    let mut open = tokio::net::TcpStream::connect(address).await.unwrap();
    get(&entra, &path()).await;
    drop(entra);
    let closed =
        timeout(Duration::from_secs(5), tokio::io::AsyncReadExt::read(&mut open, &mut [0]))
            .await
            .unwrap();
    assert!(matches!(closed, Ok(0) | Err(_)), "open connections end");
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
