//! Orders in PostgreSQL: the tables and the function a shop would write, and as much of the
//! frontend/backend protocol as calling it takes
//! (https://www.postgresql.org/docs/15/protocol-message-formats.html).

use super::order::{Order, Verdict};

/// A call is one transaction in one round trip: the unique key claims the answer, the user's use
/// and the stock change only where there is room. The hot row is taken last, so it is locked as
/// short as can be. A refusal raises, which undoes the claim.
pub(crate) const SCHEMA: &str = "
CREATE TABLE skus (
    sku text PRIMARY KEY,
    available bigint NOT NULL CHECK (available >= 0),
    per_user_limit bigint NOT NULL
) WITH (fillfactor = 10);
CREATE TABLE uses (
    sku text, buyer text, quantity bigint NOT NULL, PRIMARY KEY (sku, buyer)
);
CREATE SEQUENCE order_ids;
CREATE TABLE orders (
    key text PRIMARY KEY,
    id bigint NOT NULL,
    buyer text NOT NULL,
    sku text NOT NULL,
    quantity bigint NOT NULL,
    answer text NOT NULL
);
CREATE FUNCTION buy(by_key text, by_buyer text, of_sku text, units bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    order_id bigint := nextval('order_ids');
    given text := format('{\"id\":\"%s\",\"user\":\"%s\",\"sku\":\"%s\",\"qty\":%s,\"status\":\"held\"}',
        order_id, by_buyer, of_sku, units);
BEGIN
    INSERT INTO orders VALUES (by_key, order_id, by_buyer, of_sku, units, given)
        ON CONFLICT (key) DO NOTHING;
    IF NOT FOUND THEN
        RETURN (SELECT answer FROM orders WHERE key = by_key);
    END IF;
    INSERT INTO uses VALUES (of_sku, by_buyer, units)
        ON CONFLICT (sku, buyer) DO UPDATE SET quantity = uses.quantity + units
        WHERE uses.quantity + units <= (SELECT per_user_limit FROM skus WHERE sku = of_sku);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'user_limit';
    END IF;
    UPDATE skus SET available = available - units
        WHERE sku = of_sku AND available >= units AND units <= per_user_limit;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'sold_out';
    END IF;
    RETURN given;
END
$$;
";

/// Protocol 3.0.
const VERSION: i32 = 196_608;
/// What `RAISE EXCEPTION` is reported as.
const RAISED: &[u8] = b"CP0001\0";

pub(super) fn startup() -> Vec<u8> {
    let mut bytes = vec![0; 4];
    bytes.extend_from_slice(&VERSION.to_be_bytes());
    bytes.extend_from_slice(b"user\0bench\0database\0postgres\0\0");
    set_length(&mut bytes, 0);
    bytes
}

pub(super) fn prepare() -> Vec<u8> {
    let mut bytes = Vec::new();
    message(&mut bytes, b'P', |bytes| {
        bytes.extend_from_slice(b"buy\0SELECT buy($1, $2, $3, $4)\0\0\0");
    });
    message(&mut bytes, b'S', |_| {});
    bytes
}

pub(super) fn order(bytes: &mut Vec<u8>, order: &Order<'_>) {
    message(bytes, b'B', |bytes| {
        // The unnamed portal of the prepared statement; values and result as text.
        bytes.extend_from_slice(b"\0buy\0\0\0\0\x04");
        for value in [order.key, order.user, order.sku, "1"] {
            bytes.extend_from_slice(&length(value.len()));
            bytes.extend_from_slice(value.as_bytes());
        }
        bytes.extend_from_slice(b"\0\0");
    });
    message(bytes, b'E', |bytes| bytes.extend_from_slice(b"\0\0\0\0\0"));
    message(bytes, b'S', |_| {});
}

pub(super) fn put_sku(sku: &str, stock: u64) -> Vec<u8> {
    query(&format!("INSERT INTO skus VALUES ('{sku}', {stock}, 1)"))
}

/// Statements without parameters.
pub(crate) fn query(statements: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    message(&mut bytes, b'Q', |bytes| {
        bytes.extend_from_slice(statements.as_bytes());
        bytes.push(0);
    });
    bytes
}

/// An answer ends when the server is ready for the next request.
pub(super) fn whole(answer: &[u8]) -> bool {
    let mut messages = Messages { rest: answer };
    let last = messages.by_ref().last();
    last.is_some_and(|(kind, _)| kind == b'Z') && messages.rest.is_empty()
}

pub(super) fn verdict(answer: &[u8]) -> Verdict<'_> {
    let mut accepted: &[u8] = b"";
    for (kind, content) in (Messages { rest: answer }) {
        match kind {
            b'E' if content.windows(RAISED.len()).any(|field| field == RAISED) => {
                return Verdict::Refused;
            }
            b'E' => return Verdict::Other,
            // One row of one column.
            b'D' => accepted = content.get(6..).unwrap_or_default(),
            _ => {}
        }
    }
    if whole(answer) { Verdict::Accepted(accepted) } else { Verdict::Other }
}

fn message(bytes: &mut Vec<u8>, kind: u8, content: impl FnOnce(&mut Vec<u8>)) {
    bytes.push(kind);
    let start = bytes.len();
    bytes.extend_from_slice(&[0; 4]);
    content(bytes);
    set_length(bytes, start);
}

/// A length counts itself, but not the kind before it.
fn set_length(bytes: &mut [u8], start: usize) {
    let length = length(bytes.len() - start);
    bytes[start..start + 4].copy_from_slice(&length);
}

fn length(bytes: usize) -> [u8; 4] {
    i32::try_from(bytes).expect("requests are short").to_be_bytes()
}

/// The messages that are there to their last byte; what is left over stays in `rest`.
struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Messages<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (&kind, after) = self.rest.split_first()?;
        let length = u32::from_be_bytes(*after.first_chunk()?) as usize;
        let content = after.get(4..length)?;
        self.rest = &after[length..];
        Some((kind, content))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(messages: &[(u8, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (kind, content) in messages {
            message(&mut bytes, *kind, |bytes| bytes.extend_from_slice(content));
        }
        bytes
    }

    #[test]
    fn an_answer_is_whole_when_the_server_is_ready_again() {
        let row = b"\0\x01\0\0\0\x02ok";
        let answer = answer(&[(b'2', b""), (b'D', row), (b'C', b"SELECT 1\0"), (b'Z', b"I")]);
        for end in 0..answer.len() {
            assert!(!whole(&answer[..end]), "{end} of {}", answer.len());
        }
        assert!(whole(&answer));
        assert_eq!(verdict(&answer), Verdict::Accepted(b"ok"));
    }

    #[test]
    fn only_what_the_function_raises_is_a_refusal() {
        let failed = |code: &[u8]| {
            let content = [b"SERROR\0".as_slice(), code, b"Msold_out\0\0"].concat();
            answer(&[(b'2', b""), (b'E', &content), (b'Z', b"I")])
        };
        assert_eq!(verdict(&failed(b"CP0001\0")), Verdict::Refused);
        assert_eq!(verdict(&failed(b"C40P01\0")), Verdict::Other);
    }
}
