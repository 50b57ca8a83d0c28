//! Connections to PostgreSQL, and what its errors mean.
//!
//! Owns which errors may pass and which never will, and the remedy that a person is told. In clear
//! only on this machine; elsewhere under TLS, unless the URL says otherwise. Next: `postgres`.

use crate::config::SinkSettings;
use crate::failure::Failure;
use crate::tls;
use std::error::Error as _;
use std::time::Duration;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, Error, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

const CONNECT_WITHIN: Duration = Duration::from_secs(10);

pub(super) async fn connect(settings: &SinkSettings) -> Result<Client, Failure> {
    let mut config: Config = settings
        .url
        .parse()
        .map_err(|error: Error| Failure::refused(format!("url: {}", whole(&error))))?;
    if let Some(password) = settings.secret().map_err(Failure::refused)? {
        config.password(password);
    }
    config.connect_timeout(CONNECT_WITHIN);
    config.application_name(format!("doorbuster-sink {}", settings.name));
    let asked = settings.url.contains("sslmode=");
    if !asked {
        config.ssl_mode(if is_here(&config) { SslMode::Disable } else { SslMode::Require });
    }
    if config.get_ssl_mode() == SslMode::Disable {
        let (client, connection) = config.connect(NoTls).await.map_err(|error| failure(&error))?;
        tokio::spawn(async move { drop(connection.await) });
        return Ok(client);
    }
    let tls = tls::client(settings.ca_file.as_deref()).map_err(Failure::refused)?;
    let connected = config.connect(MakeRustlsConnect::new(tls)).await;
    let (client, connection) = connected.map_err(|error| failure(&error))?;
    tokio::spawn(async move { drop(connection.await) });
    Ok(client)
}

/// Whether the server is on this machine.
fn is_here(config: &Config) -> bool {
    config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => {
            let address = name.parse::<std::net::IpAddr>();
            name == "localhost" || address.is_ok_and(|address| address.is_loopback())
        }
        Host::Unix(_) => true,
    })
}

/// An error with all that it rests on.
fn whole(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

/// Data that the database refuses is refused for ever; everything else may be put right there.
const REFUSED: [&str; 6] = ["21", "22", "23", "27", "44", "P0"];

pub(super) fn failure(error: &Error) -> Failure {
    let Some(code) = error.code() else { return Failure::away(whole(error)) };
    let mut text = format!("{} ({})", whole(error), code.code());
    if let Some(remedy) = remedy(code) {
        text = format!("{text}; {remedy}");
    }
    if REFUSED.contains(&&code.code()[..2]) { Failure::refused(text) } else { Failure::away(text) }
}

fn remedy(code: &SqlState) -> Option<&'static str> {
    if *code == SqlState::INVALID_PASSWORD {
        return Some("put the right password into secret_file");
    }
    if *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION {
        return Some("make the role, or let it in by pg_hba.conf");
    }
    if *code == SqlState::INVALID_CATALOG_NAME {
        return Some("make the database, or name another in the url");
    }
    if *code == SqlState::INSUFFICIENT_PRIVILEGE {
        return Some(
            "grant the role create on the schema and temporary on the database, or select, insert \
             and update on the doorbuster_ tables",
        );
    }
    if *code == SqlState::DISK_FULL {
        return Some("make room on the database's disk");
    }
    None
}

pub(super) fn signed(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}
