//! What Telegram's answer to a message means: the table of answers, in one place. Pure.

use crate::api::{Refusal, Said};
use crate::words;
use kontor_bridge_kit::{Outcome, Rung, Scope, SendError};
use kontor_model::{Language, Ms};
use serde_json::Value;

/// What to do next.
#[derive(Debug)]
pub enum Verdict {
    /// It is decided.
    Decided(std::result::Result<Outcome, SendError>),
    /// Send it again without marks.
    Plain,
    /// Send it again without saying what it answers.
    NoReply,
    /// Send it again to the group's new number.
    Moved(i64),
    /// Send the picture again as a file.
    AsFile,
    /// There is no text to change: it is a file's caption.
    Caption,
}

/// Telegram took it.
pub fn taken(result: &Value) -> Outcome {
    let remote = result.get("message_id").and_then(Value::as_i64).map(|id| id.to_string());
    Outcome::Taken { remote, rung: Rung::Sent }
}

fn retry(after: Option<Ms>, scope: Scope, why: &str) -> Verdict {
    Verdict::Decided(Ok(Outcome::Retry { after, scope, why: why.to_owned() }))
}

/// What an answer means. `whole` says whether a flood concerns all chats.
pub fn of(said: Said, language: Language, whole: bool) -> Verdict {
    match said {
        Said::Done(result) => Verdict::Decided(Ok(taken(&result))),
        Said::Nonsense(status) => {
            // Some proxy's answer: Telegram may have it.
            let cause = format!("status {status} that is not Telegram's");
            Verdict::Decided(Err(SendError::unknown(cause)))
        }
        Said::Refused(refusal) => refused(&refusal, language, whole),
    }
}

fn refused(refusal: &Refusal, language: Language, whole: bool) -> Verdict {
    let says = |part: &str| refusal.description.contains(part);
    let failed = |failure| Verdict::Decided(Ok(Outcome::Failed(failure)));
    match refusal.code {
        _ if refusal.is_access() => retry(None, Scope::Credentials, "Telegram does not know the token"),
        429 => {
            let scope = if whole { Scope::Channel } else { Scope::Lane };
            retry(refusal.retry_after, scope, "Telegram asks to slow down")
        }
        500.. => retry(None, Scope::Lane, "Telegram has trouble"),
        409 => retry(Some(5000), Scope::Lane, "Telegram reports a conflict"),
        413 => failed(words::file_too_large(language)),
        _ if refusal.migrate_to.is_some() => Verdict::Moved(refusal.migrate_to.unwrap_or_default()),
        _ if says("not modified") => Verdict::Decided(Ok(Outcome::Taken { remote: None, rung: Rung::Sent })),
        // What is gone need not be taken away.
        _ if says("message to delete not found") => {
            Verdict::Decided(Ok(Outcome::Taken { remote: None, rung: Rung::Sent }))
        }
        _ if says("can't parse entities") || says("entity begin") || says("ENTITY") => Verdict::Plain,
        _ if says("message to be replied not found") || says("replied message not found") => Verdict::NoReply,
        _ if says("no text in the message to edit") => Verdict::Caption,
        _ if says("PHOTO_INVALID") || says("IMAGE_PROCESS_FAILED") => Verdict::AsFile,
        _ if says("file is too big") => failed(words::file_too_large(language)),
        _ if says("BUSINESS_PEER") => failed(words::window(language)),
        _ if says("business connection not found") || says("BUSINESS_CONNECTION_INVALID") => {
            failed(words::disconnected(language))
        }
        _ if says("BUSINESS_CONNECTION_NOT_ALLOWED") => failed(words::read_only(language)),
        _ if says("blocked by the user") => failed(words::blocked(language)),
        _ if says("deactivated") => failed(words::unreachable(language, "deactivated")),
        _ if says("can't initiate") => failed(words::unreachable(language, "not_started")),
        _ if says("was kicked") || says("not a member") => failed(words::unreachable(language, "left_group")),
        _ if says("chat not found") || says("PEER_ID_INVALID") => {
            failed(words::unreachable(language, "chat"))
        }
        403 => failed(words::unreachable(language, "chat")),
        code => failed(words::rejected(language, code, &refusal.description)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kontor_bridge_kit::FailureKind;
    use serde_json::{Map, json};

    fn refusal(body: &Value) -> Said {
        Said::Refused(Refusal {
            code: u16::try_from(body["error_code"].as_u64().unwrap()).unwrap(),
            description: body["description"].as_str().unwrap().to_owned(),
            retry_after: body["parameters"]["retry_after"].as_i64().map(|seconds| seconds * 1000),
            migrate_to: body["parameters"]["migrate_to_chat_id"].as_i64(),
        })
    }

    fn verdict(body: &Value, whole: bool) -> Verdict {
        of(refusal(body), Language::Polish, whole)
    }

    /// Every answer of the fixtures ends where the table says.
    #[test]
    fn every_answer_of_telegrams_has_its_end() {
        let all: Map<String, Value> = serde_json::from_str(kontor_emulators::telegram::RESPONSES).unwrap();
        let mut seen = 0;
        for (name, body) in all.iter().filter(|(name, _)| name.starts_with("err_")) {
            seen += 1;
            let said = verdict(body, true);
            let good = match (name.as_str(), &said) {
                ("err_429", Verdict::Decided(Ok(Outcome::Retry { after, scope, .. }))) => {
                    *after == Some(14_000) && *scope == Scope::Channel
                }
                ("err_401", Verdict::Decided(Ok(Outcome::Retry { scope, .. }))) => {
                    *scope == Scope::Credentials
                }
                ("err_400_parse", Verdict::Plain) | ("err_400_reply_missing", Verdict::NoReply) => true,
                ("err_400_not_modified", Verdict::Decided(Ok(Outcome::Taken { .. }))) => true,
                ("err_409_poll" | "err_409_webhook", Verdict::Decided(Ok(Outcome::Retry { .. }))) => true,
                (name, Verdict::Decided(Ok(Outcome::Failed(failure)))) => {
                    let kind = match name {
                        "err_403_blocked" | "err_403_initiate" | "err_400_chat" => FailureKind::Unreachable,
                        "err_400_file_too_big" | "err_413" => FailureKind::Rejected,
                        "err_400_biz" => FailureKind::Credentials,
                        _ => panic!("{name} has no place in the table"),
                    };
                    failure.kind == kind && !failure.text.is_empty()
                }
                _ => false,
            };
            assert!(good, "{name}: {said:?}");
        }
        assert!(seen >= 13, "{seen}");
    }

    #[test]
    fn a_flood_of_one_chat_is_no_flood_of_all() {
        let body = json!({ "error_code": 429, "description": "Too Many Requests", "parameters": { "retry_after": 3 } });
        let said = verdict(&body, false);
        assert!(matches!(
            said,
            Verdict::Decided(Ok(Outcome::Retry { scope: Scope::Lane, after: Some(3000), .. }))
        ));
    }

    #[test]
    fn what_is_not_telegrams_leaves_the_fate_unknown() {
        let said = of(Said::Nonsense(502), Language::English, false);
        assert!(matches!(said, Verdict::Decided(Err(SendError { written: true, .. }))));
    }

    #[test]
    fn a_group_that_moved_is_written_to_where_it_is() {
        let body = json!({ "error_code": 400, "description": "Bad Request: group chat was upgraded to a supergroup chat",
            "parameters": { "migrate_to_chat_id": -1001 } });
        assert!(matches!(verdict(&body, false), Verdict::Moved(-1001)));
    }
}
