//! Logging in, devices, passwords.

use super::*;

#[tokio::test]
async fn people_log_in_with_every_form_of_their_name() {
    let house = House::new(|_| {}).await;
    house.person("anna").await;
    for user in ["anna", "@anna:localhost", "ANNA", " anna ", "@Anna:localhost"] {
        let opened = house.login_as(user, "secret of anna", DeviceWish::default()).await.unwrap();
        assert_eq!(opened.user_id, "@anna:localhost");
        let requester = house.use_token(&opened.access_token).await.unwrap();
        assert_eq!(requester.device_id.as_str(), opened.device_id);
    }
}

#[tokio::test]
async fn wrong_passwords_and_unknown_or_hostile_names_are_refused_in_the_same_words() {
    let house = House::new(|_| {}).await;
    house.person("anna").await;
    let long = "x".repeat(70_000);
    let hostile = [
        "anna",
        "nobody",
        "@anna:elsewhere",
        "@anna",
        "",
        "@",
        ":",
        "anna\0",
        "ань",
        "a'; DROP TABLE account; --",
        "@anna:localhost:80",
        "\u{202e}anna",
        long.as_str(),
    ];
    let mut words = std::collections::HashSet::new();
    for user in hostile {
        let refused = house.login_as(user, "wrong", DeviceWish::default()).await.unwrap_err();
        assert_eq!(refused.code, Code::Forbidden, "{user}");
        words.insert(refused.message);
    }
    assert_eq!(words.len(), 1, "{words:?}");
}

#[tokio::test]
async fn devices_that_cannot_be_stored_are_refused() {
    let house = House::new(|_| {}).await;
    house.person("anna").await;
    for id in ["", "a\0b", "a\nb", &"x".repeat(256)] {
        let wish = DeviceWish { device_id: Some(id.to_owned()), ..DeviceWish::default() };
        assert_eq!(
            house.login_as("anna", "secret of anna", wish).await.unwrap_err().code,
            Code::InvalidParam
        );
    }
    let wish = DeviceWish { device_id: Some("Gerät 🦆".into()), ..DeviceWish::default() };
    assert_eq!(house.login("anna", wish).await.device_id, "Gerät 🦆");
}

#[tokio::test]
async fn a_second_login_on_a_device_ends_the_first_session_and_keeps_the_device() {
    let house = House::new(|_| {}).await;
    house.person("anna").await;
    let wish = |name: &str| DeviceWish {
        device_id: Some("PHONE".into()),
        display_name: Some(name.into()),
        refresh: false,
    };
    let first = house.login("anna", wish("old name")).await;
    house.use_token(&first.access_token).await.unwrap();
    let second = house.login("anna", wish("new name")).await;
    assert_eq!(unknown_token(house.use_token(&first.access_token).await), Some(true));
    let requester = house.use_token(&second.access_token).await.unwrap();
    let devices = house.identity.devices(&requester).await.unwrap();
    assert_eq!(devices.len(), 1);
    assert_eq!(devices[0].display_name.as_deref(), Some("old name"));
}

#[tokio::test]
async fn logins_on_one_device_at_the_same_moment_leave_one_session() {
    let house = House::new(|_| {}).await;
    house.person("anna").await;
    let wish = || DeviceWish { device_id: Some("PHONE".into()), ..DeviceWish::default() };
    let logins = (0..20).map(|_| house.login_as("anna", "secret of anna", wish()));
    let mut alive = 0;
    for opened in futures_join(logins).await {
        alive += usize::from(house.use_token(&opened.unwrap().access_token).await.is_ok());
    }
    assert_eq!(alive, 1);
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions_and_keeps_this_one() {
    let house = House::new(|_| {}).await;
    house.person("anna").await;
    let (mine, other) =
        (house.login("anna", DeviceWish::default()).await, house.login("anna", DeviceWish::default()).await);
    let requester = house.use_token(&mine.access_token).await.unwrap();
    house.use_token(&other.access_token).await.unwrap();
    let change =
        house.identity.change_password(&requester, &secret("a new one"), true, Actor::default()).await;
    house.store.submit(change.unwrap()).await.unwrap();
    let still = house.use_token(&mine.access_token).await.unwrap();
    assert_eq!(still.epoch, requester.epoch);
    assert_eq!(unknown_token(house.use_token(&other.access_token).await), Some(false));
    assert_eq!(house.identity.devices(&still).await.unwrap().len(), 1);
    assert!(house.login_as("anna", "secret of anna", DeviceWish::default()).await.is_err());
    assert!(house.login_as("anna", "a new one", DeviceWish::default()).await.is_ok());
}

#[tokio::test]
async fn a_login_token_is_good_for_one_login_and_two_minutes() {
    let house = House::new(|_| {}).await;
    house.person("anna").await;
    let opened = house.login("anna", DeviceWish::default()).await;
    let requester = house.use_token(&opened.access_token).await.unwrap();
    let token = async || {
        let (change, token, _) = house.identity.new_login_token(&requester, Actor::default()).await.unwrap();
        house.store.submit(change).await.unwrap();
        token
    };
    let once = token().await;
    let login = async |token: Secret<String>| {
        let proof = Proof::Token(token);
        let (change, opened) = house.identity.login(proof, DeviceWish::default(), Actor::default()).await?;
        house.store.submit(change).await?;
        Ok::<_, kontor_model::Error>(opened)
    };
    assert_eq!(login(once.clone()).await.unwrap().user_id, "@anna:localhost");
    assert_eq!(login(once).await.unwrap_err().code, Code::Forbidden);
    let late = token().await;
    house.pass(120_001);
    assert_eq!(login(late).await.unwrap_err().code, Code::Forbidden);
    let raced = token().await;
    let outcomes = futures_join((0..10).map(|_| login(raced.clone()))).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
}

#[tokio::test]
async fn last_seen_is_written_later_and_for_many_at_once() {
    let house = House::new(|_| {}).await;
    house.person("anna").await;
    let opened = house.login("anna", DeviceWish::default()).await;
    let requester = house.use_token(&opened.access_token).await.unwrap();
    house.identity.note_seen(&requester, Some("192.0.2.7".parse().unwrap()));
    let seen = async || house.identity.devices(&requester).await.unwrap()[0].seen_ip.clone();
    assert_eq!(seen().await, None);
    house.pass(301_000);
    house.use_token(&opened.access_token).await.unwrap();
    assert_eq!(seen().await.as_deref(), Some("192.0.2.7"));
}

#[tokio::test]
async fn removed_devices_are_logged_out_and_unknown_ones_passed_over() {
    let house = House::new(|_| {}).await;
    house.person("anna").await;
    let (mine, other) =
        (house.login("anna", DeviceWish::default()).await, house.login("anna", DeviceWish::default()).await);
    let requester = house.use_token(&mine.access_token).await.unwrap();
    let ids = [other.device_id.clone(), "nothing".into(), "\0".into(), other.device_id.clone()];
    let change = house.identity.remove_devices(&requester, &ids, Actor::default()).await.unwrap();
    house.store.submit(change).await.unwrap();
    assert_eq!(unknown_token(house.use_token(&other.access_token).await), Some(false));
    house.use_token(&mine.access_token).await.unwrap();
    for id in ["nothing", "\0", "", &"x".repeat(300)] {
        assert_eq!(house.identity.device(&requester, id).await.unwrap_err().code, Code::NotFound);
    }
}
