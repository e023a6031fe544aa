//! The load: connections that ask one after the other, and streams that stay open.

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderName, HeaderValue, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::Failure;

/// Asks as the plan says: `{address, method, path, headers, body, status, requests, connections}`,
/// and `tokens` with one for each request.
pub(crate) async fn run(plan: &str) -> Result<(), Failure> {
    let plan: Value = serde_json::from_slice(&std::fs::read(plan)?)?;
    let plan = Arc::new(Plan::read(&plan)?);
    let mut connections = Vec::new();
    for _ in 0..plan.connections {
        connections.push(connect(&plan.address).await?);
    }
    let started = Instant::now();
    let next = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = connections
        .into_iter()
        .map(|connection| tokio::spawn(ask(plan.clone(), connection, next.clone())))
        .collect();
    let mut octets = 0;
    for task in tasks {
        octets += task.await??;
    }
    let seconds = started.elapsed().as_secs_f64();
    println!("{}", json!({"requests": plan.requests, "octets": octets, "seconds": seconds}));
    Ok(())
}

struct Plan {
    address: String,
    connections: usize,
    requests: usize,
    status: u64,
    request: Request<Full<Bytes>>,
    tokens: Vec<HeaderValue>,
}

impl Plan {
    fn read(plan: &Value) -> Result<Self, Failure> {
        let text = |name: &str| plan[name].as_str().unwrap_or_default().to_owned();
        let number = |name: &str| plan[name].as_u64().ok_or_else(|| format!("no {name}"));
        let mut request = Request::builder()
            .method(text("method").as_str())
            .uri(text("path"))
            .header(HOST, "mcp.example.com")
            .body(Full::from(text("body")))?;
        for (name, value) in plan["headers"].as_object().into_iter().flatten() {
            let value = HeaderValue::try_from(value.as_str().unwrap_or_default())?;
            request.headers_mut().insert(HeaderName::try_from(name.as_str())?, value);
        }
        let tokens = plan["tokens"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let tokens = tokens.map(|token| HeaderValue::try_from(format!("Bearer {token}")));
        Ok(Self {
            address: text("address"),
            connections: usize::try_from(number("connections")?)?,
            requests: usize::try_from(number("requests")?)?,
            status: number("status")?,
            request,
            tokens: tokens.collect::<Result<_, _>>()?,
        })
    }
}

async fn connect(address: &str) -> Result<SendRequest<Full<Bytes>>, Failure> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn ask(
    plan: Arc<Plan>,
    mut connection: SendRequest<Full<Bytes>>,
    next: Arc<AtomicUsize>,
) -> Result<usize, Failure> {
    let mut octets = 0;
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= plan.requests {
            return Ok(octets);
        }
        let mut request = plan.request.clone();
        if let Some(token) = plan.tokens.get(number) {
            request.headers_mut().insert(AUTHORIZATION, token.clone());
        }
        connection.ready().await?;
        let response = connection.send_request(request).await?;
        if u64::from(response.status().as_u16()) != plan.status {
            return Err(format!("answered {}, not {}", response.status(), plan.status).into());
        }
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            octets += frame?.data_ref().map_or(0, Bytes::len);
        }
    }
}

/// Opens streams, waits for the first event of each, and keeps them.
pub(crate) async fn idle(address: &str, count: usize, token: &str) -> Result<(), Failure> {
    let mut open = Vec::new();
    for _ in 0..count {
        let mut connection = connect(address).await?;
        let request = Request::get("/mcp")
            .header(HOST, "mcp.example.com")
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .body(Full::default())?;
        let mut body = connection.send_request(request).await?.into_body();
        body.frame().await.ok_or("the stream ended")??;
        open.push((connection, body));
    }
    println!("open={count}");
    tokio::task::spawn_blocking(|| std::io::stdin().read(&mut [0])).await??;
    drop(open);
    Ok(())
}
