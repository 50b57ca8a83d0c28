//! Orders in Redis: the script a shop would write, and as much of RESP as asking it takes
//! (https://redis.io/docs/latest/develop/reference/protocol-spec/).

use super::order::{Order, Verdict};
use std::io::Write as _;

/// Key remembered, stock, limit of the user, deduct, remember. The buyer's key is the order's id,
/// and there is no deadline: the least that does the job. Refusals are errors, so nothing of them
/// is kept.
pub(crate) const SCRIPT: &str = r#"
local remembered = redis.call('GET', KEYS[1])
if remembered then return remembered end
local sku = redis.call('HMGET', KEYS[2], 'available', 'per_user_limit')
local quantity = tonumber(ARGV[4])
if tonumber(sku[1] or 0) < quantity then return redis.error_reply('SOLD_OUT none left') end
local used = tonumber(redis.call('HGET', KEYS[3], ARGV[2]) or 0)
if used + quantity > tonumber(sku[2]) then return redis.error_reply('USER_LIMIT has enough') end
redis.call('HINCRBY', KEYS[2], 'available', -quantity)
redis.call('HINCRBY', KEYS[3], ARGV[2], quantity)
local answer = '{"id":"' .. ARGV[1] .. '","user":"' .. ARGV[2]
    .. '","sku":"' .. ARGV[3] .. '","qty":' .. ARGV[4]
    .. ',"status":"held"}'
redis.call('SET', KEYS[1], answer, 'EX', 86400)
return answer
"#;

/// A command and its arguments.
pub(crate) fn command(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    put(&mut bytes, parts);
    bytes
}

/// The text of an answer that is one string.
pub(crate) fn bulk(answer: &[u8]) -> Option<&[u8]> {
    let (length, rest) = answer.strip_prefix(b"$").and_then(line)?;
    let length: usize = std::str::from_utf8(length).ok()?.parse().ok()?;
    (rest.get(length..) == Some(b"\r\n")).then(|| &rest[..length])
}

pub(super) fn order(bytes: &mut Vec<u8>, script: &str, order: &Order<'_>) {
    let Order { sku, user, key } = order;
    let remembered = format!("key:{key}");
    let (counts, uses) = (format!("sku:{sku}"), format!("uses:{sku}"));
    put(
        bytes,
        &[
            b"EVALSHA",
            script.as_bytes(),
            b"3",
            remembered.as_bytes(),
            counts.as_bytes(),
            uses.as_bytes(),
            key.as_bytes(),
            user.as_bytes(),
            sku.as_bytes(),
            b"1",
        ],
    );
}

pub(super) fn put_sku(sku: &str, stock: u64) -> Vec<u8> {
    let (counts, stock) = (format!("sku:{sku}"), stock.to_string());
    let limit: &[u8] = b"per_user_limit";
    command(&[b"HMSET", counts.as_bytes(), b"available", stock.as_bytes(), limit, b"1"])
}

/// Nothing asked here is answered with more than one string, number or error.
pub(super) fn whole(answer: &[u8]) -> bool {
    match answer.first() {
        Some(b'$') => answer.starts_with(b"$-1\r\n") || bulk(answer).is_some(),
        Some(_) => answer.ends_with(b"\r\n"),
        None => false,
    }
}

pub(super) fn verdict(answer: &[u8]) -> Verdict<'_> {
    let refusals: [&[u8]; 2] = [b"-SOLD_OUT ", b"-USER_LIMIT "];
    match bulk(answer) {
        Some(answer) => Verdict::Accepted(answer),
        None if answer == b"+OK\r\n" => Verdict::Accepted(b""),
        None if refusals.iter().any(|refusal| answer.starts_with(refusal)) => Verdict::Refused,
        None => Verdict::Other,
    }
}

fn put(bytes: &mut Vec<u8>, parts: &[&[u8]]) {
    write!(bytes, "*{}\r\n", parts.len()).expect("memory takes all bytes");
    for part in parts {
        write!(bytes, "${}\r\n", part.len()).expect("memory takes all bytes");
        bytes.extend_from_slice(part);
        bytes.extend_from_slice(b"\r\n");
    }
}

fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.windows(2).position(|two| two == b"\r\n")?;
    Some((&bytes[..end], &bytes[end + 2..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_at_its_last_byte_and_not_before() {
        for answer in
            [&b"$5\r\nhe\r\nl\r\n"[..], b"$-1\r\n", b"+OK\r\n", b"-SOLD_OUT none left\r\n"]
        {
            for end in 0..answer.len() {
                assert!(!whole(&answer[..end]), "{:?}", String::from_utf8_lossy(&answer[..end]));
            }
            assert!(whole(answer), "{:?}", String::from_utf8_lossy(answer));
        }
    }

    #[test]
    fn only_what_the_script_refuses_is_a_refusal() {
        assert_eq!(verdict(b"$5\r\nhe\r\nl\r\n"), Verdict::Accepted(b"he\r\nl"));
        assert_eq!(verdict(b"-SOLD_OUT none left\r\n"), Verdict::Refused);
        assert_eq!(verdict(b"-USER_LIMIT has enough\r\n"), Verdict::Refused);
        assert_eq!(verdict(b"-NOSCRIPT No matching script.\r\n"), Verdict::Other);
        assert_eq!(verdict(b"$-1\r\n"), Verdict::Other);
    }
}
