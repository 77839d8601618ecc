//! What mails and the page behind their links say.

use harness::{Client, Db, Letter, on_each_database};
use serde_json::json;

use super::{For, House, address, ask, house, press, wish};

on_each_database!(
    mails_are_written_in_the_readers_language,
    a_mail_has_a_plain_and_an_html_form_and_says_that_it_is_automatic,
    the_page_speaks_the_language_of_the_mail,
    the_page_shows_where_the_client_wants_the_person_to_go_on,
    a_link_that_was_never_sent_is_of_no_use,
);

/// Asks for a mail as a browser of that language would.
async fn letter_in(house: &House, language: &str, what: For) -> Letter {
    let (client, mine): (Client, String) = (house.server.anonymous(), address("reader"));
    let url = house.server.url(what.path());
    let request = house.server.http().post(url).header("accept-language", language);
    let answer = request.json(&wish(&mine, "s", 1)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    drop(client);
    house.mail.wait_for(&mine, 1).await.remove(0)
}

async fn mails_are_written_in_the_readers_language(db: Db) {
    let house = house(db);
    for (language, subject) in [
        ("pl-PL,pl;q=0.9", "Potwierdź swój adres e-mail na serwerze localhost"),
        ("uk", "Підтвердьте свою електронну адресу на сервері localhost"),
        ("de, en;q=0.5", "Confirm your e-mail address for localhost"),
        ("fr", "Confirm your e-mail address for localhost"),
    ] {
        let letter = letter_in(&house, language, For::Add).await;
        assert_eq!(letter.part("subject"), subject);
    }
}

async fn a_mail_has_a_plain_and_an_html_form_and_says_that_it_is_automatic(db: Db) {
    let house = house(db);
    let letter = letter_in(&house, "uk", For::Register).await;
    let headers = &letter.0["headers"];
    assert_eq!(headers["from"], "Kontor <kontor@company.example>");
    assert_eq!(headers["auto-submitted"], "auto-generated");
    assert!(headers["message-id"].as_str().is_some_and(|id| id.ends_with("@company.example>")), "{headers}");
    let (plain, html) = (letter.part("text"), letter.part("html"));
    let link = letter.link().expect("a link");
    assert!(plain.contains("Посилання діє 24 години.") && plain.contains("localhost"), "{plain}");
    assert!(html.starts_with("<!doctype html>") && html.contains("lang=\"uk\""), "{html}");
    assert!(html.contains(&link.replace('&', "&amp;")), "{html}");
}

async fn the_page_speaks_the_language_of_the_mail(db: Db) {
    let house = house(db);
    for (language, words) in [
        ("pl", "Potwierdź swój adres e-mail"),
        ("uk", "Підтвердьте свою електронну адресу"),
        ("en", "Confirm your e-mail address"),
    ] {
        let letter = letter_in(&house, language, For::Add).await;
        let page = house.server.anonymous().get(&letter.link().unwrap()).await;
        let text = page.json.as_str().unwrap_or_default();
        assert!(text.contains(words) && text.contains(&format!("lang=\"{language}\"")), "{page}");
        assert!(page.header("content-security-policy").is_some_and(|policy| !policy.contains("script")));
        assert_eq!(page.header("cache-control"), Some("no-store"));
        assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    }
}

async fn the_page_shows_where_the_client_wants_the_person_to_go_on(db: Db) {
    let house = house(db);
    let mine = address("forward");
    let mut wish = wish(&mine, "s", 1);
    wish["next_link"] = json!("https://element.example/#/room?a=1&b=\"<x>");
    ask(&house.server.anonymous(), For::Add, &wish).await.ok();
    let letter = house.mail.wait_for(&mine, 1).await.remove(0);
    let page = press(&house.server, &letter).await;
    assert!(page.contains("Go on to element.example"), "{page}");
    assert!(!page.contains("<x>"), "{page}");
}

async fn a_link_that_was_never_sent_is_of_no_use(db: Db) {
    let anonymous = house(db).server.anonymous();
    for query in ["", "?token=", "?token=guess", "?token=%00", "?token=a&token=b"] {
        let page = anonymous.get(&format!("/_kontor/mail/confirm{query}")).await;
        assert_eq!(page.status, 404, "{query}: {page}");
        assert!(page.json.as_str().is_some_and(|text| text.contains("of no use")), "{page}");
    }
}
