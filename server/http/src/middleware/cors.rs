//! Web clients of any origin may use the client-server API (specification, "Web browser clients").

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Fields of every answer, also of refusals: a web client could not read them otherwise.
const FIELDS: [(HeaderName, &str); 3] = [
    (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, DELETE, OPTIONS"),
    (header::ACCESS_CONTROL_ALLOW_HEADERS, "X-Requested-With, Content-Type, Authorization"),
];

/// Paths that programs of other origins may use. Pages for people are not among them.
const OPEN: [&str; 3] = ["/_matrix/", "/.well-known/matrix/", "/_synapse/"];

/// Answers preflight requests and adds the fields.
pub async fn cors(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if !OPEN.iter().any(|prefix| path.starts_with(prefix)) {
        return next.run(request).await;
    }
    let mut response = match *request.method() {
        Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        _ => next.run(request).await,
    };
    add(response.headers_mut());
    response
}

fn add(headers: &mut HeaderMap) {
    for (name, value) in FIELDS {
        // A handler that says something stricter knows why.
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}
