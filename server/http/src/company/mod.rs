//! The company API: what bridges tell of customers, contacts and conversations for employees and their
//! programs, and what administrators set up for both.
//!
//! Every endpoint is added through [`Api`], which writes down what it is for the OpenAPI document: what is
//! served and what is documented cannot differ.

mod api;
mod arrivals;
mod bridge;
mod cards;
mod channels;
mod companies;
mod connectors;
mod conversations;
mod facts;
mod imports;
mod links;
mod lookup;
mod merges;
mod notes;
mod past;
mod quality;
mod schema;
mod sorting;
mod webhooks;

use crate::app::App;
use crate::router::Serve;
use api::Api;
use axum::Router;
use axum::body::Bytes;
use axum::routing::get;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Adds what a listener serves of it.
pub fn routes(mut routes: Router<Arc<App>>, serve: &BTreeSet<Serve>) -> Router<Arc<App>> {
    let company = serve.contains(&Serve::Company);
    let admin = serve.contains(&Serve::Admin);
    if company {
        routes = bridge_and_contacts(Api::on(routes)).routes;
    }
    if admin {
        routes = administration(Api::on(routes)).routes;
    }
    if company {
        routes = routes.route("/_kontor/openapi.json", get(async || crate::respond::whole(document())));
    }
    routes
}

fn bridge_and_contacts(api: Api) -> Api {
    let api = bridge::routes(api);
    let api = cards::routes(api);
    let api = past::routes(lookup::routes(merges::routes(api)));
    let api = facts::routes(quality::routes(imports::routes(api)));
    let api = sorting::routes(companies::routes(api));
    let api = connectors::hooks(links::routes(api));
    notes::routes(arrivals::routes(conversations::routes(api)))
}

fn administration(api: Api) -> Api {
    let api = connectors::routes(webhooks::routes(channels::routes(api)));
    sorting::administration(facts::administration(api))
}

/// The OpenAPI document of everything.
fn document() -> Bytes {
    let api = administration(bridge_and_contacts(Api::on(Router::new())));
    Bytes::from(api.document().to_string())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_document_has_every_endpoint_with_its_body_and_answer() {
        let document: serde_json::Value = serde_json::from_slice(&super::document()).unwrap();
        assert_eq!(document["openapi"], "3.1.0");
        let open = &document["paths"]["/_kontor/bridge/v1/conversations"]["post"];
        let body = &open["requestBody"]["content"]["application/json"]["schema"];
        assert_eq!(body["properties"]["external_id"]["type"], "string", "{body}");
        let mut required: Vec<_> =
            body["required"].as_array().unwrap().iter().filter_map(|r| r.as_str()).collect();
        required.sort_unstable();
        assert_eq!(required, ["channel", "external_id", "id_type"]);
        let trust = &body["properties"]["claims"]["items"]["properties"]["trust"];
        assert_eq!(trust["enum"], serde_json::json!(["claimed", "unaligned", "platform", "proven"]));
        let versions = &document["paths"]["/_kontor/contacts/v1/conversations/{id}/versions"]["get"];
        assert_eq!(versions["parameters"][0]["name"], "id", "{versions}");
        assert!(document["paths"].as_object().unwrap().len() >= 14);
    }
}
