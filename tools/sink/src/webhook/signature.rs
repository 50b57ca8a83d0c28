//! Signatures of webhooks, by Standard Webhooks: HMAC-SHA256 over id, time and body.
//!
//! Owns the secrets of an endpoint: one a line, the newest first; while they rotate, a call carries
//! one signature of each. Next: `webhook`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What a secret begins with.
const PREFIX: &str = "whsec_";
/// Bytes of a secret.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// Secrets at a time.
const SECRETS_MAX: usize = 8;

/// Secrets that calls are signed with.
pub(super) struct Secrets(Vec<Vec<u8>>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, form: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(form, "{} secrets", self.0.len())
    }
}

impl Secrets {
    /// Of a file's text; never tells what stands in it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let mut secrets = Vec::new();
        for line in lines {
            let encoded = line.strip_prefix(PREFIX);
            let bytes = encoded.and_then(|encoded| STANDARD.decode(encoded).ok());
            match bytes.filter(|bytes| BYTES.contains(&bytes.len())) {
                Some(bytes) if secrets.len() < SECRETS_MAX => secrets.push(bytes),
                Some(_) => return Err(format!("more than {SECRETS_MAX} secrets")),
                None => {
                    let form = "a secret is whsec_ and the base64 of 24 to 64 bytes, one a line";
                    return Err(form.to_owned());
                }
            }
        }
        if secrets.is_empty() { Err("there is no secret".to_owned()) } else { Ok(Self(secrets)) }
    }

    /// The header `webhook-signature`.
    pub(super) fn sign(&self, id: &str, timestamp: u64, body: &[u8]) -> String {
        let signatures = self.0.iter().map(|secret| {
            let mac = Hmac::<Sha256>::new_from_slice(secret);
            let mut mac = mac.expect("a key of HMAC has any length");
            mac.update(id.as_bytes());
            mac.update(b".");
            mac.update(timestamp.to_string().as_bytes());
            mac.update(b".");
            mac.update(body);
            format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
        });
        signatures.collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's own library.
    #[test]
    fn a_call_is_signed_as_others_sign_it() {
        let secrets = Secrets::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").expect("a secret");
        let body = br#"{"test": 2432232314}"#;
        let signed = secrets.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn while_secrets_rotate_there_is_a_signature_of_each() {
        let old = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let new = format!("{PREFIX}{}", STANDARD.encode([7; 32]));
        let signed = Secrets::parse(&format!("{new}\n\n{old}")).expect("two").sign("a", 1, b"");
        assert_eq!(signed.split(' ').count(), 2);
        assert!(signed.split(' ').all(|one| one.starts_with("v1,")));
        for wrong in ["", "hello", "whsec_AAAA", "whsec_!"] {
            assert!(Secrets::parse(wrong).is_err(), "{wrong}");
        }
    }
}
