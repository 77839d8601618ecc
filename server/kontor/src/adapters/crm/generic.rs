//! The connector of our own making (docs/CRM.md): what a company's program, or an automation platform, speaks so that any
//! system can be connected.

use super::{Call, ask, escaped, read};
use futures_util::FutureExt as _;
use kontor_contacts::crm::{Mapping, Record, Values};
use kontor_flows::crm::{Crm, Cursor, Heard, Item, Limits, Page, Trouble, Writing};
use kontor_store::contacts::crm::ConnectorRow;
use kontor_wire::Outbound;
use kontor_wire::outbound::Answer;
use serde::Deserialize;
use serde_json::json;

/// Records of a page.
const PAGE: usize = 200;

/// The generic connector.
pub struct Generic(pub Outbound);

#[derive(Deserialize)]
struct Records {
    records: Vec<Record>,
    #[serde(default)]
    more: bool,
}

fn base(to: &ConnectorRow) -> Result<String, Trouble> {
    let mapping = Mapping::of(to).map_err(|error| Trouble::Never(error.message.into_owned()))?;
    Ok(format!("{}/{}", to.url, escaped(&mapping.external_type)))
}

impl Generic {
    async fn ask(
        &self,
        to: &ConnectorRow,
        path: &str,
        more: &[(&'static str, &str)],
        body: Option<serde_json::Value>,
        put: bool,
    ) -> Result<Answer, Trouble> {
        let url = format!("{}{path}", base(to)?);
        let bearer = format!("Bearer {}", to.api_key);
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend_from_slice(more);
        let json = body.map(|body| body.to_string());
        ask(&self.0, Call { url: &url, headers: &headers, json, put }).await
    }
}

impl Crm for Generic {
    fn limits(&self) -> Limits {
        Limits { page: PAGE, writes: 50, every: 60_000 }
    }

    fn pull<'a>(&'a self, to: &'a ConnectorRow, after: &'a Cursor) -> Heard<'a, Page> {
        async move {
            let path = format!("?since={}&after={}&limit={PAGE}", after.ts, escaped(&after.id));
            let found: Records = read(&self.ask(to, &path, &[], None, false).await?)?;
            let mut records = found.records;
            records.sort_by(|a, b| (a.ts, &a.id).cmp(&(b.ts, &b.id)));
            Ok(Page { records, more: found.more })
        }
        .boxed()
    }

    fn get<'a>(&'a self, to: &'a ConnectorRow, id: &'a str) -> Heard<'a, Option<Record>> {
        async move {
            let answer = self.ask(to, &format!("/{}", escaped(id)), &[], None, false).await?;
            if answer.status == 404 { Ok(None) } else { read(&answer).map(Some) }
        }
        .boxed()
    }

    fn find<'a>(&'a self, to: &'a ConnectorRow, keys: &'a Values) -> Heard<'a, Vec<Record>> {
        async move {
            let answer = self.ask(to, "/find", &[], Some(json!({ "keys": keys })), false).await?;
            read::<Records>(&answer).map(|found| found.records)
        }
        .boxed()
    }

    fn upsert<'a>(&'a self, to: &'a ConnectorRow, writing: Writing<'a>) -> Heard<'a, Record> {
        async move {
            let hop = writing.hop.to_string();
            let mut headers =
                vec![("idempotency-key", writing.idempotency_key), ("kontor-hop", hop.as_str())];
            headers.extend(writing.base_version.map(|version| ("if-match", version)));
            let path = writing.id.map(|id| format!("/{}", escaped(id))).unwrap_or_default();
            let body = json!({ "fields": writing.fields, "despite_candidates": writing.despite });
            let answer = self.ask(to, &path, &headers, Some(body), writing.id.is_some()).await?;
            match answer.status {
                412 => Err(Trouble::Moved),
                409 => Err(Trouble::Candidates(read::<Records>(&answer)?.records)),
                404 => Err(Trouble::Never("the record is there no more".to_owned())),
                _ => read(&answer),
            }
        }
        .boxed()
    }

    fn timeline_append<'a>(&'a self, to: &'a ConnectorRow, id: &'a str, item: Item<'a>) -> Heard<'a, ()> {
        async move {
            let body = json!({ "text": item.text, "ts": item.ts });
            let headers = [("idempotency-key", item.idempotency_key)];
            let answer =
                self.ask(to, &format!("/{}/timeline", escaped(id)), &headers, Some(body), false).await?;
            if answer.is_success() {
                Ok(())
            } else {
                Err(Trouble::Never("the record is there no more".to_owned()))
            }
        }
        .boxed()
    }
}
