//! Ways to get an account.

use super::*;

async fn token_house(uses: i64) -> (House, String) {
    let house = House::new(|options| options.registration.enabled = true).await;
    let made = house.identity.new_registration_token(None, Some(uses), None, Actor::default());
    let (change, token) = made.await.unwrap();
    house.store.submit(change).await.unwrap();
    (house, token)
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
