//! The description of one route: what it is called, takes and answers.

mod parts;
mod responses;

use std::collections::{BTreeMap, BTreeSet};

use aide::openapi as spec;
use axum::http::StatusCode;
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

use super::{Answer, Argument, Schemas};
use crate::error::Error;
pub(crate) use parts::parameters_of;
use parts::{content, parameter};

/// The description of a route, while it is written.
///
/// ```
/// use axum::routing::MethodRouter;
/// use tenancy_runtime::http::{Json, RoutedHandler, TenantUse, Verb, routing};
/// use tenancy_runtime::openapi::Operation;
///
/// async fn count() -> Json<u64> {
///     Json(7)
/// }
///
/// struct Count;
/// impl RoutedHandler for Count {
///     const METHOD: Verb = Verb::Get;
///     const PATH: &'static str = "/count";
///     const TENANT: TenantUse = TenantUse::None;
///     fn handler() -> MethodRouter {
///         routing::get(count)
///     }
///     fn describe(operation: &mut Operation) {
///         operation.name("count").docs("How many there are.").answer::<Json<u64>>();
///     }
/// }
/// ```
pub struct Operation {
    pub(super) item: spec::Operation,
    schemas: Schemas,
    path: String,
    declared: Option<u16>,
    successes: Vec<Success>,
    problems: BTreeMap<u16, BTreeSet<&'static str>>,
    is_open: bool,
    notes: Vec<String>,
}

/// One thing that a handler answers when all is well.
struct Success {
    status: Status,
    content: Option<(&'static str, Option<Schema>)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    Always(u16),
    /// The handler picks one.
    Picked,
    Redirection,
}

/// A description that is done, with what is wrong with it.
pub(crate) struct Described {
    pub(crate) item: spec::Operation,
    pub(crate) schemas: Schemas,
    pub(crate) mistake: Option<(String, String)>,
}

impl Operation {
    pub(crate) fn new(path: &str, schemas: Schemas) -> Self {
        Self {
            item: spec::Operation::default(),
            schemas,
            path: path.to_owned(),
            declared: None,
            successes: Vec::new(),
            problems: BTreeMap::new(),
            is_open: false,
            notes: Vec::new(),
        }
    }

    /// What a program calls it; unique among the routes.
    pub fn name(&mut self, name: &str) -> &mut Self {
        self.item.operation_id = Some(name.to_owned());
        self
    }

    /// Called and tagged like a function in its module.
    #[doc(hidden)]
    pub fn handler(&mut self, module: &str, function: &str) -> &mut Self {
        let modules: Vec<_> = module.split("::").skip(1).collect();
        if let Some(module) = modules.last() {
            self.tag(module);
        }
        let function = function.trim_start_matches("r#");
        let name = modules.iter().copied().chain([function]);
        self.name(&name.collect::<Vec<_>>().join("_"))
    }

    /// What it does: a line that sums it up and, after an empty one, the rest.
    pub fn docs(&mut self, docs: &str) -> &mut Self {
        let docs = docs.trim();
        let (first, rest) = docs.split_once("\n\n").unwrap_or((docs, ""));
        let summary = first.split_whitespace().collect::<Vec<_>>().join(" ");
        let summary = summary.strip_suffix('.').unwrap_or(&summary);
        self.item.summary = (!summary.is_empty()).then(|| summary.to_owned());
        self.item.description = (!rest.is_empty()).then(|| rest.trim().to_owned());
        self
    }

    /// Puts it among the routes of this tag, and no other.
    pub fn tag(&mut self, tag: &str) -> &mut Self {
        self.item.tags = vec![tag.to_owned()];
        self
    }

    /// Adds a sentence to what it does.
    pub fn note(&mut self, note: impl Into<String>) -> &mut Self {
        self.notes.push(note.into());
        self
    }

    /// The status of a success, where the answer's type leaves it to the handler.
    pub fn status(&mut self, status: u16) -> &mut Self {
        self.declared = Some(status);
        self
    }

    /// Adds what an argument says of itself.
    pub fn argument<T: Argument>(&mut self) -> &mut Self {
        T::describe(self);
        self
    }

    /// Adds what an answer says of itself.
    pub fn answer<T: Answer>(&mut self) -> &mut Self {
        T::describe(self);
        self
    }

    /// Adds a header of the request.
    pub fn header(&mut self, name: &str, description: &str, required: bool) -> &mut Self {
        let schema = json!({"type": "string", "description": description});
        self.header_of(name, schema, required)
    }

    pub(crate) fn header_of(&mut self, name: &str, schema: Value, required: bool) -> &mut Self {
        self.parameter(spec::Parameter::Header {
            parameter_data: parameter(name, schema, required),
            style: spec::HeaderStyle::Simple,
        })
    }

    /// Adds what the query string holds: the fields of `T`.
    pub fn query<T: JsonSchema>(&mut self) -> &mut Self {
        let schema = Schemas::plain::<T>();
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let fields = schema["properties"]
            .as_object()
            .cloned()
            .unwrap_or_default();
        for (name, field) in fields {
            let is_required = required.iter().any(|required| *required == *name);
            self.parameter(spec::Parameter::Query {
                parameter_data: parameter(&name, field, is_required),
                allow_reserved: false,
                style: spec::QueryStyle::Form,
                allow_empty_value: None,
            });
        }
        self
    }

    /// Adds what the path holds: the fields of `T` by their names, the parts of a
    /// tuple in their order, or `T` itself.
    pub fn path<T: JsonSchema>(&mut self) -> &mut Self {
        let schema = Schemas::plain::<T>();
        let names = parameters_of(&self.path);
        for (position, name) in names.iter().enumerate() {
            let part = match (&schema["properties"], &schema["prefixItems"]) {
                (Value::Object(fields), _) => fields.get(name).cloned(),
                (_, Value::Array(parts)) => parts.get(position).cloned(),
                _ if names.len() == 1 => Some(schema.clone()),
                _ => None,
            };
            if let Some(part) = part {
                self.path_parameter(name, part);
            }
        }
        self
    }

    pub(crate) fn path_parameter(&mut self, name: &str, schema: Value) -> &mut Self {
        self.parameter(spec::Parameter::Path {
            parameter_data: parameter(name, schema, true),
            style: spec::PathStyle::Simple,
        })
    }

    fn parameter(&mut self, parameter: spec::Parameter) -> &mut Self {
        self.item
            .parameters
            .push(spec::ReferenceOr::Item(parameter));
        self
    }

    /// The body is JSON that reads as `T`.
    pub fn json_body<T: JsonSchema>(&mut self) -> &mut Self {
        let schema = self.schemas.input::<T>();
        self.set_body("application/json", Some(schema))
    }

    /// The body is of this kind, and no more is said of it.
    pub fn body(&mut self, media: &str) -> &mut Self {
        self.set_body(media, None)
    }

    fn set_body(&mut self, media: &str, schema: Option<Schema>) -> &mut Self {
        let mut body = spec::RequestBody {
            required: true,
            ..spec::RequestBody::default()
        };
        body.content.insert(media.to_owned(), content(schema));
        self.item.request_body = Some(spec::ReferenceOr::Item(body));
        self
    }

    /// What `describe` adds may be left out.
    pub(super) fn optional(&mut self, describe: impl FnOnce(&mut Self)) -> &mut Self {
        let had_body = self.item.request_body.is_some();
        describe(self);
        if let (false, Some(spec::ReferenceOr::Item(body))) =
            (had_body, &mut self.item.request_body)
        {
            body.required = false;
        }
        self
    }

    /// It answers JSON that `T` writes.
    pub fn answers_json<T: JsonSchema>(&mut self) -> &mut Self {
        let schema = self.schemas.output::<T>();
        self.success(
            Status::Always(200),
            Some(("application/json", Some(schema))),
        )
    }

    /// It answers content of this kind, and no more is said of it.
    pub fn answers(&mut self, media: &'static str) -> &mut Self {
        self.success(Status::Always(200), Some((media, None)))
    }

    /// It answers a status and nothing else.
    pub fn answers_nothing(&mut self, status: StatusCode) -> &mut Self {
        self.success(Status::Always(status.as_u16()), None)
    }

    /// It sends the client elsewhere.
    pub fn redirects(&mut self) -> &mut Self {
        self.success(Status::Redirection, None)
    }

    fn success(
        &mut self,
        status: Status,
        content: Option<(&'static str, Option<Schema>)>,
    ) -> &mut Self {
        self.successes.push(Success { status, content });
        self
    }

    /// The handler picks the status of what was described last.
    pub fn with_status_of_its_own(&mut self) -> &mut Self {
        if let Some(success) = self.successes.last_mut() {
            success.status = Status::Picked;
        }
        self
    }

    /// The handler picks the media type of what was described last.
    pub fn with_content_of_its_own(&mut self) -> &mut Self {
        if let Some(success) = self.successes.last_mut() {
            success.content = Some(("*/*", None));
        }
        self
    }

    /// It may answer this error, as a problem response.
    pub fn problem(&mut self, error: &Error) -> &mut Self {
        let codes = self.problems.entry(error.status().as_u16()).or_default();
        codes.insert(error.code());
        self
    }

    /// It may also answer what is not described.
    pub fn leave_open(&mut self) -> &mut Self {
        self.is_open = true;
        self
    }

    /// Each of these sets of schemes is enough.
    pub(crate) fn security(&mut self, alternatives: Vec<Vec<&str>>) {
        for schemes in alternatives {
            let schemes = schemes
                .into_iter()
                .map(|name| (name.to_owned(), Vec::new()));
            self.item.security.push(schemes.collect());
        }
    }
}

impl std::fmt::Debug for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operation")
            .field("path", &self.path)
            .field("name", &self.item.operation_id)
            .finish_non_exhaustive()
    }
}
