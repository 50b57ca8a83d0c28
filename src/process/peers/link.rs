//! One link to another node: a task that brings it up, reads, and writes.
//!
//! Owns how much may wait to be written and the times of a link. Judges no byte. Next: `peer_tls`.

use super::peer_tls::PeerTls;
use crate::client::Duplex;
use crate::cluster::node::Node;
use crate::copies::node::LinkId;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::{sleep, timeout};

/// A link must be up, TLS included, within this.
const CONNECT: Duration = Duration::from_secs(2);
/// A link that was accepted must be answered within this: so long it may take to say whose it is.
const HELLO: Duration = Duration::from_secs(3);
/// A link that ends is given so long to take what was sent.
const CLOSING: Duration = Duration::from_secs(1);
/// What was sent and is not acknowledged by then ends the connection: the machine is gone.
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);
/// What may wait to be written to a link. `copies` has a quarter of it on its way, and one message.
pub const UNWRITTEN_BYTES_MAX: usize = 4 << 20;
/// A piece that was read, at most.
pub const READ_BYTES: usize = 64 << 10;

/// Something happened to a link.
#[derive(Debug)]
pub(super) enum LinkEvent {
    /// It is up; a node where that was dialled.
    Opened(LinkId, Option<Node>),
    /// Bytes came.
    Received(LinkId, Vec<u8>),
    /// All that was to be written is.
    Drained(LinkId),
    /// It is gone, or never came up.
    Closed(LinkId, String),
}

impl LinkEvent {
    pub(super) fn link(&self) -> LinkId {
        match self {
            Self::Opened(link, _)
            | Self::Received(link, _)
            | Self::Drained(link)
            | Self::Closed(link, _) => *link,
        }
    }
}

/// What both ends of the task's channel know.
#[derive(Debug, Default)]
struct Progress {
    unwritten: AtomicUsize,
    /// Something was sent: we know whose it is.
    answered: AtomicBool,
}

/// The handle of a link.
#[derive(Debug)]
pub(super) struct Link {
    bytes: mpsc::UnboundedSender<Vec<u8>>,
    progress: Arc<Progress>,
    was_dialled: bool,
    task: JoinHandle<()>,
}

impl Link {
    /// Begins a link that comes up by this.
    pub(super) fn start(
        link: LinkId,
        to: Option<Node>,
        up: impl Future<Output = io::Result<Box<dyn Duplex>>> + 'static,
        events: &mpsc::Sender<LinkEvent>,
    ) -> Self {
        let (bytes, written) = mpsc::unbounded_channel();
        let progress = Arc::new(Progress::default());
        let end = Task { link, to, events: events.clone(), progress: progress.clone() };
        let task = spawn_local(end.run(up, written));
        Self { bytes, progress, was_dialled: to.is_some(), task }
    }

    /// Nobody knows yet whose it is.
    pub(super) fn is_half_open(&self) -> bool {
        !self.was_dialled && !self.progress.answered.load(Ordering::Relaxed)
    }

    /// Has bytes written; false where too many wait.
    pub(super) fn send(&self, bytes: Vec<u8>) -> bool {
        self.progress.answered.store(true, Ordering::Relaxed);
        let before = self.progress.unwritten.fetch_add(bytes.len(), Ordering::Relaxed);
        if before > UNWRITTEN_BYTES_MAX {
            return false;
        }
        // A task that has ended tells so by itself.
        let _ = self.bytes.send(bytes);
        true
    }

    /// Ends it once what waits is written.
    pub(super) fn close(self) {
        spawn_local(self.finish());
    }

    /// The same, waited for.
    pub(super) async fn finish(self) {
        let Self { bytes, mut task, .. } = self;
        drop(bytes);
        if timeout(CLOSING, &mut task).await.is_err() {
            task.abort();
        }
    }
}

struct Task {
    link: LinkId,
    to: Option<Node>,
    events: mpsc::Sender<LinkEvent>,
    progress: Arc<Progress>,
}

impl Task {
    async fn run(
        self,
        up: impl Future<Output = io::Result<Box<dyn Duplex>>>,
        written: mpsc::UnboundedReceiver<Vec<u8>>,
    ) {
        let why = match timeout(CONNECT, up).await {
            Ok(Ok(socket)) => {
                self.tell(LinkEvent::Opened(self.link, self.to)).await;
                let (read, write) = tokio::io::split(socket);
                tokio::select! {
                    why = self.read(read) => why,
                    why = self.write(write, written) => why,
                    why = self.wait_for_hello() => why,
                }
            }
            Ok(Err(cause)) => cause.to_string(),
            Err(_) => format!("it was not up within {} ms", CONNECT.as_millis()),
        };
        self.tell(LinkEvent::Closed(self.link, why)).await;
    }

    /// Where nobody listens any more the process ends.
    async fn tell(&self, event: LinkEvent) {
        let _ = self.events.send(event).await;
    }

    async fn read(&self, mut socket: ReadHalf<Box<dyn Duplex>>) -> String {
        let mut buffer = vec![0; READ_BYTES];
        loop {
            match socket.read(&mut buffer).await {
                Ok(0) => return "the other end closed it".to_owned(),
                Ok(count) => {
                    self.tell(LinkEvent::Received(self.link, buffer[..count].to_vec())).await;
                }
                Err(cause) => return cause.to_string(),
            }
        }
    }

    async fn write(
        &self,
        mut socket: WriteHalf<Box<dyn Duplex>>,
        mut written: mpsc::UnboundedReceiver<Vec<u8>>,
    ) -> String {
        while let Some(bytes) = written.recv().await {
            let done = async {
                socket.write_all(&bytes).await?;
                socket.flush().await
            };
            if let Err(cause) = done.await {
                return cause.to_string();
            }
            let before = self.progress.unwritten.fetch_sub(bytes.len(), Ordering::Relaxed);
            if before == bytes.len() {
                self.tell(LinkEvent::Drained(self.link)).await;
            }
        }
        // The other end sees that nothing more comes.
        let _ = socket.shutdown().await;
        "it was closed here".to_owned()
    }

    /// Over in time only where nothing was answered.
    async fn wait_for_hello(&self) -> String {
        sleep(HELLO).await;
        if self.to.is_some() || self.progress.answered.load(Ordering::Relaxed) {
            return std::future::pending().await;
        }
        format!("it has not said whose it is within {} ms", HELLO.as_millis())
    }
}

fn prepare(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    socket2::SockRef::from(socket).set_tcp_user_timeout(Some(UNACKNOWLEDGED))
}

/// A link that we ask for.
pub(super) async fn dialled(address: String, tls: Option<PeerTls>) -> io::Result<Box<dyn Duplex>> {
    let socket = TcpStream::connect(&address).await?;
    prepare(&socket)?;
    match tls {
        None => Ok(Box::new(socket)),
        Some(tls) => {
            let host = address.rsplit_once(':').map_or(&*address, |(host, _)| host);
            tls.connect(host, socket).await
        }
    }
}

/// A link that another asked for.
pub(super) async fn accepted(
    socket: TcpStream,
    tls: Option<PeerTls>,
) -> io::Result<Box<dyn Duplex>> {
    prepare(&socket)?;
    match tls {
        None => Ok(Box::new(socket)),
        Some(tls) => tls.accept(socket).await,
    }
}
