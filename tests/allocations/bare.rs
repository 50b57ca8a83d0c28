//! hyper and nothing else: reads a request with its body and answers what another server answered.
//!
//! Owns one thread, which ends with the process. The answer is that of the benchmark's bare hyper.
//! Next: `exchange`.

#[path = "../../bench/src/bare/answer.rs"]
mod answer;

use answer::Answer;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::rc::Rc;
use std::thread;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, LocalOptions};

/// Serves on a thread of its own.
pub(crate) fn start(received: &str) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
    let address = listener.local_addr().expect("it is bound");
    let answer = Answer::parse(received).expect("it is HTTP");
    thread::spawn(move || {
        let mut builder = Builder::new_current_thread();
        let runtime = builder.enable_all().build_local(LocalOptions::default());
        runtime.expect("an event loop").block_on(serve(listener, Rc::new(answer)));
    });
    address
}

async fn serve(listener: TcpListener, answer: Rc<Answer>) {
    listener.set_nonblocking(true).expect("a socket takes it");
    let listener = tokio::net::TcpListener::from_std(listener).expect("it listens");
    loop {
        let (socket, _) = listener.accept().await.expect("somebody connects");
        socket.set_nodelay(true).expect("a socket takes it");
        tokio::task::spawn_local(connection(socket, answer.clone()));
    }
}

async fn connection(socket: TcpStream, answer: Rc<Answer>) {
    let service = service_fn(|request| answer.respond(request));
    // As the server has it. Without it hyper looks for the connection's end while it answers, and
    // asks for room to do that: twice a request.
    let mut builder = http1::Builder::new();
    let served = builder.half_close(true).serve_connection(TokioIo::new(socket), service).await;
    served.expect("the client ends the connection in good order");
}
