//! What followers cost those who buy: orders a second without any, and with a crowd of followers
//! who have nothing to read and one who never reads what there is.
//!
//! Rounds in turn, so that a machine that slows down slows both. Next: `load`.

use crate::arguments::{ServerOptions, at_least_one};
use crate::error::{BenchError, io_error};
use crate::load;
use crate::peers::{self, median, start};
use crate::server::Server;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// What to compare, and how much.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Followers with nothing to read
    #[arg(long, default_value_t = 1_000)]
    followers: usize,
    /// Connections that order, each with one request under way
    #[arg(long, value_delimiter = ',', default_value = "16,64,256", value_parser = at_least_one::<u64>())]
    connections: Vec<u64>,
    /// Orders a round
    #[arg(long, default_value_t = 60_000, value_parser = at_least_one::<u64>())]
    requests: u64,
    /// Rounds of each; the table shows medians
    #[arg(long, default_value_t = 5, value_parser = at_least_one::<usize>())]
    rounds: usize,
    #[command(flatten)]
    server: ServerOptions,
}

#[derive(Clone, Copy)]
struct Sample {
    rate: f64,
    cpu_us: f64,
}

pub(crate) fn run(options: &Options) -> Result<(), BenchError> {
    let folder = peers::data_folder(options.server.data.as_deref())?;
    let server = start::doorbuster(options.server.binary.as_deref(), "group", folder.path())?;
    println!("durable orders; {} rounds each in turn, medians", options.rounds);
    println!("{:>5}  {:<34} {:>9} {:>12}", "conns", "followers", "orders/s", "CPU us/order");
    let mut run = 0;
    for &connections in &options.connections {
        let mut samples = [const { Vec::new() }; 2];
        // The first round warms up.
        for round in 0..=options.rounds {
            for (crowded, samples) in samples.iter_mut().enumerate() {
                run += 1;
                let followers = if crowded == 1 {
                    crowd(server.address, options.followers)?
                } else {
                    Vec::new()
                };
                let sample = measure(&server, connections, options.requests, run)?;
                drop(followers);
                if round > 0 {
                    samples.push(sample);
                }
            }
        }
        let crowd = format!("{} idle, one that never reads", options.followers);
        for (name, samples) in ["none", crowd.as_str()].into_iter().zip(&samples) {
            let rate = median(samples.iter().map(|sample| sample.rate));
            let cpu = median(samples.iter().map(|sample| sample.cpu_us));
            println!("{connections:>5}  {name:<34} {rate:>9.0} {cpu:>12.2}");
        }
    }
    Ok(())
}

/// Followers far ahead of the journal, and one from its beginning; none of them is read from.
fn crowd(address: SocketAddr, count: usize) -> Result<Vec<TcpStream>, BenchError> {
    let mut followers = Vec::with_capacity(count + 1);
    for _ in 0..count {
        followers.push(follower(address, 1_000_000_000_000)?);
    }
    followers.push(follower(address, 0)?);
    Ok(followers)
}

fn follower(address: SocketAddr, after: u64) -> Result<TcpStream, BenchError> {
    let mut socket = TcpStream::connect(address).map_err(io_error("connect a follower"))?;
    let request = format!(
        "GET /v1/events?after={after} HTTP/1.1\r\nhost: localhost\r\naccept: application/x-ndjson\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).map_err(io_error("send a request"))?;
    let mut start = [0; 12];
    socket.read_exact(&mut start).map_err(io_error("read an answer"))?;
    if start == *b"HTTP/1.1 200" {
        return Ok(socket);
    }
    let answer = String::from_utf8_lossy(&start).into_owned();
    Err(BenchError::Answer { server: "the server".to_owned(), answer })
}

fn measure(
    server: &Server,
    connections: u64,
    requests: u64,
    run: u64,
) -> Result<Sample, BenchError> {
    let before = server.cpu_ns()?;
    let measured = load::orders(server.address, connections, requests, run)?;
    let spent = server.cpu_ns()? - before;
    Ok(Sample {
        rate: measured.requests as f64 / measured.took.as_secs_f64(),
        cpu_us: spent as f64 / 1000.0 / measured.requests as f64,
    })
}
