//! What an idempotency key claims: who asked under which key, and what.
//!
//! Owns two hashes that are stored in journal and snapshots. They must never change: a retry across
//! an upgrade has to find its first answer. Hence a binary form of its own, length-prefixed and
//! independent of how the types look, and tests with fixed values. Never stores anything. Next:
//! `routes`.

use super::conditions::{Condition, version};
use crate::domain::model::command::{Action, Adjustment, Command, Refund, Take};
use crate::domain::model::ids::{KeyClaim, LineRequests, PrincipalName};
use siphasher::sip;
use siphasher::sip128::{self, Hasher128};
use std::hash::Hasher;

/// What two requests may differ in although their commands are equal.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct FingerprintContext<'r> {
    pub(in crate::http) if_match: &'r Condition<'r>,
    /// The order that the path names, if its id is none of ours.
    pub(in crate::http) foreign_order: Option<&'r str>,
}

/// The claim of `key`, unquoted, for a command that can be keyed; none for the others.
pub(in crate::http) fn claim(
    hash_key: &[u8; 16],
    principal: &PrincipalName,
    key: &[u8],
    command: &Command,
    beside: FingerprintContext<'_>,
) -> Option<KeyClaim> {
    let form = Form::of(hash_key, command, beside)?;
    Some(KeyClaim { hash: key_hash(hash_key, principal, key), fingerprint: form.hasher.finish() })
}

/// The hash of a principal's key, unquoted, under the journal's hash key. No name holds a zero
/// byte, so no two pairs run together.
#[must_use]
pub fn key_hash(hash_key: &[u8; 16], principal: &PrincipalName, key: &[u8]) -> u128 {
    let mut hasher = sip128::SipHasher13::new_with_key(hash_key);
    hasher.write(principal.as_str().as_bytes());
    hasher.write_u8(0);
    hasher.write(key);
    hasher.finish128().as_u128()
}

/// The canonical bytes of a command. Method and path come from the command itself, so that a line
/// of a batch equals the same command sent alone. Hashed as they come.
struct Form {
    hasher: sip::SipHasher13,
}

impl Form {
    fn of(hash_key: &[u8; 16], command: &Command, beside: FingerprintContext<'_>) -> Option<Self> {
        let mut form = Self { hasher: sip::SipHasher13::new_with_key(hash_key) };
        match command {
            Command::CreateOrder(order) => {
                form.text(b"POST /v1/orders");
                form.precondition(beside);
                form.text(order.user.as_str().as_bytes());
                form.lines(&order.lines);
                form.maybe_text(order.reference.as_deref());
                match order.take {
                    Take::Hold(hold_ms) => {
                        form.byte(0);
                        form.maybe_number(hold_ms);
                    }
                    Take::Sell => form.byte(1),
                }
            }
            Command::ActOnOrder(order, action) => {
                form.text(path(action).as_bytes());
                form.number(u64::from(order.epoch));
                form.number(order.sequence);
                beside.foreign_order.into_iter().for_each(|id| form.text(id.as_bytes()));
                form.precondition(beside);
                form.action(action);
            }
            Command::AdjustSku(adjust) => {
                form.text(b"POST /v1/skus/{sku}/adjust");
                form.text(adjust.sku.as_str().as_bytes());
                form.precondition(beside);
                match adjust.adjustment {
                    Adjustment::Delta(delta) => {
                        form.byte(0);
                        form.hasher.write_i64(delta.to_le());
                    }
                    Adjustment::Stock(stock) => {
                        form.byte(1);
                        form.number(stock);
                    }
                }
                form.text(adjust.reason.as_bytes());
            }
            Command::EnterDraw(enter) => {
                form.text(b"POST /v1/draws/{draw}/entries");
                form.text(enter.draw.as_str().as_bytes());
                form.precondition(beside);
                form.text(enter.user.as_str().as_bytes());
                form.maybe_text(enter.client_seed.as_deref());
            }
            Command::CloseDraw(draw) => {
                form.text(b"POST /v1/draws/{draw}/close");
                form.text(draw.as_str().as_bytes());
                form.precondition(beside);
            }
            Command::PutSku(_)
            | Command::PatchSku(_)
            | Command::DeleteSku(_)
            | Command::PutDraw(_)
            | Command::DeleteDraw(_)
            | Command::Read(_) => return None,
        }
        Some(form)
    }

    fn action(&mut self, action: &Action) {
        match action {
            Action::Confirm { reacquire } => self.byte(u8::from(*reacquire)),
            Action::Extend(hold_ms) => self.number(*hold_ms),
            Action::Refund(Refund { lines, restock }) => {
                self.lines(lines);
                self.byte(u8::from(*restock));
            }
            Action::Cancel | Action::Ship | Action::Complete => {}
        }
    }

    fn precondition(&mut self, beside: FingerprintContext<'_>) {
        let tags = match beside.if_match {
            Condition::None => return self.byte(0),
            Condition::Any => return self.byte(1),
            Condition::Tags(tags) => tags,
        };
        match tags.as_slice() {
            [tag] => match version(tag) {
                // It matches nothing, but two of them are two requests.
                None => {
                    self.byte(2);
                    self.text(tag);
                }
                Some(version) => {
                    self.byte(3);
                    self.number(version);
                }
            },
            several => {
                self.byte(5);
                self.number(several.len() as u64);
                several.iter().for_each(|tag| self.text(tag));
            }
        }
    }

    fn lines(&mut self, lines: &LineRequests) {
        self.number(lines.len() as u64);
        for line in lines {
            self.text(line.sku.as_str().as_bytes());
            self.number(u64::from(line.quantity));
        }
    }

    fn byte(&mut self, byte: u8) {
        self.hasher.write_u8(byte);
    }

    fn number(&mut self, number: u64) {
        // It takes a number's bytes as the machine has them.
        self.hasher.write_u64(number.to_le());
    }

    fn text(&mut self, text: &[u8]) {
        self.number(text.len() as u64);
        self.hasher.write(text);
    }

    fn maybe_number(&mut self, number: Option<u64>) {
        self.byte(u8::from(number.is_some()));
        number.into_iter().for_each(|number| self.number(number));
    }

    fn maybe_text(&mut self, text: Option<&str>) {
        self.byte(u8::from(text.is_some()));
        text.into_iter().for_each(|text| self.text(text.as_bytes()));
    }
}

const fn path(action: &Action) -> &'static str {
    match action {
        Action::Confirm { .. } => "POST /v1/orders/{id}/confirm",
        Action::Cancel => "POST /v1/orders/{id}/cancel",
        Action::Extend(_) => "POST /v1/orders/{id}/extend",
        Action::Ship => "POST /v1/orders/{id}/ship",
        Action::Complete => "POST /v1/orders/{id}/complete",
        Action::Refund(_) => "POST /v1/orders/{id}/refund",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::{HASH_KEY, claimed};

    const ORDER: &str = r#"POST /v1/orders {"user":"u1","lines":[{"sku":"A","qty":2}]}"#;

    /// The values come from another implementation of SipHash-1-3, over bytes built by hand.
    #[test]
    fn stored_hashes_never_change() {
        let check = |request: &str, fingerprint: u64| {
            let claim = claimed(request, "k");
            assert_eq!(claim.fingerprint, fingerprint, "{request}: {:#x}", claim.fingerprint);
            assert_eq!(claim.hash, 0x2ce6_e4b4_b3e3_81d2_67a4_3d73_d826_4b33, "{:#x}", claim.hash);
        };
        check(ORDER, 0x8306_40c9_625a_77ba);
        check(
            r#"POST /v1/orders {"user":"u","lines":[{"sku":"A","qty":1},{"sku":"B","qty":2}],"reference":"r","hold_ms":60000}"#,
            0xb273_b329_030e_84d2,
        );
        check(
            r#"POST /v1/orders {"user":"u","lines":[{"sku":"A","qty":1}],"confirm":true}"#,
            0xfa77_1322_9e56_30b8,
        );
        check("POST /v1/orders/3-17/confirm", 0x33ca_19c1_0082_afd6);
        check(r#"POST /v1/orders/3-17/confirm {"if_expired":"reacquire"}"#, 0xc66a_655e_36ed_fccc);
        check("POST /v1/orders/3-17/cancel", 0xd6cf_284b_d721_d35e);
        check(r#"POST /v1/orders/3-17/extend {"hold_ms":1000}"#, 0x7190_0f9d_cc95_b77d);
        check("POST /v1/orders/3-17/ship", 0xb0b3_a491_3a09_a000);
        check("POST /v1/orders/3-17/complete", 0x21ab_76a0_1881_9de5);
        check("POST /v1/orders/3-17/refund", 0x341e_6966_f4ad_59d6);
        check(
            r#"POST /v1/orders/3-17/refund {"lines":[{"sku":"A","qty":1}],"restock":false}"#,
            0xe457_5a7f_1c6b_cdac,
        );
        check(r#"POST /v1/skus/A/adjust {"delta":-5,"reason":"damaged"}"#, 0xe887_3586_662e_4295);
        check(
            "If-Match: \"7\"\nPOST /v1/skus/A/adjust {\"stock\":5,\"reason\":\"recount\"}",
            0xc310_363a_4ee5_9190,
        );
        check(r#"POST /v1/draws/D/entries {"user":"u1"}"#, 0xd627_267f_3132_58ae);
        check(
            r#"POST /v1/draws/D/entries {"user":"u1","client_seed":"luck"}"#,
            0xfda5_b052_de3d_273b,
        );
        check("POST /v1/draws/D/close", 0xe11f_d95e_9948_1873);
    }

    /// The hash of a key depends on who and which and under what key.
    #[test]
    fn the_hash_of_a_key_depends_on_principal_key_and_secret() {
        let [local, other] = ["local", "other"].map(|name| PrincipalName::parse(name).unwrap());
        let hash = key_hash(&HASH_KEY, &local, b"k");
        assert_eq!(hash, key_hash(&HASH_KEY, &local, b"k"));
        assert_ne!(hash, key_hash(&HASH_KEY, &other, b"k"));
        assert_ne!(hash, key_hash(&HASH_KEY, &local, b"K"));
        assert_ne!(hash, key_hash(&[0; 16], &local, b"k"));
    }

    #[test]
    fn what_parses_the_same_has_one_fingerprint() {
        let same = claimed(ORDER, "k");
        for request in [
            r#"POST /v1/orders {"lines":[{"qty":2,"sku":"A"}],"user":"u1"}"#,
            "POST /v1/orders  { \"user\" : \"\\u00751\", \"lines\" : [ { \"sku\":\"A\", \"qty\":2 } ] } ",
            r#"POST /v1/orders {"user":"u1","lines":[{"sku":"A","qty":2}],"hold_ms":null,"reference":null}"#,
            r#"POST /v1/orders {"user":"u1","lines":[{"sku":"A","qty":2}],"confirm":false}"#,
            r#"POST /%761/orders {"user":"u1","lines":[{"sku":"A","qty":2}]}"#,
        ] {
            assert_eq!(claimed(request, "k"), same, "{request}");
            assert_eq!(claimed(request, "\"k\""), same, "{request}");
        }
        let confirm = claimed("POST /v1/orders/3-17/confirm", "k");
        assert_eq!(claimed("POST /v1/orders/3-17/confirm {}", "k"), confirm);
        assert_eq!(claimed("POST /v1/orders/3-17/confirm null", "k"), confirm);
        let adjust = "POST /v1/skus/A/adjust {\"stock\":5,\"reason\":\"r\"}";
        for (lines, same) in [
            ("\"7\"", "\"7\" ,"),
            ("\"7\", W/\"8\"", "\"7\",W/\"8\""),
            ("\"7\", \"8\"", "\"7\"\nIf-Match: \"8\""),
        ] {
            let of = |tags: &str| claimed(&format!("If-Match: {tags}\n{adjust}"), "k");
            assert_eq!(of(lines), of(same), "{same}");
        }
        let refund = claimed("POST /v1/orders/3-17/refund", "k");
        assert_eq!(claimed(r#"POST /v1/orders/3-17/refund {"restock":true}"#, "k"), refund);
    }

    #[test]
    fn what_parses_differently_has_different_fingerprints() {
        let requests = [
            ORDER,
            r#"POST /v1/orders {"user":"u2","lines":[{"sku":"A","qty":2}]}"#,
            r#"POST /v1/orders {"user":"u1","lines":[{"sku":"A","qty":3}]}"#,
            r#"POST /v1/orders {"user":"u1","lines":[{"sku":"B","qty":2}]}"#,
            r#"POST /v1/orders {"user":"u1","lines":[{"sku":"A","qty":2}],"confirm":true}"#,
            r#"POST /v1/orders {"user":"u1","lines":[{"sku":"A","qty":2}],"hold_ms":2}"#,
            r#"POST /v1/orders {"user":"u1","lines":[{"sku":"A","qty":2}],"reference":"A"}"#,
            r#"POST /v1/orders {"user":"u1","lines":[{"sku":"A","qty":2},{"sku":"B","qty":2}]}"#,
            r#"POST /v1/orders {"user":"u1","lines":[{"sku":"B","qty":2},{"sku":"A","qty":2}]}"#,
            "POST /v1/orders/3-17/confirm",
            "POST /v1/orders/3-18/confirm",
            "POST /v1/orders/4-17/confirm",
            r#"POST /v1/orders/3-17/confirm {"if_expired":"reacquire"}"#,
            "POST /v1/orders/3-17/cancel",
            "POST /v1/orders/3-17/ship",
            "POST /v1/orders/3-17/complete",
            "POST /v1/orders/3-17/refund",
            r#"POST /v1/orders/3-17/refund {"restock":false}"#,
            r#"POST /v1/orders/3-17/refund {"lines":[{"sku":"A","qty":1}]}"#,
            r#"POST /v1/skus/A/adjust {"delta":5,"reason":"r"}"#,
            r#"POST /v1/skus/A/adjust {"delta":-5,"reason":"r"}"#,
            r#"POST /v1/skus/A/adjust {"delta":5,"reason":"s"}"#,
            r#"POST /v1/skus/A/adjust {"stock":5,"reason":"r"}"#,
            "If-Match: *\nPOST /v1/skus/A/adjust {\"stock\":5,\"reason\":\"r\"}",
            "If-Match: \"7\"\nPOST /v1/skus/A/adjust {\"stock\":5,\"reason\":\"r\"}",
            "If-Match: W/\"7\"\nPOST /v1/skus/A/adjust {\"stock\":5,\"reason\":\"r\"}",
            "If-Match: \"abc\"\nPOST /v1/skus/A/adjust {\"stock\":5,\"reason\":\"r\"}",
            "If-Match: \"xyz\"\nPOST /v1/skus/A/adjust {\"stock\":5,\"reason\":\"r\"}",
            "If-Match: \"7\", \"8\"\nPOST /v1/skus/A/adjust {\"stock\":5,\"reason\":\"r\"}",
            "If-Match: \"7\", \"9\"\nPOST /v1/skus/A/adjust {\"stock\":5,\"reason\":\"r\"}",
            "If-Match: \"7\", \"8\", \"x\"\nPOST /v1/skus/A/adjust {\"stock\":5,\"reason\":\"r\"}",
            "If-Match: \"abc\"\nPOST /v1/orders/3-17/confirm",
            "If-Match: \"xyz\"\nPOST /v1/orders/3-17/confirm",
            "POST /v1/orders/nonsense/confirm",
            "POST /v1/orders/0-0/confirm",
            "POST /v1/orders/03-17/confirm",
            "POST /v1/orders/03-17/cancel",
            r#"POST /v1/draws/A/entries {"user":"u1"}"#,
            r#"POST /v1/draws/B/entries {"user":"u1"}"#,
            r#"POST /v1/draws/A/entries {"user":"u2"}"#,
            r#"POST /v1/draws/A/entries {"user":"u1","client_seed":""}"#,
            r#"POST /v1/draws/A/entries {"user":"u1","client_seed":"x"}"#,
            "If-Match: *\nPOST /v1/draws/A/entries {\"user\":\"u1\"}",
            "POST /v1/draws/A/close",
            "POST /v1/draws/B/close",
        ];
        let mut seen = std::collections::HashMap::new();
        for request in requests {
            let twin = seen.insert(claimed(request, "k").fingerprint, request);
            assert_eq!(twin, None, "equals {request}");
        }
    }
}
