//! Little-endian numbers at fixed offsets, as headers of segments, frames and snapshots have them.
//!
//! Owns no offset. A range outside of the bytes is a mistake of the caller, who has checked how
//! many there are, and panics. Next: `layout`.

/// Reads four bytes as a number.
#[must_use]
pub fn read_u32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(read_array(bytes, at))
}

/// Reads eight bytes as a number.
#[must_use]
pub fn read_u64(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(read_array(bytes, at))
}

/// Reads as many bytes as the array has.
#[must_use]
pub fn read_array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("a range of as many bytes")
}

/// Writes all bytes of the array.
pub fn write_at<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    bytes[at..at + N].copy_from_slice(&value);
}
