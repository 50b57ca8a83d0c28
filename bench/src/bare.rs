//! hyper and nothing else: reads a request with its body, answers fixed bytes of the size of an
//! order's answer. What any server on hyper must spend.

use crate::error::{BenchError, io_error};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, LOCATION};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::io::Write;
use tokio::net::TcpListener;

/// An order's answer, as the server gives it.
const BODY: &[u8] = br#"{"id":"1-1000000","user":"u0000001","status":"held","lines":[{"sku":"bench","qty":1,"refunded_qty":0}],"reference":null,"created_at":"2026-01-01T00:00:00.000Z","expires_at":"2026-01-01T00:05:00.000Z","changed_seq":1000000,"seq":1000000}"#;

/// Serves on a port of its own until it is ended; says which, as the server does.
pub(crate) fn serve() -> Result<(), BenchError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(io_error("start an event loop"))?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(io_error("listen"))?;
        let address = listener.local_addr().map_err(io_error("listen"))?;
        println!("listening on http://{address} ");
        std::io::stdout().flush().map_err(io_error("print"))?;
        loop {
            let (socket, _) = listener.accept().await.map_err(io_error("accept"))?;
            socket.set_nodelay(true).map_err(io_error("set TCP_NODELAY"))?;
            tokio::task::spawn_local(async move {
                let service = service_fn(answer);
                // How a connection ends is the client's affair.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
            });
        }
    })
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut body = request.into_body();
    while let Some(Ok(_)) = body.frame().await {}
    let mut response = Response::new(Full::new(Bytes::from_static(BODY)));
    *response.status_mut() = StatusCode::CREATED;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(LOCATION, HeaderValue::from_static("/v1/orders/1-1000000"));
    Ok(response)
}
