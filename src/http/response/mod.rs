//! Values into text: the JSON writer, and the shapes of answers. Events of the feed are in
//! `handlers::cloud_events`.
//!
//! Read `answers` (the writer's answers as replies), `json_writer` (orders, SKUs), `draw_writer`,
//! `status` (how a node stands), `problem` (every refusal), `reply` (a response before it is
//! hyper's), `payload` (its body), `response_buffer` (where it is written).

pub(in crate::http) mod answers;
pub(in crate::http) mod draw_writer;
pub(in crate::http) mod json_writer;
pub(in crate::http) mod payload;
pub(in crate::http) mod problem;
pub(in crate::http) mod reply;
pub(in crate::http) mod response_buffer;
pub(in crate::http) mod status;
