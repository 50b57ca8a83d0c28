//! A server that is attacked: its settings, its tokens, and what its operator asks it.
//!
//! Owns the folder of one server, the tokens file, the certificate, and the heads of requests. What
//! the server tells on standard error goes into a file of that folder. Never measures. Next:
//! `honest`, `storm`.

use crate::error::{BenchError, io_error};
use crate::load::{self, now};
use crate::peers::start;
use crate::run::connection::Connection;
use crate::server::Server;
use doorbuster::client::Origin;
use rustix::process::Signal;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the server does not do within this it does not do.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// How often something that is waited for is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Who may come in: the token is the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) name: &'static str,
    pub(super) role: &'static str,
}

pub(super) const OPERATOR: Token = Token { name: "operator", role: "admin" };
/// The shop whose customers are honest.
pub(super) const HONEST: Token = Token { name: "honest", role: "buy" };
/// The principal that attacks.
pub(super) const ATTACKER: Token = Token { name: "attacker", role: "buy" };
/// Who comes in where nothing else is said.
const USUAL: [Token; 3] = [OPERATOR, HONEST, ATTACKER];

impl Token {
    /// Its line of a head.
    pub(super) fn line(self) -> String {
        format!("authorization: Bearer {}\r\n", self.name)
    }

    /// Its entry in a tokens file; `more` are lines of it.
    fn entry(self, more: &str) -> String {
        let Self { name, role } = self;
        let hash = Sha256::digest(name.as_bytes());
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("[[token]]\nname = \"{name}\"\nrole = \"{role}\"\nsha256 = \"{hash}\"\n{more}\n")
    }
}

/// How a server is to be started.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// The server's binary; beside this program's if none.
    pub(super) binary: Option<PathBuf>,
    /// A folder of its own.
    pub(super) place: PathBuf,
    /// Names of settings and what they are.
    pub(super) settings: Vec<(&'static str, String)>,
    pub(super) is_secured: bool,
}

/// A server with its operator.
pub(super) struct Shop {
    plan: Plan,
    pub(super) server: Server,
    pub(super) origin: Origin,
}

/// A request as bytes; `more` are lines of its head.
pub(super) fn request(token: Option<Token>, start: &str, more: &str, body: &str) -> Vec<u8> {
    let token = token.map(Token::line).unwrap_or_default();
    let length = body.len();
    let kind = if body.is_empty() { "" } else { "content-type: application/json\r\n" };
    format!(
        "{start} HTTP/1.1\r\nhost: localhost\r\n{token}{kind}{more}content-length: {length}\r\n\r\n\
         {body}"
    )
    .into_bytes()
}

/// An order of one unit, under a key, that sells at once.
pub(super) fn order(token: Token, sku: &str, name: &str) -> Vec<u8> {
    let body = format!(r#"{{"user":"{name}","lines":[{{"sku":"{sku}","qty":1}}],"confirm":true}}"#);
    let key = format!("idempotency-key: {name}\r\n");
    request(Some(token), "POST /v1/orders", &key, &body)
}

/// Looks again and again until there is something, or the patience is over.
pub(super) fn until<T>(
    what: &str,
    mut look: impl FnMut() -> Result<Option<T>, BenchError>,
) -> Result<T, BenchError> {
    let begun = now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if begun.elapsed() > PATIENCE {
            return Err(io_error(format!("see that {what}"))(std::io::ErrorKind::TimedOut.into()));
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

impl Shop {
    /// Starts it, with the usual tokens.
    pub(super) fn open(plan: Plan) -> Result<Self, BenchError> {
        fs::create_dir_all(&plan.place).map_err(io_error("make a folder"))?;
        plan.write_tokens(&USUAL.map(|token| (token, String::new())))?;
        if plan.is_secured {
            plan.write_certificate()?;
        }
        let (server, origin) = plan.start(&plan.data())?;
        Ok(Self { plan, server, origin })
    }

    /// Kills it with the signal that cannot be held back, and starts it again; how long the start
    /// took.
    pub(super) fn kill_and_start(self) -> Result<(Self, Duration), BenchError> {
        let Self { plan, server, .. } = self;
        drop(server);
        let begun = now();
        let (server, origin) = plan.start(&plan.data())?;
        Ok((Self { plan, server, origin }, begun.elapsed()))
    }

    /// What it was started with, the server, and where that is.
    pub(super) fn into_parts(self) -> (Plan, Server, Origin) {
        (self.plan, self.server, self.origin)
    }

    /// These may come in from here on; each with what else its entry says.
    pub(super) fn hold(&self, tokens: &[(Token, String)]) -> Result<(), BenchError> {
        self.plan.write_tokens(tokens)?;
        self.server.signal(Signal::HUP)
    }

    /// Sends a request on a connection of its own; the status and the body of the answer.
    pub(super) fn ask(&self, request: &[u8]) -> Result<(u16, Vec<u8>), BenchError> {
        let address = self.server.address;
        load::with_event_loop(PATIENCE, async {
            let connection = Connection::open(&self.origin, address).await;
            let mut connection = connection.map_err(io_error("connect to the server"))?;
            let seen = connection.ask(request, PATIENCE).await;
            let seen = seen.map_err(|_| load::unexpected(b"nothing"))?;
            Ok((seen.status, seen.body.to_vec()))
        })
    }

    /// The same for an answer in JSON.
    pub(super) fn ask_json(&self, request: &[u8]) -> Result<(u16, Value), BenchError> {
        let (status, body) = self.ask(request)?;
        let value = serde_json::from_slice(&body).map_err(|_| load::unexpected(&body))?;
        Ok((status, value))
    }

    /// What the operator reads there, which must be there.
    pub(super) fn get(&self, path: &str) -> Result<Value, BenchError> {
        let ask = request(Some(OPERATOR), &format!("GET {path}"), "", "");
        let (status, value) = self.ask_json(&ask)?;
        if status == 200 { Ok(value) } else { Err(load::unexpected(value.to_string().as_bytes())) }
    }

    /// The operator puts something, which must be taken.
    pub(super) fn put(&self, path: &str, body: &str) -> Result<(), BenchError> {
        let ask = request(Some(OPERATOR), &format!("PUT {path}"), "", body);
        let (status, body) = self.ask(&ask)?;
        if matches!(status, 200 | 201) { Ok(()) } else { Err(load::unexpected(&body)) }
    }

    /// A SKU without limits.
    pub(super) fn put_sku(&self, sku: &str, stock: u64) -> Result<(), BenchError> {
        self.put(&format!("/v1/skus/{sku}"), &format!(r#"{{"stock":{stock}}}"#))
    }

    /// All metrics, as text.
    pub(super) fn metrics(&self) -> Result<String, BenchError> {
        let (_, body) = self.ask(&request(Some(OPERATOR), "GET /metrics", "", ""))?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// The sum of all rows that begin so.
    pub(super) fn metric(&self, row: &str) -> Result<f64, BenchError> {
        let text = self.metrics()?;
        let rows = text.lines().filter(|line| line.starts_with(row));
        let values = rows.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        Ok(values.sum())
    }

    /// Connections and requests that were not let in for this reason.
    pub(super) fn not_let_in(&self, reason: &str) -> Result<u64, BenchError> {
        let row = format!("doorbuster_admission_refusals_total{{reason=\"{reason}\"}}");
        Ok(self.metric(&row)? as u64)
    }

    /// Size of the journal on disk, in bytes; grows by whole segments.
    pub(super) fn journal_bytes(&self) -> Result<u64, BenchError> {
        let status = self.get("/v1/status")?;
        let bytes = status["journal_bytes"].as_u64();
        bytes.ok_or_else(|| load::unexpected(status.to_string().as_bytes()))
    }
}

impl Plan {
    pub(super) fn data(&self) -> PathBuf {
        self.place.join("data")
    }

    /// Starts a server on this directory, which may be another one's.
    pub(super) fn start(&self, data: &Path) -> Result<(Server, Origin), BenchError> {
        let mut command = start::command(self.binary.as_deref(), "group", data)?;
        command.env("DOORBUSTER_AUTH_TOKENS_FILE", self.place.join("tokens.toml"));
        for (name, value) in &self.settings {
            let name = name.replace('.', "_").to_uppercase();
            command.env(format!("DOORBUSTER_{name}"), value);
        }
        if self.is_secured {
            command.arg("--tls-cert").arg(self.place.join("certificate.pem"));
            command.arg("--tls-key").arg(self.place.join("key.pem"));
        }
        let told = File::options().append(true).create(true).open(self.place.join("told"));
        command.stderr(told.map_err(io_error("make a file for what the server tells"))?);
        let server = Server::start("doorbuster group", &mut command)?;
        let scheme = if self.is_secured { "https" } else { "http" };
        let authority = self.place.join("certificate.pem");
        let authority = self.is_secured.then_some(authority.as_path());
        let origin = Origin::new(&format!("{scheme}://{}", server.address), authority)?;
        Ok((server, origin))
    }

    fn write_tokens(&self, tokens: &[(Token, String)]) -> Result<(), BenchError> {
        let text: String = tokens.iter().map(|(token, more)| token.entry(more)).collect();
        let next = self.place.join("tokens.next");
        let written = fs::write(&next, text);
        let renamed = written.and_then(|()| fs::rename(next, self.place.join("tokens.toml")));
        renamed.map_err(io_error("write a tokens file"))
    }

    fn write_certificate(&self) -> Result<(), BenchError> {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]);
        let making = |error| io_error("make a certificate")(std::io::Error::other(error));
        let made = made.map_err(making)?;
        let certificate = fs::write(self.place.join("certificate.pem"), made.cert.pem());
        let key = made.signing_key.serialize_pem();
        let both = certificate.and_then(|()| fs::write(self.place.join("key.pem"), key));
        both.map_err(io_error("write a certificate"))
    }
}
