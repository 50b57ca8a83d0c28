//! Where etcd is, and who asks: the settings `cluster.arbiter` and `cluster.arbiter_auth_file`.
//!
//! Owns their forms. Never connects. Next: `gateway`.

use crate::client::Origin;
use crate::cluster::node::PLACE_BYTES_MAX;
use std::fmt;
use std::path::Path;

/// Endpoints at most; a cluster of etcd has three, five or seven members.
const ENDPOINTS_MAX: usize = 16;

/// The members of an etcd cluster, or some of them.
#[derive(Debug, Clone)]
pub struct Endpoints {
    origins: Vec<Origin>,
    credentials: Option<Credentials>,
}

/// A user of etcd.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Its name.
    pub user: String,
    /// Its password.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Why a text does not say where etcd is, or who asks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadEndpoints(String);

impl Endpoints {
    /// Takes `etcd://a:2379,b:2379,c:2379`, or `etcds://…` to speak TLS; certificates must come
    /// from one of the authorities in the PEM file, or of the system where no file is given.
    ///
    /// # Errors
    /// When it is not of that form, or the authorities cannot be read.
    pub fn parse(text: &str, authorities: Option<&Path>) -> Result<Self, BadEndpoints> {
        let (scheme, members) = members(text)?;
        let origin = |member: &&str| {
            let origin = Origin::new(&format!("{scheme}://{member}"), authorities);
            origin.map_err(|cause| bad(text, &cause.to_string()))
        };
        let origins = members.iter().map(origin).collect::<Result<_, _>>()?;
        Ok(Self { origins, credentials: None })
    }

    /// Whether a text is of the form; reads no file.
    ///
    /// # Errors
    /// When it is not.
    pub fn check(text: &str) -> Result<(), BadEndpoints> {
        members(text).map(drop)
    }

    /// The same, asked as a user.
    #[must_use]
    pub fn with(mut self, credentials: Option<Credentials>) -> Self {
        self.credentials = credentials;
        self
    }

    pub(super) fn origins(&self) -> &[Origin] {
        &self.origins
    }

    pub(super) fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }
}

fn bad(text: &str, why: &str) -> BadEndpoints {
    BadEndpoints(format!("{text:?} is not of the form etcd://a:2379,b:2379: {why}"))
}

/// The scheme of HTTP, and host and port of each.
fn members(text: &str) -> Result<(&'static str, Vec<&str>), BadEndpoints> {
    let (scheme, members) = match text.split_once("://") {
        Some(("etcd", members)) => ("http", members),
        Some(("etcds", members)) => ("https", members),
        _ => return Err(bad(text, "it begins with etcd:// or, for TLS, etcds://")),
    };
    let members: Vec<&str> = members.split(',').map(str::trim).collect();
    if members.len() > ENDPOINTS_MAX || text.len() > ENDPOINTS_MAX * PLACE_BYTES_MAX {
        return Err(bad(text, "there are too many"));
    }
    let is_port =
        |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    let is_member = |member: &&str| {
        member.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && is_port(port))
    };
    if !members.iter().all(is_member) {
        return Err(bad(text, "each is a host and a port"));
    }
    Ok((scheme, members))
}

impl Credentials {
    /// Takes the text of the file: one line `user:password`.
    ///
    /// # Errors
    /// When it is not that. The text is not repeated: it holds a password.
    pub fn parse(text: &str) -> Result<Self, BadEndpoints> {
        let line = text.strip_suffix('\n').unwrap_or(text);
        let line = line.strip_suffix('\r').unwrap_or(line);
        let parts = line.split_once(':').filter(|_| !line.contains(['\n', '\r']));
        let parts = parts.filter(|(user, password)| !user.is_empty() && !password.is_empty());
        let (user, password) = parts.ok_or_else(|| {
            BadEndpoints("the file of cluster.arbiter_auth_file has one line, user:password".into())
        })?;
        Ok(Self { user: user.to_owned(), password: password.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_hosts_and_ports() {
        let endpoints = Endpoints::parse("etcd://a:2379, b:2379,[::1]:2379", None).unwrap();
        let places: Vec<_> = endpoints.origins().iter().map(Origin::place).collect();
        assert_eq!(places, ["a:2379", "b:2379", "[::1]:2379"]);
    }

    #[test]
    fn another_form_is_refused_with_what_is_missing() {
        let refused = |text: &str| Endpoints::parse(text, None).unwrap_err().to_string();
        assert!(refused("a:2379").contains("begins with etcd://"));
        assert!(refused("http://a:2379").contains("begins with etcd://"));
        assert!(refused("etcd://a").contains("a host and a port"));
        assert!(refused("etcd://").contains("a host and a port"));
        assert!(refused("etcd://a:1,,b:1").contains("a host and a port"));
        assert!(refused("etcd://a:1/x").contains("a host and a port"));
        assert!(refused(&format!("etcd://{}a:1", "a:1,".repeat(16))).contains("too many"));
    }

    #[test]
    fn a_password_may_hold_colons_and_is_never_shown() {
        let credentials = Credentials::parse("shop:a:b\n").unwrap();
        assert_eq!((&*credentials.user, &*credentials.password), ("shop", "a:b"));
        assert!(!format!("{credentials:?}").contains("a:b"));
        for bad in ["", "shop", ":a", "shop:", "shop:a\nother:b\n"] {
            let told = Credentials::parse(bad).unwrap_err().to_string();
            assert!(told.contains("user:password") && !told.contains("shop"), "{told}");
        }
    }
}
