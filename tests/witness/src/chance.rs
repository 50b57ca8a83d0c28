//! Chance, worked out again from the contract's words alone: HMAC over bare SHA-256, the rejection,
//! the walk over the weights. Shares nothing with the rules. Next: `draws`, `fairness`.

use sha2::{Digest, Sha256};

/// RFC 2104 for a key that fits a block.
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let inner = Sha256::digest([&block.map(|byte| byte ^ 0x36)[..], message].concat());
    Sha256::digest([&block.map(|byte| byte ^ 0x5C)[..], &inner[..]].concat()).into()
}

/// The place of the prize that an entry picks; none = blank.
pub fn pick(
    seed: &[u8; 32],
    (draw, number, user, client_seed): (&str, u64, &str, Option<&str>),
    weights: &[u64],
    blank_weight: u64,
) -> Option<usize> {
    let mut message = format!("{draw}\0{number}\0{user}");
    if let Some(client_seed) = client_seed {
        message.push('\0');
        message.push_str(client_seed);
    }
    let total = weights.iter().sum::<u64>() + blank_weight;
    let fair = (1_u128 << 64) / u128::from(total) * u128::from(total);
    let mut digest = hmac(seed, message.as_bytes());
    loop {
        for eight in digest.chunks(8) {
            let roll = eight.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
            if u128::from(roll) < fair {
                return walk(roll % total, weights);
            }
        }
        digest = hmac(seed, &digest);
    }
}

fn walk(point: u64, weights: &[u64]) -> Option<usize> {
    let ends = weights.iter().scan(0, |sum, weight| {
        *sum += weight;
        Some(*sum)
    });
    ends.enumerate().find(|(_, end)| point < *end).map(|(place, _)| place)
}

/// RFC 4231, test case 2.
#[test]
fn the_hmac_here_is_the_one_of_the_standard() {
    let told: String = hmac(b"Jefe", b"what do ya want for nothing?")
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(told, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}
