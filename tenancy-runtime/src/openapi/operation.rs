use std::collections::{BTreeMap, BTreeSet};

use aide::openapi as spec;
use axum::http::StatusCode;
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

use super::schemas::PREFIX;
use super::{Answer, Argument, Schemas};
use crate::error::Error;

/// The media type of problem responses.
const PROBLEM: &str = "application/problem+json";

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

    pub(crate) fn done(mut self) -> Described {
        self.undescribed_path();
        let mistake = self.mistake();
        let mut responses = spec::Responses::default();
        for success in &self.successes {
            let (code, description) = match (success.status, self.declared) {
                (Status::Always(status), _) | (Status::Picked, Some(status)) => {
                    (spec::StatusCode::Code(status), reason(status))
                }
                (Status::Picked, None) => (spec::StatusCode::Range(2), "Success"),
                (Status::Redirection, _) => (spec::StatusCode::Range(3), "Look elsewhere"),
            };
            self.is_open |= success.status == Status::Picked && self.declared.is_none();
            let mut response = spec::Response {
                description: description.to_owned(),
                ..spec::Response::default()
            };
            if let Some((media, schema)) = &success.content {
                let media = (*media).to_owned();
                response.content.insert(media, content(schema.clone()));
            }
            responses
                .responses
                .insert(code, spec::ReferenceOr::Item(response));
        }
        for (status, codes) in &self.problems {
            let code = spec::StatusCode::Code(*status);
            let response = spec::ReferenceOr::Item(problem(*status, codes, self.is_open));
            responses.responses.entry(code).or_insert(response);
        }
        responses.default = Some(spec::ReferenceOr::Item(if self.is_open {
            spec::Response {
                description: "Any other answer".to_owned(),
                ..spec::Response::default()
            }
        } else {
            other_problem()
        }));
        self.item.responses = Some(responses);
        if !self.notes.is_empty() {
            let described = self.item.description.take();
            let all: Vec<_> = described.into_iter().chain(self.notes).collect();
            self.item.description = Some(all.join("\n\n"));
        }
        Described {
            item: self.item,
            schemas: self.schemas,
            mistake,
        }
    }

    /// A document without all parameters of a path is none.
    fn undescribed_path(&mut self) {
        for name in parameters_of(&self.path) {
            let described = self.item.parameters.iter().any(|parameter| {
                matches!(parameter, spec::ReferenceOr::Item(spec::Parameter::Path {
                    parameter_data, ..
                }) if parameter_data.name == name)
            });
            if !described {
                self.path_parameter(&name, json!({"type": "string"}));
            }
        }
    }

    /// A status that is declared and cannot be.
    fn mistake(&self) -> Option<(String, String)> {
        let declared = self.declared?;
        let always = self
            .successes
            .iter()
            .find_map(|success| match success.status {
                Status::Always(status) if status != declared => Some(status),
                _ => None,
            })?;
        Some((
            format!("says `status = {declared}`, and its answer is always {always}"),
            "answer (StatusCode, …) there, or drop `status`".to_owned(),
        ))
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

/// Any error of ours: what no response says by itself.
fn other_problem() -> spec::Response {
    let mut response = spec::Response {
        description: "Another problem".to_owned(),
        ..spec::Response::default()
    };
    response
        .content
        .insert(PROBLEM.to_owned(), content(Some(problem_schema())));
    response
}

fn problem(status: u16, codes: &BTreeSet<&'static str>, is_open: bool) -> spec::Response {
    let mut response = other_problem();
    let codes: Vec<_> = codes.iter().map(|code| format!("`{code}`")).collect();
    response.description = format!("{}: {}", reason(status), codes.join(" or "));
    let headers: &[(&str, &str)] = match status {
        401 => &[("WWW-Authenticate", "string")],
        429 | 503 => &[("Retry-After", "integer")],
        _ => &[],
    };
    if is_open {
        // The handler may answer this status in a way of its own.
        response.content.insert("*/*".to_owned(), content(None));
        return response;
    }
    for (name, ty) in headers {
        let header = spec::Header {
            description: None,
            style: spec::HeaderStyle::Simple,
            required: true,
            deprecated: None,
            format: spec::ParameterSchemaOrContent::Schema(object(json!({"type": ty}))),
            example: None,
            examples: Default::default(),
            extensions: Default::default(),
        };
        let header = spec::ReferenceOr::Item(header);
        response.headers.insert((*name).to_owned(), header);
    }
    response
}

fn problem_schema() -> Schema {
    schema(json!({"$ref": format!("{PREFIX}Problem")}))
}

fn reason(status: u16) -> &'static str {
    let status = StatusCode::from_u16(status).ok();
    status
        .and_then(|s| s.canonical_reason())
        .unwrap_or("Answer")
}

fn content(schema: Option<Schema>) -> spec::MediaType {
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

fn schema(value: Value) -> Schema {
    // Only a value that is neither an object nor a boolean is no schema.
    Schema::try_from(value).unwrap_or_default()
}

/// A parameter, whose description its schema may have.
fn parameter(name: &str, mut schema: Value, required: bool) -> spec::ParameterData {
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
