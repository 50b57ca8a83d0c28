//! TLS between nodes: each shows a certificate, and believes only those of the authorities of
//! `cluster.tls_ca_file`.
//!
//! Owns both ends' configuration, read once at the start. Who is believed may follow the journal and
//! may be followed, so the authority must sign for nodes of this cluster only. Next: `links`.

use crate::client::Duplex;
use crate::config::ReplicationSettings;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig, crypto};
use std::fmt::Display;
use std::io;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// A file of TLS between nodes cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{setting}: {}: {why}", file.display())]
pub struct PeerTlsError {
    setting: &'static str,
    file: std::path::PathBuf,
    why: String,
}

/// Both ends of links under TLS.
#[derive(Clone)]
pub(super) struct PeerTls {
    connector: TlsConnector,
    acceptor: TlsAcceptor,
}

fn bad(setting: &'static str, file: &Path, why: &dyn Display) -> PeerTlsError {
    PeerTlsError { setting, file: file.to_owned(), why: why.to_string() }
}

const CERTIFICATE: &str = "cluster.tls_cert_file";
const KEY: &str = "cluster.tls_key_file";
const AUTHORITIES: &str = "cluster.tls_ca_file";

fn certificates(
    setting: &'static str,
    file: &Path,
) -> Result<Vec<CertificateDer<'static>>, PeerTlsError> {
    let read = CertificateDer::pem_file_iter(file).map_err(|cause| bad(setting, file, &cause))?;
    let read: Result<Vec<_>, _> = read.collect();
    let read = read.map_err(|cause| bad(setting, file, &cause))?;
    if read.is_empty() {
        return Err(bad(setting, file, &"it has no certificate in PEM"));
    }
    Ok(read)
}

impl PeerTls {
    /// None where the settings name no files.
    ///
    /// # Errors
    /// When one cannot be used.
    pub(super) fn read(settings: &ReplicationSettings) -> Result<Option<Self>, PeerTlsError> {
        let (Some(cert), Some(key_file), Some(ca)) =
            (&settings.tls_cert, &settings.tls_key, &settings.tls_ca)
        else {
            return Ok(None);
        };
        let chain = certificates(CERTIFICATE, cert)?;
        let key =
            || PrivateKeyDer::from_pem_file(key_file).map_err(|cause| bad(KEY, key_file, &cause));
        let mut roots = RootCertStore::empty();
        for authority in certificates(AUTHORITIES, ca)? {
            roots.add(authority).map_err(|cause| bad(AUTHORITIES, ca, &cause))?;
        }
        let (roots, provider) = (Arc::new(roots), Arc::new(crypto::ring::default_provider()));
        let pair = |cause: rustls::Error| bad(CERTIFICATE, cert, &cause);
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone())
            .build()
            .map_err(|cause| bad(AUTHORITIES, ca, &cause))?;
        let server = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(pair)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain.clone(), key()?)
            .map_err(pair)?;
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(pair)?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key()?)
            .map_err(pair)?;
        Ok(Some(Self {
            connector: TlsConnector::from(Arc::new(client)),
            acceptor: TlsAcceptor::from(Arc::new(server)),
        }))
    }

    /// Our end of a link that another node asked for.
    ///
    /// # Errors
    /// Where the other end shows no certificate that is believed.
    pub(super) async fn accept(&self, socket: TcpStream) -> io::Result<Box<dyn Duplex>> {
        Ok(Box::new(self.acceptor.accept(socket).await?))
    }

    /// Our end of a link that we asked for; the other must show a certificate for this host.
    ///
    /// # Errors
    /// Where it does not.
    pub(super) async fn connect(
        &self,
        host: &str,
        socket: TcpStream,
    ) -> io::Result<Box<dyn Duplex>> {
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(bare).map_err(io::Error::other)?;
        Ok(Box::new(self.connector.connect(name, socket).await?))
    }
}
