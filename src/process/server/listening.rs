//! The server's ears: its socket, the IO threads, and the threads of TLS handshakes.
//!
//! Owns what the kernel keeps for connections. Never looks into a request. Next: `http`.

use super::ServerError;
use super::parts::{or_abort, start_error};
use crate::config::Config;
use crate::http::{self, Front, HandshakeEnd, Handshakes};
use crate::process::reload::Files;
use crate::ring::LaneEnd;
use socket2::{Domain, Protocol, Socket, Type};
use std::future::{Future, poll_fn};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use tokio::runtime::{Builder, LocalOptions};

/// Connections that the kernel keeps for us to accept.
const BACKLOG: i32 = 1024;
/// Of what is written to a connection, the kernel keeps so much that it has not sent yet, and no
/// more. Its own bound is 4 MiB a connection: a few hundred clients that ask and do not read would
/// fill all memory that the system has for sockets, everybody's. What is sent and not acknowledged
/// yet comes on top of it, as much as the client's window and the network take, so a fast reader
/// loses nothing.
const UNSENT_BYTES: u32 = 32 * 1024;

/// One socket, lent to every IO thread. Not a socket each under `SO_REUSEPORT`: then another
/// server could join the port, and buyers would be split between two stocks.
pub(super) fn listen(address: SocketAddr, count: u16) -> io::Result<Vec<TcpListener>> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    // Accepted sockets have it from this one.
    socket.set_tcp_notsent_lowat(UNSENT_BYTES)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    let listener = TcpListener::from(socket);
    (0..count).map(|_| listener.try_clone()).collect()
}

pub(super) fn start_io_threads(
    listeners: Vec<TcpListener>,
    lanes: Vec<LaneEnd>,
    front: &Arc<Front>,
) -> Result<Vec<JoinHandle<()>>, ServerError> {
    let mut threads = Vec::new();
    for (number, (listener, lane)) in listeners.into_iter().zip(lanes).enumerate() {
        let front = front.clone();
        let thread = thread::Builder::new().name(format!("io-{number}")).spawn(move || {
            // Without its pump a lane would keep answers back for ever.
            or_abort("an IO thread", || io_thread(listener, lane, front));
        });
        threads.push(thread.map_err(start_error("an IO thread"))?);
    }
    Ok(threads)
}

/// One handshake thread for two IO threads.
pub(super) fn handshakes(
    config: &Config,
    files: &Files,
) -> Option<(Handshakes, Vec<HandshakeEnd>)> {
    let certificate = files.certificate.as_ref()?;
    Some(Handshakes::build(config.io_threads.div_ceil(2), config.handshakes_max, certificate))
}

/// Starts the threads of handshakes. They end with the process.
pub(super) fn start_handshakes(ends: Vec<HandshakeEnd>) -> Result<(), ServerError> {
    for (number, end) in ends.into_iter().enumerate() {
        let thread = thread::Builder::new().name(format!("tls-{number}"));
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(start_error("a handshake thread"))?;
        thread
            .spawn(move || or_abort("a handshake thread", || runtime.block_on(end.run())))
            .map_err(start_error("a handshake thread"))?;
    }
    Ok(())
}

fn io_thread(listener: TcpListener, lane: LaneEnd, front: Arc<Front>) {
    let lane = lane.settle();
    let runtime = Builder::new_current_thread()
        .enable_all()
        .event_interval(http::EVENT_INTERVAL)
        .build_local(LocalOptions::default())
        .expect("the system gives an event loop");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).expect("it was just bound");
        tokio::task::spawn_local(lane.wake_at_end_of_turn());
        let clock = front.clock;
        let mut serving = pin!(http::serve(listener, front, Rc::new(lane.clone())));
        // The pump belongs to the root future: waking that costs the writer least.
        poll_fn(|context| {
            lane.pump(context, || clock.boottime_ms());
            serving.as_mut().poll(context)
        })
        .await;
        lane.close();
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::Ipv4Addr;

    /// A client that does not read takes little of the system's memory.
    #[test]
    fn a_client_that_does_not_read_takes_little_kernel_memory() {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = listen(address, 1).unwrap().remove(0);
        listener.set_nonblocking(false).unwrap();
        let client = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        client.set_recv_buffer_size(4096).unwrap();
        client.connect(&listener.local_addr().unwrap().into()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        server.set_nonblocking(true).unwrap();
        let (piece, mut taken) = ([0; 4096], 0);
        let full = loop {
            match server.write(&piece) {
                Ok(count) => taken += count,
                Err(error) => break error,
            }
        };
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
        assert!(taken >= piece.len() && taken < 4 * UNSENT_BYTES as usize, "{taken} bytes");
    }
}
