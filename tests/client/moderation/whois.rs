//! Where somebody is logged in.

use harness::{Homeserver, both_databases, enc};

both_databases!(people_see_their_own_devices_and_administrators_everybodys);

async fn people_see_their_own_devices_and_administrators_everybodys(server: Homeserver) {
    let admin = server.register_admin("admin").await;
    let (anna, bob) = (server.register("anna").await, server.register("bob").await);
    let second = server.login(anna.user_id()).await;
    let path = format!("/admin/whois/{}", enc(anna.user_id()));
    for asker in [&anna, &admin] {
        let answer = asker.get(&path).await.ok();
        assert_eq!(answer["user_id"], anna.user_id());
        for device in [&anna, &second] {
            let sessions = &answer["devices"][device.device_id()]["sessions"];
            assert!(sessions.as_array().is_some_and(|sessions| sessions.len() == 1), "{answer}");
        }
    }
    bob.get(&path).await.err(403, "M_FORBIDDEN");
    server.anonymous().get(&path).await.err(401, "M_MISSING_TOKEN");
    admin.get("/admin/whois/@nobody-at-all:localhost").await.err(404, "M_NOT_FOUND");
}
