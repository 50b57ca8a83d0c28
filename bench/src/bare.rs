//! hyper and nothing else: reads a request with its body, answers fixed bytes: those of an answer
//! that another server gave, or of the size of an order's. What any server on hyper must spend.

use crate::error::{BenchError, io_error};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_LENGTH, DATE, HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::io::Write;
use std::path::PathBuf;
use std::rc::Rc;
use tokio::net::TcpListener;

/// An order's answer, as the server gives it.
const ORDER: &str = "HTTP/1.1 201 Created\r\n\
content-type: application/json\r\n\
cache-control: no-store\r\n\
location: /v1/orders/1-1000000\r\n\r\n\
{\"id\":\"1-1000000\",\"user\":\"u0000001\",\"status\":\"held\",\"lines\":[{\"sku\":\"bench\",\
\"qty\":1,\"refunded_qty\":0}],\"reference\":null,\"created_at\":\"2026-01-01T00:00:00.000Z\",\
\"expires_at\":\"2026-01-01T00:05:00.000Z\",\"changed_seq\":1000000,\"seq\":1000000}";

/// What to answer.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// A file with an answer as it came over the wire [default: that to an order]
    #[arg(long)]
    answer: Option<PathBuf>,
}

/// What every request is answered.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn read(options: &Options) -> Result<Self, BenchError> {
        let text = match &options.answer {
            Some(file) => std::fs::read_to_string(file).map_err(io_error("read the answer"))?,
            None => ORDER.to_owned(),
        };
        Self::parse(&text).ok_or_else(|| BenchError::Usage("that is no HTTP answer".to_owned()))
    }

    fn parse(text: &str) -> Option<Self> {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let (status, lines) = head.split_once("\r\n")?;
        let status = status.split_whitespace().nth(1)?.parse().ok()?;
        let mut headers = HeaderMap::new();
        for line in lines.split("\r\n") {
            let (name, value) = line.split_once(": ")?;
            let name: HeaderName = name.parse().ok()?;
            // hyper writes these by itself.
            if ![CONNECTION, CONTENT_LENGTH, DATE].contains(&name) {
                headers.append(name, HeaderValue::from_str(value).ok()?);
            }
        }
        Some(Self { status, headers, body: Bytes::copy_from_slice(body.as_bytes()) })
    }
}

/// Serves on a port of its own until it is ended; says which, as the server does.
pub(crate) fn serve(options: &Options) -> Result<(), BenchError> {
    let answer = Rc::new(Answer::read(options)?);
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
            let answer = answer.clone();
            tokio::task::spawn_local(async move {
                let service = service_fn(|request| respond(request, &answer));
                // How a connection ends is the client's affair.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
            });
        }
    })
}

async fn respond(
    request: Request<Incoming>,
    answer: &Answer,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut body = request.into_body();
    while let Some(Ok(_)) = body.frame().await {}
    let mut response = Response::new(Full::new(answer.body.clone()));
    *response.status_mut() = answer.status;
    // Header by header, as any server must: a whole map is not cheaper to clone.
    for (name, value) in &answer.headers {
        response.headers_mut().insert(name.clone(), value.clone());
    }
    Ok(response)
}
