//! The one error type that crosses rooms of the house.
//!
//! A [`Code`] is what the caller can do about it; `message` is for the person; `cause` is for the
//! log and is written there once, at the boundary. HTTP status codes and the texts of Matrix error
//! codes are the front door's business and may not enter here.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

/// Result of everything that can fail for a reason the caller should hear.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The closed list of what a caller can do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// The body is not JSON at all.
    NotJson,
    /// JSON, but not of the shape that is expected.
    BadJson,
    /// A parameter has a value that is not allowed.
    InvalidParam,
    /// A required parameter is absent.
    MissingParam,
    /// The caller may not do this.
    Forbidden,
    /// No access token was sent.
    MissingToken,
    /// The access token is not valid; with `soft_logout` the client keeps its keys and may refresh.
    UnknownToken {
        /// Whether the client should keep its local data and log in again.
        soft_logout: bool,
    },
    /// A connection of sliding sync is not known (any more): begin it anew.
    UnknownPos,
    /// The thing does not exist, or the caller may not know that it exists.
    NotFound,
    /// No such endpoint.
    Unrecognized,
    /// The endpoint exists, but not with this HTTP method.
    MethodNotAllowed,
    /// The request or the event is larger than allowed.
    TooLarge,
    /// Too many requests; try again after so many milliseconds.
    LimitExceeded {
        /// How long to wait, in milliseconds.
        retry_after_ms: u64,
    },
    /// The user name is taken.
    UserInUse,
    /// The user name is not a valid localpart.
    InvalidUsername,
    /// The name lies in a namespace that somebody else reserved.
    Exclusive,
    /// The room alias is taken.
    RoomInUse,
    /// The state that a new room was asked to start with is contradictory.
    InvalidRoomState,
    /// The server does not know this room version.
    UnsupportedRoomVersion,
    /// The server knows the version of the room but cannot join with it.
    IncompatibleRoomVersion,
    /// The alias does not point where the event says it does.
    BadAlias,
    /// The password does not meet the policy.
    WeakPassword,
    /// The account was deactivated.
    UserDeactivated,
    /// The account is locked.
    UserLocked,
    /// The account is suspended.
    UserSuspended,
    /// Guests may not do this.
    GuestAccessForbidden,
    /// Registration needs a reason or a proof the caller did not give.
    Unauthorized,
    /// A signature is missing or was not made by the key that it names.
    InvalidSignature,
    /// The user takes no invitations.
    InviteBlocked,
    /// The server cannot allow this join over itself; another server could.
    UnableToAuthoriseJoin,
    /// The server cannot grant this join because none of its members may invite.
    UnableToGrantJoin,
    /// The content is not of a kind that can be processed as asked, such as a thumbnail of a text.
    Unprocessable,
    /// The profile would become larger than allowed.
    ProfileTooLarge,
    /// The name of a profile field is longer than allowed.
    KeyTooLarge,
    /// Media content was not uploaded yet.
    NotYetUploaded,
    /// Media content exists already and may not be replaced.
    CannotOverwriteMedia,
    /// Keys may be written to the newest version of the key backup only.
    WrongRoomKeysVersion {
        /// The newest version.
        current: i64,
    },
    /// The address belongs to an account already.
    ThreepidInUse,
    /// The address belongs to no account.
    ThreepidNotFound,
    /// Nobody proved yet that the address is theirs.
    ThreepidAuthFailed,
    /// The server cannot reach addresses of this kind.
    ThreepidMediumNotSupported,
    /// The request names a server that this one does not work with.
    ServerNotTrusted,
    /// The server's own notices cannot be declined.
    CannotLeaveServerNoticeRoom,
    /// A guard failed: somebody else changed the same thing first. Retry on the new state.
    Conflict,
    /// The same reaction was sent twice.
    DuplicateAnnotation,
    /// The user has no device of this id.
    UnknownDevice,
    /// Somebody else who must answer first did not do so in time.
    TimedOut,
    /// Something the request depends on is not there right now; the same request may work later.
    Unavailable,
    /// A defect or a broken machine. The person can only try later; the log has the cause.
    Internal,
}

/// A failure: code for the caller, sentence for the person, cause for the log.
pub struct Error {
    /// What the caller can do about it.
    pub code: Code,
    /// What happened and what to do next, in English, without internals.
    pub message: Cow<'static, str>,
    /// The technical cause; logged once at the boundary, never sent out.
    pub cause: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error with a sentence for the person.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), cause: None }
    }

    /// A defect or a broken machine, with its technical cause.
    pub fn internal(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self {
            code: Code::Internal,
            message: "Something went wrong on the server. Try again in a moment.".into(),
            cause: Some(cause.into()),
        }
    }

    /// Adds the technical cause.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// The caller may not do this.
    pub fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Forbidden, message)
    }

    /// The thing does not exist, or the caller may not know that it does.
    pub fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::NotFound, message)
    }

    /// JSON of the wrong shape.
    pub fn bad_json(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::BadJson, message)
    }

    /// A parameter with a value that is not allowed.
    pub fn invalid_param(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::InvalidParam, message)
    }

    /// Whether a guard failed, so that the caller should retry on the new state.
    pub fn is_conflict(&self) -> bool {
        self.code == Code::Conflict
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.code, self.message)?;
        match &self.cause {
            Some(cause) => write!(f, " ({cause})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_ref().map(|cause| &**cause as &(dyn StdError + 'static))
    }
}
