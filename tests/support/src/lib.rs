//! What the tests of several packages share; none of it knows the server's library.
//!
//! - `target`: what a test knows only where it is compiled: the server's binary, a folder of its
//!   own, how to repeat it
//! - `process`: the server as a child process
//! - `server_binary`: that binary for tests of other packages
//! - `client`: one connection to it, blocking
//! - `tokens`: its tokens file
//! - `etcd`: members of an etcd cluster
//! - `wide`: orders that fill segments and disks
//! - `random`: chance that can be repeated; the only generator of all tests
//! - `wait`: waits with one deadline; the only reader of clocks
//! - `small_disk`: a file system that loses power or fills up
//! - `faulty_disk`: a disk of which one call fails
//!
//! Compiled once for all tests. Data directories are read by `doorbuster-test-directories`.

#![forbid(unsafe_code)]

pub mod client;
pub mod etcd;
pub mod faulty_disk;
pub mod process;
pub mod random;
pub mod server_binary;
pub mod small_disk;
pub mod target;
pub mod tokens;
pub mod wait;
pub mod wide;
