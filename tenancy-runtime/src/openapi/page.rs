//! The document and the page that shows it, out of the program itself: nothing is
//! loaded from elsewhere, and the browser is told to allow no more.

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderValue, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, get_service};
use swagger_ui_dist::{ApiDefinition, OpenApiSource};

use super::OpenApi;

const START: &str = include_str!("start.js");

/// Files that the page needs, as the crate of the page names them.
const FILES: [&str; 2] = ["swagger-ui.css", "swagger-ui-bundle.js"];

/// The routes of `options` for `document`. `hosts` are those which the page may call
/// beside its own.
pub(crate) fn routes(options: OpenApi, title: &str, document: Bytes, hosts: &str) -> Router {
    let OpenApi {
        document: document_path,
        page: page_path,
        guard,
        ..
    } = options;
    let page = Bytes::from(page(title, &page_path, &document_path));
    // `style` attributes are what the page's script writes; scripts are files only.
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
         img-src 'self' data:; connect-src 'self'{hosts}; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    let served = move |media: &'static str, content: Bytes| {
        get(move || async move { ([(header::CONTENT_TYPE, media)], content) })
    };
    let mut router = Router::new()
        .route(&document_path, served("application/json", document))
        .route(
            &page_path,
            get(move || async move {
                let headers = [
                    (header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
                    (header::CONTENT_SECURITY_POLICY, policy),
                    (header::REFERRER_POLICY, "no-referrer".to_owned()),
                ];
                (headers, page).into_response()
            }),
        )
        .route(
            &below(&page_path, "start.js"),
            served(
                "text/javascript; charset=utf-8",
                Bytes::from_static(START.as_bytes()),
            ),
        );
    let files = swagger_ui_dist::generate_routes(ApiDefinition {
        uri_prefix: page_path.trim_end_matches('/').to_owned(),
        api_definition: OpenApiSource::Uri(document_path),
        title: None,
    });
    for file in FILES {
        router = router.route(&below(&page_path, file), get_service(files.clone()));
    }
    let router = router.layer(map_response(as_it_says));
    match guard {
        Some(guard) => guard(router),
        None => router,
    }
}

/// Nothing is taken for a script that is not called one.
async fn as_it_says(mut response: Response) -> Response {
    let nosniff = HeaderValue::from_static("nosniff");
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}

fn below(page: &str, file: &str) -> String {
    format!("{}/{file}", page.trim_end_matches('/'))
}

/// Its addresses are relative, so that a proxy may put something before them.
fn page(title: &str, page: &str, document: &str) -> String {
    let up = "../".repeat(page.matches('/').count().saturating_sub(1));
    let relative = |path: &str| escaped(&format!("{up}{}", path.trim_start_matches('/')));
    let file = |name: &str| relative(&below(page, name));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<link rel=\"icon\" href=\"data:,\">\n\
         <link rel=\"stylesheet\" href=\"{css}\">\n</head>\n<body>\n\
         <div id=\"openapi\" data-document=\"{document}\"></div>\n\
         <script src=\"{script}\"></script>\n<script src=\"{start}\"></script>\n\
         </body>\n</html>\n",
        title = escaped(title),
        document = relative(document),
        css = file(FILES[0]),
        script = file(FILES[1]),
        start = file("start.js"),
    )
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lead_from_the_page_to_its_files_behind_any_prefix() {
        let html = page("A & <b>", "/docs", "/openapi.json");
        assert!(html.contains("<title>A &amp; &lt;b&gt;</title>"), "{html}");
        assert!(html.contains("data-document=\"openapi.json\""), "{html}");
        assert!(html.contains("src=\"docs/start.js\""), "{html}");
        // What an operator types in is not kept for the next page of this origin.
        assert!(START.contains("persistAuthorization: false"));
        let html = page("A", "/api/v1/docs", "/api/v1/openapi.json");
        assert!(
            html.contains("data-document=\"../../api/v1/openapi.json\""),
            "{html}"
        );
    }
}
