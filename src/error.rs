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
    /// What was written does not read back as it should.
    VerificationFailed,
    /// No plan meets the target.
    Unreachable,
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
            Code::VerificationFailed => "verification_failed",
            Code::Unreachable => "unreachable",
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
        self.tensor = Some(short(name.into(), MAX_NAME));
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
    pub fn with_expected(mut self, expected: impl Fact) -> Self {
        self.expected = Some(short(expected.text(), MAX_FACT));
        self
    }

    /// Says what was there.
    #[must_use]
    pub fn with_found(mut self, found: impl Fact) -> Self {
        self.found = Some(short(found.text(), MAX_FACT));
        self
    }
}

/// Bytes of a tensor's name that an error quotes, and of a fact: both come from files, where a name may have megabytes.
const MAX_NAME: usize = 256;
const MAX_FACT: usize = 1024;

/// The beginning of a long text.
fn short(mut text: String, most: usize) -> String {
    if text.len() > most {
        let end = (0..=most).rev().find(|&end| text.is_char_boundary(end));
        text.truncate(end.unwrap_or(0));
        text.push('…');
    }
    text
}

/// What an error may say as expected or found.
pub trait Fact {
    /// In words.
    fn text(&self) -> String;
}

impl<T: Fact + ?Sized> Fact for &T {
    fn text(&self) -> String {
        (**self).text()
    }
}

macro_rules! facts {
    ($($type:ty),*) => {
        $(impl Fact for $type {
            fn text(&self) -> String {
                written(self)
            }
        })*
    };
}

facts!(String, usize, u64, u32, i32, u8, fmt::Arguments<'_>);

impl Fact for str {
    fn text(&self) -> String {
        self.to_owned()
    }
}

/// Errors are made in many places and seldom: one copy of the code that makes them is enough.
#[cold]
#[inline(never)]
fn written(fact: &dyn fmt::Display) -> String {
    fact.to_string()
}

impl Fact for f32 {
    fn text(&self) -> String {
        Number(f64::from(*self)).to_string()
    }
}

impl Fact for f64 {
    fn text(&self) -> String {
        Number(*self).to_string()
    }
}

/// A number as messages show it, to nine digits: the standard library's exact printing would be 6 KB of the gzipped module.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Number(pub f64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: i32 = 9;
        let x = self.0.abs();
        if x.is_nan() {
            return f.write_str("NaN");
        }
        if self.0 < 0.0 {
            f.write_str("-")?;
        }
        if x.is_infinite() {
            return f.write_str("inf");
        }
        if x < 1e15 && x.fract() == 0.0 {
            return write!(f, "{}", x as u64);
        }
        // x = 0.d₁d₂… × 10^(exponent + 1)
        let mut exponent = x.log10().floor() as i32;
        // In two steps, because the whole power may lie beyond f64.
        let shift = DIGITS - 1 - exponent;
        let mut digits = (x * 10_f64.powi(shift / 2) * 10_f64.powi(shift - shift / 2)).round() as u64;
        if digits >= 10_u64.pow(DIGITS as u32) {
            digits /= 10;
            exponent += 1;
        }
        let mut text = digits.to_string();
        text.truncate(text.trim_end_matches('0').len());
        if (-6..15).contains(&exponent) {
            let point = exponent + 1;
            match usize::try_from(point) {
                Ok(point) if point >= text.len() => write!(f, "{text}{}", "0".repeat(point - text.len())),
                Ok(point) if point > 0 => write!(f, "{}.{}", &text[..point], &text[point..]),
                _ => write!(f, "0.{}{text}", "0".repeat(point.unsigned_abs() as usize)),
            }
        } else {
            let (first, rest) = text.split_at(1);
            write!(f, "{first}{}{rest}e{exponent}", if rest.is_empty() { "" } else { "." })
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_and_facts_are_quoted_by_their_beginnings() {
        let name = "é".repeat(1 << 20);
        let e = Error::new(Code::Malformed, "no").with_tensor(&name).with_found(&name);
        assert_eq!(e.tensor.as_deref(), Some(format!("{}…", "é".repeat(128)).as_str()));
        assert_eq!(e.found.as_ref().map(String::len), Some(1024 + "…".len()));
        assert_eq!(short("short".into(), 5), "short");
    }

    #[test]
    fn numbers_are_shown_to_nine_digits() {
        for (x, shown) in [
            (0.0, "0"),
            (-3.0, "-3"),
            (0.5, "0.5"),
            (-0.193, "-0.193"),
            (0.001, "0.001"),
            (0.000_012_3, "0.0000123"),
            (1.0 / 3.0, "0.333333333"),
            (0.999_999_999_9, "1"),
            (1234.5, "1234.5"),
            (9_007_199_254_740_992.0, "9.00719925e15"),
            (f64::from(f32::MAX), "3.40282347e38"),
            (f64::MAX, "1.79769313e308"),
            (5e-324, "4.94065646e-324"),
            (1e-7, "1e-7"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(Number(x).to_string(), shown);
        }
    }
}
