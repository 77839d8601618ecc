//! Registration files.

use std::path::PathBuf;
use std::process::Command;

use harness::{Db, Scratch, Server, binary, on_each_database};
use serde_json::json;

use super::support::{Door, as_user, client};

on_each_database!(a_service_of_a_file_is_there_from_the_start, a_file_that_is_wrong_is_told_at_the_start,);

fn registration(url: &str) -> String {
    format!(
        "id: irc\nurl: {url}\nas_token: token-of-the-bridge\nhs_token: token-of-the-server\n\
         sender_localpart: ircbot\nnamespaces:\n  users:\n  - {{ exclusive: true, regex: '@irc_.*' }}\n"
    )
}

fn file(folder: &Scratch, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("own folder");
    path
}

fn files(paths: &[&PathBuf]) -> toml::Value {
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    paths.into()
}

async fn a_service_of_a_file_is_there_from_the_start(db: Db) {
    let (folder, door) = (Scratch::new("registration"), Door::open().await);
    let good = file(&folder, "irc.yaml", &registration(&door.site.url("")));
    let mut process = Server::start_with(db, &[("appservices.files", files(&[&good]))]);
    let server = process.homeserver();
    let bot = client(&server, "@ircbot:localhost", "token-of-the-bridge");
    assert_eq!(bot.get("/account/whoami").await.ok()["user_id"], "@ircbot:localhost");
    let body =
        json!({ "type": "m.login.application_service", "username": "irc_anna", "inhibit_login": true });
    bot.post("/register", &body).await.ok();
    let anna = server.register("anna").await;
    let ghost = "@irc_anna:localhost";
    let room = anna.create_room(json!({ "preset": "private_chat", "invite": [ghost] })).await;
    bot.post(&as_user(&format!("/join/{}", harness::enc(&room)), ghost), &json!({})).await.ok();
    door.told(&anna.text(&room, "x").await).await;
    process.restart();
    door.told(&anna.text(&room, "y").await).await;
    let admin = server.register_admin("admin").await;
    let listed = admin.get("/_kontor/admin/v1/application_services").await.ok();
    assert_eq!(listed["application_services"][0]["from_file"], true);
    admin.delete("/_kontor/admin/v1/application_services/irc").await.err(400, "M_INVALID_PARAM");
    let same = json!({ "id": "irc", "sender_localpart": "other" });
    admin.post("/_kontor/admin/v1/application_services", &same).await.err(400, "M_INVALID_PARAM");
}

async fn a_file_that_is_wrong_is_told_at_the_start(db: Db) {
    let folder = Scratch::new("registration");
    let good = file(&folder, "good.yaml", &registration("null"));
    let wrong = file(&folder, "wrong.yaml", &registration("null").replace("@irc_.*", "@irc_(?!bot).*"));
    let mut process = Server::start(db);
    process.terminate();
    for (paths, part) in
        [(vec![&good, &wrong], "wrong.yaml: namespaces.users"), (vec![&good, &good], "the id \"irc\"")]
    {
        let said = process.refuses_to_start_with(&[("appservices.files", files(&paths))]);
        assert!(said.contains(part), "{said}");
        assert!(!said.contains("token-of"), "{said}");
        let mut check = Command::new(binary());
        let checked =
            check.arg("check-config").arg("--config").arg(process.config_path()).output().expect("it runs");
        assert!(!checked.status.success());
        assert!(String::from_utf8_lossy(&checked.stderr).contains(part));
    }
}
