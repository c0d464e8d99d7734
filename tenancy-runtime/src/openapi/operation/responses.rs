//! What a route answers: successes as its types say, problems as its gates do, and
//! what is left open.

use std::collections::BTreeSet;

use aide::openapi as spec;
use axum::http::StatusCode;
use schemars::Schema;
use serde_json::json;

use super::parts::{content, object, parameters_of, schema};
use super::{Described, Operation, Status};
use crate::openapi::schemas::PREFIX;

/// The media type of problem responses.
const PROBLEM: &str = "application/problem+json";

impl Operation {
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
