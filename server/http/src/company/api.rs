//! Endpoints with what is to be said of them.

use super::schema;
use crate::app::App;
use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, on};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Who may call an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Application services, with their token.
    Bridge,
    /// Employees, with an access token.
    Employee,
    /// Administrators, with an access token.
    Administrator,
    /// Systems of the company, with a signature of the body.
    Signed,
}

/// What is said of an endpoint.
pub struct Doc {
    /// GET, POST, …
    pub method: Method,
    /// Its path, with parameters in braces.
    pub path: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Who may call it.
    pub who: Who,
    /// Parameters of the query string, with a sentence each.
    pub query: &'static [(&'static str, &'static str)],
    /// Schema of the body.
    pub body: Option<Value>,
    /// Schema of the answer.
    pub answer: Value,
}

impl Doc {
    /// An endpoint without query, body and answer.
    pub fn new(method: Method, path: &'static str, who: Who, summary: &'static str) -> Self {
        Self { method, path, summary, who, query: &[], body: None, answer: json!({ "type": "object" }) }
    }

    /// With a body that is read into this type.
    pub fn taking<T: DeserializeOwned>(mut self) -> Self {
        self.body = Some(schema::of::<T>());
        self
    }

    /// With an answer of this form.
    pub fn giving<T: DeserializeOwned>(mut self) -> Self {
        self.answer = schema::of::<T>();
        self
    }

    /// With these parameters of the query string.
    pub fn asking(mut self, query: &'static [(&'static str, &'static str)]) -> Self {
        self.query = query;
        self
    }

    fn parameters(&self) -> Vec<Value> {
        let in_path = self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let path = in_path.map(
            |name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }),
        );
        let query = self.query.iter().map(|(name, said)| {
            json!({ "name": name, "in": "query", "description": said, "schema": { "type": "string" } })
        });
        path.chain(query).collect()
    }

    fn describe(&self) -> Value {
        let scheme = match self.who {
            Who::Bridge => "application_service",
            Who::Employee | Who::Administrator => "access_token",
            Who::Signed => "signature",
        };
        let error = json!({ "description": "Refused.", "content": { "application/json": { "schema": {
            "type": "object", "properties": { "errcode": { "type": "string" }, "error": { "type": "string" } } } } } });
        let mut described = json!({
            "summary": self.summary,
            "tags": [match self.who { Who::Bridge => "bridge", Who::Employee => "contacts", Who::Administrator => "admin", Who::Signed => "shops" }],
            "security": [{ scheme: [] }],
            "parameters": self.parameters(),
            "responses": {
                "2XX": { "description": "Done.", "content": { "application/json": { "schema": self.answer } } },
                "4XX": error,
            },
        });
        if let (Some(body), Some(fields)) = (&self.body, described.as_object_mut()) {
            let body = json!({ "required": true, "content": { "application/json": { "schema": body } } });
            fields.insert("requestBody".to_owned(), body);
        }
        described
    }
}

/// Routes together with what is said of them.
pub struct Api {
    /// The routes.
    pub routes: Router<Arc<App>>,
    paths: Map<String, Value>,
}

impl Api {
    /// Adds to these routes.
    pub fn on(routes: Router<Arc<App>>) -> Self {
        Self { routes, paths: Map::new() }
    }

    /// Adds an endpoint.
    pub fn add<H, T>(mut self, doc: Doc, handler: H) -> Self
    where
        H: Handler<T, Arc<App>>,
        T: 'static,
    {
        let filter = match doc.method {
            Method::POST => MethodFilter::POST,
            Method::PUT => MethodFilter::PUT,
            Method::PATCH => MethodFilter::PATCH,
            Method::DELETE => MethodFilter::DELETE,
            _ => MethodFilter::GET,
        };
        self.routes = self.routes.route(doc.path, on(filter, handler));
        let path = self.paths.entry(doc.path).or_insert_with(|| json!({}));
        if let Some(methods) = path.as_object_mut() {
            methods.insert(doc.method.as_str().to_ascii_lowercase(), doc.describe());
        }
        self
    }

    /// The OpenAPI document.
    pub fn document(&self) -> Value {
        let bearer = |said: &str| json!({ "type": "http", "scheme": "bearer", "description": said });
        json!({
            "openapi": "3.1.0",
            "info": {
                "title": "Kontor company API",
                "version": env!("CARGO_PKG_VERSION"),
                "description": "Contacts and conversations with customers. Times are milliseconds since 1970.",
            },
            "paths": self.paths,
            "components": { "securitySchemes": {
                "application_service": bearer("The as_token of an application service."),
                "signature": { "type": "apiKey", "in": "header", "name": "Kontor-Signature", "description":
                    "t=<seconds>,v1=<hexadecimal HMAC-SHA-256 of t, a dot and the body>; shop systems and EspoCRM have fields of their own." },
                "access_token": bearer("The access token of an employee's session."),
            } },
        })
    }
}
