//! The contract as a document: OpenAPI 3.1 at `/openapi.json`.
//!
//! Owns what is said of every route: parameters, bodies, examples, answers and refusals. Never
//! decides anything: `tests/contract` drives the server from this document, and
//! `tests/outside/openapi` clients that were made from it; both fail where the two differ. It is
//! kept as `docs/openapi.json`, too. Next: `operation`, then a file per family of routes;
//! `schemas`.

mod draws;
mod many;
mod operation;
mod orders;
mod parameters;
mod patterns;
mod problem;
mod schemas;
mod server;
mod shapes;
mod skus;
mod stream;

use crate::http::response::problem::Code;
use crate::http::response::reply::Reply;
use bytes::Bytes;
use hyper::Method;
use operation::Operation;
use serde_json::{Map, Value, json};
use std::sync::OnceLock;

static TEXT: OnceLock<Bytes> = OnceLock::new();

/// `GET /openapi.json`.
pub(in crate::http) fn reply() -> Reply {
    Reply::fixed_bytes(TEXT.get_or_init(|| document().to_string().into()).clone())
}

const DESCRIPTION: &str = "\
Sells what thousands of people want in the same second. One process decides all orders one \
after the other, never oversells, and answers only what is durable.\n\n\
Every refusal is a problem (RFC 9457) of the one shape `Problem`, whose `code` programs may \
compare and whose `retryable` says whether the same request may succeed later; `x-codes` of \
each answer are the codes that it may have. Only a request whose head cannot be read may get a \
bare 400, 414 or 431 without a body. A path that is not here is 404 `not_found`, another \
method 405 `method_not_allowed` with `Allow`; HEAD is answered like GET, OPTIONS with 204 and \
`Allow`. Answers are never to be stored (`Cache-Control: no-store`). Pages of the origins in \
the setting `http.origins` may ask through a browser (CORS), those of others are refused with \
`forbidden`.\n\n\
Times are RFC 3339 in UTC with milliseconds, durations are integers in milliseconds, and only \
plain integers count as numbers. `seq` is the journal sequence of the state that an answer was \
decided or read at. In a request null is as good as absent, as a member and as a body that may \
be left out; a member that is unknown is refused.";

const BEARER: &str = "A token of the server's tokens file. `x-roles` names the roles that an \
operation is for; another role is refused with `forbidden`, and another principal's order or key \
is as unknown as one that never was. A server without a tokens file, which listens on loopback \
only, asks nobody for a token.";

fn operations() -> Vec<Operation> {
    [
        skus::operations(),
        orders::operations(),
        draws::operations(),
        many::operations(),
        server::operations(),
    ]
    .concat()
}

/// The outcomes that an operation may have, for those who count.
#[derive(Debug)]
pub(in crate::http) struct Told {
    pub(in crate::http) method: Method,
    pub(in crate::http) path: &'static str,
    pub(in crate::http) id: &'static str,
    /// Of successes.
    pub(in crate::http) statuses: Vec<u16>,
    pub(in crate::http) problems: Vec<Code>,
}

/// The outcomes that every operation may have.
pub(in crate::http) fn told() -> Vec<Told> {
    let told = |operation: Operation| Told {
        method: Method::from_bytes(operation.method.to_uppercase().as_bytes()).unwrap_or_default(),
        path: operation.path,
        id: operation.id,
        statuses: operation.answers.iter().map(|answer| answer.status).collect(),
        problems: operation.problems,
    };
    operations().into_iter().map(told).collect()
}

fn document() -> Value {
    let mut paths = Map::new();
    for operation in operations() {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method] = operation.json();
    }
    let mut schemas = Map::new();
    for part in [schemas::schemas(), stream::schemas(), problem::schemas()] {
        schemas.extend(part.as_object().cloned().unwrap_or_default());
    }
    json!({
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Doorbuster",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "contact": {"name": "The operator of this server"},
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "The server that this came from."}],
        "tags": [
            {"name": "skus", "description": "What is on sale."},
            {"name": "orders", "description": "Holds and what becomes of them."},
            {"name": "draws", "description": "Prizes by odds that anyone can check."},
            {"name": "server", "description": "Probes, figures, and what operators ask for."},
        ],
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "parameters": parameters::parameters(),
            "headers": parameters::headers(),
            "securitySchemes": {"bearer": {
                "type": "http", "scheme": "bearer", "description": BEARER,
            }},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::routes::{ROUTES, Route};
    use std::collections::BTreeSet;

    #[test]
    fn every_route_and_method_is_described_and_no_other() {
        let operations = operations();
        let described: BTreeSet<&str> = operations.iter().map(|operation| operation.path).collect();
        let routes: BTreeSet<&str> = ROUTES.iter().copied().skip(1).collect();
        assert_eq!(described, routes);
        for path in routes {
            let named = path.replace(['{', '}'], "");
            let place = Route::find(&named).expect("a route");
            let own: BTreeSet<String> = operations
                .iter()
                .filter(|operation| operation.path == path)
                .map(|operation| operation.method.to_uppercase())
                .collect();
            let allowed = place.allow().split(", ");
            // HEAD is GET without a body, and OPTIONS only names the others.
            let allowed = allowed.filter(|method| !["HEAD", "OPTIONS"].contains(method));
            assert_eq!(own, allowed.map(str::to_owned).collect(), "{path}");
            assert!(place.check(&Method::OPTIONS).is_ok());
        }
    }

    #[test]
    fn every_code_of_the_server_is_described_somewhere() {
        let operations = operations();
        for code in Code::ALL {
            let described = operations.iter().any(|operation| operation.problems.contains(code));
            // Places and methods that there are not have no operation.
            let nowhere = matches!(code, Code::NotFound | Code::MethodNotAllowed);
            assert_ne!(described, nowhere, "{}", code.as_str());
        }
    }

    #[test]
    fn ids_of_operations_are_their_own() {
        let operations = operations();
        let ids: BTreeSet<&str> = operations.iter().map(|operation| operation.id).collect();
        assert_eq!(ids.len(), operations.len());
    }
}
