//! Connections to MariaDB and MySQL, and what their errors mean.
//!
//! Owns which errors may pass and which never will, and the remedy that a person is told. In clear
//! only on this machine, elsewhere under TLS. Next: `mysql`.

use crate::config::SinkSettings;
use crate::failure::Failure;
use mysql_async::{Conn, Error, Opts, OptsBuilder, ServerError, SslOpts};
use std::time::Duration;

const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// Sizes of inserts and look-ups, of each table.
const STATEMENTS: usize = 128;

/// What is too long or out of range is refused, not cut; instants are in UTC.
const SETUP: &str = "set session sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE', \
     session time_zone = '+00:00', session innodb_lock_wait_timeout = 30";

pub(super) async fn connect(settings: &SinkSettings) -> Result<Conn, Failure> {
    let options = Opts::from_url(&settings.url);
    let options = options.map_err(|error| Failure::Final(format!("url: {error}")))?;
    let host = options.ip_or_hostname();
    let address = host.parse::<std::net::IpAddr>();
    let is_here = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    let mut builder = OptsBuilder::from_opts(options.clone())
        .prefer_socket(false)
        .client_found_rows(true)
        .stmt_cache_size(STATEMENTS)
        .setup(vec![SETUP]);
    if let Some(password) = settings.secret().map_err(Failure::away)? {
        builder = builder.pass(Some(password));
    }
    if !is_here {
        let authorities = settings.ca_file.iter().map(|file| file.clone().into()).collect();
        builder = builder.ssl_opts(SslOpts::default().with_root_certs(authorities));
    }
    match tokio::time::timeout(CONNECT_WITHIN, Conn::new(builder)).await {
        Ok(connected) => connected.map_err(|error| failure(&error)),
        Err(_) => {
            Err(Failure::away(format!("no connection within {} s", CONNECT_WITHIN.as_secs())))
        }
    }
}

/// Classes of data that the database refuses for ever, and signals of the shop's own triggers.
const REFUSED: [&str; 4] = ["21", "22", "23", "45"];
/// The same under a state that says nothing: a value of the wrong form, a check that fails.
const REFUSED_CODES: [u16; 4] = [1366, 1644, 3819, 4025];

pub(super) fn failure(error: &Error) -> Failure {
    let Error::Server(ServerError { code, state, message }) = error else {
        return Failure::away(error);
    };
    let mut text = format!("{message} ({code}, {state})");
    if let Some(remedy) = remedy(*code) {
        text = format!("{text}; {remedy}");
    }
    let class = state.get(..2).unwrap_or_default();
    if REFUSED.contains(&class) || REFUSED_CODES.contains(code) {
        Failure::refused(text)
    } else {
        Failure::away(text)
    }
}

fn remedy(code: u16) -> Option<&'static str> {
    Some(match code {
        1045 => "put the right password into secret_file",
        1049 => "make the database, or name another in the url",
        1044 | 1142 | 1143 => {
            "grant the user create, create temporary tables, select, insert and update on it"
        }
        1021 | 1041 | 1114 => "make room on the database's disk",
        _ => return None,
    })
}
