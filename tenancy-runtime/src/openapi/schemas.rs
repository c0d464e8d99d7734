//! The schemas that a document refers to by name.
//!
//! A type may read other JSON than it writes. So there are two sets, which become
//! one at the end: where both have a type of one name and it differs, the one that
//! reads is called `…Input`.

use std::collections::BTreeSet;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value};

/// Where named schemas are in the document.
pub(crate) const PREFIX: &str = "#/components/schemas/";

/// Where those of requests are until [`Schemas::merge`].
const INPUTS: &str = "#/components/inputs/";

/// The named schemas so far.
pub(crate) struct Schemas {
    input: SchemaGenerator,
    output: SchemaGenerator,
}

impl Schemas {
    pub(crate) fn new() -> Self {
        let at = |prefix: &str| {
            let path = prefix
                .trim_start_matches('#')
                .trim_end_matches('/')
                .to_owned();
            SchemaSettings::draft2020_12().with(|settings| settings.definitions_path = path.into())
        };
        Self {
            input: at(INPUTS).for_deserialize().into_generator(),
            output: at(PREFIX).for_serialize().into_generator(),
        }
    }

    /// What requests hold.
    pub(super) fn input<T: JsonSchema>(&mut self) -> Schema {
        self.input.subschema_for::<T>()
    }

    /// What answers hold.
    pub(super) fn output<T: JsonSchema>(&mut self) -> Schema {
        self.output.subschema_for::<T>()
    }

    /// What parts of an address hold, of which none has a name of its own.
    pub(super) fn plain<T: JsonSchema>() -> Value {
        let mut settings = SchemaSettings::draft2020_12().for_deserialize();
        settings.inline_subschemas = true;
        settings.into_generator().into_root_schema_for::<T>().into()
    }

    /// Puts all into `document`, which refers to them.
    pub(crate) fn merge(mut self, document: &mut Value) {
        let mut output = self.output.take_definitions(true);
        let input = self.input.take_definitions(true);
        let renamed = differing(&input, &output);
        for (name, mut schema) in input {
            rename(&mut schema, &renamed);
            if renamed.contains(&name) {
                output.insert(input_name(&name), schema);
            } else {
                output.insert(name, schema);
            }
        }
        rename(document, &renamed);
        let components = document["components"].as_object_mut();
        let Some(components) = components else { return };
        let schemas = components
            .entry("schemas")
            .or_insert_with(|| Map::new().into());
        if let Value::Object(schemas) = schemas {
            schemas.extend(output);
        }
    }
}

/// For a field whose JSON is not that of its type.
#[doc(hidden)]
pub fn any_json(_: &mut SchemaGenerator) -> Schema {
    Schema::default()
}

fn input_name(name: &str) -> String {
    format!("{name}Input")
}

/// The types that are read and written differently, or that hold such a type.
fn differing(input: &Map<String, Value>, output: &Map<String, Value>) -> BTreeSet<String> {
    let mut differing = BTreeSet::new();
    let both = || input.iter().filter(|(name, _)| output.contains_key(*name));
    for (name, schema) in both() {
        let mut schema = schema.clone();
        rename(&mut schema, &differing);
        if output.get(name) != Some(&schema) {
            differing.insert(name.clone());
        }
    }
    // A type that was found later may have made an earlier one differ.
    loop {
        let before = differing.len();
        for (name, schema) in both() {
            let mut held = BTreeSet::new();
            references(schema, &mut held);
            if !held.is_disjoint(&differing) {
                differing.insert(name.clone());
            }
        }
        if differing.len() == before {
            return differing;
        }
    }
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(name) = members.get("$ref").and_then(referred) {
                found.insert(name.to_owned());
            }
            members
                .values()
                .for_each(|member| references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

fn referred(reference: &Value) -> Option<&str> {
    reference.as_str()?.strip_prefix(INPUTS)
}

/// Has references to what requests hold lead to where it is in the end.
fn rename(value: &mut Value, renamed: &BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            let name = members.get("$ref").and_then(referred).map(|name| {
                if renamed.contains(name) {
                    input_name(name)
                } else {
                    name.to_owned()
                }
            });
            if let Some(name) = name {
                members.insert("$ref".to_owned(), format!("{PREFIX}{name}").into());
            }
            members
                .values_mut()
                .for_each(|member| rename(member, renamed));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, renamed)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};
    use serde_json::json;

    use super::*;

    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Same {
        id: u8,
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Read {
        #[serde(skip_deserializing)]
        id: u8,
        same: Same,
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Holds {
        read: Vec<Read>,
    }

    #[test]
    fn what_is_read_and_written_differently_has_two_names() {
        let mut schemas = Schemas::new();
        let mut document = json!({
            "in": schemas.input::<Holds>(),
            "out": schemas.output::<Vec<Holds>>(),
            "components": {},
        });
        schemas.merge(&mut document);
        assert_eq!(document["in"]["$ref"], "#/components/schemas/HoldsInput");
        assert_eq!(
            document["out"]["items"]["$ref"],
            "#/components/schemas/Holds"
        );
        let all = document["components"]["schemas"].as_object().unwrap();
        let names: Vec<_> = all.keys().collect();
        assert_eq!(names, ["Holds", "HoldsInput", "Read", "ReadInput", "Same"]);
        let read = &all["HoldsInput"]["properties"]["read"]["items"]["$ref"];
        assert_eq!(read, "#/components/schemas/ReadInput");
        let same = &all["ReadInput"]["properties"]["same"]["$ref"];
        assert_eq!(same, "#/components/schemas/Same");
    }
}
