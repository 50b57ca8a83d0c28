//! The document, and answers held against it.

use doorbuster_test_support::client::{Answer, Client};
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
                for code in response["x-codes"].as_array().into_iter().flatten() {
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
        let lines = &declared["schema"]["contentSchema"];
        if lines.is_object() {
            for line in lines_of(answer) {
                self.check_schema(lines, &line, id);
            }
        } else if kind.contains("json") {
            self.check_schema(&declared["schema"], &answer.json(), id);
        }
        if kind == "application/problem+json" {
            self.check_problem(response, &answer.json(), id);
        }
        for (name, reference) in response["headers"].as_object().into_iter().flatten() {
            let header = self.at(reference["$ref"].as_str().expect("a reference"));
            match answer.header(name) {
                Some(value) => self.check_header(&header["schema"], value, name),
                None => assert_ne!(header["required"], true, "{id} without {name}: {answer:?}"),
            }
        }
    }

    /// What a reference names.
    fn at(&self, reference: &str) -> &Value {
        self.0.pointer(reference.trim_start_matches('#')).expect("a reference to something")
    }

    /// A problem has no member and no code that are not declared.
    fn check_problem(&self, response: &Value, problem: &Value, id: &str) {
        let known = self.at("#/components/schemas/Problem/properties");
        for name in problem.as_object().expect("an object").keys() {
            assert!(known[name].is_object(), "{id} does not declare {name}: {problem}");
        }
        let codes = response["x-codes"].as_array().expect("codes");
        assert!(codes.contains(&problem["code"]), "{id} does not declare {problem}");
    }

    fn check_header(&self, schema: &Value, value: &str, name: &str) {
        let value = match schema["type"].as_str() {
            Some("integer") => json!(value.parse::<u64>().expect("a number")),
            _ => json!(value),
        };
        self.check_schema(schema, &value, name);
    }
}

/// The lines of an answer.
pub(crate) fn lines_of(answer: &Answer) -> Vec<Value> {
    let lines = answer.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).expect("a line in JSON")).collect()
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

    /// Examples of its body, each with what it may be called and its schema.
    pub(crate) fn examples(&self) -> Vec<(String, Value, Value)> {
        let contents = self.json["requestBody"]["content"].as_object().into_iter().flatten();
        let examples = contents.flat_map(|(media_type, content)| {
            let examples = content["examples"].as_object().into_iter().flatten();
            examples.map(|(_, example)| {
                (media_type.clone(), content["schema"].clone(), example["value"].clone())
            })
        });
        examples.collect()
    }
}
