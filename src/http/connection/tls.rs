//! TLS: certificates, and handshakes on threads of their own.
//!
//! A handshake costs as much as hundreds of requests, and an IO thread that did it would keep all
//! of its connections waiting. So an IO thread lends the socket to a handshake thread and gets it
//! back as a stream that it only has to read and write. Owns how many handshakes there are at a
//! time; how long one may take is told by the sweep of `listener`, which drops it. The only place
//! of the server that names rustls. Next: `listener`.

use super::hello::HANDSHAKE_RECORD;
use super::linger::linger;
use super::stream;
use crate::http::response::json_writer::{self, Json};
use crate::http::response::problem::Problem;
use crate::shared::reloadable::Reloadable;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, crypto};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use x509_cert::Certificate as Chained;
use x509_cert::der::Decode;

/// A connection under TLS; boxed, because it is over a KiB and moves between threads.
pub(in crate::http) type Secured = Box<TlsStream<Socket>>;

/// A certificate and its key, in use.
#[derive(Debug)]
pub struct Certificate {
    config: Arc<ServerConfig>,
    validity: Option<Validity>,
}

/// When a chain of certificates may be used, in seconds since 1970: from the latest beginning to
/// the earliest end of its certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// Not valid before.
    pub not_before_s: u64,
    /// Not valid behind.
    pub not_after_s: u64,
}

impl Validity {
    /// None where one of them cannot be read, which only means that no operator can be warned.
    fn of(chain: &[CertificateDer<'_>]) -> Option<Self> {
        let validities: Option<Vec<Self>> = chain.iter().map(Self::of_one).collect();
        validities?.into_iter().reduce(|one, other| Self {
            not_before_s: one.not_before_s.max(other.not_before_s),
            not_after_s: one.not_after_s.min(other.not_after_s),
        })
    }

    fn of_one(certificate: &CertificateDer<'_>) -> Option<Self> {
        let read = Chained::from_der(certificate).ok()?;
        let validity = read.tbs_certificate().validity();
        Some(Self {
            not_before_s: validity.not_before.to_unix_duration().as_secs(),
            not_after_s: validity.not_after.to_unix_duration().as_secs(),
        })
    }
}

/// Why a certificate or key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCertificate {
    /// The certificate's text holds none.
    #[error("it holds no certificate chain in PEM ({0})")]
    Chain(String),
    /// The key's text holds none.
    #[error("it holds no private key in PEM ({0})")]
    Key(String),
    /// Both are there, and do not go together, or are of a kind that is not supported.
    #[error("certificate and key cannot be used together ({0})")]
    Pair(String),
}

impl Certificate {
    /// Takes a chain in PEM, the server's certificate first, and its key in PEM.
    ///
    /// # Errors
    /// When either is missing or broken, or the key is not that of the certificate.
    pub fn read(chain: &[u8], key: &[u8]) -> Result<Self, BadCertificate> {
        let chain: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(chain).collect();
        let chain = chain.map_err(|error| BadCertificate::Chain(error.to_string()))?;
        if chain.is_empty() {
            return Err(BadCertificate::Chain(pem::Error::NoItemsFound.to_string()));
        }
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|error| BadCertificate::Key(error.to_string()))?;
        let validity = Validity::of(&chain);
        let pair = |error: rustls::Error| BadCertificate::Pair(error.to_string());
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(pair)?
                .with_no_client_auth()
                .with_single_cert(chain, key)
                .map_err(pair)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), validity })
    }

    /// When it may be used, if that can be read.
    #[must_use]
    pub fn validity(&self) -> Option<Validity> {
        self.validity
    }
}

/// A socket that can change its event loop.
#[derive(Debug)]
pub(in crate::http) struct Socket(Option<TcpStream>);

impl Socket {
    /// From here on it is watched by this thread's event loop.
    fn move_here(&mut self) -> io::Result<()> {
        let away = self.0.take().ok_or(io::ErrorKind::NotConnected)?.into_std()?;
        self.0 = Some(TcpStream::from_std(away)?);
        Ok(())
    }

    fn stream(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        // It is away only within `move_here`, or after that has failed.
        self.0.as_mut().map(Pin::new).ok_or(io::ErrorKind::NotConnected.into())
    }

    /// Whether bytes have come that were not read.
    pub(in crate::http) fn has_unread(&self) -> bool {
        self.0.as_ref().is_none_or(stream::has_unread)
    }

    /// The first byte that comes, which stays to be read; none if none will.
    async fn first_byte(&mut self) -> Option<u8> {
        let mut first = [0];
        let count = self.0.as_ref()?.peek(&mut first).await.ok()?;
        first.get(..count)?.first().copied()
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream()?.poll_read(context, into)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write(context, bytes)
    }

    /// rustls writes all it has at once, and once only where a handshake fails: without this the
    /// alert that says why would stay behind.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_shutdown(context)
    }
}

/// A handshake to be done. It is given up when its connection no longer waits for it.
#[derive(Debug)]
struct Job {
    socket: Socket,
    done: oneshot::Sender<Secured>,
    place: OwnedSemaphorePermit,
}

/// The IO threads' way to the handshake threads.
#[derive(Debug)]
pub struct Handshakes {
    places: Arc<Semaphore>,
    jobs: Vec<mpsc::Sender<Job>>,
    certificate: Arc<Reloadable<Certificate>>,
}

/// What one handshake thread works from.
#[derive(Debug)]
pub struct HandshakeEnd {
    jobs: mpsc::Receiver<Job>,
    certificate: Arc<Reloadable<Certificate>>,
}

impl Handshakes {
    /// For so many threads, which do at most `places` handshakes at a time together.
    #[must_use]
    pub fn build(
        threads: u16,
        places: usize,
        certificate: &Arc<Reloadable<Certificate>>,
    ) -> (Self, Vec<HandshakeEnd>) {
        // Each has room for all, so a job that has a place finds room.
        let channels = (0..threads).map(|_| mpsc::channel(places));
        let end = |jobs| HandshakeEnd { jobs, certificate: certificate.clone() };
        let (jobs, ends) = channels.map(|(jobs, end_jobs)| (jobs, end(end_jobs))).unzip();
        let places = Arc::new(Semaphore::new(places));
        (Self { places, jobs, certificate: certificate.clone() }, ends)
    }

    /// When the certificate that is shown now ends, in seconds since 1970, if that can be read.
    pub(in crate::http) fn not_after_s(&self) -> Option<u64> {
        self.certificate.current().validity.map(|validity| validity.not_after_s)
    }

    /// Has a handshake done for the IO thread of this number, in its event loop, once there is a
    /// place for it: they are given in the order in which they were asked for. None if it fails, or
    /// the client is not one of TLS; the socket is closed then.
    pub(in crate::http) async fn secure(&self, number: u16, socket: TcpStream) -> Option<Secured> {
        let place = self.places.clone().acquire_owned().await.ok()?;
        let jobs = self.jobs.get(usize::from(number) % self.jobs.len().max(1))?;
        let (done, waiting) = oneshot::channel();
        jobs.try_send(Job { socket: Socket(Some(socket)), done, place }).ok()?;
        let mut secured = waiting.await.ok()?;
        secured.get_mut().0.move_here().ok()?;
        Some(secured)
    }
}

impl HandshakeEnd {
    /// Does handshakes, in the thread's event loop, for as long as there are IO threads.
    pub async fn run(mut self) {
        while let Some(Job { socket, mut done, place }) = self.jobs.recv().await {
            let certificate = self.certificate.current();
            tokio::spawn(async move {
                let secured = tokio::select! {
                    biased;
                    () = done.closed() => None,
                    secured = handshake(socket, &certificate) => secured,
                };
                drop(place);
                // The connection that waited may have given up just now.
                secured.map(|secured| done.send(secured))
            });
        }
    }
}

async fn handshake(mut socket: Socket, certificate: &Certificate) -> Option<Secured> {
    socket.move_here().ok()?;
    // To a client of plain HTTP an alert would be noise in place of an answer.
    if socket.first_byte().await? != HANDSHAKE_RECORD {
        // It may be gone already.
        let _ = socket.write_all(&in_clear()).await;
        linger(socket).await;
        return None;
    }
    let accept = TlsAcceptor::from(certificate.config.clone()).accept(socket);
    match accept.into_fallible().await {
        Ok(secured) => Some(Box::new(secured)),
        // The client was sent an alert that says why.
        Err((_, socket)) => {
            linger(socket).await;
            None
        }
    }
}

/// What a client hears that speaks without TLS: the one answer that leaves in clear.
fn in_clear() -> Vec<u8> {
    let mut problem = Json::new();
    let detail = "this port speaks HTTPS: HTTP/1.1 under TLS";
    json_writer::problem(&mut problem, &Problem::malformed(detail));
    let length = problem.bytes().len();
    let head = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\n\
         Cache-Control: no-store\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), problem.bytes()].concat()
}
