//! `kontorctl`: administration from a terminal or a script. It speaks the administration API over
//! HTTP and nothing else: it never opens the server's database or its files, except the one-time
//! token for the first administrator when that is asked for.

mod api;
mod channel;
mod cli;
mod contacts;
mod csv;
mod failure;
mod language;
mod login;
mod moderate;
mod notice;
mod output;
mod pages;
mod report;
mod setup;
mod texts;
mod user;

use clap::ArgMatches;
use failure::Failure;
use language::Language;
use std::process::ExitCode;

/// Environment variable with the administrator's access token.
const TOKEN: &str = "KONTORCTL_TOKEN";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let language = Language::find(&arguments, |name| std::env::var(name).ok());
    // Errors of usage end the process here, with code 2.
    let matches = cli::command(language).get_matches_from(arguments);
    let ended = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::other(error.to_string()))
        .and_then(|runtime| runtime.block_on(run(&matches, std::env::var(TOKEN).ok(), language)));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("kontorctl: {}", failure.sentence);
            ExitCode::from(failure.code)
        }
    }
}

async fn run(matches: &ArgMatches, token: Option<String>, language: Language) -> Result<(), Failure> {
    let server = api::Server::new(matches, token, language)?;
    match matches.subcommand() {
        Some(("user", user)) => match user.subcommand() {
            Some(("create", create)) => user::create(&server, create, language).await,
            Some(("list", list)) => user::list(&server, list, language).await,
            Some((word, named)) => moderate::moderate(&server, word, named, language).await,
            None => Ok(()),
        },
        Some(("notice", notice)) => match notice.subcommand() {
            Some(("send", send)) => notice::send(&server, send, language).await,
            _ => Ok(()),
        },
        Some(("report", report)) => match report.subcommand() {
            Some(("list", list)) => report::list(&server, list, language).await,
            _ => Ok(()),
        },
        Some(("contacts", contacts)) => contacts::run(&server, contacts, language).await,
        Some(("channel", channel)) => match channel.subcommand() {
            Some(("list", list)) => channel::list(&server, list, language).await,
            Some(("add", add)) => channel::add(&server, add, language).await,
            Some(("test", test)) => channel::test(&server, test, language).await,
            Some(("remove", remove)) => channel::remove(&server, remove, language).await,
            Some((word, named)) => channel::rest(&server, word, named, language).await,
            None => Ok(()),
        },
        Some(("setup", setup)) => setup::setup(&server, setup, language).await,
        Some(("login", login)) => login::login(&server, login, language).await,
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::thread::JoinHandle;

    /// A server that gives these answers, one a connection, and then the requests it got.
    fn server(answers: Vec<(&'static str, &'static str)>) -> (String, JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let serving = std::thread::spawn(move || {
            let answer = |(status, body): (&str, &str)| {
                let (mut stream, _) = listener.accept().expect("a connection");
                let mut request = Vec::new();
                let mut buffer = [0_u8; 4096];
                loop {
                    let read = stream.read(&mut buffer).expect("a request");
                    request.extend_from_slice(&buffer[..read]);
                    let text = String::from_utf8_lossy(&request);
                    let complete = text
                        .split_once("\r\n\r\n")
                        .is_some_and(|(_, body)| text.starts_with("GET") || body.ends_with('}'));
                    if complete || read == 0 {
                        break;
                    }
                }
                let length = body.len();
                write!(
                    stream,
                    "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
                )
                .expect("sent");
                String::from_utf8_lossy(&request).into_owned()
            };
            answers.into_iter().map(answer).collect()
        });
        (url, serving)
    }

    fn ask(url: &str, words: &[&str], token: Option<&str>) -> Result<(), Failure> {
        let line = ["kontorctl", "--url", url].into_iter().chain(words.iter().copied());
        let matches = cli::command(Language::English).get_matches_from(line);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        runtime.block_on(run(&matches, token.map(str::to_owned), Language::English))
    }

    #[test]
    fn an_account_is_made_as_the_administrator() {
        let made = r#"{"user_id":"@anna:x","password":"p"}"#;
        let (url, serving) = server(vec![("201 Created", made)]);
        assert_eq!(ask(&url, &["user", "create", "anna", "--admin"], Some("secret\n")), Ok(()));
        let request = serving.join().expect("served").remove(0);
        assert!(request.starts_with("POST /_kontor/admin/v1/people HTTP/1.1"), "{request}");
        assert!(request.contains("authorization: Bearer secret\r\n"), "{request}");
        assert!(request.ends_with(r#"{"admin":true,"localpart":"anna"}"#), "{request}");
    }

    #[test]
    fn every_page_of_the_list_is_read() {
        let person = r#"{"user_id":"@a:x","admin":false,"state":"active","created_ts":0}"#;
        let first = format!(r#"{{"people":[{person}],"next":"a b"}}"#).leak();
        let last = format!(r#"{{"people":[{person}]}}"#).leak();
        let (url, serving) = server(vec![("200 OK", first), ("200 OK", last)]);
        assert_eq!(ask(&url, &["user", "list"], Some("t")), Ok(()));
        let requests = serving.join().expect("served");
        assert!(requests[0].starts_with("GET /_kontor/admin/v1/people?limit=500 "), "{requests:?}");
        assert!(requests[1].starts_with("GET /_kontor/admin/v1/people?limit=500&from=a+b "), "{requests:?}");
    }

    #[test]
    fn an_account_is_named_by_its_name_or_its_whole_id() {
        let me = ("200 OK", r#"{"user_id":"@root:x"}"#);
        let (url, serving) = server(vec![me, ("200 OK", r#"{"locked":true}"#)]);
        assert_eq!(ask(&url, &["user", "lock", "anna"], Some("t")), Ok(()));
        let request = serving.join().expect("served").remove(1);
        assert!(request.starts_with("PUT /_matrix/client/v1/admin/lock/@anna:x "), "{request}");
        assert!(request.ends_with(r#"{"locked":true}"#), "{request}");
        let (url, serving) = server(vec![("200 OK", "{}")]);
        assert_eq!(ask(&url, &["user", "deactivate", "@bob:x", "--erase"], Some("t")), Ok(()));
        let request = serving.join().expect("served").remove(0);
        assert!(request.starts_with("POST /_kontor/admin/v1/people/@bob:x/deactivate "), "{request}");
        assert!(request.ends_with(r#"{"erase":true}"#), "{request}");
    }

    #[test]
    fn a_notice_goes_to_one_person_or_to_everybody() {
        let (url, serving) = server(vec![("200 OK", r#"{"notice_id":"1"}"#)]);
        assert_eq!(ask(&url, &["notice", "send", "Hello", "--everybody"], Some("t")), Ok(()));
        let request = serving.join().expect("served").remove(0);
        assert!(request.ends_with(r#"{"body":"Hello","everybody":true}"#), "{request}");
    }

    #[test]
    fn refusals_end_with_their_codes_and_say_what_the_server_said() {
        for (status, body, code, said) in [
            (
                "400 Bad Request",
                r#"{"errcode":"M_USER_IN_USE","error":"Taken."}"#,
                5,
                "already an account named anna",
            ),
            (
                "403 Forbidden",
                r#"{"errcode":"M_FORBIDDEN","error":"Only administrators."}"#,
                4,
                "Only administrators.",
            ),
            ("401 Unauthorized", r#"{"errcode":"M_UNKNOWN_TOKEN","error":"Log in again."}"#, 4, "the token"),
            ("404 Not Found", r#"{"errcode":"M_UNRECOGNIZED","error":"No."}"#, 3, "No."),
            ("200 OK", "<html>", 1, "unexpected"),
            ("502 Bad Gateway", "<html>", 1, "unexpected"),
        ] {
            let (url, serving) = server(vec![(status, body)]);
            let failure = ask(&url, &["user", "create", "anna"], Some("t")).expect_err(status);
            serving.join().expect("served");
            assert!(failure.code == code && failure.sentence.contains(said), "{status}: {failure:?}");
        }
    }

    #[test]
    fn without_a_token_or_a_server_nothing_is_sent() {
        let failure = ask("http://127.0.0.1:9", &["user", "list"], None).expect_err("no token");
        assert!(failure.code == 2 && failure.sentence.contains("KONTORCTL_TOKEN"), "{failure:?}");
        assert_eq!(ask("nonsense", &["user", "list"], Some("t")).expect_err("no address").code, 2);
        let gone = { TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound") };
        let failure = ask(&format!("http://{gone}"), &["user", "list"], Some("t")).expect_err("nobody there");
        assert!(failure.code == 1 && failure.sentence.contains("cannot be reached"), "{failure:?}");
    }
}
