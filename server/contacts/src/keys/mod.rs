//! Keys: the forms in which telephone numbers, addresses and names of people are compared.
//!
//! Everything here is pure and takes whatever people type. A key is only made of what is sure to be a
//! number or an address; what looks like one is no key. What follows from equal keys is decided in
//! `resolve`.

pub mod alike;
pub mod email;
pub mod lists;
pub mod name;
pub mod phone;
pub mod skeleton;

/// What kind of key it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A telephone number.
    Phone,
    /// A mail address.
    Email,
}

impl Kind {
    /// The word of claims.
    pub fn word(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Email => "email",
        }
    }
}

/// Whom a key can stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Nature {
    /// One person, usually: a mobile number, a mailbox with a person's name.
    Personal,
    /// Several people by its nature: a fixed line, a mailbox of a role or of a family.
    Common,
    /// Nobody in particular: a placeholder, a relay, a number that charges. Never compared.
    Nobody,
}

/// A key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Number or address.
    pub kind: Kind,
    /// The form in which it is compared: E.164, or an address in small letters.
    pub text: String,
    /// Whom it can stand for.
    pub nature: Nature,
}

/// The keys of the telephone numbers that somebody typed into one field.
pub fn phones(raw: &str, region: phone::Region) -> Vec<Key> {
    let found = phone::all(raw, region).into_iter();
    found.map(|phone| Key { kind: Kind::Phone, nature: phone.nature(), text: phone.e164 }).collect()
}

/// The keys of the addresses that somebody typed into one field.
pub fn emails(raw: &str) -> Vec<Key> {
    let found = email::all(raw).into_iter();
    found.map(|email| Key { kind: Kind::Email, nature: email.nature, text: email.key }).collect()
}
