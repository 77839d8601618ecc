//! EspoCRM, over its REST API. Written by its public documentation; no EspoCRM was run.
//!
//! Changes are read by `modifiedAt`, which counts whole seconds: records of one second are told apart by their ids, in a
//! question of their own, so that nothing hangs on the order that it gives to equal ones.

use super::{Call, ask, escaped, read};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::FutureExt as _;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use kontor_contacts::crm::{Mapping, Record, Values};
use kontor_flows::crm::{Crm, Cursor, Heard, Item, Limits, Page, Trouble, Writing};
use kontor_model::Ms;
use kontor_store::contacts::crm::ConnectorRow;
use kontor_wire::Outbound;
use kontor_wire::outbound::Answer;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::Sha256;

/// Records of a page; its own limit.
const PAGE: usize = 200;
/// Newest lines of a record's stream among which an earlier try is looked for.
const POSTS: usize = 50;

/// EspoCRM.
pub struct Espo(pub Outbound);

#[derive(Deserialize)]
struct List {
    list: Vec<Map<String, Value>>,
}

/// A request, before it is signed.
struct Request<'a> {
    method: &'static str,
    /// After `api/v1/`, without the query.
    path: String,
    query: String,
    headers: Vec<(&'static str, &'a str)>,
    body: Option<Value>,
}

impl<'a> Request<'a> {
    fn get(path: String, query: String) -> Self {
        Self { method: "GET", path, query, headers: Vec::new(), body: None }
    }
}

fn kind(to: &ConnectorRow) -> Result<String, Trouble> {
    Mapping::of(to)
        .map(|mapping| mapping.external_type)
        .map_err(|error| Trouble::Never(error.message.into_owned()))
}

/// `X-Hmac-Authorization` of a request.
fn signed(key: &str, secret: &str, method: &str, path: &str) -> Result<String, Trouble> {
    let bad = |_| Trouble::Never("the secret is no key".to_owned());
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_err(bad)?;
    mac.update(format!("{method} /{path}").as_bytes());
    let code: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(STANDARD.encode(format!("{key}:{code}")))
}

/// `2026-11-22 14:00:00` in UTC, as it writes moments.
fn moment(ts: Ms) -> String {
    let at = Timestamp::from_millisecond(ts).unwrap_or(Timestamp::UNIX_EPOCH);
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn milliseconds(moment: &str) -> Option<Ms> {
    let at: Timestamp = format!("{}Z", moment.replacen(' ', "T", 1)).parse().ok()?;
    Some(at.as_millisecond())
}

/// A record as it gives it.
fn record(told: &Map<String, Value>) -> Option<Record> {
    let text = |name: &str| told.get(name).and_then(Value::as_str);
    let modified = text("modifiedAt").or_else(|| text("createdAt"))?;
    // Records have a number of their version where that is switched on.
    let version = match told.get("versionNumber").and_then(Value::as_i64) {
        Some(number) => format!("n{number}"),
        None => format!("t{modified}"),
    };
    let fields = told.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
    Some(Record {
        id: text("id")?.to_owned(),
        version,
        ts: milliseconds(modified)?,
        fields: fields.collect(),
        deleted: told.get("deleted").and_then(Value::as_bool).unwrap_or_default(),
        ..Record::default()
    })
}

/// Fields as they are written: a person's name is two of them there.
fn written(fields: &Values) -> Map<String, Value> {
    let mut told: Map<String, Value> =
        fields.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    if let Some(Value::String(name)) = told.remove("name") {
        let (first, last) = name.rsplit_once(' ').unwrap_or(("", &name));
        told.insert("firstName".to_owned(), first.into());
        told.insert("lastName".to_owned(), last.into());
    }
    told
}

impl Espo {
    async fn ask(&self, to: &ConnectorRow, request: Request<'_>) -> Result<Answer, Trouble> {
        let url = format!("{}/api/v1/{}{}", to.url, request.path, request.query);
        let signature = match &to.api_secret {
            Some(secret) => Some(signed(&to.api_key, secret, request.method, &request.path)?),
            None => None,
        };
        let mut headers = request.headers;
        match &signature {
            Some(signature) => headers.push(("x-hmac-authorization", signature)),
            None => headers.push(("x-api-key", &to.api_key)),
        }
        let json = request.body.map(|body| body.to_string());
        ask(&self.0, Call { url: &url, headers: &headers, json, put: request.method == "PUT" }).await
    }

    async fn list(&self, to: &ConnectorRow, search: Value) -> Result<Vec<Record>, Trouble> {
        let query = format!("?searchParams={}", escaped(&search.to_string()));
        let found: List = read(&self.ask(to, Request::get(kind(to)?, query)).await?)?;
        Ok(found.list.iter().filter_map(record).collect())
    }

    /// Records of one second after an id, by their ids.
    async fn of_second(&self, to: &ConnectorRow, ts: Ms, after: &str) -> Result<Page, Trouble> {
        let same = json!({ "type": "equals", "attribute": "modifiedAt", "value": moment(ts) });
        let later = json!({ "type": "greaterThan", "attribute": "id", "value": after });
        let search = json!({ "where": [same, later], "orderBy": "id", "order": "asc", "maxSize": PAGE });
        let mut records = self.list(to, search).await?;
        let more = records.len() >= PAGE;
        records.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(Page { records, more })
    }

    async fn pull_page(&self, to: &ConnectorRow, after: &Cursor) -> Result<Page, Trouble> {
        let mut page = Page::default();
        if !after.id.is_empty() {
            page = self.of_second(to, after.ts, &after.id).await?;
            if page.more {
                return Ok(page);
            }
        }
        let comparison = if after.id.is_empty() { "greaterThanOrEquals" } else { "greaterThan" };
        let later = json!({ "type": comparison, "attribute": "modifiedAt", "value": moment(after.ts) });
        let search = json!({ "where": [later], "orderBy": "modifiedAt", "order": "asc", "maxSize": PAGE });
        let mut records = self.list(to, search).await?;
        if records.len() >= PAGE {
            // The last second may have more: it is read whole, with the next page.
            let last = records.iter().map(|record| record.ts).max().unwrap_or_default();
            records.retain(|record| record.ts < last);
            if records.is_empty() && page.records.is_empty() {
                return self.of_second(to, last, "").await.map(|page| Page { more: true, ..page });
            }
            page.more = true;
        }
        records.sort_by(|a, b| (a.ts, &a.id).cmp(&(b.ts, &b.id)));
        page.records.extend(records);
        Ok(page)
    }

    /// Whether a record is still as it was, where it has no number of its version that the CRM compares itself.
    async fn is_at(&self, to: &ConnectorRow, id: &str, version: &str) -> Result<bool, Trouble> {
        Ok(self.get(to, id).await?.is_some_and(|now| now.version == version))
    }
}

impl Crm for Espo {
    fn limits(&self) -> Limits {
        Limits { page: PAGE, writes: 20, every: 60_000 }
    }

    fn pull<'a>(&'a self, to: &'a ConnectorRow, after: &'a Cursor) -> Heard<'a, Page> {
        self.pull_page(to, after).boxed()
    }

    fn get<'a>(&'a self, to: &'a ConnectorRow, id: &'a str) -> Heard<'a, Option<Record>> {
        async move {
            let answer =
                self.ask(to, Request::get(format!("{}/{}", kind(to)?, escaped(id)), String::new())).await?;
            if answer.status == 404 {
                return Ok(None);
            }
            Ok(record(&read(&answer)?))
        }
        .boxed()
    }

    fn find<'a>(&'a self, to: &'a ConnectorRow, keys: &'a Values) -> Heard<'a, Vec<Record>> {
        async move {
            let one = |(name, value): (&String, &String)| json!({ "type": "equals", "attribute": name, "value": value });
            let any: Vec<Value> = keys.iter().map(one).collect();
            let search = json!({ "where": [{ "type": "or", "value": any }], "maxSize": 5 });
            self.list(to, search).await
        }
        .boxed()
    }

    fn upsert<'a>(&'a self, to: &'a ConnectorRow, writing: Writing<'a>) -> Heard<'a, Record> {
        async move {
            let number = writing.base_version.and_then(|version| version.strip_prefix('n'));
            if let (Some(id), Some(version), None) = (writing.id, writing.base_version, number)
                && !self.is_at(to, id, version).await?
            {
                return Err(Trouble::Moved);
            }
            let mut headers: Vec<(&'static str, &str)> = Vec::new();
            headers.extend(number.map(|number| ("x-version-number", number)));
            if writing.despite {
                headers.push(("x-skip-duplicate-check", "true"));
            }
            let path = match writing.id {
                Some(id) => format!("{}/{}", kind(to)?, escaped(id)),
                None => kind(to)?,
            };
            let method = if writing.id.is_some() { "PUT" } else { "POST" };
            let body = Some(Value::Object(written(writing.fields)));
            let answer = self.ask(to, Request { method, path, query: String::new(), headers, body }).await?;
            match (answer.status, writing.id) {
                (404, _) => Err(Trouble::Never("the record is there no more".to_owned())),
                (409, Some(_)) => Err(Trouble::Moved),
                // The records that are like this one, as a list.
                (409, None) => {
                    let list: Vec<Map<String, Value>> = read(&answer)?;
                    Err(Trouble::Candidates(list.iter().filter_map(record).collect()))
                }
                _ => record(&read(&answer)?)
                    .ok_or_else(|| Trouble::Later(None, "an answer that is no record".to_owned())),
            }
        }
        .boxed()
    }

    fn timeline_append<'a>(&'a self, to: &'a ConnectorRow, id: &'a str, item: Item<'a>) -> Heard<'a, ()> {
        async move {
            // It knows no idempotency key: whether an earlier try came through is seen by what stands there.
            let path = format!("{}/{}/posts", kind(to)?, escaped(id));
            let posts = self.ask(to, Request::get(path, format!("?maxSize={POSTS}"))).await?;
            if posts.status == 404 {
                return Err(Trouble::Never("the record is there no more".to_owned()));
            }
            let posts: List = read(&posts)?;
            let says =
                |post: &Map<String, Value>| post.get("post").and_then(Value::as_str) == Some(item.text);
            if posts.list.iter().any(says) {
                return Ok(());
            }
            let note = json!({ "type": "Post", "parentType": kind(to)?, "parentId": id, "post": item.text });
            let request = Request {
                method: "POST",
                path: "Note".to_owned(),
                query: String::new(),
                headers: Vec::new(),
                body: Some(note),
            };
            let answer = self.ask(to, request).await?;
            if answer.is_success() {
                Ok(())
            } else {
                Err(Trouble::Never("the record takes no notes".to_owned()))
            }
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_signed_as_it_checks_them() {
        let told = STANDARD.decode(signed("key", "secret", "GET", "Contact/1").unwrap()).unwrap();
        let told = String::from_utf8(told).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(b"secret").unwrap();
        mac.update(b"GET /Contact/1");
        let code: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(told, format!("key:{code}"));
    }

    #[test]
    fn moments_and_names_are_as_it_has_them() {
        assert_eq!(moment(1_795_280_000_999), "2026-11-21 16:53:20");
        assert_eq!(milliseconds("2026-11-21 16:53:20"), Some(1_795_280_000_000));
        let of = |name: &str| written(&Values::from([("name".to_owned(), name.to_owned())]));
        assert_eq!(
            Value::Object(of("Jan Maria Kowalski")),
            json!({ "firstName": "Jan Maria", "lastName": "Kowalski" })
        );
        assert_eq!(Value::Object(of("Kowalski")), json!({ "firstName": "", "lastName": "Kowalski" }));
    }
}
