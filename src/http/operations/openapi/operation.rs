//! One operation of the contract, and how it reads in the document.
//!
//! Owns what operations have in common: the refusals that any request may meet. Next: `skus`,
//! `orders`, `draws`, `server`.

use super::parameters::header_key;
use super::shapes::schema;
use crate::http::auth::roles::{Permission, Role};
use crate::http::response::problem::Code;
use crate::http::routes::Route;
use hyper::Method;
use serde_json::{Map, Value, json};

/// A method of a path.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) id: &'static str,
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    pub(super) description: &'static str,
    /// Names among the document's parameters.
    pub(super) parameters: Vec<&'static str>,
    pub(super) body: Option<Body>,
    pub(super) answers: Vec<Answer>,
    pub(super) links: Option<Links>,
    pub(super) problems: Vec<Code>,
    /// What the roles are asked; none where no token is needed.
    pub(super) permission: Option<Permission>,
    /// A node that does not write answers it too.
    of_any_node: bool,
}

/// A body that a request has.
#[derive(Debug, Clone)]
pub(super) struct Body {
    /// What it may be called.
    pub(super) media_types: &'static [&'static str],
    pub(super) schema: Value,
    pub(super) required: bool,
    /// Name and value; each is a request that works.
    pub(super) examples: Vec<(&'static str, Value)>,
}

#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) meaning: &'static str,
    pub(super) content: Content,
    /// Headers that it always has, and those of [`OPTIONAL`] that it may have.
    pub(super) headers: Vec<&'static str>,
}

/// Operations that a success leads to, all by the same parameter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Links {
    pub(super) operations: &'static [&'static str],
    pub(super) parameter: &'static str,
    /// The member of the body that is its value.
    pub(super) member: &'static str,
}

/// What an answer holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Content {
    Empty,
    /// JSON of this schema.
    Json(&'static str),
    /// Text of this media type.
    Text(&'static str),
    /// What Prometheus scrapes, in one of two formats.
    Metrics,
    /// Lines of this schema each.
    Lines(&'static str),
    /// A page of events, or a stream of them.
    Events,
}

/// Any request may be badly made or come from a foreign page.
const ANY: &[Code] = &[Code::Malformed, Code::UnknownField, Code::Forbidden, Code::UriTooLong];
/// A body may be late, long, or of another kind.
const BODIED: &[Code] = &[Code::Timeout, Code::TooLarge, Code::UnsupportedMediaType];
/// The server may be starting or stopping, and an address may ask too often.
const SERVED: &[Code] = &[Code::Recovering, Code::Draining, Code::RateLimited];
/// A node that follows another refuses what only the writer can answer.
const BY_WRITER: &[Code] = &[Code::NotWriter];
/// The writer may be busy, fail, stop, or come too late.
const ASKED: &[Code] =
    &[Code::Internal, Code::Overloaded, Code::OutcomeUnknown, Code::DeadlineExceeded];
/// How buckets stand, where there are any.
const RATES: [&str; 2] = ["RateLimit-Policy", "RateLimit"];
/// What an answer has only sometimes.
const OPTIONAL: &[&str] =
    &["Idempotent-Replayed", "Server-Timing", "traceparent", "X-Accel-Buffering"];
/// Each line is a text of its own.
const LINES: &str = "application/x-ndjson";

impl Operation {
    pub(super) fn new(
        (method, path): (&'static str, &'static str),
        id: &'static str,
        tag: &'static str,
        summary: &'static str,
    ) -> Self {
        let permission = permission(method, path);
        // An id in braces is as good as any.
        let of_any_node = Route::find(path).is_ok_and(|route| route.is_of_any_node());
        let token = permission.map(|_| Code::Unauthenticated);
        Self {
            method,
            path,
            id,
            tag,
            summary,
            description: "",
            parameters: Vec::new(),
            body: None,
            answers: Vec::new(),
            links: None,
            problems: ANY.iter().copied().chain(token).collect(),
            permission,
            of_any_node,
        }
    }

    pub(super) fn says(mut self, description: &'static str) -> Self {
        self.description = description;
        self
    }

    pub(super) fn takes(mut self, parameters: &[&'static str]) -> Self {
        self.parameters.extend(parameters);
        self
    }

    /// A JSON body of this schema; the examples by name.
    pub(super) fn body(self, name: &str, examples: Vec<(&'static str, Value)>) -> Self {
        let media_types = &["application/json"];
        self.with_body(Body { media_types, schema: schema(name), required: true, examples })
    }

    /// The same, where none is an empty object. So is null; a schema that said so would lead some
    /// generators to clients that cannot leave the body out.
    pub(super) fn may_have_body(self, name: &str, examples: Vec<(&'static str, Value)>) -> Self {
        let (media_types, schema) = (&["application/json"], schema(name));
        self.with_body(Body { media_types, schema, required: false, examples })
    }

    /// Members that are to be changed.
    pub(super) fn patch(self, name: &str, examples: Vec<(&'static str, Value)>) -> Self {
        let media_types = &["application/json", "application/merge-patch+json"];
        self.with_body(Body { media_types, schema: schema(name), required: true, examples })
    }

    /// Lines, each of this schema; the examples are whole bodies.
    pub(super) fn lines(self, name: &str, examples: Vec<(&'static str, Value)>) -> Self {
        let (media_types, schema) = (&[LINES], lines_of(name));
        self.with_body(Body { media_types, schema, required: false, examples })
    }

    fn with_body(mut self, body: Body) -> Self {
        self.body = Some(body);
        self.problems.extend(BODIED);
        self
    }

    pub(super) fn answers(
        mut self,
        status: u16,
        meaning: &'static str,
        content: Content,
        headers: &[&'static str],
    ) -> Self {
        self.answers.push(Answer { status, meaning, content, headers: headers.to_vec() });
        self
    }

    /// What may be asked next, with this member of the answer as this parameter.
    pub(super) fn leads(
        mut self,
        operations: &'static [&'static str],
        (parameter, member): (&'static str, &'static str),
    ) -> Self {
        self.links = Some(Links { operations, parameter, member });
        self
    }

    pub(super) fn refuses(mut self, problems: &[Code]) -> Self {
        self.problems.extend(problems);
        self
    }

    /// Adds that it is not there while the server starts or stops, nor for an address that asks too
    /// often, nor, but at a place that any node has, at one that follows.
    pub(super) fn served(self) -> Self {
        let by_writer = if self.of_any_node { &[][..] } else { BY_WRITER };
        self.refuses(SERVED).refuses(by_writer)
    }

    /// The writer answers it.
    pub(super) fn asked(self) -> Self {
        // What a node shows waits for its copies; see `begins` for what is new.
        let shown = if self.method == "get" { &[Code::Unreplicated][..] } else { &[] };
        self.served().refuses(ASKED).refuses(shown).takes(&[
            "RequestTimeout",
            "Traceparent",
            "ServerTiming",
        ])
    }

    /// It begins something new, which waits for the copies.
    pub(super) fn begins(self) -> Self {
        self.refuses(&[Code::Unreplicated])
    }

    /// The writer records it, for which there must be room.
    pub(super) fn recorded(self) -> Self {
        self.asked().refuses(&[Code::NoSpace, Code::ReadOnly])
    }

    pub(super) fn json(&self) -> Value {
        let reference = |name: &&str| json!({"$ref": format!("#/components/parameters/{name}")});
        let mut json = json!({
            "operationId": self.id,
            "tags": [self.tag],
            "summary": self.summary,
            "responses": self.responses(),
        });
        match self.permission {
            None => json["security"] = json!([]),
            Some(permission) => json["x-roles"] = roles(permission),
        }
        if !self.description.is_empty() {
            json["description"] = self.description.into();
        }
        if !self.parameters.is_empty() {
            json["parameters"] = self.parameters.iter().map(reference).collect();
        }
        if let Some(body) = &self.body {
            json["requestBody"] = body.json();
        }
        json
    }

    fn responses(&self) -> Value {
        let mut responses = Map::new();
        let rates = if self.problems.contains(&Code::RateLimited) { &RATES[..] } else { &[] };
        let told = [("ServerTiming", "Server-Timing"), ("Traceparent", "traceparent")];
        let told = told.iter().filter(|(asked, _)| self.parameters.contains(asked));
        let told: Vec<&str> = told.map(|(_, told)| *told).chain(rates.iter().copied()).collect();
        for answer in &self.answers {
            let mut json = answer.json();
            for header in &told {
                declare(&mut json, header, false);
            }
            if let Some(links) = &self.links {
                json["links"] = links.json();
            }
            responses.insert(answer.status.to_string(), json);
        }
        let mut codes = self.problems.clone();
        codes.sort_by_key(|code| (code.status(), code.as_str()));
        for same in codes.chunk_by(|one, other| one.status() == other.status()) {
            responses.insert(same[0].status().to_string(), problems(same));
        }
        let too_large = json!({"description": "The head is too large; the connection closes."});
        responses.insert("431".to_owned(), too_large);
        Value::Object(responses)
    }
}

fn permission(method: &str, path: &str) -> Option<Permission> {
    let method = Method::from_bytes(method.to_uppercase().as_bytes()).ok()?;
    // An id in braces is as good as any.
    Route::find(path).ok()?.permission(&method)
}

fn roles(permission: Permission) -> Value {
    let roles = permission.roles().iter().chain([&Role::Admin]);
    roles.map(|role| Value::from(role.as_str())).collect()
}

impl Body {
    fn json(&self) -> Value {
        let example =
            |(name, value): &(&str, Value)| ((*name).to_owned(), json!({"value": value.clone()}));
        let mut media = json!({"schema": self.schema});
        if !self.examples.is_empty() {
            let examples: Map<String, Value> = self.examples.iter().map(example).collect();
            media["examples"] = examples.into();
        }
        let named = |name: &&str| ((*name).to_owned(), media.clone());
        let content: Map<String, Value> = self.media_types.iter().map(named).collect();
        json!({"required": self.required, "content": content})
    }
}

impl Links {
    fn json(&self) -> Value {
        let value = format!("$response.body#/{}", self.member);
        let link = |id: &&str| {
            let link = json!({"operationId": id, "parameters": {self.parameter: value}});
            ((*id).to_owned(), link)
        };
        Value::Object(self.operations.iter().map(link).collect())
    }
}

impl Answer {
    fn json(&self) -> Value {
        let mut json = json!({"description": self.meaning});
        match self.content {
            Content::Empty => {}
            Content::Json(name) => {
                json["content"] = json!({"application/json": {"schema": schema(name)}});
            }
            Content::Lines(name) => {
                json["content"] = json!({LINES: {"schema": lines_of(name)}});
            }
            Content::Events => {
                json["content"] = json!({
                    "application/json": {"schema": schema("EventPage")},
                    LINES: {"schema": lines_of("Event")},
                    "text/event-stream": {"schema": {"type": "string"}},
                });
            }
            Content::Metrics => {
                json["content"] = json!({
                    "text/plain; version=0.0.4; charset=utf-8": {"schema": {"type": "string"}},
                    "application/openmetrics-text; version=1.0.0; charset=utf-8":
                        {"schema": {"type": "string"}},
                });
            }
            Content::Text(media_type) => {
                json["content"] = json!({media_type: {"schema": {"type": "string"}}});
            }
        }
        for header in &self.headers {
            declare(&mut json, header, !OPTIONAL.contains(header));
        }
        json
    }
}

/// A text whose lines are of this schema. The standard has no word for that before its version 3.2;
/// generators that know none either may take it for bytes.
fn lines_of(name: &str) -> Value {
    json!({
        "type": "string",
        "format": "binary",
        "description": "Lines; each is a JSON text of the schema in `contentSchema`.",
        "contentMediaType": LINES,
        "contentSchema": schema(name),
    })
}

/// A header that a response always has, or may have.
fn declare(response: &mut Value, header: &str, always: bool) {
    let key = header_key(header, always);
    response["headers"][header] = json!({"$ref": format!("#/components/headers/{key}")});
}

/// Refusals of one status. `x-codes` are the words that `code` may be.
fn problems(codes: &[Code]) -> Value {
    let words: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
    let titles: Vec<String> =
        codes.iter().map(|code| format!("`{}`: {}.", code.as_str(), code.title())).collect();
    let mut json = json!({
        "description": titles.join(" "),
        "content": {"application/problem+json": {"schema": schema("Problem")}},
        "x-codes": words,
    });
    if codes.contains(&Code::Unauthenticated) {
        declare(&mut json, "WWW-Authenticate", true);
    }
    // Answers of these statuses always say when to come back, some of others do.
    let pauses = matches!(codes[0].status(), 429 | 503);
    if pauses || codes.iter().any(|code| matches!(code, Code::NotOpen | Code::SoldOut)) {
        declare(&mut json, "Retry-After", pauses);
    }
    if codes.contains(&Code::RateLimited) {
        for header in RATES {
            declare(&mut json, header, true);
        }
    }
    json
}
