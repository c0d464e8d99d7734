//! The parts that descriptions are made of.

use aide::openapi as spec;
use schemars::Schema;
use serde_json::Value;

pub(super) fn content(schema: Option<Schema>) -> spec::MediaType {
    spec::MediaType {
        schema: schema.map(|schema| object(schema.into())),
        ..spec::MediaType::default()
    }
}

pub(super) fn object(value: Value) -> spec::SchemaObject {
    spec::SchemaObject {
        json_schema: schema(value),
        external_docs: None,
        example: None,
    }
}

pub(super) fn schema(value: Value) -> Schema {
    // Only a value that is neither an object nor a boolean is no schema.
    Schema::try_from(value).unwrap_or_default()
}

/// A parameter, whose description its schema may have.
pub(super) fn parameter(name: &str, mut schema: Value, required: bool) -> spec::ParameterData {
    let (mut description, mut example) = (None, None);
    if let Value::Object(members) = &mut schema {
        // With one the page fills in the field.
        if let Some(Value::Array(mut examples)) = members.remove("examples") {
            example = examples.drain(..).next();
        }
        for member in ["$schema", "title"] {
            members.remove(member);
        }
        if let Some(Value::String(text)) = members.remove("description") {
            description = Some(text);
        }
        not_null(members);
    }
    spec::ParameterData {
        name: name.to_owned(),
        description,
        required,
        deprecated: None,
        format: spec::ParameterSchemaOrContent::Schema(object(schema)),
        example,
        examples: Default::default(),
        explode: None,
        extensions: Default::default(),
    }
}

/// An address has no `null`: what is not there is left out.
fn not_null(schema: &mut serde_json::Map<String, Value>) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|ty| ty != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(any)) = schema.get_mut("anyOf") {
        any.retain(|one| one["type"] != "null");
    }
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
}

/// The names of a path's parameters, in their order.
pub(crate) fn parameters_of(path: &str) -> Vec<String> {
    let path = path.replace("{{", "").replace("}}", "");
    let parts = path.split('{').skip(1);
    let names = parts.filter_map(|part| part.split_once('}'));
    names
        .map(|(name, _)| name.trim_start_matches('*').to_owned())
        .collect()
}
