//! The readers of files of the terminal program, which is no library.

#[path = "../../../admin-cli/src/contacts/consents.rs"]
pub(crate) mod consents;
#[path = "../../../admin-cli/src/contacts/sheet.rs"]
pub(crate) mod sheet;
#[path = "../../../admin-cli/src/contacts/vcard.rs"]
pub(crate) mod vcard;
