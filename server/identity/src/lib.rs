//! Department identity.

/// Entry.
pub struct Identity {}

impl Identity {
    /// Checks an access token.
    ///
    /// # Errors
    /// `UnknownToken`.
    pub async fn authenticate(&self, _token: &str) -> kontor_model::Result<kontor_model::Requester> {
        Err(kontor_model::Error::new(kontor_model::Code::UnknownToken { soft_logout: false }, "Log in again."))
    }
}
