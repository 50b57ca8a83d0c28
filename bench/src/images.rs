//! What taking images costs those who buy meanwhile, and how much memory a second state takes.
//!
//! One server, rounds without images and rounds in which one image follows the other, in turn, so
//! that a machine that slows down slows both. In between, nothing is measured. Next: `load`,
//! `server`.

use crate::arguments::{ServerOptions, at_least_one};
use crate::error::{BenchError, io_error};
use crate::load::{self, Measured, now};
use crate::memory;
use crate::peers::{self, median, start};
use crate::protocol::http_whole;
use crate::server::Server;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Orders that live before the first round; each image holds them
    #[arg(long, default_value_t = 500_000, value_parser = at_least_one::<u64>())]
    pub(crate) orders: u64,
    /// Connections, each with one request under way
    #[arg(long, value_delimiter = ',', default_value = "16,64", value_parser = at_least_one::<u64>())]
    pub(crate) connections: Vec<u64>,
    /// Requests a round
    #[arg(long, default_value_t = 100_000, value_parser = at_least_one::<u64>())]
    pub(crate) requests: u64,
    /// Rounds of each kind; the table shows medians
    #[arg(long, default_value_t = 5, value_parser = at_least_one::<usize>())]
    pub(crate) rounds: usize,
    #[command(flatten)]
    pub(crate) server: ServerOptions,
}

struct Sample {
    measured: Measured,
    images: Vec<Duration>,
}

pub(crate) fn run(options: &Options) -> Result<(), BenchError> {
    measure(options).map(drop)
}

/// Prints a table, and the memory before and while an image is folded. For each number of
/// connections, p99.9 with images against without.
pub(crate) fn measure(options: &Options) -> Result<Vec<(u64, f64)>, BenchError> {
    let folder = peers::data_folder(options.server.data.as_deref())?;
    let mut command = start::command(options.server.binary.as_deref(), "group", folder.path())?;
    // Images only where they are asked for.
    command.env("DOORBUSTER_SNAPSHOTS_EVERY_EVENTS", "1000000000");
    command.env("DOORBUSTER_SNAPSHOTS_EVERY_MS", "86400000");
    let server = Server::start("doorbuster group", &mut command)?;
    load::put_sku(server.address, &server.protocol, load::SKU, load::STOCK)?;
    load::orders(server.address, 256, options.orders, 0)?;
    tell_memory(&server, options.orders)?;
    println!(
        "durable orders, one request under way on each connection; {} rounds of {} requests each \
         way, in turn; medians",
        options.rounds, options.requests
    );
    println!(
        "{:>5}  {:<8} {:>9} {:>9} {:>9} {:>9} {:>9} {:>7} {:>9}",
        "conns", "images", "req/s", "p50 us", "p99 us", "p99.9 us", "max us", "taken", "each s"
    );
    let (mut run, mut ratios) = (0, Vec::new());
    for &connections in &options.connections {
        let (mut without, mut with) = (Vec::new(), Vec::new());
        for _ in 0..options.rounds {
            memory::have();
            run += 2;
            let round = |run| load::orders(server.address, connections, options.requests, run);
            without.push(Sample { measured: round(run)?, images: Vec::new() });
            with.push(while_images_are_taken(server.address, || round(run + 1))?);
        }
        print_row(connections, "none", &without);
        print_row(connections, "always", &with);
        let tail =
            |samples: &[Sample]| median(samples.iter().map(|sample| quantile_us(sample, 0.999)));
        let ratio = tail(&with) / tail(&without);
        println!("       p99.9 with images against without: {ratio:.2}x");
        ratios.push((connections, ratio));
    }
    Ok(ratios)
}

/// Runs one round while one image follows the other; ends with the image that is then under way.
fn while_images_are_taken(
    address: SocketAddr,
    round: impl FnOnce() -> Result<Measured, BenchError>,
) -> Result<Sample, BenchError> {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let taker = scope.spawn(|| {
            let mut images = Vec::new();
            while !over.load(Ordering::Relaxed) {
                images.push(take_image(address)?);
            }
            Ok::<_, BenchError>(images)
        });
        let measured = round();
        over.store(true, Ordering::Relaxed);
        let images = taker.join().expect("the thread that asks for images does not panic")?;
        Ok(Sample { measured: measured?, images })
    })
}

/// Asks for an image and waits until it is there.
fn take_image(address: SocketAddr) -> Result<Duration, BenchError> {
    let begun = now();
    let mut socket = TcpStream::connect(address).map_err(io_error("connect to the server"))?;
    let request =
        "POST /v1/admin/snapshot HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n";
    socket.write_all(request.as_bytes()).map_err(io_error("ask for an image"))?;
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    while !http_whole(&answer) {
        match socket.read(&mut piece).map_err(io_error("wait for an image"))? {
            0 => break,
            read => answer.extend_from_slice(&piece[..read]),
        }
    }
    if answer.starts_with(b"HTTP/1.1 200 ") {
        return Ok(begun.elapsed());
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    Err(BenchError::Answer { server: "the server".to_owned(), answer })
}

/// The first image is made from the first event on, the second is folded from it.
fn tell_memory(server: &Server, orders: u64) -> Result<(), BenchError> {
    let mib = |bytes: u64| bytes >> 20;
    let before = server.resident_bytes()?;
    println!("{orders} live orders: {} MiB resident before an image", mib(before));
    for from in ["the first event", "the image before"] {
        server.forget_peak()?;
        let took = take_image(server.address)?;
        let (peak, after) = (server.peak_resident_bytes()?, server.resident_bytes()?);
        println!(
            "image folded from {from}: {:.2} s, at most {} MiB resident meanwhile (+{} MiB), {} MiB \
             after",
            took.as_secs_f64(),
            mib(peak),
            mib(peak.saturating_sub(before)),
            mib(after)
        );
        load::orders(server.address, 64, 1000, u64::MAX - from.len() as u64)?;
    }
    Ok(())
}

fn quantile_us(sample: &Sample, quantile: f64) -> f64 {
    sample.measured.latency_ns.value_at_quantile(quantile) as f64 / 1000.0
}

fn print_row(connections: u64, images: &str, samples: &[Sample]) {
    let at = |quantile| median(samples.iter().map(|sample| quantile_us(sample, quantile)));
    let rate =
        |sample: &Sample| sample.measured.requests as f64 / sample.measured.took.as_secs_f64();
    let taken: Vec<Duration> =
        samples.iter().flat_map(|sample| sample.images.iter().copied()).collect();
    let each = taken.iter().sum::<Duration>().as_secs_f64() / taken.len().max(1) as f64;
    println!(
        "{connections:>5}  {images:<8} {:>9.0} {:>9.0} {:>9.0} {:>9.0} {:>9.0} {:>7} {each:>9.2}",
        median(samples.iter().map(rate)),
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0),
        taken.len()
    );
}
