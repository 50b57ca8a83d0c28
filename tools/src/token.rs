//! `token new`: a fresh token, and the entry of the tokens' file that lets it in.
//!
//! The token is printed once and kept nowhere; the entry holds only its hash.

use crate::inspect::{Findings, Trouble};
use crate::instant;
use doorbuster::domain::model::ids::{PrincipalName, Stamp};
use doorbuster::shared::clock;
use sha2::{Digest, Sha256};

/// Bits enough that guessing is hopeless.
const TOKEN_BYTES: usize = 32;

/// What a token may do (API 6).
#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum Role {
    /// Look at SKUs and draws; create, confirm, cancel and extend its own orders
    Buy,
    /// Read, ship, complete and refund everybody's orders
    Fulfil,
    /// Metrics, status and latency
    Metrics,
    /// All
    Admin,
}

/// How its requests are treated.
#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum Class {
    /// Ahead of the others
    Priority,
}

/// A token's name: the principal.
pub(crate) fn name(text: &str) -> Result<PrincipalName, String> {
    let pattern = "1 to 64 of A-Z a-z 0-9 . _ : @ -";
    PrincipalName::parse(text).map_err(|_| format!("a name has {pattern}"))
}

/// An instant that is still to come: an entry that has ended already lets nobody in.
pub(crate) fn expiry(text: &str) -> Result<Stamp, String> {
    let stamp = instant::stamp(text)?;
    match stamp > clock::wall_ms() {
        true => Ok(stamp),
        false => Err("it has passed already".to_owned()),
    }
}

pub(crate) fn new(
    name: &PrincipalName,
    role: Role,
    class: Option<Class>,
    expires_at: Option<Stamp>,
) -> Result<Findings, Trouble> {
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes).map_err(|cause| Trouble::Unreadable(cause.to_string()))?;
    let token = hex(&bytes);
    let entry = entry(&token, name, role, class, expires_at);
    Ok(Findings::good(vec![("token", token.as_str().into()), ("entry", entry.into())], None))
}

/// Names, roles and hashes need no quoting.
fn entry(
    token: &str,
    name: &PrincipalName,
    role: Role,
    class: Option<Class>,
    expires_at: Option<Stamp>,
) -> String {
    let role = match role {
        Role::Buy => "buy",
        Role::Fulfil => "fulfil",
        Role::Metrics => "metrics",
        Role::Admin => "admin",
    };
    let sha256 = hex(&Sha256::digest(token.as_bytes()));
    let class = class.map_or("", |Class::Priority| "class = \"priority\"\n");
    let ends = expires_at.map(|stamp| format!("expires_at = {}\n", instant::text(stamp)));
    let ends = ends.unwrap_or_default();
    format!("[[token]]\nname = \"{name}\"\nrole = \"{role}\"\nsha256 = \"{sha256}\"\n{class}{ends}")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_holds_the_hash_of_the_token_and_not_the_token() {
        let name = name("shop").unwrap();
        // The SHA-256 of "abc", from FIPS 180-2, appendix B.1.
        let expected = "[[token]]\nname = \"shop\"\nrole = \"buy\"\nsha256 = \
             \"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"\n";
        assert_eq!(entry("abc", &name, Role::Buy, None, None), expected);
        let with_class = entry("abc", &name, Role::Buy, Some(Class::Priority), Some(1_500));
        let more = "class = \"priority\"\nexpires_at = 1970-01-01T00:00:01.500Z\n";
        assert_eq!(with_class, format!("{expected}{more}"));
        assert!(super::name("a \"b\"").is_err());
    }
}
