//! The one error type of the crate: a stable code, a sentence, and the facts behind it.
//!
//! Codes are grouped by who can act. What a file's parser does not know (the file's own name) is added by the
//! caller that opened it.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// What went wrong, as a name that never changes. Callers match on it; people read [`Error::message`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// The caller passed something outside the documented domain.
    InvalidArgument,
    /// No scheme has this id.
    UnknownScheme,
    /// The scheme has no option of this name.
    UnknownOption,
    /// The option exists, its value is not one it takes.
    InvalidOption,
    /// The shape does not hold as many elements as were given.
    ShapeMismatch,
    /// Weights hold NaN or infinities and the scheme was not told to saturate them.
    NonFinite,
    /// The handle was used after `free()`.
    Freed,
    /// The file is of no known format.
    UnknownFormat,
    /// The file breaks a rule of its format.
    Malformed,
    /// The file ends before what its header promises.
    Truncated,
    /// The file is well formed and uses something that is not supported.
    Unsupported,
    /// There is no tensor of this name.
    UnknownTensor,
    /// Memory for the result could not be had.
    OutOfMemory,
}

impl Code {
    /// The code as it crosses into JavaScript and scripts: stable, lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Code::InvalidArgument => "invalid_argument",
            Code::UnknownScheme => "unknown_scheme",
            Code::UnknownOption => "unknown_option",
            Code::InvalidOption => "invalid_option",
            Code::ShapeMismatch => "shape_mismatch",
            Code::NonFinite => "non_finite",
            Code::Freed => "freed",
            Code::UnknownFormat => "unknown_format",
            Code::Malformed => "malformed",
            Code::Truncated => "truncated",
            Code::Unsupported => "unsupported",
            Code::UnknownTensor => "unknown_tensor",
            Code::OutOfMemory => "out_of_memory",
        }
    }
}

/// An error with its facts. Build it with [`Error::new`] and the `with_` methods, read the facts as fields.
///
/// Boxed, so that passing one on costs a pointer: results stay small and so does the code that hands them up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(Box<Facts>);

/// What an [`Error`] says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// What went wrong, for programs.
    pub code: Code,
    /// What went wrong, for people: one sentence without the facts below.
    pub message: String,
    /// The tensor concerned.
    pub tensor: Option<String>,
    /// Byte offset in the file, or index of the element, that the error is about.
    pub offset: Option<u64>,
    /// What would have been right.
    pub expected: Option<String>,
    /// What was there.
    pub found: Option<String>,
}

impl Deref for Error {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        &self.0
    }
}

impl DerefMut for Error {
    fn deref_mut(&mut self) -> &mut Facts {
        &mut self.0
    }
}

/// `std::result::Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error without facts yet.
    #[cold]
    #[inline(never)]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let message = message.into();
        Error(Box::new(Facts { code, message, tensor: None, offset: None, expected: None, found: None }))
    }

    /// The same facts under another code.
    #[must_use]
    pub fn with_code(mut self, code: Code) -> Self {
        self.code = code;
        self
    }

    /// Names the tensor.
    #[must_use]
    #[inline(never)]
    pub fn with_tensor(mut self, name: impl Into<String>) -> Self {
        self.tensor = Some(name.into());
        self
    }

    /// Names the byte offset or element index.
    #[must_use]
    pub fn with_offset(mut self, offset: u64) -> Self {
        self.offset = Some(offset);
        self
    }

    /// Says what would have been right.
    #[must_use]
    pub fn with_expected(self, expected: impl fmt::Display) -> Self {
        self.expecting(&expected)
    }

    /// Says what was there.
    #[must_use]
    pub fn with_found(self, found: impl fmt::Display) -> Self {
        self.finding(&found)
    }

    // Errors are made in many places and seldom: one copy of the code that makes them is enough.

    #[cold]
    #[inline(never)]
    fn expecting(mut self, expected: &dyn fmt::Display) -> Self {
        self.expected = Some(expected.to_string());
        self
    }

    #[cold]
    #[inline(never)]
    fn finding(mut self, found: &dyn fmt::Display) -> Self {
        self.found = Some(found.to_string());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(tensor) = &self.tensor {
            write!(f, "tensor {tensor:?}: ")?;
        }
        f.write_str(&self.message)?;
        if let Some(offset) = self.offset {
            write!(f, " at {offset}")?;
        }
        match (&self.expected, &self.found) {
            (Some(expected), Some(found)) => write!(f, "; expected {expected}, found {found}"),
            (Some(expected), None) => write!(f, "; expected {expected}"),
            (None, Some(found)) => write!(f, "; found {found}"),
            (None, None) => Ok(()),
        }
    }
}

impl std::error::Error for Error {}
