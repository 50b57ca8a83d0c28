//! Values into text: the only room that writes JSON.
//!
//! Read `answers` (the writer's answers as replies), `json_writer` and `draw_writer` (shapes),
//! `problem` (every refusal), `reply` (a response before it is hyper's), `payload` (its body),
//! `response_buffer` (where it is written).

pub(in crate::http) mod answers;
pub(in crate::http) mod draw_writer;
pub(in crate::http) mod json_writer;
pub(in crate::http) mod payload;
pub(in crate::http) mod problem;
pub(in crate::http) mod reply;
pub(in crate::http) mod response_buffer;
