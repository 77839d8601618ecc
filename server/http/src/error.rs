//! Errors as Matrix clients expect them: a status, an `errcode` and a sentence.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kontor_model::{Code, Error};
use serde_json::{Map, Value};

/// An [`Error`] on its way out. The cause is logged here, once; it never leaves the server.
pub struct ErrorResponse {
    error: Error,
    /// Further fields of the body, such as `soft_logout` or a UIA session.
    status: Option<StatusCode>,
    body: Option<Value>,
}

/// What handlers return.
pub type Answer<T = Response> = Result<T, ErrorResponse>;

impl From<Error> for ErrorResponse {
    fn from(error: Error) -> Self {
        Self { error, status: None, body: None }
    }
}

impl ErrorResponse {
    /// An answer that is not an error for the person but asks for more, such as the 401 of
    /// user-interactive authentication: `body` is sent as it is.
    pub fn with_body(status: StatusCode, body: Value) -> Self {
        Self { error: Error::new(Code::Unauthorized, ""), status: Some(status), body: Some(body) }
    }
}

/// Status and `errcode` of a code (client-server API, "Common error codes" and each endpoint's).
pub fn status_and_errcode(code: Code) -> (StatusCode, &'static str) {
    use StatusCode as S;
    match code {
        Code::NotJson => (S::BAD_REQUEST, "M_NOT_JSON"),
        Code::BadJson => (S::BAD_REQUEST, "M_BAD_JSON"),
        Code::InvalidParam => (S::BAD_REQUEST, "M_INVALID_PARAM"),
        Code::MissingParam => (S::BAD_REQUEST, "M_MISSING_PARAM"),
        Code::Forbidden => (S::FORBIDDEN, "M_FORBIDDEN"),
        Code::MissingToken => (S::UNAUTHORIZED, "M_MISSING_TOKEN"),
        Code::UnknownToken { .. } => (S::UNAUTHORIZED, "M_UNKNOWN_TOKEN"),
        Code::UnknownPos => (S::BAD_REQUEST, "M_UNKNOWN_POS"),
        Code::NotFound => (S::NOT_FOUND, "M_NOT_FOUND"),
        Code::Unrecognized => (S::NOT_FOUND, "M_UNRECOGNIZED"),
        Code::MethodNotAllowed => (S::METHOD_NOT_ALLOWED, "M_UNRECOGNIZED"),
        Code::TooLarge => (S::PAYLOAD_TOO_LARGE, "M_TOO_LARGE"),
        Code::LimitExceeded { .. } => (S::TOO_MANY_REQUESTS, "M_LIMIT_EXCEEDED"),
        Code::UserInUse => (S::BAD_REQUEST, "M_USER_IN_USE"),
        Code::InvalidUsername => (S::BAD_REQUEST, "M_INVALID_USERNAME"),
        Code::Exclusive => (S::BAD_REQUEST, "M_EXCLUSIVE"),
        Code::RoomInUse => (S::BAD_REQUEST, "M_ROOM_IN_USE"),
        Code::InvalidRoomState => (S::BAD_REQUEST, "M_INVALID_ROOM_STATE"),
        Code::UnsupportedRoomVersion => (S::BAD_REQUEST, "M_UNSUPPORTED_ROOM_VERSION"),
        Code::IncompatibleRoomVersion => (S::BAD_REQUEST, "M_INCOMPATIBLE_ROOM_VERSION"),
        Code::BadAlias => (S::BAD_REQUEST, "M_BAD_ALIAS"),
        Code::WeakPassword => (S::BAD_REQUEST, "M_WEAK_PASSWORD"),
        Code::UserDeactivated => (S::FORBIDDEN, "M_USER_DEACTIVATED"),
        Code::UserLocked => (S::UNAUTHORIZED, "M_USER_LOCKED"),
        Code::UserSuspended => (S::FORBIDDEN, "M_USER_SUSPENDED"),
        Code::GuestAccessForbidden => (S::FORBIDDEN, "M_GUEST_ACCESS_FORBIDDEN"),
        Code::Unauthorized => (S::UNAUTHORIZED, "M_UNAUTHORIZED"),
        Code::InvalidSignature => (S::BAD_REQUEST, "M_INVALID_SIGNATURE"),
        Code::InviteBlocked => (S::FORBIDDEN, "M_INVITE_BLOCKED"),
        Code::UnableToAuthoriseJoin => (S::BAD_REQUEST, "M_UNABLE_TO_AUTHORISE_JOIN"),
        Code::UnableToGrantJoin => (S::BAD_REQUEST, "M_UNABLE_TO_GRANT_JOIN"),
        Code::Unprocessable => (S::BAD_REQUEST, "M_UNKNOWN"),
        Code::ProfileTooLarge => (S::BAD_REQUEST, "M_PROFILE_TOO_LARGE"),
        Code::KeyTooLarge => (S::BAD_REQUEST, "M_KEY_TOO_LARGE"),
        Code::NotYetUploaded => (S::GATEWAY_TIMEOUT, "M_NOT_YET_UPLOADED"),
        Code::CannotOverwriteMedia => (S::CONFLICT, "M_CANNOT_OVERWRITE_MEDIA"),
        Code::DuplicateAnnotation => (S::BAD_REQUEST, "M_DUPLICATE_ANNOTATION"),
        Code::WrongRoomKeysVersion { .. } => (S::FORBIDDEN, "M_WRONG_ROOM_KEYS_VERSION"),
        Code::ThreepidInUse => (S::BAD_REQUEST, "M_THREEPID_IN_USE"),
        Code::ThreepidNotFound => (S::BAD_REQUEST, "M_THREEPID_NOT_FOUND"),
        Code::ThreepidAuthFailed => (S::FORBIDDEN, "M_THREEPID_AUTH_FAILED"),
        Code::ThreepidMediumNotSupported => (S::BAD_REQUEST, "M_THREEPID_MEDIUM_NOT_SUPPORTED"),
        Code::ServerNotTrusted => (S::BAD_REQUEST, "M_SERVER_NOT_TRUSTED"),
        Code::CannotLeaveServerNoticeRoom => (S::FORBIDDEN, "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM"),
        Code::UnknownDevice => (S::BAD_REQUEST, "M_UNKNOWN_DEVICE"),
        Code::TimedOut => (S::REQUEST_TIMEOUT, "M_UNKNOWN"),
        Code::Conflict => (S::CONFLICT, "M_UNKNOWN"),
        Code::Unavailable => (S::SERVICE_UNAVAILABLE, "M_UNKNOWN"),
        Code::Internal => (S::INTERNAL_SERVER_ERROR, "M_UNKNOWN"),
    }
}

impl IntoResponse for ErrorResponse {
    fn into_response(self) -> Response {
        let (status, errcode) = status_and_errcode(self.error.code);
        let status = self.status.unwrap_or(status);
        match (&self.error.cause, status.is_server_error()) {
            (Some(cause), true) => {
                tracing::error!(error.cause = %cause, http.status = status.as_u16(), "request failed");
            }
            (Some(cause), false) => {
                tracing::debug!(error.cause = %cause, http.status = status.as_u16(), "refused")
            }
            (None, _) => {}
        }
        let mut body = match self.body {
            Some(Value::Object(body)) => body,
            _ => Map::from_iter([
                ("errcode".to_owned(), errcode.into()),
                ("error".to_owned(), self.error.message.into()),
            ]),
        };
        let mut retry = None;
        match self.error.code {
            Code::UnknownToken { soft_logout } => {
                body.insert("soft_logout".to_owned(), soft_logout.into());
            }
            Code::WrongRoomKeysVersion { current } => {
                body.insert("current_version".to_owned(), current.to_string().into());
            }
            Code::UserLocked => {
                body.insert("soft_logout".to_owned(), true.into());
            }
            Code::LimitExceeded { retry_after_ms } => {
                body.insert("retry_after_ms".to_owned(), retry_after_ms.into());
                retry = HeaderValue::from_str(&retry_after_ms.div_ceil(1000).to_string()).ok();
            }
            _ => {}
        }
        let mut response = (status, axum::Json(body)).into_response();
        if let Some(retry) = retry {
            response.headers_mut().insert(header::RETRY_AFTER, retry);
        }
        if status == StatusCode::PAYLOAD_TOO_LARGE {
            // The rest of the body is not read, so the connection is of no further use.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
