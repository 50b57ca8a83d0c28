//! Where a server is: scheme, host and port, and connections to it, under TLS for `https`.
//!
//! Owns what of a URL counts and whose certificates are believed. Never speaks HTTP, and never goes
//! on without TLS where TLS was asked for. Next: `attempt`, which speaks over it.

use super::error::Error;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, crypto};
use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Bytes to and from a server, under TLS or not.
pub type Socket = Box<dyn Duplex>;

/// What is read from and written to.
pub trait Duplex: AsyncRead + AsyncWrite + Debug + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Debug + Send + Unpin> Duplex for T {}

/// Where a server is, and how to connect to it.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Host and port, to connect to.
    place: String,
    /// Host, and port where the URL names one.
    host: String,
    tls: Option<Tls>,
}

#[derive(Clone)]
struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Debug for Tls {
    fn fmt(&self, form: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        form.debug_struct("Tls").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Origin {
    /// The origin of `http://host[:port][/]` or `https://host[:port][/]`. Over `https` the server
    /// must show a certificate for this host that comes from one of the authorities in the PEM
    /// file, or of the system where no file is given.
    ///
    /// # Errors
    /// [`Error::Invalid`] for any other URL, and where there are no authorities that can be read.
    pub fn new(url: &str, authorities: Option<&Path>) -> Result<Self, Error> {
        let wrong = || {
            Error::invalid(
                "URL",
                format!("{url:?} is not of the form http://127.0.0.1:7070 or https://shop.example"),
            )
        };
        let (secure, host, port) = parts(url).ok_or_else(wrong)?;
        let bare = host.host().to_owned();
        let tls = if secure {
            let unbracketed = bare.trim_start_matches('[').trim_end_matches(']').to_owned();
            let name = ServerName::try_from(unbracketed).map_err(|_| wrong())?;
            Some(Tls { connector: connector(authorities)?, name })
        } else {
            None
        };
        Ok(Self { place: format!("{bare}:{port}"), host: host.to_string(), tls })
    }

    /// Whether a URL names this place, and TLS or not as this does.
    #[must_use]
    pub fn is_at(&self, url: &str) -> bool {
        let Some((secure, host, port)) = parts(url) else { return false };
        let place = format!("{}:{port}", host.host());
        secure == self.tls.is_some() && place.eq_ignore_ascii_case(&self.place)
    }

    /// Host and port, to connect to.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// What `Host` says of it.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// A new connection.
    ///
    /// # Errors
    /// What the system says, or why the server's certificate is not believed.
    pub async fn connect(&self) -> io::Result<Socket> {
        self.over(TcpStream::connect(&self.place).await?).await
    }

    /// The same over a socket that is connected already.
    ///
    /// # Errors
    /// As [`Origin::connect`].
    pub async fn over(&self, socket: TcpStream) -> io::Result<Socket> {
        socket.set_nodelay(true)?;
        match &self.tls {
            None => Ok(Box::new(socket)),
            Some(tls) => Ok(Box::new(tls.connector.connect(tls.name.clone(), socket).await?)),
        }
    }
}

/// Whether TLS is asked for, the authority, and the port.
fn parts(url: &str) -> Option<(bool, hyper::http::uri::Authority, u16)> {
    let (secure, rest) = match url.strip_prefix("https://") {
        Some(rest) => (true, rest),
        None => (false, url.strip_prefix("http://")?),
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains(['/', '@', '?', '#']) {
        return None;
    }
    let authority: hyper::http::uri::Authority = authority.parse().ok()?;
    let port = authority.port_u16().unwrap_or(if secure { 443 } else { 80 });
    Some((secure, authority, port))
}

fn connector(authorities: Option<&Path>) -> Result<TlsConnector, Error> {
    let mut roots = RootCertStore::empty();
    match authorities {
        Some(file) => {
            let unreadable = |cause: &dyn std::fmt::Display| {
                Error::invalid("certificate authorities", format!("{}: {cause}", file.display()))
            };
            let read = CertificateDer::pem_file_iter(file).map_err(|cause| unreadable(&cause))?;
            for certificate in read {
                let certificate = certificate.map_err(|cause| unreadable(&cause))?;
                roots.add(certificate).map_err(|cause| unreadable(&cause))?;
            }
            if roots.is_empty() {
                return Err(unreadable(&"has no certificate in PEM"));
            }
        }
        None => {
            // One that cannot be read is passed over, as other clients do: the others are good.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                let reason = "the system has none; install `ca-certificates` or name a PEM file";
                return Err(Error::invalid("certificate authorities", reason));
            }
        }
    }
    let provider = Arc::new(crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|cause| Error::invalid("TLS", cause.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_scheme_a_host_and_a_port_and_nothing_else() {
        for (url, expected) in [
            ("http://127.0.0.1:7070", Some((false, "127.0.0.1", 7070))),
            ("http://[::1]:7070/", Some((false, "[::1]", 7070))),
            ("http://shop.example", Some((false, "shop.example", 80))),
            ("https://shop.example/", Some((true, "shop.example", 443))),
            ("https://127.0.0.1:7070", Some((true, "127.0.0.1", 7070))),
            ("127.0.0.1:7070", None),
            ("ftp://127.0.0.1:7070", None),
            ("http://127.0.0.1:7070/v1", None),
            ("http://a@b:1", None),
            ("http://", None),
        ] {
            let found = parts(url);
            let found = found.as_ref().map(|(secure, host, port)| (*secure, host.host(), *port));
            assert_eq!(found, expected, "{url}");
        }
    }

    #[test]
    fn a_file_without_authorities_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("authorities.pem");
        for (text, told) in [(None, "No such file"), (Some("nonsense"), "no certificate in PEM")] {
            if let Some(text) = text {
                std::fs::write(&file, text).expect("a file is written");
            }
            let error = Origin::new("https://shop.example", Some(&file)).expect_err("no authority");
            assert!(error.to_string().contains(told), "{error}");
        }
    }
}
