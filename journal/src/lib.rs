//! Memory-mapped segments of frames of opaque records.
