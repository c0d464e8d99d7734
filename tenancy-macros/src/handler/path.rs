//! What axum accepts as a path. It panics at start on any other; here the
//! mistake is shown at the literal before anything runs.

use std::collections::HashSet;

use syn::LitStr;

use crate::common::Errors;

use super::attr::ROUTE;

/// Reports what is wrong with a route's path.
pub(super) fn check(path: &LitStr, errors: &mut Errors) {
    let text = path.value();
    if !text.starts_with('/') {
        errors.at(
            path,
            format_args!("a path starts with `/`: write \"/{text}\""),
        );
    }
    if text.contains(['?', '#']) || text.contains(char::is_whitespace) {
        errors.at(
            path,
            format_args!(
                "only the path belongs here, without query or spaces: {ROUTE}; \
                 read the query with the extractor `Query<…>`"
            ),
        );
    }
    let mut names = HashSet::new();
    let segments: Vec<_> = text.split('/').collect();
    for (position, segment) in segments.iter().enumerate() {
        match parameter(segment) {
            Err(advice) => errors.at(path, advice),
            Ok(Some(name)) if !names.insert(name.trim_start_matches('*')) => {
                let name = name.trim_start_matches('*');
                errors.at(
                    path,
                    format_args!("the parameter `{name}` is named twice; give each its own name"),
                );
            }
            Ok(Some(name)) if name.starts_with('*') && position + 1 < segments.len() => {
                errors.at(
                    path,
                    format_args!("`{{{name}}}` takes all that follows: it must end the path"),
                );
            }
            Ok(_) => {}
        }
    }
}

/// The name of the segment's parameter, with `*` before it when it takes the rest.
fn parameter(segment: &str) -> Result<Option<&str>, String> {
    for (old, kind) in [(':', ""), ('*', "*")] {
        if let Some(name) = segment.strip_prefix(old) {
            return Err(format!(
                "`{segment}` is the old way to write a parameter: write `{{{kind}{name}}}`"
            ));
        }
    }
    // `{{` and `}}` stand for the braces themselves.
    if !segment
        .replace("{{", "")
        .replace("}}", "")
        .contains(['{', '}'])
    {
        return Ok(None);
    }
    let name = segment
        .split_once('{')
        .and_then(|(_, rest)| rest.strip_suffix('}'));
    match name {
        Some(name) if is_name(name.strip_prefix('*').unwrap_or(name)) => Ok(Some(name)),
        _ => Err(format!(
            "`{segment}` is not a parameter: a segment has at most one and ends with it, \
             as in `{{id}}`, `v{{version}}` or `{{*rest}}`"
        )),
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains(['{', '}', '*'])
}
