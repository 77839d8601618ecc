//! The card itself, as far as whoever looks may see it.

use super::same::{Joined, Other, Question, Same, same};
use super::show::{Frame, whole};
use super::visit::{Guest, Visit};
use crate::error::Answer;
use askama::Template;
use axum::http::StatusCode;
use kontor_contacts::notes::{Note, Task};
use kontor_contacts::shop::{words as shop_words, worth};
use kontor_contacts::ulid::is_ulid;
use kontor_contacts::view::{CardView, Telling, room_link};
use kontor_contacts::when::Calendar;
use kontor_contacts::words::{self, Words};
use kontor_flows::conversation::{SharedFile, Version, reader};
use kontor_model::{Code, Error, Language, Ms, Result};
use kontor_store::contacts::channels::{self, MemberRow};
use kontor_store::contacts::conversations::ConversationRow;
use kontor_store::contacts::facts::FactRow;
use kontor_store::contacts::queue;

/// Facts of one kind that the page shows.
const SHOWN_FACTS: usize = 10;

/// A moment, for people and for machines.
struct Moment {
    shown: String,
    exact: String,
}

/// Something that is known.
struct Fact {
    what: String,
    value: String,
    trust: &'static str,
    source: &'static str,
    since: Moment,
    /// Since when it is somebody else's.
    until: Option<Moment>,
}

/// Facts of one kind.
struct Facts {
    title: &'static str,
    lines: Vec<FactLine>,
}

/// What a system told.
struct FactLine {
    said: String,
    cost: Option<String>,
    url: Option<String>,
    source: String,
    age: Moment,
}

/// A consent.
struct Agreed {
    purpose: String,
    given: bool,
    version: String,
    source: &'static str,
    when: Moment,
}

struct TaskLine<'a> {
    task: &'a Task,
    due: Option<Moment>,
    overdue: bool,
}

struct NoteLine<'a> {
    note: &'a Note,
    decision: bool,
    when: Moment,
}

struct FileLine {
    file: SharedFile,
    size: String,
    sender: String,
    when: Moment,
}

struct Line<'a> {
    row: &'a ConversationRow,
    channel: &'a str,
    status: String,
    waits: Option<Moment>,
    answered: Option<Moment>,
    room: String,
    backstage: String,
    here: bool,
}

impl Line<'_> {
    /// Whether an employee has the conversation.
    fn is_with(&self, user: &str) -> bool {
        self.row.assignee_id.as_deref() == Some(user)
    }
}

#[derive(Template)]
#[template(path = "card.html")]
struct Page<'a> {
    frame: Frame,
    words: &'static Words,
    framed: bool,
    /// Name and value of the field that proves whose form it is.
    proof: (&'static str, String),
    me: &'a str,
    name: String,
    stage: &'static str,
    owner: Option<&'a str>,
    here: Option<Line<'a>>,
    lines: Vec<Line<'a>>,
    statuses: Vec<(&'static str, &'static str, bool)>,
    staff: Vec<String>,
    facts: Vec<Fact>,
    worth: Vec<(&'static str, String)>,
    told: Vec<Facts>,
    silent: Vec<String>,
    agreed: Vec<Agreed>,
    tasks: Vec<TaskLine<'a>>,
    notes: Vec<NoteLine<'a>>,
    files: Vec<FileLine>,
    may_read_kept: bool,
    wrong: Option<&'static str>,
    contact: &'a str,
    others: Vec<Other>,
    joined: Vec<JoinedLine>,
    question: Option<Question>,
}

/// A merge, with its moments.
struct JoinedLine {
    row: Joined,
    when: Moment,
    undone: Option<Moment>,
}

/// What is said above a card.
pub(super) enum Said<'a> {
    Nothing,
    /// What was wrong with a form.
    Wrong(&'a Error),
    /// What has to be known before something is done.
    Ask(Question),
}

#[derive(Template)]
#[template(path = "card_none.html")]
struct None_ {
    frame: Frame,
}

#[derive(Template)]
#[template(path = "card_kept.html")]
struct Kept {
    frame: Frame,
    framed: bool,
    proof: (&'static str, String),
    kept: Vec<KeptLine>,
}

struct KeptLine {
    sender: String,
    text: String,
    sent: Moment,
    by: String,
    taken: Moment,
}

/// How moments are shown.
struct Clock<'a>(&'a Calendar);

impl Clock<'_> {
    fn at(&self, ts: Ms) -> Moment {
        Moment { shown: self.0.shown(ts), exact: Calendar::exact(ts) }
    }
}

/// What a page was asked for: a card, seen from one of its conversations.
struct Found {
    view: CardView,
    here: Option<ConversationRow>,
}

/// The card of a conversation, or of a contact, which is seen from its newest conversation.
async fn find(visit: &Visit, guest: &Guest) -> Result<Found> {
    let who = reader(&guest.requester)?;
    let asked = match is_ulid(&visit.id) {
        true => queue::one(&mut visit.app.store.reader(), who, &visit.id).await?,
        false => None,
    };
    let contact = asked.as_ref().map_or(visit.id.as_str(), |row| row.contact.as_str());
    let mut view = visit.app.contacts.view(who, contact).await?;
    // A contact that was merged lives on as another one.
    if let Some(to) = view.card.contact.redirect_to.clone() {
        view = visit.app.contacts.view(who, &to).await?;
    }
    let here = asked.or_else(|| view.conversations.last().cloned());
    Ok(Found { view, here })
}

/// Shows the card; with what came of a form, if something is to be said of that.
pub(super) async fn card(visit: &Visit, guest: &Guest, said: Said<'_>) -> Answer {
    let found = match find(visit, guest).await {
        Ok(found) => found,
        Err(error) if matches!(error.code, Code::NotFound | Code::Forbidden) => return none(visit),
        Err(error) => return Err(error.into()),
    };
    let may_read_kept = match &found.here {
        Some(row) => visit.app.flows.answers_for(&guest.requester, row).await?,
        None => false,
    };
    let staff = match &found.here {
        Some(row) => channels::members(&mut visit.app.store.reader(), Some(&row.channel)).await?,
        None => Vec::new(),
    };
    let files = match &found.here {
        Some(row) => visit.app.flows.shared_files(&guest.requester, row).await?,
        None => Vec::new(),
    };
    let frame = Frame::new(visit);
    let nonce = frame.nonce.clone();
    let (status, wrong, question) = match said {
        Said::Nothing => (StatusCode::OK, None, None),
        Said::Wrong(error) => (StatusCode::BAD_REQUEST, Some(frame.texts.refusal(error.code)), None),
        Said::Ask(question) => (StatusCode::OK, None, Some(question)),
    };
    let Same { others, joined } = same(visit, guest, &found.view).await?;
    let page = page(visit, guest, &found, &staff, frame);
    let clock = Clock(&visit.app.contacts.calendar);
    let files = files.into_iter().map(|file| file_line(file, visit.language, &clock)).collect();
    let joined = joined.into_iter().map(|row| joined_line(row, &clock)).collect();
    let page = Page { may_read_kept, wrong, files, others, joined, question, ..page };
    whole(visit, page.render().map_err(Error::internal)?, &nonce, status)
}

fn none(visit: &Visit) -> Answer {
    let frame = Frame::new(visit);
    let nonce = frame.nonce.clone();
    whole(visit, None_ { frame }.render().map_err(Error::internal)?, &nonce, StatusCode::NOT_FOUND)
}

fn proof(visit: &Visit, guest: &Guest) -> (&'static str, String) {
    match visit.framed {
        true => ("session", guest.token.expose().to_owned()),
        false => ("word", guest.word()),
    }
}

fn page<'a>(
    visit: &'a Visit,
    guest: &'a Guest,
    found: &'a Found,
    members: &[MemberRow],
    frame: Frame,
) -> Page<'a> {
    let (language, view) = (visit.language, &found.view);
    let clock = Clock(&visit.app.contacts.calendar);
    let telling = Telling { language, calendar: clock.0, now: visit.app.clock.now() };
    let here = found.here.as_ref();
    let here_id = here.map(|row| row.id.as_str());
    let line = |row: &'a ConversationRow| line(view, row, telling, here_id == Some(row.id.as_str()));
    let now = here.map_or("", |row| row.status.as_str());
    let statuses = kontor_contacts::acts::STATUSES;
    let mut staff: Vec<String> =
        members.iter().filter(|member| !member.leaving).map(|member| member.user_id.clone()).collect();
    let me = guest.requester.user_id.as_str();
    if !staff.iter().any(|user| user == me) {
        staff.push(me.to_owned());
    }
    Page {
        words: words::of(language),
        framed: visit.framed,
        proof: proof(visit, guest),
        me,
        name: view.name(language),
        stage: words::stage(language, &view.card.contact.stage),
        owner: view.card.contact.owner_id.as_deref(),
        here: here.map(line),
        lines: view.conversations.iter().rev().map(line).collect(),
        statuses: statuses.iter().map(|code| (*code, words::status(language, code), *code == now)).collect(),
        staff,
        facts: facts(view, language, &clock),
        worth: worth(view, language),
        told: told(view, telling),
        silent: view
            .silent(telling.now)
            .into_iter()
            .map(|(source, since)| view.silence(source, since, telling))
            .collect(),
        agreed: agreed(view, language, &clock),
        tasks: view.tasks.iter().map(|task| task_line(task, telling, &clock)).collect(),
        notes: view.notes.iter().map(|note| note_line(note, &clock)).collect(),
        files: Vec::new(),
        may_read_kept: false,
        wrong: None,
        contact: &view.card.contact.id,
        others: Vec::new(),
        joined: Vec::new(),
        question: None,
        frame,
    }
}

fn line<'a>(view: &'a CardView, row: &'a ConversationRow, telling: Telling<'_>, here: bool) -> Line<'a> {
    let since = |ts: Ms| Moment { shown: telling.since(ts), exact: Calendar::exact(ts) };
    Line {
        channel: view.channel(&row.channel),
        status: telling.status(row),
        waits: row.waits_since.map(since),
        answered: row.last_answered.map(since),
        room: room_link(&row.room_id),
        backstage: room_link(&row.backstage_id),
        row,
        here,
    }
}

/// What the fields show, and what else is claimed.
fn facts(view: &CardView, language: Language, clock: &Clock<'_>) -> Vec<Fact> {
    let fields = view.card.fields.iter().filter(|(field, _)| *field != "display_name");
    let claimed = |value: &str| view.claims.iter().find(|claim| claim.value == value);
    let ended = |value: &str| claimed(value).and_then(|claim| claim.until_ts);
    let mut facts: Vec<Fact> = fields
        .map(|(field, value)| Fact {
            what: words::field(language, field),
            value: words::value(field, &value.value).to_owned(),
            trust: words::trust(language, value.trust),
            source: words::source(language, &value.source),
            since: clock.at(value.ts),
            until: ended(&value.value).map(|ts| clock.at(ts)),
        })
        .collect();
    let shown = |value: &str| view.card.fields.values().any(|field| field.value == value);
    facts.extend(view.claims.iter().filter(|claim| !shown(&claim.value)).map(|claim| Fact {
        what: words::field(language, &claim.kind),
        value: claim.value.clone(),
        trust: words::trust(language, claim.trust),
        source: words::source(language, &claim.source),
        since: clock.at(claim.since_ts),
        until: claim.until_ts.map(|ts| clock.at(ts)),
    }));
    facts
}

/// What the contact is worth, and how it is sorted.
fn worth(view: &CardView, language: Language) -> Vec<(&'static str, String)> {
    let companies: Vec<String> = view.companies.iter().map(|company| company.shown()).collect();
    let text = |parts: &[String]| Some(parts.join(", ")).filter(|text| !text.is_empty());
    let known = [
        (worth::companies_word(language), text(&companies)),
        (worth::tags_word(language), text(&view.tags)),
        (worth::lifetime_word(language), worth::shown(&worth::lifetime(&view.sums), language)),
        (worth::deals_word(language), worth::shown(&worth::deals(&view.sums), language)),
    ];
    known.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// What systems told, by kinds.
fn told(view: &CardView, telling: Telling<'_>) -> Vec<Facts> {
    let language = telling.language;
    let line = |fact: &FactRow| FactLine {
        said: shop_words::line(fact, language),
        cost: worth::cost(fact, language),
        url: shop_words::detail(fact).url,
        source: view.source(&fact.source).to_owned(),
        age: Moment { shown: telling.since(fact.as_of), exact: Calendar::exact(fact.as_of) },
    };
    let kinds = worth::ORDER.into_iter().map(|kind| Facts {
        title: shop_words::kinds(language, kind),
        lines: view.facts.iter().filter(|fact| fact.kind == kind).take(SHOWN_FACTS).map(line).collect(),
    });
    kinds.filter(|facts| !facts.lines.is_empty()).collect()
}

fn agreed(view: &CardView, language: Language, clock: &Clock<'_>) -> Vec<Agreed> {
    let agreed = |consent: &kontor_store::contacts::identities::ConsentRow| Agreed {
        purpose: consent.purpose.replace('_', " "),
        given: consent.state == "given",
        version: consent.text_version.clone(),
        source: words::source(language, &consent.source),
        when: clock.at(consent.given_ts),
    };
    view.consents.iter().rev().map(agreed).collect()
}

fn task_line<'a>(task: &'a Task, telling: Telling<'_>, clock: &Clock<'_>) -> TaskLine<'a> {
    let overdue = task.row.done.is_none() && task.row.due.is_some_and(|due| due < telling.now);
    TaskLine { due: task.row.due.map(|due| clock.at(due)), overdue, task }
}

fn note_line<'a>(note: &'a Note, clock: &Clock<'_>) -> NoteLine<'a> {
    NoteLine { decision: note.row.kind == "decision", when: clock.at(note.row.ts), note }
}

fn joined_line(row: Joined, clock: &Clock<'_>) -> JoinedLine {
    JoinedLine { when: clock.at(row.ts), undone: row.undone.map(|ts| clock.at(ts)), row }
}

fn file_line(file: SharedFile, language: Language, clock: &Clock<'_>) -> FileLine {
    // The name of the customer's user says nothing to people.
    let customer = || words::source(language, "customer").to_owned();
    FileLine {
        size: file.size.map(|size| words::size(language, size)).unwrap_or_default(),
        sender: if file.of_customer { customer() } else { file.sender.clone() },
        when: clock.at(file.ts),
        file,
    }
}

/// Shows what was taken back in a conversation, to those who answer for it.
pub(super) async fn kept(visit: &Visit, guest: &Guest, conversation: &str) -> Answer {
    let versions = match visit.app.flows.taken_back(&guest.caller(visit), conversation).await {
        Ok(versions) => versions,
        Err(error) if error.code == Code::Forbidden => return card(visit, guest, Said::Wrong(&error)).await,
        Err(error) if error.code == Code::NotFound => return none(visit),
        Err(error) => return Err(error.into()),
    };
    let row = visit.app.flows.conversation(&guest.caller(visit), conversation).await?;
    let clock = Clock(&visit.app.contacts.calendar);
    let frame = Frame::new(visit);
    let nonce = frame.nonce.clone();
    // The name of the customer's user says nothing to people.
    let customer = |user: String| match user == row.ghost {
        true => words::source(visit.language, "customer").to_owned(),
        false => user,
    };
    let kept = versions.into_iter().map(|version| kept_line(version, &clock)).map(|line| KeptLine {
        sender: customer(line.sender),
        by: customer(line.by),
        ..line
    });
    let kept = kept.collect();
    let page = Kept { frame, framed: visit.framed, proof: proof(visit, guest), kept };
    whole(visit, page.render().map_err(Error::internal)?, &nonce, StatusCode::OK)
}

fn kept_line(version: Version, clock: &Clock<'_>) -> KeptLine {
    let content: serde_json::Value = serde_json::from_str(version.content.get()).unwrap_or_default();
    let body = content.get("body").and_then(serde_json::Value::as_str).map(str::to_owned);
    KeptLine {
        sender: version.sender,
        // What is no text is shown as it is.
        text: body.unwrap_or_else(|| content.to_string()),
        sent: clock.at(version.sent_ts),
        by: version.redacted_by.unwrap_or_default(),
        taken: clock.at(version.redacted_ts.unwrap_or_default()),
    }
}
