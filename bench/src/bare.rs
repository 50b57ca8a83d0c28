//! hyper and nothing else: reads a request with its body, answers fixed bytes: those of an answer
//! that another server gave, or of the size of an order's. What any server on hyper must spend.

mod answer;

use crate::error::{BenchError, io_error};
use answer::Answer;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
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

fn read(options: &Options) -> Result<Answer, BenchError> {
    let text = match &options.answer {
        Some(file) => std::fs::read_to_string(file).map_err(io_error("read the answer"))?,
        None => ORDER.to_owned(),
    };
    Answer::parse(&text).ok_or_else(|| BenchError::Usage("that is no HTTP answer".to_owned()))
}

/// Serves on a port of its own until it is ended; says which, as the server does.
pub(crate) fn serve(options: &Options) -> Result<(), BenchError> {
    let answer = Rc::new(read(options)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(io_error("start an event loop"))?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(io_error("listen"))?;
        let address = listener.local_addr().map_err(io_error("listen"))?;
        println!("listening on http://{address} ");
        if let Some(cause) = crate::out::failure() {
            return Err(io_error("print")(cause));
        }
        loop {
            let (socket, _) = listener.accept().await.map_err(io_error("accept"))?;
            socket.set_nodelay(true).map_err(io_error("set TCP_NODELAY"))?;
            let answer = answer.clone();
            tokio::task::spawn_local(async move {
                let service = service_fn(|request| answer.respond(request));
                // How a connection ends is the client's affair.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
            });
        }
    })
}
