//! What every answer looks like, whatever was asked: a status and a code of the contract, one shape
//! of problems.
//!
//! Owns the contract's table of codes. Never knows what was asked. Next: `hostile`.

use doorbuster_test_support::client::Answer;
use serde_json::Value;

/// All codes by their status. `internal` is none of them: it would be a fault of the server's.
const CODES: [(u16, &[&str]); 18] = [
    (400, &["malformed", "unknown_field", "idempotency_key_missing"]),
    (401, &["unauthenticated"]),
    (403, &["forbidden"]),
    (404, &["unknown_sku", "unknown_order", "unknown_draw", "unknown_request", "not_found"]),
    (405, &["method_not_allowed"]),
    (408, &["timeout"]),
    (
        409,
        &[
            "sold_out",
            "user_limit",
            "entry_limit",
            "hold_limit",
            "not_open",
            "paused",
            "draw_only",
            "invalid_transition",
            "stock_below_committed",
            "in_use",
        ],
    ),
    (410, &["closed", "hold_expired", "compacted", "diverged"]),
    (412, &["version_mismatch"]),
    (413, &["too_large"]),
    (414, &["uri_too_long"]),
    (415, &["unsupported_media_type"]),
    (422, &["invalid", "idempotency_key_reused"]),
    (428, &["if_match_required"]),
    (429, &["rate_limited"]),
    (431, &["headers_too_large"]),
    (
        503,
        &[
            "overloaded",
            "draining",
            "read_only",
            "no_space",
            "capacity",
            "recovering",
            "outcome_unknown",
        ],
    ),
    (504, &["deadline_exceeded"]),
];

/// Codes of what is refused for what it is, before anything else is looked at.
const SHAPE: [&str; 6] = [
    "malformed",
    "unknown_field",
    "idempotency_key_missing",
    "not_found",
    "method_not_allowed",
    "unsupported_media_type",
];

/// It is refused because it is no request of the contract.
pub(crate) fn refuses_shape(body: &Value) -> bool {
    let code = body["code"].as_str().unwrap_or_default();
    SHAPE.contains(&code) || code == "invalid" && body.get("seq").is_none()
}

/// A body of this status.
pub(crate) fn check_body(status: u16, body: &Value) {
    if (200..300).contains(&status) {
        return;
    }
    let codes = CODES.iter().find(|(known, _)| *known == status).map(|(_, codes)| codes);
    let codes = codes.unwrap_or_else(|| panic!("{status} is no status of the contract: {body}"));
    let code = body["code"].as_str().unwrap_or_default();
    assert!(codes.contains(&code), "{status} does not say {code:?}: {body}");
    let shape = body["status"] == status
        && ["type", "title", "detail"].into_iter().all(|name| body[name].is_string())
        && body["retryable"].is_boolean();
    assert!(shape, "not the shape of a problem: {body}");
}

/// An answer as it came; that to a HEAD has no body.
pub(crate) fn check_answer(answer: &Answer, to_head: bool) {
    let Answer { status, body, .. } = answer;
    let kind = answer.header("Content-Type").unwrap_or_default();
    let closes = answer.header("Connection") == Some("close");
    // Only a head that cannot be read is refused without a word.
    let is_bare = matches!(status, 400 | 414 | 431) && body.is_empty() && closes;
    if to_head || is_bare || *status == 204 {
        return;
    }
    match status {
        200..300 => {
            if kind == "application/json" {
                assert!(serde_json::from_slice::<Value>(body).is_ok(), "{answer:?}");
                assert_eq!(answer.header("Cache-Control"), Some("no-store"), "{answer:?}");
            }
        }
        _ => {
            assert_eq!(kind, "application/problem+json", "{answer:?}");
            assert_eq!(answer.header("Cache-Control"), Some("no-store"), "{answer:?}");
            check_body(*status, &answer.json());
        }
    }
}
