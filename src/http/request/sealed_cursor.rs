//! Cursors that say nothing: where a page of a user's orders ended among orders that it does not
//! show.
//!
//! A list of one principal passes over the orders of others, and looks at a bounded number of
//! orders a page. Where it stops among the others', the place to go on from is one of their ids; a
//! client gets it sealed. Sealed is: encrypted and authenticated with a key that comes from the
//! journal's hash key, so it opens after a restart and on a copy, for the same principal and user
//! only, or a client could find the place by trying it among orders of its own. Two pages that were
//! read at different sequences have different cursors, whether they stopped at the same place or
//! not. That a page stopped early is seen all the same: some thousand orders there are not the
//! client's.
//!
//! The form is SIV: a keyed hash of all that is sealed, with whom it is for, is the tag, and what
//! is sealed is encrypted by keyed hashes of the tag. Changing it later makes open cursors 422,
//! which clients answer by beginning again. Next: `routes::orders`, `answers`.

use crate::domain::model::ids::{OrderId, PrincipalName, Sequence, UserId};
use crate::domain::model::lives::{Lives, Lost};
use siphasher::sip128::{Hasher128, SipHasher24};
use std::hash::Hasher;

/// Characters of a sealed cursor.
const SEALED_CHARACTERS: usize = SEALED_BYTES * 8 / 5;
const TAG_BYTES: usize = 16;
/// Life or epoch, sequence, and the sequence that the page was read at.
const PLAIN_BYTES: usize = 3 * 8;
const SEALED_BYTES: usize = TAG_BYTES + PLAIN_BYTES;
/// Bytes that characters of five bits fill evenly, and how many characters.
const GROUP_BYTES: usize = 5;
const GROUP_CHARACTERS: usize = 8;
/// As ids are written in.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Whose page it is: only on the pages of the same list a cursor opens.
#[derive(Debug, Clone)]
pub(in crate::http) struct Whose {
    pub(in crate::http) principal: PrincipalName,
    pub(in crate::http) user: UserId,
}

/// A sealed cursor as text.
pub(in crate::http) struct SealedCursor([u8; SEALED_CHARACTERS]);

impl SealedCursor {
    pub(in crate::http) fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("the alphabet is ASCII")
    }
}

/// Seals the place of a page that was read at this sequence.
pub(in crate::http) fn seal(
    hash_key: &[u8; 16],
    whose: &Whose,
    lives: &Lives,
    (place, seen): (OrderId, Sequence),
) -> SealedCursor {
    let key = own_key(hash_key);
    let start = match lives.life_text(place.epoch) {
        Some(life) => u64::from_be_bytes(life),
        None => u64::from(place.epoch),
    };
    let mut plain = [0; PLAIN_BYTES];
    for (bytes, number) in plain.chunks_exact_mut(8).zip([start, place.sequence, seen]) {
        bytes.copy_from_slice(&number.to_be_bytes());
    }
    let tag = tag(&key, whose, &plain);
    let mut sealed = [0; SEALED_BYTES];
    sealed[..TAG_BYTES].copy_from_slice(&tag);
    sealed[TAG_BYTES..].copy_from_slice(&crypted(&key, &tag, plain));
    SealedCursor(written(&sealed))
}

/// The place that a sealed cursor names; none for what is none of this list's.
///
/// # Errors
/// `Lost`, inside, where this journal never gave the id out.
pub(in crate::http) fn open(
    hash_key: &[u8; 16],
    whose: &Whose,
    lives: &Lives,
    text: &str,
) -> Option<Result<OrderId, Lost>> {
    let sealed = read(text)?;
    let key = own_key(hash_key);
    let (given, rest) = sealed.split_first_chunk::<TAG_BYTES>()?;
    let plain = crypted(&key, given, rest.try_into().ok()?);
    // Compared as one number, so the time says nothing about how much of it is right.
    if u128::from_ne_bytes(tag(&key, whose, &plain)) != u128::from_ne_bytes(*given) {
        return None;
    }
    let start: [u8; 8] = plain[..8].try_into().ok()?;
    let sequence = u64::from_be_bytes(plain[8..16].try_into().ok()?);
    // The text of a life is far above any epoch.
    let id = match u32::try_from(u64::from_be_bytes(start)) {
        Ok(epoch) => format!("{epoch}-{sequence}"),
        Err(_) => format!("{}-{sequence}", str::from_utf8(&start).ok()?),
    };
    lives.cursor(&id)
}

/// The hash key has other uses: this is one of its own.
fn own_key(hash_key: &[u8; 16]) -> [u8; 16] {
    keyed(hash_key, &[b"sealed cursors of a user's orders"])
}

fn tag(key: &[u8; 16], whose: &Whose, plain: &[u8; PLAIN_BYTES]) -> [u8; TAG_BYTES] {
    // No name holds a zero byte, so no two lists run together.
    let (principal, user) = (whose.principal.as_str().as_bytes(), whose.user.as_str().as_bytes());
    keyed(key, &[b"tag", &[0], principal, &[0], user, &[0], plain])
}

/// Encrypts, and decrypts what was encrypted.
fn crypted(
    key: &[u8; 16],
    tag: &[u8; TAG_BYTES],
    mut bytes: [u8; PLAIN_BYTES],
) -> [u8; PLAIN_BYTES] {
    for (number, block) in (0..).zip(bytes.chunks_mut(TAG_BYTES)) {
        let stream = keyed(key, &[b"stream", &[0, number], tag]);
        block.iter_mut().zip(stream).for_each(|(byte, with)| *byte ^= with);
    }
    bytes
}

fn keyed(key: &[u8; 16], parts: &[&[u8]]) -> [u8; 16] {
    let mut hasher = SipHasher24::new_with_key(key);
    parts.iter().for_each(|part| hasher.write(part));
    hasher.finish128().as_bytes()
}

fn written(bytes: &[u8; SEALED_BYTES]) -> [u8; SEALED_CHARACTERS] {
    let mut text = [0; SEALED_CHARACTERS];
    let groups = bytes.chunks_exact(GROUP_BYTES);
    for (characters, group) in text.chunks_exact_mut(GROUP_CHARACTERS).zip(groups) {
        let bits = group.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        for (at, character) in characters.iter_mut().rev().enumerate() {
            *character = ALPHABET[(bits >> (5 * at)) as usize & 31];
        }
    }
    text
}

fn read(text: &str) -> Option<[u8; SEALED_BYTES]> {
    if text.len() != SEALED_CHARACTERS {
        return None;
    }
    let mut bytes = [0; SEALED_BYTES];
    let groups = text.as_bytes().chunks_exact(GROUP_CHARACTERS);
    for (group, characters) in bytes.chunks_exact_mut(GROUP_BYTES).zip(groups) {
        let mut bits = 0_u64;
        for character in characters {
            bits = bits << 5 | ALPHABET.iter().position(|known| known == character)? as u64;
        }
        group.copy_from_slice(&bits.to_be_bytes()[8 - GROUP_BYTES..]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::{HASH_KEY, lives};

    fn whose(principal: &str, user: &str) -> Whose {
        let principal = PrincipalName::parse(principal).expect("a name");
        Whose { principal, user: UserId::parse(user).expect("an id") }
    }

    /// Of a start that drew a life, and of one that did not.
    const PLACES: [OrderId; 2] =
        [OrderId { epoch: 4, sequence: 29 }, OrderId { epoch: 3, sequence: 17 }];

    #[test]
    fn a_cursor_opens_for_its_own_list_and_no_other() {
        let own = whose("west", "u1");
        for place in PLACES {
            let sealed = seal(&HASH_KEY, &own, &lives(), (place, 40));
            let opened = |key, whose: &Whose| open(key, whose, &lives(), sealed.as_str());
            assert_eq!(opened(&HASH_KEY, &own), Some(Ok(place)));
            assert_eq!(opened(&HASH_KEY, &whose("east", "u1")), None);
            assert_eq!(opened(&HASH_KEY, &whose("west", "u2")), None);
            assert_eq!(opened(&[9; 16], &own), None);
        }
    }

    #[test]
    fn a_cursor_that_was_changed_anywhere_does_not_open() {
        let own = whose("west", "u1");
        let sealed = seal(&HASH_KEY, &own, &lives(), (PLACES[0], 40));
        for at in 0..SEALED_CHARACTERS {
            for other in ["0", "1", "z", "A", "-"] {
                let mut text = sealed.as_str().to_owned();
                text.replace_range(at..=at, other);
                let opened = open(&HASH_KEY, &own, &lives(), &text);
                assert!(opened.is_none() || text == sealed.as_str(), "{text}");
            }
        }
        for text in ["", "4-29", &sealed.as_str()[1..], &"é".repeat(SEALED_CHARACTERS / 2)] {
            assert_eq!(open(&HASH_KEY, &own, &lives(), text), None, "{text:?}");
        }
    }

    /// Cursors of two pages have no more in common than chance gives. Neither that a page stopped
    /// at the same place shows, nor which is the later one.
    #[test]
    fn cursors_of_two_pages_look_unrelated() {
        let own = whose("west", "u1");
        let sealed = |place, seen| seal(&HASH_KEY, &own, &lives(), (place, seen)).0;
        let first = sealed(PLACES[0], 40);
        for other in [sealed(PLACES[0], 41), sealed(PLACES[1], 40)] {
            let alike = first.iter().zip(other).filter(|(one, other)| **one == *other).count();
            assert!(alike < 12, "{alike} of {SEALED_CHARACTERS} characters are alike");
        }
        assert_eq!(sealed(PLACES[0], 40), first, "the same page, asked for again");
    }

    #[test]
    fn a_place_of_a_lost_life_is_told_as_lost() {
        let own = whose("west", "u1");
        let sealed = seal(&HASH_KEY, &own, &lives(), (OrderId { epoch: 4, sequence: 1 }, 40));
        assert_eq!(open(&HASH_KEY, &own, &lives(), sealed.as_str()), Some(Err(Lost)));
        let sealed = seal(&HASH_KEY, &own, &lives(), (PLACES[0], 40));
        assert_eq!(open(&HASH_KEY, &own, &Lives::new(), sealed.as_str()), Some(Err(Lost)));
    }
}
