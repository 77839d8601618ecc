//! A CRM of the tests' own, in two dialects: the generic one of docs/CRM.md, and EspoCRM's as its documentation has it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value, json};
use sha2::Sha256;

use crate::client::website::{Asked, Reply, Website};

/// Whole seconds, as EspoCRM counts: 2026-11-22 00:00:00 UTC.
const BEGIN: i64 = 1_795_305_600_000;
/// Records of a page.
const PAGE: usize = 200;

/// A record.
#[derive(Clone, Debug, Default)]
pub(super) struct Rec {
    pub version: i64,
    pub ts: i64,
    pub fields: BTreeMap<String, String>,
    pub merged_into: Option<String>,
    pub hop: i64,
}

#[derive(Default)]
pub(super) struct State {
    pub records: BTreeMap<String, Rec>,
    /// Writes that were carried out.
    pub writes: usize,
    /// Keys of writes that were carried out, with the record.
    keys: BTreeMap<String, String>,
    /// What the next writes are answered with: after carrying them out, or instead.
    pub lose: usize,
    pub refuse: Option<u16>,
    /// Lines of records, each with its record.
    pub notes: Vec<(String, String)>,
    /// What the next lines are answered with, instead of being taken.
    pub refuse_notes: Option<u16>,
    seconds: i64,
    pub denied: usize,
}

/// The CRM.
pub(super) struct Stub {
    pub kind: &'static str,
    pub site: Website,
    pub state: Arc<Mutex<State>>,
}

impl Stub {
    pub async fn open(kind: &'static str) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let site = Website::open(move |asked| {
            let mut state = shared.lock().unwrap();
            if kind == "espocrm" { espo(&mut state, asked) } else { generic(&mut state, asked) }
        })
        .await;
        Self { kind, site, state }
    }

    /// The connector that an administrator makes for it.
    pub fn connection(&self, master: &str) -> Value {
        let field = |theirs: &str| json!({ "theirs": theirs, "master": master });
        let mut wish = json!({
            "system": "crm", "kind": self.kind, "url": self.site.url(""), "api_key": "key1",
            "hook_id": "hook1", "hook_secret": "hooksecret",
            "mapping": { "external_type": "Contact", "fields": {
                "display_name": field("name"), "phone": field("phoneNumber"), "email": field("emailAddress"),
            } },
        });
        if self.kind == "espocrm" {
            wish["api_secret"] = json!("signing");
        }
        wish
    }

    /// What it signs a body with.
    pub fn signature(&self, body: &str) -> (&'static str, String) {
        let code = |text: &str| {
            let mut mac = Hmac::<Sha256>::new_from_slice(b"hooksecret").unwrap();
            mac.update(text.as_bytes());
            mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        if self.kind == "espocrm" {
            return ("signature", STANDARD.encode(format!("hook1:{}", code(body))));
        }
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        ("kontor-signature", format!("t={now},v1={}", code(&format!("{now}.{body}"))))
    }

    /// Somebody changes a record there.
    pub fn change(&self, id: &str, fields: &[(&str, &str)]) {
        let mut state = self.state.lock().unwrap();
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        put(&mut state, id, fields, 0);
    }

    pub fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap())
    }

    /// A field of the only record that has this number.
    pub fn of_number(&self, number: &str) -> Vec<(String, Rec)> {
        let has = |rec: &Rec| rec.fields.get("phoneNumber").is_some_and(|own| own.contains(number));
        self.with(|state| {
            state
                .records
                .iter()
                .filter(|(_, rec)| has(rec))
                .map(|(id, rec)| (id.clone(), rec.clone()))
                .collect()
        })
    }
}

fn put(state: &mut State, id: &str, fields: BTreeMap<String, String>, hop: i64) {
    state.seconds += 1;
    let ts = BEGIN + state.seconds * 1_000;
    let rec = state.records.entry(id.to_owned()).or_default();
    rec.version += 1;
    rec.ts = ts;
    rec.hop = hop;
    rec.fields.extend(fields);
}

fn header<'a>(asked: &'a Asked, name: &str) -> Option<&'a str> {
    let of = |line: &'a str| line.split_once(':').filter(|(own, _)| own.eq_ignore_ascii_case(name));
    asked.head.lines().find_map(of).map(|(_, value)| value.trim())
}

fn told(status: u16, body: &Value) -> Reply {
    Reply { status, ..Reply::of("application/json", body.to_string()) }
}

/// Refuses a write, or carries it out and loses the answer.
fn fault(state: &mut State) -> Option<u16> {
    if state.lose > 0 {
        state.lose -= 1;
        return Some(503);
    }
    None
}

/// Adds a line to a record.
fn note(state: &mut State, id: String, text: &str) -> Reply {
    if let Some(status) = state.refuse_notes {
        return Reply::status(status);
    }
    if !state.records.contains_key(&id) {
        return Reply::status(404);
    }
    state.notes.push((id, text.to_owned()));
    fault(state).map_or_else(|| told(201, &json!({})), Reply::status)
}

fn words(value: &Value) -> BTreeMap<String, String> {
    let fields = value.as_object().cloned().unwrap_or_default();
    fields.into_iter().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned()))).collect()
}

fn query(path: &str, name: &str) -> Option<String> {
    let (_, query) = path.split_once('?')?;
    let value = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")))?;
    let mut bytes = Vec::new();
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let hex = [rest.next()?, rest.next()?];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&hex).ok()?, 16).ok()?);
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok()
}

// The generic dialect.

fn record(id: &str, rec: &Rec) -> Value {
    json!({
        "id": id, "version": rec.version.to_string(), "ts": rec.ts, "fields": rec.fields,
        "merged_into": rec.merged_into, "hop": rec.hop,
    })
}

fn generic(state: &mut State, asked: &Asked) -> Reply {
    if header(asked, "authorization") != Some("Bearer key1") {
        state.denied += 1;
        return Reply::status(401);
    }
    let path = asked
        .path
        .split('?')
        .next()
        .unwrap_or_default()
        .trim_start_matches("/Contact")
        .trim_start_matches('/');
    let method = asked.head.split(' ').next().unwrap_or_default();
    match (method, path) {
        ("GET", "") => {
            let number = |name: &str| {
                query(&asked.path, name).and_then(|text| text.parse::<i64>().ok()).unwrap_or_default()
            };
            let after = (number("since"), query(&asked.path, "after").unwrap_or_default());
            let mut found: Vec<_> =
                state.records.iter().filter(|(id, rec)| (rec.ts, *id) > (after.0, &after.1)).collect();
            found.sort_by_key(|(id, rec)| (rec.ts, *id));
            let more = found.len() > PAGE;
            let list: Vec<Value> = found.into_iter().take(PAGE).map(|(id, rec)| record(id, rec)).collect();
            told(200, &json!({ "records": list, "more": more }))
        }
        ("GET", id) => match state.records.get(id) {
            Some(rec) => told(200, &record(id, rec)),
            None => Reply::status(404),
        },
        ("POST", "find") => {
            let keys = words(&asked.json["keys"]);
            let has = |rec: &Rec| keys.iter().any(|(name, value)| rec.fields.get(name) == Some(value));
            let list: Vec<Value> =
                state.records.iter().filter(|(_, rec)| has(rec)).map(|(id, rec)| record(id, rec)).collect();
            told(200, &json!({ "records": list }))
        }
        ("POST", path) if path.ends_with("/timeline") => {
            let key = header(asked, "idempotency-key").expect("every line has one").to_owned();
            let id = path.trim_end_matches("/timeline").to_owned();
            if state.keys.contains_key(&key) {
                return told(200, &json!({}));
            }
            let before = state.notes.len();
            let reply = note(state, id.clone(), asked.json["text"].as_str().unwrap_or_default());
            if state.notes.len() > before {
                state.keys.insert(key, id);
            }
            reply
        }
        (_, id) => generic_write(state, asked, id),
    }
}

fn generic_write(state: &mut State, asked: &Asked, id: &str) -> Reply {
    if let Some(status) = state.refuse {
        return Reply::status(status);
    }
    let key = header(asked, "idempotency-key").expect("every write has one").to_owned();
    if let Some(done) = state.keys.get(&key).cloned() {
        let rec = &state.records[&done];
        return told(200, &record(&done, rec));
    }
    let new = format!("g{}", state.records.len() + 1);
    let id = if id.is_empty() { new } else { id.to_owned() };
    let version = state.records.get(&id).map(|rec| rec.version.to_string());
    if version.is_some() && header(asked, "if-match") != version.as_deref() {
        return Reply::status(412);
    }
    let hop = header(asked, "kontor-hop").and_then(|hop| hop.parse().ok()).expect("a hop");
    put(state, &id, words(&asked.json["fields"]), hop);
    state.writes += 1;
    state.keys.insert(key, id.clone());
    let answer = record(&id, &state.records[&id]);
    fault(state).map_or_else(|| told(200, &answer), Reply::status)
}

// EspoCRM's.

fn moment(ts: i64) -> String {
    let seconds = (ts - BEGIN) / 1_000;
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    format!("2026-11-{:02} {:02}:{:02}:{:02}", 22 + days, rest / 3_600, rest / 60 % 60, rest % 60)
}

fn espo_record(id: &str, rec: &Rec) -> Value {
    let mut told: Map<String, Value> =
        rec.fields.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    told.insert("id".to_owned(), id.into());
    told.insert("deleted".to_owned(), false.into());
    told.insert("modifiedAt".to_owned(), moment(rec.ts).into());
    told.insert("versionNumber".to_owned(), rec.version.into());
    told.into()
}

fn matches(id: &str, rec: &Rec, item: &Value) -> bool {
    let list = |item: &Value| item["value"].as_array().cloned().unwrap_or_default();
    let value = item["value"].as_str().unwrap_or_default();
    let own = match item["attribute"].as_str().unwrap_or_default() {
        "id" => id.to_owned(),
        "modifiedAt" => moment(rec.ts),
        name => rec.fields.get(name).cloned().unwrap_or_default(),
    };
    match item["type"].as_str().unwrap_or_default() {
        "or" => list(item).iter().any(|inner| matches(id, rec, inner)),
        "and" => list(item).iter().all(|inner| matches(id, rec, inner)),
        "equals" => own == value,
        "greaterThan" => own.as_str() > value,
        "greaterThanOrEquals" => own.as_str() >= value,
        other => panic!("no such comparison: {other}"),
    }
}

fn espo(state: &mut State, asked: &Asked) -> Reply {
    let bare = asked.path.split('?').next().unwrap_or_default();
    let path = bare.strip_prefix("/api/v1/").expect("the root of its API");
    let method = asked.head.split(' ').next().unwrap_or_default();
    let mut mac = Hmac::<Sha256>::new_from_slice(b"signing").unwrap();
    mac.update(format!("{method} /{path}").as_bytes());
    let code: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    if header(asked, "x-hmac-authorization") != Some(STANDARD.encode(format!("key1:{code}")).as_str()) {
        state.denied += 1;
        return Reply::status(401);
    }
    match (method, path.strip_prefix("Contact").map(|rest| rest.trim_start_matches('/'))) {
        ("GET", Some("")) => {
            let search: Value =
                serde_json::from_str(&query(&asked.path, "searchParams").expect("a search")).unwrap();
            let items = search["where"].as_array().cloned().unwrap_or_default();
            let mut found: Vec<_> = state
                .records
                .iter()
                .filter(|(id, rec)| {
                    rec.merged_into.is_none() && items.iter().all(|item| matches(id, rec, item))
                })
                .collect();
            match search["orderBy"].as_str() {
                // Of equal ones in no order that anybody may count on.
                Some("modifiedAt") => {
                    found.sort_by_key(|(id, rec)| (rec.ts, id.chars().rev().collect::<String>()))
                }
                _ => found.sort_by_key(|(id, _)| (*id).clone()),
            }
            let most = usize::try_from(search["maxSize"].as_u64().unwrap_or(20)).unwrap().min(PAGE);
            let list: Vec<Value> =
                found.into_iter().take(most).map(|(id, rec)| espo_record(id, rec)).collect();
            told(200, &json!({ "total": -1, "list": list }))
        }
        ("GET", Some(posts)) if posts.ends_with("/posts") => {
            let id = posts.trim_end_matches("/posts");
            let own = state.notes.iter().rev().filter(|(record, _)| record == id);
            let list: Vec<Value> = own.map(|(_, text)| json!({ "type": "Post", "post": text })).collect();
            told(200, &json!({ "total": list.len(), "list": list }))
        }
        ("GET", Some(id)) => match state.records.get(id).filter(|rec| rec.merged_into.is_none()) {
            Some(rec) => told(200, &espo_record(id, rec)),
            None => Reply::status(404),
        },
        (_, Some(id)) => espo_write(state, asked, id),
        ("POST", None) => {
            let of = |name: &str| asked.json[name].as_str().unwrap_or_default().to_owned();
            assert_eq!(
                (path, of("type"), of("parentType")),
                ("Note", "Post".to_owned(), "Contact".to_owned())
            );
            note(state, of("parentId"), &of("post"))
        }
        _ => Reply::status(404),
    }
}

fn espo_write(state: &mut State, asked: &Asked, id: &str) -> Reply {
    if let Some(status) = state.refuse {
        return Reply::status(status);
    }
    let mut fields = words(&asked.json);
    assert!(!fields.contains_key("name"), "a person's name is two fields");
    if let Some(last) = fields.get("lastName").cloned() {
        let first = fields.get("firstName").cloned().unwrap_or_default();
        fields.insert("name".to_owned(), format!("{first} {last}").trim().to_owned());
    }
    let same: BTreeSet<&str> = ["emailAddress", "phoneNumber"].into();
    if id.is_empty() && header(asked, "x-skip-duplicate-check") != Some("true") {
        let alike = |rec: &Rec| {
            fields
                .iter()
                .any(|(name, value)| same.contains(name.as_str()) && rec.fields.get(name) == Some(value))
        };
        let list: Vec<Value> = state
            .records
            .iter()
            .filter(|(_, rec)| alike(rec))
            .map(|(id, rec)| espo_record(id, rec))
            .collect();
        if !list.is_empty() {
            let mut reply = told(409, &list.into());
            reply.headers.push(("x-status-reason", "duplicate".to_owned()));
            return reply;
        }
    }
    let new = format!("e{}", state.records.len() + 1);
    let id = if id.is_empty() { new } else { id.to_owned() };
    let version = state.records.get(&id).map(|rec| rec.version.to_string());
    if version.is_some() && header(asked, "x-version-number") != version.as_deref() {
        return told(409, &json!({ "values": {}, "versionNumber": version }));
    }
    put(state, &id, fields, 0);
    state.writes += 1;
    let answer = espo_record(&id, &state.records[&id]);
    fault(state).map_or_else(|| told(200, &answer), Reply::status)
}
