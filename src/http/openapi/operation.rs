//! One operation of the contract, and how it reads in the document.
//!
//! Owns what operations have in common: the refusals that any request may meet. Next: `skus`,
//! `orders`, `draws`, `server`.

use crate::http::problem::Code;
use crate::http::roles::{Deed, Role};
use crate::http::routes::Place;
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
    pub(super) problems: Vec<Code>,
    /// What the roles are asked; none where no token is needed.
    pub(super) deed: Option<Deed>,
}

/// A body that a request has.
#[derive(Debug, Clone)]
pub(super) struct Body {
    pub(super) media_type: &'static str,
    pub(super) schema: &'static str,
    pub(super) required: bool,
    /// Name and value; each is a request that works.
    pub(super) examples: Vec<(&'static str, Value)>,
}

/// A success.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) meaning: &'static str,
    pub(super) content: Content,
    /// Names among the document's headers.
    pub(super) headers: Vec<&'static str>,
}

/// What an answer holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Content {
    /// Nothing.
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
/// The server may be starting or stopping.
const SERVED: &[Code] = &[Code::Recovering, Code::Draining];
/// Whoever asks may ask too often; the writer may be busy, fail, stop, or come too late.
const ASKED: &[Code] = &[
    Code::RateLimited,
    Code::Internal,
    Code::Overloaded,
    Code::OutcomeUnknown,
    Code::DeadlineExceeded,
];
/// How buckets stand, where there are any.
const RATES: [&str; 2] = ["RateLimit-Policy", "RateLimit"];

impl Operation {
    pub(super) fn new(
        (method, path): (&'static str, &'static str),
        id: &'static str,
        tag: &'static str,
        summary: &'static str,
    ) -> Self {
        let deed = deed(method, path);
        let token = deed.map(|_| Code::Unauthenticated);
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
            problems: ANY.iter().copied().chain(token).collect(),
            deed,
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

    pub(super) fn body(
        mut self,
        schema: &'static str,
        required: bool,
        examples: Vec<(&'static str, Value)>,
    ) -> Self {
        self.body = Some(Body { media_type: "application/json", schema, required, examples });
        self.problems.extend(BODIED);
        self
    }

    /// The body is a line of this schema after the other.
    pub(super) fn lines(mut self, schema: &'static str) -> Self {
        let media_type = "application/x-ndjson";
        self.body = Some(Body { media_type, schema, required: false, examples: vec![] });
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

    pub(super) fn refuses(mut self, problems: &[Code]) -> Self {
        self.problems.extend(problems);
        self
    }

    /// It is not there while the server starts or stops.
    pub(super) fn served(self) -> Self {
        self.refuses(SERVED)
    }

    /// The writer answers it.
    pub(super) fn asked(self) -> Self {
        self.served().refuses(ASKED).takes(&["RequestTimeout", "Traceparent", "ServerTiming"])
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
        match self.deed {
            None => json["security"] = json!([]),
            Some(deed) => json["x-roles"] = roles(deed),
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
        let rated = self.problems.contains(&Code::RateLimited);
        for answer in &self.answers {
            let mut json = answer.json();
            for header in RATES.iter().filter(|_| rated) {
                json["headers"][header] = reference(header);
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

fn deed(method: &str, path: &str) -> Option<Deed> {
    let method = Method::from_bytes(method.to_uppercase().as_bytes()).ok()?;
    // An id in braces is as good as any.
    Place::find(path).ok()?.deed(&method)
}

fn roles(deed: Deed) -> Value {
    let roles = deed.roles().iter().chain([&Role::Admin]);
    roles.map(|role| Value::from(role.as_str())).collect()
}

impl Body {
    fn json(&self) -> Value {
        let example =
            |(name, value): &(&str, Value)| ((*name).to_owned(), json!({"value": value.clone()}));
        let examples: Map<String, Value> = self.examples.iter().map(example).collect();
        json!({
            "required": self.required,
            "content": {self.media_type: {"schema": schema(self.schema), "examples": examples}},
        })
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
                json["content"] = json!({"application/x-ndjson": {"schema": schema(name)}});
            }
            Content::Events => {
                json["content"] = json!({
                    "application/json": {"schema": schema("EventPage")},
                    "application/x-ndjson": {"schema": schema("Event")},
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
            json["headers"][header] = reference(header);
        }
        json
    }
}

fn reference(header: &str) -> Value {
    json!({"$ref": format!("#/components/headers/{header}")})
}

pub(super) fn schema(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// Refusals of one status.
fn problems(codes: &[Code]) -> Value {
    let words: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
    let titles: Vec<String> =
        codes.iter().map(|code| format!("`{}`: {}.", code.as_str(), code.title())).collect();
    let own = json!({"properties": {"code": {"enum": words}}});
    let mut json = json!({
        "description": titles.join(" "),
        "content": {"application/problem+json": {"schema": {"allOf": [schema("Problem"), own]}}},
    });
    if codes.contains(&Code::Unauthenticated) {
        json["headers"]["WWW-Authenticate"] = reference("WWW-Authenticate");
    }
    if codes.contains(&Code::RateLimited) {
        for header in RATES.iter().chain(&["Retry-After"]) {
            json["headers"][header] = reference(header);
        }
    }
    json
}
