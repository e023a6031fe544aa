//! TLS in front of the stand-in, with a certificate that is right or wrong.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use mcp_entra_stand_in::EntraStandIn;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

/// The certificate that a server shows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Certificate {
    Right,
    /// Of an authority that nobody trusts.
    OfNobody,
    /// Of another name.
    OfAnother,
    Expired,
}

/// A stand-in behind TLS at `localhost`.
#[derive(Debug)]
pub(crate) struct Tls {
    pub(crate) entra: Arc<EntraStandIn>,
    authority: Authority,
    listener: Arc<TcpListener>,
    serving: AbortHandle,
}

/// A certificate authority of a test's own, in a file for `SSL_CERT_FILE`.
#[derive(Debug)]
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    file: PathBuf,
}

impl Tls {
    pub(crate) async fn start(certificate: Certificate) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("some port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let entra = EntraStandIn::builder().authority(&format!("https://localhost:{port}"));
        let entra = Arc::new(entra.start().await.expect("the stand-in starts"));
        let (authority, listener) = (Authority::new(port), Arc::new(listener));
        let config = authority.config(certificate);
        let serving = serve(listener.clone(), config, entra.address());
        Self { entra, authority, listener, serving }
    }

    /// The file for `SSL_CERT_FILE`.
    pub(crate) fn certificates(&self) -> String {
        self.authority.file.to_string_lossy().into_owned()
    }

    /// Shows another certificate from now on; connections that there are end.
    pub(crate) fn show(&mut self, certificate: Certificate) {
        self.serving.abort();
        let config = self.authority.config(certificate);
        self.serving = serve(self.listener.clone(), config, self.entra.address());
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        self.serving.abort();
        // a file that is gone already is gone
        _ = std::fs::remove_file(&self.authority.file);
    }
}

fn serve(listener: Arc<TcpListener>, config: ServerConfig, behind: SocketAddr) -> AbortHandle {
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let serve = async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            connections.spawn(async move {
                let mut outer = acceptor.accept(stream).await?;
                let mut inner = TcpStream::connect(behind).await?;
                tokio::io::copy_bidirectional(&mut outer, &mut inner).await
            });
        }
    };
    tokio::spawn(serve).abort_handle()
}

impl Authority {
    fn new(port: u16) -> Self {
        let (issuer, certificate) = authority();
        let file =
            std::env::temp_dir().join(format!("mcp-entra-{}-{port}.pem", std::process::id()));
        std::fs::write(&file, certificate).expect("a file");
        Self { issuer, file }
    }

    fn config(&self, certificate: Certificate) -> ServerConfig {
        let name = match certificate {
            Certificate::OfAnother => "elsewhere.example",
            _ => "localhost",
        };
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        if certificate == Certificate::Expired {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        }
        let key = KeyPair::generate().expect("a key");
        let signed = match certificate {
            Certificate::OfNobody => params.signed_by(&key, &authority().0),
            _ => params.signed_by(&key, &self.issuer),
        };
        let chain = vec![signed.expect("a certificate").der().clone()];
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the defaults")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("they belong together")
    }
}

/// A certificate authority, and its certificate as PEM.
fn authority() -> (Issuer<'static, KeyPair>, String) {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate").pem();
    (Issuer::new(params, key), certificate)
}
