//! Mail leaves however badly the way behaves, and no letter is lost with a process.

use std::process::Command;

use harness::{Db, MailServer, Server, free_port, mail_settings, on_each_database};

use super::{For, address, ask, house, wish};

on_each_database!(
    a_busy_mail_server_is_asked_again,
    a_letter_that_nobody_takes_does_not_hold_up_others,
    letters_survive_a_killed_process_and_a_mail_server_that_was_away,
    mail_leaves_encrypted_and_with_a_password,
);

async fn a_busy_mail_server_is_asked_again(db: Db) {
    let house = house(db);
    let mine = address("busy-1");
    ask(&house.server.anonymous(), For::Add, &wish(&mine, "s", 1)).await.ok();
    house.mail.wait_for(&mine, 1).await;
}

async fn a_letter_that_nobody_takes_does_not_hold_up_others(db: Db) {
    let house = house(db);
    let (nobody, somebody) = (address("nobody"), address("somebody"));
    let anonymous = house.server.anonymous();
    ask(&anonymous, For::Add, &wish(&nobody, "s", 1)).await.ok();
    ask(&anonymous, For::Add, &wish(&somebody, "s", 1)).await.ok();
    house.mail.wait_for(&somebody, 1).await;
    assert!(house.mail.letters_to(&nobody).is_empty());
}

async fn letters_survive_a_killed_process_and_a_mail_server_that_was_away(db: Db) {
    // Nobody listens there, so the letter has to wait.
    let settings = mail_settings(free_port());
    let mut server = Server::start_with(db, &settings);
    let mine = address("waiting");
    ask(&server.homeserver().anonymous(), For::Add, &wish(&mine, "s", 1)).await.ok();
    server.kill();
    let mail = MailServer::start();
    server.set(&mail.settings());
    server.start_again();
    let letters = mail.wait_for(&mine, 1).await;
    assert!(letters[0].link().is_some(), "{letters:?}");
    assert!(!server.log().contains(&mine), "an address is in the log");
}

async fn mail_leaves_encrypted_and_with_a_password(db: Db) {
    let scratch = harness::Scratch::new("certificate");
    let file = |name: &str| scratch.path().join(name).display().to_string();
    let (certificate, key) = (file("cert.pem"), file("key.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"])
        .args(["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-out", &certificate, "-keyout", &key])
        .output()
        .expect("openssl");
    assert!(made.status.success(), "{made:?}");
    let mail = MailServer::start_with(&[&certificate, &key]);
    let mut settings = mail.settings();
    settings.extend([
        ("email.smtp_tls", "starttls".into()),
        ("email.smtp_user", "kontor".into()),
        ("email.smtp_password", "letters".into()),
        ("outbound.extra_ca_files", vec![toml::Value::from(certificate.clone())].into()),
    ]);
    let server = Server::start_with(db, &settings);
    let mine = address("private");
    ask(&server.homeserver().anonymous(), For::Add, &wish(&mine, "s", 1)).await.ok();
    let letter = mail.wait_for(&mine, 1).await.remove(0);
    assert_eq!((letter.0["encrypted"].as_bool(), letter.part("user")), (Some(true), "kontor".to_owned()));
    let log = server.log();
    assert!(!log.contains("letters\"") && !log.contains(&mine), "a secret or an address is in the log");
}
