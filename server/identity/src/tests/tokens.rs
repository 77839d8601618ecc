//! What tokens are worth, and until when.

use super::*;

#[tokio::test]
async fn an_ended_session_is_refused_at_once_although_its_token_was_just_used() {
    let house = House::new(|_| {}).await;
    house.person("anna").await;
    let (one, two) =
        (house.login("anna", DeviceWish::default()).await, house.login("anna", DeviceWish::default()).await);
    let requester = house.use_token(&one.access_token).await.unwrap();
    house.use_token(&two.access_token).await.unwrap();
    let change = house.identity.logout(&requester, Actor::default()).await.unwrap();
    house.store.submit(change).await.unwrap();
    assert_eq!(unknown_token(house.use_token(&one.access_token).await), Some(false));
    let other = house.use_token(&two.access_token).await.unwrap();
    assert_eq!(house.identity.devices(&other).await.unwrap().len(), 1);
    let change = house.identity.logout_all(&other, Actor::default()).await.unwrap();
    house.store.submit(change).await.unwrap();
    assert_eq!(unknown_token(house.use_token(&two.access_token).await), Some(false));
}

#[tokio::test]
async fn a_session_that_ended_in_another_process_is_refused_within_half_a_second() {
    let house = House::new(|_| {}).await;
    if house.url.starts_with("sqlite") {
        return; // SQLite has one process.
    }
    let options = kontor_store::Options { url: house.url.clone(), readers: 2 };
    let there = kontor_store::Store::open(&options).await.unwrap();
    let random = std::sync::Arc::new(crate::testing::Fixed);
    let options = crate::Options::new(ruma::ServerName::parse("localhost").unwrap());
    let other = Identity::new(there.clone(), house.clock.clone(), random, options);
    house.person("anna").await;
    let opened = house.login("anna", DeviceWish::default()).await;
    let token = opened.access_token.expose();
    let requester = other.authenticate(token).await.unwrap();
    let change = house.identity.logout(&requester, Actor::default()).await.unwrap();
    house.store.submit(change).await.unwrap();
    let ended = std::time::Instant::now();
    while other.authenticate(token).await.is_ok() {
        assert!(ended.elapsed() < std::time::Duration::from_secs(5), "still served");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    // Generous, for a busy machine; on a calm one it is a few milliseconds.
    assert!(ended.elapsed() < std::time::Duration::from_millis(2_500), "{:?}", ended.elapsed());
    there.close().await;
}

#[tokio::test]
async fn the_session_guard_tells_of_the_end_in_the_snapshot_that_saw_it() {
    let house = House::new(|_| {}).await;
    house.person("anna").await;
    let opened = house.login("anna", DeviceWish::default()).await;
    let requester = house.use_token(&opened.access_token).await.unwrap();
    let mut before = house.store.snapshot().await.unwrap();
    let look = kontor_store::identity::sessions::guard::<kontor_store::Snapshot<'_>>;
    let alive = look(&mut before, requester.session, requester.user).await.unwrap();
    assert_eq!((alive.ended, alive.epoch), (false, requester.epoch));
    let change = house.identity.logout(&requester, Actor::default()).await.unwrap();
    let committed = house.store.submit(change).await.unwrap();
    assert!(!look(&mut before, requester.session, requester.user).await.unwrap().ended);
    let mut after = house.store.snapshot().await.unwrap();
    let ended = look(&mut after, requester.session, requester.user).await.unwrap();
    assert!(ended.ended && ended.newest == committed.last);
    assert!(look(&mut after, requester.session, requester.user + 1).await.unwrap().ended);
}

#[tokio::test]
async fn access_tokens_expire_softly_and_are_refreshed() {
    let house = House::new(|_| {}).await;
    house.person("anna").await;
    let opened = house.login("anna", refreshing()).await;
    let life = opened.expires_in_ms.unwrap();
    house.use_token(&opened.access_token).await.unwrap();
    house.pass(life - 1);
    house.use_token(&opened.access_token).await.unwrap();
    house.pass(1);
    assert_eq!(unknown_token(house.use_token(&opened.access_token).await), Some(true));
    let pair = house.refresh(&opened.refresh_token.unwrap()).await.unwrap().unwrap();
    assert_eq!(house.use_token(&pair.access_token).await.unwrap().device_id.as_str(), opened.device_id);
    assert_eq!(unknown_token(house.use_token(&opened.access_token).await), Some(true));
    let plain = house.login("anna", DeviceWish::default()).await;
    house.pass(365 * 24 * 60 * 60 * 1000);
    house.use_token(&plain.access_token).await.unwrap();
}

#[tokio::test]
async fn a_lost_answer_to_a_refresh_is_given_again_until_the_new_token_was_used() {
    let house = House::new(|_| {}).await;
    house.person("anna").await;
    let opened = house.login("anna", refreshing()).await;
    let old = opened.refresh_token.unwrap();
    let first = house.refresh(&old).await.unwrap().unwrap();
    house.pass(60_000);
    let again = house.refresh(&old).await.unwrap().unwrap();
    assert_eq!(first.access_token, again.access_token);
    assert_eq!(first.refresh_token, again.refresh_token);
    assert_eq!(first.expires_in_ms - again.expires_in_ms, 60_000);
    // The one before still works until then: its answer may be the lost one.
    house.use_token(&opened.access_token).await.unwrap();
    house.use_token(&first.access_token).await.unwrap();
    assert!(house.refresh(&old).await.unwrap().is_none(), "reuse after the new token was used");
    for token in [&first.access_token, &opened.access_token] {
        assert_eq!(unknown_token(house.use_token(token).await), Some(true));
    }
    assert_eq!(unknown_token(house.refresh(&first.refresh_token).await), Some(true));
}

#[tokio::test]
async fn using_the_new_refresh_token_makes_the_old_one_worthless_too() {
    let house = House::new(|_| {}).await;
    house.person("anna").await;
    let zero = house.login("anna", refreshing()).await.refresh_token.unwrap();
    let one = house.refresh(&zero).await.unwrap().unwrap();
    let two = house.refresh(&one.refresh_token).await.unwrap().unwrap();
    assert!(house.refresh(&zero).await.unwrap().is_none());
    assert_eq!(unknown_token(house.use_token(&two.access_token).await), Some(true));
}

#[tokio::test]
async fn of_a_hundred_refreshes_at_once_one_wins_and_all_get_its_pair() {
    let house = House::new(|_| {}).await;
    house.person("anna").await;
    let old = house.login("anna", refreshing()).await.refresh_token.unwrap();
    let answers = futures_join((0..100).map(|_| house.refresh(&old))).await;
    let pairs: std::collections::HashSet<_> =
        answers.into_iter().map(|pair| pair.unwrap().unwrap().refresh_token.expose().clone()).collect();
    assert_eq!(pairs.len(), 1);
    let winner = secret(pairs.iter().next().unwrap());
    assert!(house.refresh(&winner).await.unwrap().is_some());
}

#[tokio::test]
async fn tokens_that_nobody_gave_out_are_unknown() {
    let house = House::new(|_| {}).await;
    for token in ["", "x", "\0", &"x".repeat(100_000), "żółć"] {
        assert_eq!(unknown_token(house.use_token(&secret(token)).await), Some(false));
        assert_eq!(unknown_token(house.refresh(&secret(token)).await), Some(true));
    }
}

#[tokio::test]
async fn a_locked_account_keeps_its_session_but_is_not_served() {
    let house = House::new(|_| {}).await;
    house.person("anna").await;
    let made = house.identity.person_by_administrator("admin", None, true, None, Actor::default());
    let (change, _, password) = made.await.unwrap();
    house.store.submit(change).await.unwrap();
    let admin = house.login_as("admin", &password.unwrap(), DeviceWish::default()).await.unwrap();
    let admin = house.use_token(&admin.access_token).await.unwrap();
    let opened = house.login("anna", DeviceWish::default()).await;
    house.use_token(&opened.access_token).await.unwrap();
    let lock = async |on| {
        let anna = ruma::user_id!("@anna:localhost");
        let moved = house.identity.move_account(&admin, anna, AccountState::Locked, on, Actor::default());
        house.store.submit(moved.await.unwrap().unwrap()).await.unwrap();
    };
    lock(true).await;
    assert_eq!(house.use_token(&opened.access_token).await.unwrap_err().code, Code::UserLocked);
    let login = house.login_as("anna", "secret of anna", DeviceWish::default()).await;
    assert_eq!(login.unwrap_err().code, Code::UserLocked);
    assert!(house.identity.authenticate_to_leave(opened.access_token.expose()).await.is_ok());
    lock(false).await;
    house.use_token(&opened.access_token).await.unwrap();
    let own = ruma::user_id!("@admin:localhost");
    let refused =
        house.identity.move_account(&admin, own, AccountState::Locked, true, Actor::default()).await;
    assert_eq!(refused.unwrap_err().code, Code::Forbidden);
}
