//! hyper and nothing else: reads a request with its body and answers what another server answered.
//!
//! Owns one thread, which ends with the process. Never looks at what it is asked. Next: `exchange`.

use crate::exchange::Received;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, DATE, HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::rc::Rc;
use std::thread;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, LocalOptions};

/// What every request is answered.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl From<&Received> for Answer {
    fn from(received: &Received) -> Self {
        let mut headers = HeaderMap::new();
        for (name, value) in received.headers() {
            let name: HeaderName = name.parse().expect("a name");
            // hyper writes these by itself.
            if ![CONTENT_LENGTH, DATE].contains(&name) {
                headers.insert(name, HeaderValue::from_str(value).expect("a value"));
            }
        }
        let status = StatusCode::from_u16(received.status()).expect("a status");
        Self { status, headers, body: Bytes::copy_from_slice(received.body().as_bytes()) }
    }
}

/// Serves on a thread of its own.
pub(crate) fn start(received: &Received) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
    let address = listener.local_addr().expect("it is bound");
    let answer = Answer::from(received);
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
    let service = service_fn(|request| respond(request, &answer));
    // As the server has it. Without it hyper looks for the connection's end while it answers, and
    // asks for room to do that: twice a request.
    let mut builder = http1::Builder::new();
    let served = builder.half_close(true).serve_connection(TokioIo::new(socket), service).await;
    served.expect("the client ends the connection in good order");
}

async fn respond(
    request: Request<Incoming>,
    answer: &Answer,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut body = request.into_body();
    while let Some(Ok(_)) = body.frame().await {}
    let mut response = Response::new(Full::new(answer.body.clone()));
    *response.status_mut() = answer.status;
    // Header by header, as any server must.
    for (name, value) in &answer.headers {
        response.headers_mut().insert(name.clone(), value.clone());
    }
    Ok(response)
}
