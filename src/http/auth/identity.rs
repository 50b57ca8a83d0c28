//! Who asks, by the header `Authorization` (API 6).
//!
//! Owns what a connection remembers of it: the last header that was good, so that a client that
//! repeats it costs a comparison and no hash. What is remembered falls with the next reload and
//! with the token's expiry. Never says what a principal may do: that is `roles`. Next: `tokens`.

use super::roles::Role;
use super::tokens::{TOKEN_BYTES_MAX, Tokens};
use crate::domain::model::command::{Principal, Reach};
use crate::domain::model::ids::{PrincipalName, Stamp};
use crate::http::request::headers::{Name, RequestHeaders};
use crate::http::response::problem::{Code, Problem, Refused};
use crate::shared::clock::wall_ms;
use crate::shared::reloadable::Kept;
use std::cell::RefCell;
use std::fmt;
use subtle::ConstantTimeEq;

/// Who asks, and what they are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) struct Identity {
    pub(in crate::http) principal: Principal,
    pub(in crate::http) role: Role,
    /// Its token is of the class `priority`.
    pub(in crate::http) preferred: bool,
}

impl Identity {
    /// Everybody, where there are no tokens.
    pub(in crate::http) fn local() -> Self {
        let principal = Principal { name: PrincipalName::local(), reach: Reach::All };
        Self { principal, role: Role::Admin, preferred: false }
    }

    /// The identity of a client that asks for what needs no token.
    pub(in crate::http) fn nobody() -> Self {
        let principal = Principal { name: PrincipalName::local(), reach: Reach::Own };
        Self { principal, role: Role::Anonymous, preferred: false }
    }
}

/// A header that was found good.
struct Known {
    /// Of the tokens it was found in.
    generation: u64,
    header: Box<[u8]>,
    expires_at: Option<Stamp>,
    identity: Identity,
}

/// What a connection knows of the principal that it speaks for.
#[derive(Default)]
pub(in crate::http) struct AuthCache(RefCell<Option<Known>>);

impl fmt::Debug for AuthCache {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.0.borrow();
        f.debug_tuple("Acquaintance").field(&known.as_ref().map(|known| &known.identity)).finish()
    }
}

/// Who asks; refuses a missing, unknown or expired token.
pub(in crate::http) fn identify(
    tokens: &Kept<Tokens>,
    auth_cache: &AuthCache,
    head: &RequestHeaders<'_>,
) -> Result<Identity, Refused> {
    tokens.with(|generation, tokens| {
        if tokens.is_none() {
            return Ok(Identity::local());
        }
        let header = head.bytes(Name::Authorization).ok_or_else(missing)?;
        if head.is_repeated(Name::Authorization) {
            return Err(Problem::new(Code::Unauthenticated, "Authorization is repeated"));
        }
        if let Some(identity) = auth_cache.recall(generation, header) {
            return Ok(identity);
        }
        let token = token(header).and_then(|token| tokens.find(token));
        let token = token.filter(|token| is_good(token.expires_at())).ok_or_else(unknown)?;
        let (principal, role) = (token.principal().clone(), token.role());
        let identity = Identity { principal, role, preferred: token.is_preferred() };
        *auth_cache.0.borrow_mut() = Some(Known {
            generation,
            header: header.into(),
            expires_at: token.expires_at(),
            identity: identity.clone(),
        });
        Ok(identity)
    })
}

impl AuthCache {
    /// Whoever was let in last still may do what they were let in for. A stream may outlast a
    /// token.
    pub(in crate::http) fn holds(&self, tokens: &Kept<Tokens>) -> bool {
        tokens.with(|generation, tokens| {
            if tokens.is_none() {
                return true;
            }
            let mut known = self.0.borrow_mut();
            let Some(known) = known.as_mut() else { return false };
            if known.generation != generation {
                let Some(token) = token(&known.header).and_then(|token| tokens.find(token)) else {
                    return false;
                };
                let Identity { principal, role, .. } = &known.identity;
                if token.principal() != principal || token.role() != *role {
                    return false;
                }
                known.generation = generation;
                known.expires_at = token.expires_at();
            }
            is_good(known.expires_at)
        })
    }

    /// Whose header this was, if it is the last good one. On a connection that a proxy shares among
    /// its clients one may guess at another's token, so this comparison takes no less time for a
    /// nearer guess.
    fn recall(&self, generation: u64, header: &[u8]) -> Option<Identity> {
        let known = self.0.borrow();
        let known = known.as_ref().filter(|known| known.generation == generation)?;
        let same = bool::from(known.header.ct_eq(header)) && is_good(known.expires_at);
        same.then(|| known.identity.clone())
    }
}

fn is_good(expires_at: Option<Stamp>) -> bool {
    expires_at.is_none_or(|expires_at| wall_ms() < expires_at)
}

/// The token of a header `Bearer <token>` (RFC 6750, 2.1); the scheme in any case (RFC 9110, 11.1).
fn token(header: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = header.split_at_checked(b"Bearer ".len())?;
    let token = rest.trim_ascii_start();
    let good = scheme.eq_ignore_ascii_case(b"Bearer ") && !token.is_empty();
    (good && token.len() <= TOKEN_BYTES_MAX).then_some(token)
}

fn missing() -> Refused {
    Problem::new(Code::Unauthenticated, "this request needs the header Authorization: Bearer TOKEN")
}

/// Which of the two it is would help only a client that guesses.
fn unknown() -> Refused {
    Problem::new(Code::Unauthenticated, "the token is unknown or has expired")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::headers;
    use crate::shared::reloadable::Reloadable;
    use std::sync::Arc;

    // The SHA-256 of "abc", from FIPS 180-2, appendix B.1.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn tokens(role: &str, expires_at: &str) -> Tokens {
        let text = format!(
            "[[token]]\nname = \"shop\"\nrole = \"{role}\"\nsha256 = \"{ABC}\"\n\
             expires_at = {expires_at}\n"
        );
        Tokens::read("t", &text).unwrap()
    }

    fn ask(kept: &Kept<Tokens>, on: &AuthCache, lines: &str) -> Result<Role, Code> {
        let headers = headers(lines);
        let identity = identify(kept, on, &RequestHeaders::of(&headers));
        identity.map(|identity| identity.role).map_err(|refused| refused.code)
    }

    #[test]
    fn a_good_token_comes_in_and_no_other_header_does() {
        let kept = Kept::new(Arc::new(Reloadable::new(tokens("buy", "2999-01-01T00:00:00Z"))));
        let on = AuthCache::default();
        let long = format!("Authorization: Bearer {}", "a".repeat(TOKEN_BYTES_MAX + 1));
        for good in ["Bearer abc", "bearer abc", "BEARER   abc"] {
            let line = format!("Authorization: {good}");
            assert_eq!(ask(&kept, &on, &line), Ok(Role::Buy), "{good}");
            assert_eq!(ask(&kept, &on, &line), Ok(Role::Buy), "{good}, known");
        }
        for bad in [
            "",
            "Authorization: ",
            "Authorization: Bearer",
            "Authorization: Bearer abcd",
            "Authorization: Bearer Abc",
            "Authorization: Bearer abc abc",
            "Authorization: Basic abc",
            "Authorization: abc",
            "Authorization: Bearer abc\nAuthorization: Bearer abc",
            "X-Authorization: Bearer abc",
            &long,
        ] {
            assert_eq!(ask(&kept, &on, bad), Err(Code::Unauthenticated), "{bad}");
        }
    }

    #[test]
    fn what_a_connection_knows_falls_with_a_reload_and_an_expiry() {
        let shared = Arc::new(Reloadable::new(tokens("buy", "2999-01-01T00:00:00Z")));
        let (kept, on) = (Kept::new(shared.clone()), AuthCache::default());
        let line = "Authorization: Bearer abc";
        assert_eq!(ask(&kept, &on, line), Ok(Role::Buy));
        shared.replace(tokens("fulfil", "2999-01-01T00:00:00Z"));
        assert_eq!(ask(&kept, &on, line), Ok(Role::Fulfil));
        on.0.borrow_mut().as_mut().unwrap().expires_at = Some(1);
        shared.replace(tokens("fulfil", "2001-01-01T00:00:00Z"));
        assert_eq!(ask(&kept, &on, line), Err(Code::Unauthenticated));
        shared.replace(Tokens::none());
        assert_eq!(ask(&kept, &on, ""), Ok(Role::Admin));
    }

    /// A token that expires is forgotten although the connection knows it.
    #[test]
    fn an_expired_token_is_forgotten_on_a_known_connection() {
        let kept = Kept::new(Arc::new(Reloadable::new(tokens("buy", "2999-01-01T00:00:00Z"))));
        let on = AuthCache::default();
        ask(&kept, &on, "Authorization: Bearer abc").unwrap();
        on.0.borrow_mut().as_mut().unwrap().expires_at = Some(1);
        assert_eq!(on.recall(0, b"Bearer abc"), None);
        on.0.borrow_mut().as_mut().unwrap().expires_at = None;
        assert!(on.recall(0, b"Bearer abc").is_some() && on.recall(1, b"Bearer abc").is_none());
    }

    #[test]
    fn what_is_shown_of_a_connection_is_without_its_token() {
        let kept = Kept::new(Arc::new(Reloadable::new(tokens("buy", "2999-01-01T00:00:00Z"))));
        let on = AuthCache::default();
        ask(&kept, &on, "Authorization: Bearer abc").unwrap();
        let shown = format!("{on:?}");
        assert!(shown.contains("shop") && !shown.contains("abc"), "{shown}");
    }
}
