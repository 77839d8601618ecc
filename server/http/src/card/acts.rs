//! What the forms of a card do: the same acts as in the company API and as by commands.

use super::page::Said;
use super::same::Question;
use super::texts::Texts;
use super::visit::{Guest, Visit};
use super::{page, same, show};
use crate::error::Answer;
use crate::refused;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::IntoResponse;
use kontor_flows::conversation::Noted;
use kontor_identity::login::Proof;
use kontor_model::{Code, Error, Result, Secret, ids};
use kontor_store::audit::Action;
use std::collections::BTreeMap;

type Form = BTreeMap<String, String>;

/// Does what a form asks for and shows what came of it.
pub(super) async fn done(visit: &Visit, headers: &HeaderMap, form: &Form) -> Answer {
    match field(form, "act") {
        "sign_in" => return sign_in(visit, form).await,
        "openid" => return meet(visit, form).await,
        _ => {}
    }
    let guest = match visit.by_form(headers, form).await {
        Ok(guest) => guest,
        Err(error) if matches!(error.code, Code::UnknownToken { .. } | Code::MissingToken) => {
            let ended = Texts::of(visit.language).ended;
            return match visit.framed {
                true => show::greeting(visit, None),
                false => show::sign_in(visit, "", Some(ended)),
            };
        }
        Err(error) => return Err(error.into()),
    };
    match field(form, "act") {
        "sign_out" => return sign_out(visit, &guest).await,
        "kept" => return page::kept(visit, &guest, field(form, "conversation")).await,
        _ => {}
    }
    match act(visit, &guest, form).await {
        Ok(Some(question)) => page::card(visit, &guest, Said::Ask(question)).await,
        Ok(None) if visit.framed => page::card(visit, &guest, Said::Nothing).await,
        // The page is asked for again, so that reloading it repeats nothing.
        Ok(None) => again(visit, place(field(form, "act"))),
        Err(error) if is_the_persons(error.code) => page::card(visit, &guest, Said::Wrong(&error)).await,
        Err(error) => Err(error.into()),
    }
}

/// Whether somebody can do something about an error.
fn is_the_persons(code: Code) -> bool {
    matches!(
        code,
        Code::InvalidParam | Code::Conflict | Code::Forbidden | Code::NotFound | Code::UserSuspended
    )
}

fn field<'a>(form: &'a Form, name: &str) -> &'a str {
    form.get(name).map_or("", String::as_str).trim()
}

/// Where on the page it is seen what an act did.
fn place(act: &str) -> &'static str {
    match act {
        "same" | "undo" => "#same",
        _ => "",
    }
}

fn again(visit: &Visit, place: &str) -> Answer {
    let to = HeaderValue::from_str(&format!("{}{place}", visit.address())).map_err(Error::internal)?;
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response())
}

/// Signs somebody in by name and password.
async fn sign_in(visit: &Visit, form: &Form) -> Answer {
    let (app, user) = (&visit.app, field(form, "user"));
    // In a frame a password could be asked for by anybody who looks like us.
    if visit.framed {
        return show::greeting(visit, None);
    }
    app.limits.spend_login(app, &visit.origin, Some(user))?;
    let password = Secret::new(form.get("password").cloned().unwrap_or_default());
    let proof = match user.trim_start_matches('@').contains('@') {
        true => Proof::Address { medium: "email".to_owned(), address: user.to_owned(), password },
        false => Proof::Password { user: Some(user.to_owned()), password },
    };
    match app.identity.sign_in_to_page(proof, visit.origin.actor()).await {
        Ok((change, _, token, life)) => {
            app.store.submit(change).await?;
            app.limits.refund_login(&visit.origin, Some(user));
            let mut answer = again(visit, "")?;
            answer.headers_mut().insert(header::SET_COOKIE, visit.cookie(token.expose(), life)?);
            Ok(answer)
        }
        Err(error) if matches!(error.code, Code::Forbidden | Code::UserLocked | Code::UserDeactivated) => {
            let action = Action::AuthLoginFailed;
            refused::note(app, action, visit.origin.actor(), Some(user.to_owned()));
            let texts = Texts::of(visit.language);
            let wrong = if error.code == Code::Forbidden { texts.wrong } else { texts.locked };
            show::sign_in(visit, user, Some(wrong))
        }
        Err(error) => Err(error.into()),
    }
}

/// Meets whoever the client around the frame vouches for, by a token that this server made for that.
async fn meet(visit: &Visit, form: &Form) -> Answer {
    let app = &visit.app;
    app.limits.spend_anonymous(app, &visit.origin)?;
    let texts = Texts::of(visit.language);
    let ours = field(form, "server") == app.settings.server_name.as_str();
    let met = match visit.framed && ours {
        true => app.identity.by_openid_token(field(form, "token")).await,
        false => Err(Error::forbidden("This person belongs to another server.")),
    };
    let person = match met {
        Ok(user_id) => app.identity.person(&user_id).await,
        Err(error) => Err(error),
    };
    match person {
        Ok(requester) => {
            let (change, token, _) = app.identity.new_page_session(&requester);
            app.store.submit(change).await?;
            page::card(visit, &Guest { requester, token }, Said::Nothing).await
        }
        Err(error) if matches!(error.code, Code::Unavailable | Code::Internal) => Err(error.into()),
        Err(_) => show::greeting(visit, Some(texts.stranger)),
    }
}

async fn sign_out(visit: &Visit, guest: &Guest) -> Answer {
    visit.app.store.submit(visit.app.identity.end_page_session(guest.token.expose())).await?;
    let mut answer = again(visit, "")?;
    answer.headers_mut().insert(header::SET_COOKIE, visit.cookie("", 0)?);
    Ok(answer)
}

/// Does what a form asks for; gives what has to be said before that can be done.
async fn act(visit: &Visit, guest: &Guest, form: &Form) -> Result<Option<Question>> {
    if guest.requester.suspended {
        return Err(Error::new(Code::UserSuspended, "Your account is suspended."));
    }
    let (pair, by) = ((field(form, "contact"), field(form, "other")), guest.caller(visit));
    match field(form, "act") {
        "same" => {
            let despite = field(form, "despite") == "1";
            return same::join(visit, guest, pair, field(form, "owner"), despite).await;
        }
        "different" => visit.app.flows.set_contacts_apart(&by, pair).await?,
        "undo" => visit.app.flows.undo_contact_merge(&by, field(form, "merge")).await?,
        _ => in_conversation(visit, guest, form).await?,
    }
    Ok(None)
}

/// What forms about one conversation do.
async fn in_conversation(visit: &Visit, guest: &Guest, form: &Form) -> Result<()> {
    let (flows, by) = (&visit.app.flows, guest.caller(visit));
    let id = field(form, "conversation");
    let person = |name: &str| Some(field(form, name)).filter(|user| !user.is_empty()).map(ids::user_id);
    let calendar = &visit.app.contacts.calendar;
    match field(form, "act") {
        "show" => Ok(()),
        "claim" => flows.claim(&by, id).await.map(|_| ()),
        "assign" => {
            let to = person("user").transpose()?;
            flows.assign(&by, id, to.as_ref()).await.map(|_| ())
        }
        "status" => {
            let status = field(form, "status");
            let until = calendar.moment(&field(form, "until").replace('T', " "), by.now);
            flows.set_status(&by, id, status, until.filter(|_| status == "snoozed")).await.map(|_| ())
        }
        "note" => {
            let kind = kontor_contacts::notes::kind(field(form, "kind"))?;
            flows.write_note(&by, id, &Noted::Note(kind), field(form, "text")).await.map(|_| ())
        }
        "task" => {
            let due = match field(form, "due") {
                "" => None,
                due => Some(calendar.due(due, by.now).ok_or_else(past)?),
            };
            let noted = Noted::Task(person("user").transpose()?, due);
            flows.write_note(&by, id, &noted, field(form, "text")).await.map(|_| ())
        }
        "done" | "undone" => {
            let number = field(form, "number").parse().unwrap_or(0);
            match flows.set_done(&by, id, number, field(form, "act") == "done").await {
                // It is so already, which is what was wanted.
                Err(error) if error.is_conflict() => Ok(()),
                outcome => outcome,
            }
        }
        _ => Err(Error::invalid_param("The form asks for nothing that there is.")),
    }
}

fn past() -> Error {
    Error::invalid_param("The day must not be over.")
}
