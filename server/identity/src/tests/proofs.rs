//! User-interactive authentication.

use super::*;

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
    let ask = |operation| Ask {
        operation,
        requester: Some(&requester),
        flows: vec![vec![Stage::Password]],
        address_for: crate::threepid::Purpose::Add,
    };
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
    let ask = Ask {
        operation: "x",
        requester: Some(&requester),
        flows: vec![vec![Stage::Password]],
        address_for: crate::threepid::Purpose::Add,
    };
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
