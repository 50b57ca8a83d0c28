//! The bytes of a journal and what they mean. No file here touches a disk.
//!
//! In reading order:
//!
//! - `bytes`: numbers at fixed offsets
//! - `layout`: every offset, size, magic value, bound and file name
//! - `options`: what an operator may choose
//! - `origin`: where a scan starts, and what a snapshot says of its own end
//! - `verdict`: what can be found where a frame was expected, and what that means: the
//!   judgement of a torn tail
//! - `frame`: one frame, closed for storage and parsed again
//! - `segment`: one segment file, its header
//! - `history`: the epochs of a journal, and how far two journals have the same past
//! - `discontinuity`: what of a frame made elsewhere does not continue a journal

pub mod bytes;
pub(crate) mod discontinuity;
pub(crate) mod frame;
pub(crate) mod history;
pub(crate) mod layout;
pub(crate) mod options;
pub(crate) mod origin;
pub(crate) mod segment;
pub(crate) mod verdict;
