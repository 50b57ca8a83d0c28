//! Doorbuster: one process that sells what thousands of people want in the same second.
