//! Who asks for a procedure.

use kontor_model::{Ms, Requester};
use kontor_store::audit::Actor;

/// An authenticated caller, as procedures need to know one.
#[derive(Clone, Debug)]
pub struct Caller<'a> {
    /// Who it is.
    pub requester: &'a Requester,
    /// The same in the words of the audit log.
    pub actor: Actor,
    /// When the request came.
    pub now: Ms,
}
