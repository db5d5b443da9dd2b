//! Raw deflate streams (RFC 1951), inflated piece by piece. What comes out is bounded by what is asked for, never by what the stream claims.

use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZError, MZFlush, MZStatus};

use crate::error::{Code, Error, Result};

/// A stream that is being inflated.
pub struct Inflate {
    state: Box<InflateState>,
    input: Vec<u8>,
    /// Bytes of the input that were used.
    used: usize,
    /// Bytes used before this input.
    before: u64,
    ended: bool,
}

impl std::fmt::Debug for Inflate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inflate").field("before", &self.before).field("ended", &self.ended).finish_non_exhaustive()
    }
}

impl Inflate {
    /// At the start of a stream.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "there is no stream that one would default to")]
    pub fn new() -> Inflate {
        let state = InflateState::new_boxed(DataFormat::Raw);
        Inflate { state, input: Vec::new(), used: 0, before: 0, ended: false }
    }

    /// Takes the next bytes of the stream in the place of those before.
    pub fn push(&mut self, bytes: Vec<u8>) {
        self.before += self.used as u64;
        (self.input, self.used) = (bytes, 0);
    }

    /// The next bytes that come out, at most `most`; fewer when the input is used up or the stream has ended.
    ///
    /// # Errors
    /// `malformed` with the offset in the stream; `out_of_memory`.
    pub fn pull(&mut self, most: usize) -> Result<Vec<u8>> {
        const AT_ONCE: usize = 32 << 10;
        let mut out = Vec::new();
        while out.len() < most && !self.ended {
            let start = out.len();
            let room = AT_ONCE.min(most - start);
            out.try_reserve(room).map_err(|_| Error::new(Code::OutOfMemory, "not enough memory to inflate"))?;
            out.resize(start + room, 0);
            let result = inflate(&mut self.state, &self.input[self.used..], &mut out[start..], MZFlush::None);
            out.truncate(start + result.bytes_written);
            self.used += result.bytes_consumed;
            let is_used_up = result.bytes_consumed == 0 || self.used == self.input.len();
            let wants_input = result.bytes_written == 0 && is_used_up;
            match result.status {
                Ok(MZStatus::StreamEnd) => self.ended = true,
                // `Buf`: there was no input, though bytes of earlier input may have come out.
                Ok(_) | Err(MZError::Buf) => {
                    if wants_input {
                        break;
                    }
                }
                Err(_) => {
                    return Err(Error::new(Code::Malformed, "this is not a deflate stream")
                        .with_offset(self.before + self.used as u64));
                }
            }
        }
        Ok(out)
    }

    /// Whether the stream has ended.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.ended
    }
}
