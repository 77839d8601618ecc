//! The department over a real archive: logging in, refreshing, proving, registering.

use crate::login::Proof;
use crate::refresh::{Pair, Refresh};
use crate::registration::{RegisterRequest, Registering};
use crate::shared_secret::SharedSecretRequest;
use crate::testing::House;
use crate::uia::{Ask, Stage};
use crate::{AccountState, DeviceWish, Identity, Opened, Step};
use kontor_model::{Code, Requester, Result, Secret};
use kontor_store::audit::Actor;
use serde_json::{Value, json};

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

fn refreshing() -> DeviceWish {
    DeviceWish { refresh: true, ..DeviceWish::default() }
}

impl House {
    /// An account with the password `secret of NAME`.
    async fn person(&self, name: &str) {
        let password = Some(secret(&format!("secret of {name}")));
        let made = self.identity.person_by_administrator(name, password, false, None, Actor::default());
        self.store.submit(made.await.unwrap().0).await.unwrap();
    }

    async fn login_as(&self, user: &str, password: &str, wish: DeviceWish) -> Result<Opened> {
        let proof = Proof::Password { user: Some(user.to_owned()), password: secret(password) };
        let (change, opened) = self.identity.login(proof, wish, Actor::default()).await?;
        self.store.submit(change).await?;
        Ok(opened)
    }

    async fn login(&self, name: &str, wish: DeviceWish) -> Opened {
        self.login_as(name, &format!("secret of {name}"), wish).await.unwrap()
    }

    /// As the front door does it: what is due is written before the request goes on.
    async fn use_token(&self, token: &Secret<String>) -> Result<Requester> {
        let requester = self.identity.authenticate(token.expose()).await?;
        if let Some(due) = self.identity.due().await? {
            self.store.submit(due.change).await?;
        }
        Ok(requester)
    }

    async fn refresh(&self, token: &Secret<String>) -> Result<Option<Pair>> {
        loop {
            match self.identity.refresh(token, Actor::default()).await? {
                Refresh::Again(pair) => return Ok(Some(pair)),
                Refresh::Stolen(change) => {
                    self.store.submit(change).await?;
                    return Ok(None);
                }
                Refresh::New(pair, change) => match self.store.submit(change).await {
                    Ok(_) => return Ok(Some(pair)),
                    Err(error) if error.is_conflict() => {}
                    Err(error) => return Err(error),
                },
            }
        }
    }

    async fn register(&self, name: &str, auth: Option<Value>) -> Result<Registering> {
        let request = RegisterRequest {
            username: Some(name.to_owned()),
            password: Some(secret("long enough")),
            auth,
            device: None,
        };
        self.identity.register(request, Actor::default()).await
    }
}

fn unknown_token<T: std::fmt::Debug>(result: Result<T>) -> Option<bool> {
    match result.unwrap_err().code {
        Code::UnknownToken { soft_logout } => Some(soft_logout),
        _ => None,
    }
}

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

/// Runs futures together, each making progress while others wait.
async fn futures_join<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        let mut pending = false;
        for (future, output) in &mut futures {
            if output.is_none() {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(value) => *output = Some(value),
                    std::task::Poll::Pending => pending = true,
                }
            }
        }
        if pending { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
    futures.into_iter().filter_map(|(_, output)| output).collect()
}

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

fn session_of(step: Step) -> (String, Vec<String>, Option<Code>) {
    match step {
        Step::More(challenge, _) => {
            (challenge.session, challenge.completed, challenge.error.map(|error| error.code))
        }
        Step::Passed(_) => panic!("passed"),
    }
}

/// Takes a step and writes what it says, as the front door does.
async fn step(house: &House, ask: &Ask<'_>, auth: Option<Value>) -> Step {
    let taken = house.identity.authenticate_interactively(ask, auth.as_ref()).await.unwrap();
    match taken {
        Step::More(challenge, change) => {
            house.store.submit(change).await.unwrap();
            Step::More(challenge, Default::default())
        }
        passed => passed,
    }
}

#[tokio::test]
async fn a_proof_is_good_for_one_operation_once() {
    let house = House::new(|_| {}).await;
    house.person("anna").await;
    let opened = house.login("anna", DeviceWish::default()).await;
    let requester = house.use_token(&opened.access_token).await.unwrap();
    let ask = |operation| Ask { operation, requester: Some(&requester), flows: vec![vec![Stage::Password]] };
    let (session, completed, error) = session_of(step(&house, &ask("one"), None).await);
    assert!(completed.is_empty() && error.is_none());
    let proof = |session: &str, password: &str| {
        Some(json!({
            "type": "m.login.password",
            "session": session,
            "identifier": { "type": "m.id.user", "user": "anna" },
            "password": password,
        }))
    };
    let wrong = session_of(step(&house, &ask("one"), proof(&session, "wrong")).await);
    assert_eq!((wrong.0.as_str(), wrong.2), (session.as_str(), Some(Code::Forbidden)));
    let other = session_of(step(&house, &ask("two"), proof(&session, "secret of anna")).await);
    assert_ne!(other.0, session, "the session was for another operation");
    let mut outcomes = Vec::new();
    for _ in 0..2 {
        match step(&house, &ask("one"), proof(&session, "secret of anna")).await {
            Step::Passed(passed) => outcomes.push(passed.change),
            Step::More(..) => panic!("not passed"),
        }
    }
    let [first, second] = <[_; 2]>::try_from(outcomes).unwrap();
    house.store.submit(first).await.unwrap();
    assert!(house.store.submit(second).await.unwrap_err().is_conflict());
    let used = session_of(step(&house, &ask("one"), proof(&session, "secret of anna")).await);
    assert_ne!(used.0, session);
}

#[tokio::test]
async fn nobody_proves_anything_with_the_password_of_another_or_with_nonsense() {
    let house = House::new(|_| {}).await;
    house.person("anna").await;
    house.person("bohdan").await;
    let opened = house.login("anna", DeviceWish::default()).await;
    let requester = house.use_token(&opened.access_token).await.unwrap();
    let ask = Ask { operation: "x", requester: Some(&requester), flows: vec![vec![Stage::Password]] };
    let other = json!({ "type": "m.login.password", "user": "bohdan", "password": "secret of bohdan" });
    assert_eq!(session_of(step(&house, &ask, Some(other)).await).2, Some(Code::Forbidden));
    for session in ["", "\0", "x", &"x".repeat(32), "'; DROP TABLE uia_session; --"] {
        let auth = json!({ "session": session, "type": "m.login.password", "password": "secret of anna" });
        assert_eq!(session_of(step(&house, &ask, Some(auth)).await).2, Some(Code::Forbidden), "{session:?}");
    }
    for (auth, code) in [
        (json!("text"), Code::BadJson),
        (json!({ "type": 7 }), Code::BadJson),
        (json!({ "type": "m.login.dummy" }), Code::InvalidParam),
        (json!({ "type": "org.example.nonsense" }), Code::InvalidParam),
    ] {
        let refused = house.identity.authenticate_interactively(&ask, Some(&auth)).await;
        assert_eq!(refused.unwrap_err().code, code, "{auth}");
    }
    // Without a session, in one request: the name may be left out.
    let auth = json!({ "type": "m.login.password", "password": "secret of anna" });
    assert!(matches!(step(&house, &ask, Some(auth)).await, Step::Passed(_)));
}

#[tokio::test]
async fn registration_is_closed_unless_somebody_opens_it() {
    let house = House::new(|_| {}).await;
    assert_eq!(house.register("anna", None).await.unwrap_err().code, Code::Forbidden);
    let guest = house.identity.register_guest(DeviceWish::default(), Actor::default()).await;
    assert_eq!(guest.unwrap_err().code, Code::GuestAccessForbidden);
    assert!(house.identity.registration_token_is_valid("x").await.is_err());
}

#[tokio::test]
async fn hostile_names_are_refused_before_anything_must_be_proven() {
    let house = House::new(|options| options.registration.enabled = true).await;
    house.person("taken").await;
    let long = "x".repeat(255);
    for name in ["", "żaneta", "an na", "a:b", "@anna", "a\0b", "a\u{301}", "аnna", "<script>", &long] {
        let refused = house.register(name, None).await.unwrap_err();
        assert_eq!(refused.code, Code::InvalidUsername, "{name:?}");
    }
    assert_eq!(house.register("taken", None).await.unwrap_err().code, Code::UserInUse);
    assert_eq!(house.register("Taken", None).await.unwrap_err().code, Code::UserInUse);
}

async fn token_house(uses: i64) -> (House, String) {
    let house = House::new(|options| options.registration.enabled = true).await;
    let made = house.identity.new_registration_token(None, Some(uses), None, Actor::default());
    let (change, token) = made.await.unwrap();
    house.store.submit(change).await.unwrap();
    (house, token)
}

#[tokio::test]
async fn a_registration_token_makes_as_many_accounts_as_it_is_good_for() {
    let (house, token) = token_house(2).await;
    let auth = |token: &str| Some(json!({ "type": "m.login.registration_token", "token": token }));
    match house.register("anna", auth("wrong")).await.unwrap() {
        Registering::More(challenge, _) => {
            assert_eq!(challenge.flows, [["m.login.registration_token"]]);
            assert_eq!(challenge.error.unwrap().code, Code::Unauthorized);
        }
        Registering::Done(..) => panic!("registered with a wrong token"),
    }
    let register = async |name: String| match house.register(&name, auth(&token)).await? {
        Registering::Done(change, ..) => house.store.submit(change).await.map(|_| true),
        Registering::More(..) => Ok(false),
    };
    let outcomes = futures_join((0..10).map(|n| register(format!("person{n}")))).await;
    assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, Ok(true))).count(), 2);
    assert!(!house.identity.registration_token_is_valid(&token).await.unwrap());
    assert_eq!(house.identity.people(0, 100).await.unwrap().len(), 2);
}

#[tokio::test]
async fn of_people_who_want_one_name_at_the_same_moment_one_gets_it() {
    let house = House::new(|options| {
        options.registration.enabled = true;
        options.registration.require_verification = false;
    })
    .await;
    let register = async || {
        let auth = Some(json!({ "type": "m.login.dummy" }));
        match house.register("anna", auth).await? {
            Registering::Done(change, ..) => house.store.submit(change).await.map(|_| ()),
            Registering::More(..) => panic!("the dummy needs nothing"),
        }
    };
    let outcomes = futures_join((0..10).map(|_| register())).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    let taken = |error: &kontor_model::Error| error.is_conflict() || error.code == Code::UserInUse;
    assert!(outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).all(taken));
}

#[tokio::test]
async fn guests_have_no_password_and_no_device_of_their_choice() {
    let house = House::new(|options| options.registration.allow_guests = true).await;
    let wish = DeviceWish { device_id: Some("MINE".into()), ..refreshing() };
    let (change, user_id, opened) = house.identity.register_guest(wish, Actor::default()).await.unwrap();
    house.store.submit(change).await.unwrap();
    assert_ne!(opened.device_id, "MINE");
    assert!(house.use_token(&opened.access_token).await.unwrap().guest);
    let login = house.login_as(user_id.as_str(), "", DeviceWish::default()).await;
    assert_eq!(login.unwrap_err().code, Code::Forbidden);
}

#[tokio::test]
async fn the_first_administrator_is_made_once() {
    let house = House::new(|_| {}).await;
    let first = async |token: &str, name: &str| {
        let made = house.identity.first_administrator(token, name, secret("long enough"), Actor::default());
        house.store.submit(made.await?.0).await
    };
    assert_eq!(first("right", "anna").await.unwrap_err().code, Code::Forbidden, "no token was given out");
    house.identity.allow_first_administrator("right");
    assert_eq!(first("wrong", "anna").await.unwrap_err().code, Code::Forbidden);
    assert_eq!(first("right", "Żaneta").await.unwrap_err().code, Code::InvalidUsername);
    assert!(!house.identity.has_administrator().await.unwrap());
    first("right", "anna").await.unwrap();
    assert!(house.identity.has_administrator().await.unwrap());
    assert_eq!(first("right", "bohdan").await.unwrap_err().code, Code::Forbidden);
    let opened = house.login_as("anna", "long enough", DeviceWish::default()).await.unwrap();
    assert!(house.use_token(&opened.access_token).await.unwrap().admin);
}

#[tokio::test]
async fn the_shared_secret_makes_accounts_with_a_fresh_nonce_and_a_right_mac_only() {
    let house = House::new(|options| options.registration.shared_secret = Some(secret("s3cret"))).await;
    let request = |identity: &Identity, name: &str, admin: bool| SharedSecretRequest {
        nonce: identity.shared_secret_nonce().unwrap(),
        username: name.to_owned(),
        password: secret("zażółć gęślą"),
        admin,
        user_type: None,
        display_name: None,
        mac: String::new(),
        device: Some(DeviceWish::default()),
    };
    let signed = |mut request: SharedSecretRequest, key: &str| {
        use hmac::{Hmac, KeyInit, Mac};
        let mut mac = Hmac::<sha1::Sha1>::new_from_slice(key.as_bytes()).unwrap();
        let role = if request.admin { "admin" } else { "notadmin" };
        let parts = [request.nonce.as_str(), &request.username, request.password.expose(), role];
        mac.update(parts.join("\0").as_bytes());
        let bytes = mac.finalize().into_bytes();
        request.mac = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        request
    };
    let register = async |request| {
        let (change, _, opened) = house.identity.register_by_shared_secret(request, Actor::default()).await?;
        house.store.submit(change).await?;
        Ok::<_, kontor_model::Error>(opened.unwrap())
    };
    let opened = register(signed(request(&house.identity, "anna", true), "s3cret")).await.unwrap();
    assert!(house.use_token(&opened.access_token).await.unwrap().admin);
    let wrong = register(signed(request(&house.identity, "eve", true), "guess")).await;
    assert_eq!(wrong.unwrap_err().code, Code::Forbidden);
    let mut raised = signed(request(&house.identity, "eve", false), "s3cret");
    raised.admin = true;
    assert_eq!(register(raised).await.unwrap_err().code, Code::Forbidden);
    for nonce in ["", "x", "-", "zz-x-y", "7fffffffffffffff-x-00", "-8000000000000000-x-00"] {
        let mut forged = request(&house.identity, "eve", false);
        forged.nonce = nonce.to_owned();
        assert_eq!(register(signed(forged, "s3cret")).await.unwrap_err().code, Code::InvalidParam, "{nonce}");
    }
    let late = signed(request(&house.identity, "eve", false), "s3cret");
    house.pass(5 * 60 * 1000 + 1);
    assert_eq!(register(late).await.unwrap_err().code, Code::InvalidParam);
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
    house.pass(61_000);
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
