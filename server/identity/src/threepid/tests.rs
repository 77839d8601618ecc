//! Addresses are proven, taken once, and forgotten, over a real archive.

use super::*;
use crate::testing::House;
use crate::{DeviceWish, Mail};
use kontor_store::outbox;

async fn house() -> House {
    House::new(|options| options.mail = Some(Mail { base_url: "https://chat.example".into() })).await
}

fn request(purpose: Purpose, email: &str) -> TokenRequest {
    TokenRequest {
        purpose,
        email: email.into(),
        client_secret: "s3cret".into(),
        send_attempt: 1,
        next_link: None,
        language: Language::Polish,
    }
}

impl House {
    async fn ask(&self, request: &TokenRequest) -> String {
        let (sid, change) = self.identity.request_email_token(request).await.unwrap();
        if let Some(change) = change {
            self.store.submit(change).await.unwrap();
        }
        sid
    }

    /// The letters that were laid out, oldest first.
    async fn letters(&self) -> Vec<Letter> {
        let rows = outbox::due(&mut self.store.reader(), KIND, Ms::MAX, 100).await.unwrap();
        rows.iter().map(|row| serde_json::from_str(&row.payload).unwrap()).collect()
    }

    /// Opens the link of the newest letter.
    async fn open_link(&self) {
        let link = self.letters().await.into_iter().rev().find_map(|letter| letter.link).unwrap();
        let (_, rest) = link.split_once("token=").unwrap();
        let token = rest.split('&').next().unwrap();
        let (change, _) = self.identity.validate(token).await.unwrap();
        self.store.submit(change).await.unwrap();
    }
}

#[tokio::test]
async fn an_address_is_proven_by_the_link_and_then_belongs_to_one_account() {
    let house = house().await;
    house.person("anna").await;
    let opened = house.login("anna", DeviceWish::default()).await;
    let anna = house.use_token(&opened.access_token).await.unwrap();
    let sid = house.ask(&request(Purpose::Add, " Anna@Company.Example ")).await;
    let add = || house.identity.add_address(&anna, &sid, "s3cret", Actor::default());
    assert_eq!(add().await.unwrap_err().code, Code::ThreepidAuthFailed);
    house.open_link().await;
    let wrong = house.identity.add_address(&anna, &sid, "other", Actor::default()).await;
    assert_eq!(wrong.unwrap_err().code, Code::ThreepidAuthFailed);
    house.store.submit(add().await.unwrap()).await.unwrap();
    let mine = house.identity.addresses(&anna).await.unwrap();
    assert_eq!((mine.len(), mine[0].address.as_str()), (1, "anna@company.example"));
    assert_eq!(add().await.unwrap_err().code, Code::ThreepidAuthFailed, "used up");
    // Whoever asks again learns nothing, only the reader of the mail does.
    house
        .ask(&TokenRequest { client_secret: "x".into(), ..request(Purpose::Add, "ANNA@company.example") })
        .await;
    let last = house.letters().await.pop().unwrap();
    assert_eq!((last.cause, last.link), (Cause::Taken, None));
    let gone = house.identity.remove_address(&anna, EMAIL, "anna@COMPANY.example", Actor::default()).await;
    house.store.submit(gone.unwrap()).await.unwrap();
    let gone = house.identity.remove_address(&anna, EMAIL, "anna@company.example", Actor::default()).await;
    assert_eq!(gone.unwrap_err().code, Code::ThreepidNotFound);
}

#[tokio::test]
async fn a_proof_is_good_for_its_purpose_its_secret_and_a_day() {
    let house = house().await;
    let sid = house.ask(&request(Purpose::Register, "a@b.example")).await;
    house.open_link().await;
    assert!(house.identity.proven(Purpose::Register, &sid, "s3cret").await.is_ok());
    assert!(house.identity.proven(Purpose::Add, &sid, "s3cret").await.is_err());
    assert!(house.identity.proven(Purpose::Register, &sid, "guess").await.is_err());
    assert!(house.identity.proven(Purpose::Register, "'; --", "s3cret").await.is_err());
    house.pass(VALIDATION_LIFE + 1);
    assert!(house.identity.proven(Purpose::Register, &sid, "s3cret").await.is_err());
}

#[tokio::test]
async fn a_repeated_request_sends_nothing_until_the_attempt_grows() {
    let house = house().await;
    let first = request(Purpose::Add, "a@b.example");
    let sid = house.ask(&first).await;
    assert_eq!(house.ask(&first).await, sid);
    assert_eq!(house.letters().await.len(), 1);
    let again = TokenRequest { send_attempt: 2, ..first.clone() };
    assert_eq!(house.ask(&again).await, sid);
    assert_eq!(house.letters().await.len(), 2);
    // Of two at the same moment one is refused, and asks again.
    let third = TokenRequest { send_attempt: 3, ..first };
    let plan = || house.identity.request_email_token(&third);
    let (one, two) = (plan().await.unwrap().1.unwrap(), plan().await.unwrap().1.unwrap());
    house.store.submit(one).await.unwrap();
    assert!(house.store.submit(two).await.unwrap_err().is_conflict());
    assert!(plan().await.unwrap().1.is_none());
}

#[tokio::test]
async fn the_owner_of_the_address_sets_another_password() {
    let house = house().await;
    house.person("anna").await;
    let opened = house.login("anna", DeviceWish::default()).await;
    let anna = house.use_token(&opened.access_token).await.unwrap();
    let sid = house.ask(&request(Purpose::Add, "a@b.example")).await;
    house.open_link().await;
    let change = house.identity.add_address(&anna, &sid, "s3cret", Actor::default()).await.unwrap();
    house.store.submit(change).await.unwrap();
    let sid = house.ask(&request(Purpose::Reset, "a@b.example")).await;
    house.open_link().await;
    let proof = house.identity.proven(Purpose::Reset, &sid, "s3cret").await.unwrap();
    let password = Secret::new("another long one".to_owned());
    let (change, _) = house.identity.reset_password(&proof, &password, true, Actor::default()).await.unwrap();
    house.store.submit(change).await.unwrap();
    assert!(house.use_token(&opened.access_token).await.is_err());
    assert!(house.identity.by_address(EMAIL, "A@b.example", &password).await.is_ok());
    assert!(house.identity.by_address("msisdn", "a@b.example", &password).await.is_err());
    house.ask(&request(Purpose::Reset, "nobody@b.example")).await;
    assert_eq!(house.letters().await.pop().unwrap().cause, Cause::Unknown);
}

#[tokio::test]
async fn without_mail_nothing_is_promised() {
    let house = House::new(|_| {}).await;
    let refused = house.identity.request_email_token(&request(Purpose::Add, "a@b.example")).await;
    assert_eq!(refused.unwrap_err().code, Code::ThreepidMediumNotSupported);
}

#[test]
fn addresses_are_compared_in_small_letters_and_checked() {
    assert_eq!(canonical_email(" Zażółć@EXAMPLE.org").unwrap(), "zażółć@example.org");
    for bad in ["", "a", "@b", "a@", "a@b@c", "a b@c", "a@b..c", "a@.b", "<a@b>", "a@b,c@d", "a\n@b", "a@b\0"]
    {
        assert!(canonical_email(bad).is_err(), "{bad}");
    }
    assert!(canonical_email(&format!("{}@b", "x".repeat(300))).is_err());
}

#[test]
fn people_are_sent_to_web_addresses_only() {
    for bad in ["javascript:alert(1)", "ftp://x", "//x", "", "https://x\n"] {
        assert!(check_link(bad).is_err(), "{bad}");
    }
    assert!(check_link("https://element.example/#/home").is_ok());
}
