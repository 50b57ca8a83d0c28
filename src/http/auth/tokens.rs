//! The tokens file: who may come in, and as whom (API 6).
//!
//! Owns its format and the look-up of a token. Holds hashes only, never a token. Reads no file and
//! no clock: `reload` brings the text, and the caller says what time it is. Next: `identity`.

use super::roles::{Permission, Role};
use crate::domain::model::command::Principal;
use crate::domain::model::ids::{PrincipalName, Stamp};
use crate::shared::instant;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::ops::Range;
use subtle::ConstantTimeEq;
use toml::Spanned;

/// Tokens at most; each look-up compares with all of them.
pub const TOKENS_MAX: usize = 1_000;
/// Bytes of a token at most; no longer one is looked up.
pub(in crate::http) const TOKEN_BYTES_MAX: usize = 512;

/// Everybody who may come in.
#[derive(Debug)]
pub struct Tokens(Option<Vec<Token>>);

/// An entry of the file.
#[derive(Debug)]
pub struct Token {
    principal: Principal,
    role: Role,
    sha256: [u8; 32],
    preferred: bool,
    expires_at: Option<Stamp>,
}

impl Token {
    /// Its name, and whose orders it reaches. Tokens of one name are one principal.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// What it may do.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Says whether it is of the class `priority`: its orders go before those of others.
    #[must_use]
    pub fn is_preferred(&self) -> bool {
        self.preferred
    }

    /// The end of its validity in milliseconds since 1970; none = it never ends.
    #[must_use]
    pub fn expires_at(&self) -> Option<Stamp> {
        self.expires_at
    }
}

/// Why a tokens file cannot be used. Never shows what stands in it: a token may, by mistake.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{file}, line {line}: {what} (`doorbusterctl token new --name NAME --role ROLE` prints a good \
     entry)"
)]
pub struct BadTokens {
    pub file: String,
    /// From 1.
    pub line: usize,
    /// What is wrong there, and what it must be.
    pub what: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    token: Vec<Spanned<Entry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: Spanned<String>,
    role: Spanned<String>,
    sha256: Spanned<String>,
    class: Option<Spanned<String>>,
    expires_at: Option<Spanned<toml::Value>>,
}

/// What is wrong, and at which bytes.
type Fault = (Range<usize>, String);

impl Tokens {
    /// There are none: every client is `local`, an admin.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    /// Reads a tokens file; `file` names it in errors.
    ///
    /// # Errors
    /// When it is no TOML of 1 to `TOKENS_MAX` good entries, or a hash stands there twice.
    pub fn read(file: &str, text: &str) -> Result<Self, BadTokens> {
        let bad = |(place, what): Fault| {
            let before = text.get(..place.start).unwrap_or(text);
            let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
            BadTokens { file: file.to_owned(), line, what }
        };
        let parsed: File = toml::from_str(text)
            .map_err(|error| bad((error.span().unwrap_or_default(), error.message().to_owned())))?;
        if parsed.token.is_empty() {
            return Err(bad((0..0, "there is no [[token]] in it".to_owned())));
        }
        let mut tokens: Vec<Token> = Vec::with_capacity(parsed.token.len());
        let mut hashes = BTreeMap::new();
        for entry in parsed.token {
            let place = entry.span();
            let token = token(entry.into_inner()).map_err(bad)?;
            if tokens.len() == TOKENS_MAX {
                return Err(bad((place, format!("there are more than {TOKENS_MAX} tokens"))));
            }
            if hashes.insert(token.sha256, ()).is_some() {
                return Err(bad((place, "this sha256 stands there twice".to_owned())));
            }
            tokens.push(token);
        }
        Ok(Self(Some(tokens)))
    }

    /// Says whether no client needs a token.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.as_ref().map_or(0, Vec::len)
    }

    /// The principals that may order, by name, each once: they have a reserve in the tables.
    #[must_use]
    pub fn ordering(&self) -> Vec<PrincipalName> {
        let orders = |token: &&Token| token.role.allows(Permission::CreateOrder).is_ok();
        let mut names: Vec<_> = self
            .0
            .iter()
            .flatten()
            .filter(orders)
            .map(|token| token.principal.name.clone())
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The entry of a token, expired or not.
    ///
    /// Takes the same time for every token of one length: what is compared are hashes, all of them
    /// to their last byte, whichever matches.
    #[must_use]
    pub fn find(&self, token: &[u8]) -> Option<&Token> {
        let hash: [u8; 32] = Sha256::digest(token).into();
        let mut found = None;
        for token in self.0.iter().flatten() {
            if bool::from(token.sha256.ct_eq(&hash)) {
                found = Some(token);
            }
        }
        found
    }
}

fn token(entry: Entry) -> Result<Token, Fault> {
    let Entry { name, role, sha256, class, expires_at } = entry;
    let fault = |place: Range<usize>, what: &str| (place, what.to_owned());
    let name = PrincipalName::parse(name.get_ref())
        .map_err(|_| fault(name.span(), "a name has 1 to 64 of A-Z a-z 0-9 . _ : @ -"))?;
    let role = Role::parse(role.get_ref())
        .ok_or_else(|| fault(role.span(), "a role is buy, fulfil, metrics or admin"))?;
    let hash = hash(sha256.get_ref()).ok_or_else(|| {
        fault(sha256.span(), "sha256 is the hash of the token: 64 hexadecimal digits")
    })?;
    let preferred = class.is_some();
    if let Some(class) = class.filter(|class| class.get_ref() != "priority") {
        return Err(fault(class.span(), "the only class there is is priority"));
    }
    let expires_at = expires_at.map(instant_of).transpose()?;
    let principal = Principal { name, reach: role.reach() };
    Ok(Token { principal, role, sha256: hash, preferred, expires_at })
}

fn hash(text: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, digits) in hash.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(hash)
}

/// TOML's own kind of instant, or the text of one.
fn instant_of(value: Spanned<toml::Value>) -> Result<Stamp, Fault> {
    let place = value.span();
    let text = match value.into_inner() {
        toml::Value::Datetime(instant) => instant.to_string(),
        toml::Value::String(text) => text,
        _ => String::new(),
    };
    instant::parse(&text).map_err(|_| {
        let what = "expires_at is an instant with its offset, such as 2027-01-31T00:00:00Z";
        (place, what.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::model::command::Reach;

    // The SHA-256 of "abc", from FIPS 180-2, appendix B.1.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn entry(name: &str, role: &str, sha256: &str, more: &str) -> String {
        format!("[[token]]\nname = \"{name}\"\nrole = \"{role}\"\nsha256 = \"{sha256}\"\n{more}\n")
    }

    #[test]
    fn a_token_is_found_by_its_hash_and_nothing_else_is() {
        let other = ABC.replace('b', "c");
        let text = format!(
            "# who may come in\n{}{}",
            entry("warehouse", "fulfil", &ABC.to_uppercase(), "class = \"priority\""),
            entry("warehouse", "buy", &other, "expires_at = 2027-01-31T01:00:00+01:00"),
        );
        let tokens = Tokens::read("t", &text).unwrap();
        let found = tokens.find(b"abc").unwrap();
        assert_eq!((found.role(), found.principal().reach), (Role::Fulfil, Reach::All));
        assert_eq!(found.principal().name.as_str(), "warehouse");
        assert_eq!((tokens.count(), found.expires_at(), found.is_preferred()), (2, None, true));
        for wrong in ["", "ab", "abcd", "Abc", ABC] {
            assert!(tokens.find(wrong.as_bytes()).is_none(), "{wrong}");
        }
        assert!(Tokens::none().find(b"abc").is_none() && Tokens::none().is_none());
    }

    #[test]
    fn an_expiry_is_an_instant_of_toml_or_a_text_of_one() {
        for text in
            ["2027-01-31T01:00:00+01:00", "\"2027-01-31T00:00:00Z\"", "2027-01-31 00:00:00Z"]
        {
            let file = entry("a", "buy", ABC, &format!("expires_at = {text}"));
            let tokens = Tokens::read("t", &file).unwrap();
            let expires_at = tokens.find(b"abc").unwrap().expires_at();
            assert_eq!(expires_at, Some(1_801_353_600_000), "{text}");
        }
    }

    /// A bad file is refused with its line and without what stands there.
    #[test]
    fn a_bad_file_is_refused_with_its_line_but_not_its_text() {
        let good = entry("a", "buy", ABC, "");
        let fails = |text: &str, line: usize, part: &str| {
            let error = Tokens::read("tokens.toml", text).unwrap_err();
            assert_eq!(error.line, line, "{text}\n{error}");
            let shown = error.to_string();
            assert!(shown.starts_with("tokens.toml, line ") && shown.contains(part), "{shown}");
            assert!(shown.contains("doorbusterctl token new") && !shown.contains("secret"));
        };
        fails("", 1, "no [[token]]");
        fails("[[token]]\nname = \"a\"\nrole = ", 3, "");
        fails(&entry("a/b", "buy", ABC, ""), 2, "a name has");
        fails(&entry("a", "nobody", ABC, ""), 3, "a role is");
        fails(&entry("a", "buy", "secret", ""), 4, "64 hexadecimal");
        fails(&entry("a", "buy", &ABC.replace("ba", "+a"), ""), 4, "64 hexadecimal");
        fails(&entry("a", "buy", ABC, "class = \"gold\""), 5, "priority");
        fails(&entry("a", "buy", ABC, "expires_at = 2027-01-31"), 5, "an instant");
        fails(&entry("a", "buy", ABC, "expires_at = 2027-01-31T00:00:00"), 5, "an instant");
        fails(&entry("a", "buy", ABC, "expires_at = 5"), 5, "an instant");
        fails(&entry("a", "buy", ABC, "colour = \"secret\""), 5, "colour");
        fails(&format!("{good}[[token]]\nname = \"b\"\nrole = \"buy\"\n"), 6, "sha256");
        fails(&format!("{good}{good}"), 6, "twice");
        fails(&format!("{good}[other]\n"), 6, "other");
        let many: String =
            (0..=TOKENS_MAX).map(|n| entry("a", "buy", &format!("{n:064}"), "")).collect();
        fails(&many, 5 * TOKENS_MAX + 1, "more than 1000");
    }
}
