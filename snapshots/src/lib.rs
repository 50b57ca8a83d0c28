//! Image files of opaque bytes.
