//! The document, and answers held against it.

use crate::client::{Answer, Client};
use serde_json::{Value, json};

/// The contract of a server.
pub(crate) struct Document(Value);

/// One operation of it.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) method: String,
    json: Value,
}

/// What an operation says it may refuse with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Declared {
    pub(crate) operation: String,
    pub(crate) status: u16,
    pub(crate) code: String,
}

impl Document {
    pub(crate) fn of(client: &mut Client) -> Self {
        let document = client.get("/openapi.json");
        assert_eq!(document["openapi"], "3.1.0");
        assert_eq!(client.get("/"), document);
        Self(document)
    }

    pub(crate) fn operations(&self) -> Vec<Operation> {
        let mut operations = Vec::new();
        for methods in self.0["paths"].as_object().expect("paths").values() {
            for (method, json) in methods.as_object().expect("methods") {
                operations.push(Operation {
                    id: json["operationId"].as_str().expect("an id").to_owned(),
                    method: method.to_uppercase(),
                    json: json.clone(),
                });
            }
        }
        assert!(operations.len() >= 20, "{operations:#?}");
        operations
    }

    pub(crate) fn operation(&self, id: &str) -> Operation {
        let mut operations = self.operations().into_iter();
        operations.find(|operation| operation.id == id).unwrap_or_else(|| panic!("no {id}"))
    }

    /// Every refusal of every operation.
    pub(crate) fn refusals(&self) -> Vec<Declared> {
        let mut declared = Vec::new();
        for operation in self.operations() {
            for (status, response) in operation.responses() {
                let schema = &response["content"]["application/problem+json"]["schema"];
                let codes = schema["allOf"][1]["properties"]["code"]["enum"].as_array();
                for code in codes.into_iter().flatten() {
                    let code = code.as_str().expect("a word").to_owned();
                    declared.push(Declared { operation: operation.id.clone(), status, code });
                }
            }
        }
        declared
    }

    /// A text of this schema must be what it says.
    pub(crate) fn check_schema(&self, schema: &Value, value: &Value, what: &str) {
        let root = json!({"components": self.0["components"], "allOf": [schema]});
        let validator = jsonschema::draft202012::new(&root).expect("the schema is one");
        let faults: Vec<String> = validator
            .iter_errors(value)
            .map(|fault| format!("{fault} at {}", fault.instance_path()))
            .collect();
        assert!(faults.is_empty(), "{what}: {faults:#?}\n{value:#}");
    }

    /// The answer is one that the operation declares, and looks like it.
    pub(crate) fn check(&self, id: &str, answer: &Answer) {
        let operation = self.operation(id);
        let response = &operation.json["responses"][answer.status.to_string()];
        assert!(response.is_object(), "{id} does not declare {answer:?}");
        let Some(content) = response["content"].as_object() else {
            assert!(answer.body.is_empty(), "{id} declares no body: {answer:?}");
            return;
        };
        let kind = answer.header("Content-Type").expect("a body has a type");
        let declared = content.get(kind).unwrap_or_else(|| panic!("{id} declares no {kind}"));
        if kind.contains("json") {
            self.check_schema(&declared["schema"], &answer.json(), id);
        }
        for name in response["headers"].as_object().into_iter().flat_map(|headers| headers.keys()) {
            // Buckets may be told of only where there are any.
            let of_buckets = name.starts_with("RateLimit") && answer.status != 429;
            let optional = name == "Idempotent-Replayed" || of_buckets;
            assert!(optional || answer.header(name).is_some(), "{id} without {name}: {answer:?}");
        }
    }
}

impl Operation {
    pub(crate) fn responses(&self) -> Vec<(u16, Value)> {
        let responses = self.json["responses"].as_object().expect("responses");
        let status = |text: &String| text.parse().expect("a status");
        responses.iter().map(|(text, response)| (status(text), response.clone())).collect()
    }

    /// Statuses below 300.
    pub(crate) fn successes(&self) -> Vec<u16> {
        self.responses().into_iter().map(|(status, _)| status).filter(|one| *one < 300).collect()
    }

    /// Examples of its body, and their schema.
    pub(crate) fn examples(&self) -> (Vec<Value>, Value) {
        let content = &self.json["requestBody"]["content"]["application/json"];
        let examples = content["examples"].as_object().into_iter().flatten();
        (examples.map(|(_, example)| example["value"].clone()).collect(), content["schema"].clone())
    }
}
