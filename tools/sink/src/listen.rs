//! `/metrics`, `/readyz` and `/livez` of the sink (API 10).
//!
//! Owns the few paths, and that a slow or hostile reader costs one of few connections for a short
//! time. Next: `worker/standing`.

use crate::worker::{Standing, metrics};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

const CONNECTIONS_MAX: usize = 16;
const WITHIN: Duration = Duration::from_secs(10);

/// Serves for ever.
pub(crate) async fn serve(listener: TcpListener, sinks: Vec<Arc<Standing>>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let sinks = Arc::new(sinks);
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let Ok((socket, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let sinks = sinks.clone();
        tokio::spawn(async move {
            let answer = service_fn(|request| {
                let answer = answer(&request, &sinks);
                async move { Ok::<_, Infallible>(answer) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(WITHIN)
                .keep_alive(false)
                .serve_connection(TokioIo::new(socket), answer);
            let _ = tokio::time::timeout(WITHIN, connection).await;
            drop(place);
        });
    }
}

fn answer(request: &Request<Incoming>, sinks: &[Arc<Standing>]) -> Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return text(StatusCode::METHOD_NOT_ALLOWED, "GET\n".to_owned());
    }
    match request.uri().path() {
        "/metrics" => text(StatusCode::OK, metrics(sinks)),
        "/livez" => text(StatusCode::OK, "ok\n".to_owned()),
        "/readyz" => {
            let (mut ready, mut lines) = (true, String::new());
            for sink in sinks {
                let trouble = sink.trouble();
                ready &= trouble.is_none();
                lines += &format!("{}: {}\n", sink.name, trouble.as_deref().unwrap_or("follows"));
            }
            text(if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, lines)
        }
        _ => text(StatusCode::NOT_FOUND, "/metrics, /readyz, /livez\n".to_owned()),
    }
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let kind = header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
