//! Messages that are written, as pieces: bytes, stretches of the source file, and payloads that are known by their length alone. So the
//! length before every message is known before the first byte is written.

use std::ops::Range;

/// A piece of a file that is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// These bytes.
    Bytes(Vec<u8>),
    /// Bytes of the model's file.
    Copy(Range<u64>),
    /// The data of an initializer that is kept and lies in another file: its index among the graph's, and its bytes.
    Stored {
        /// Of the initializer.
        initializer: usize,
        /// How many.
        byte_len: u64,
    },
    /// A part of an initializer that is changed.
    Part {
        /// Which change.
        change: usize,
        /// Which of its parts.
        part: usize,
        /// How many bytes.
        byte_len: u64,
    },
}

impl Piece {
    /// How many bytes.
    #[must_use]
    pub fn byte_len(&self) -> u64 {
        match self {
            Piece::Bytes(bytes) => bytes.len() as u64,
            Piece::Copy(range) => range.end - range.start,
            Piece::Stored { byte_len, .. } | Piece::Part { byte_len, .. } => *byte_len,
        }
    }
}

/// Pieces one after the other; neighbours that are one are joined.
#[derive(Debug, Clone, Default)]
pub(super) struct Pieces {
    list: Vec<Piece>,
    len: u64,
}

impl Pieces {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn into_list(self) -> Vec<Piece> {
        self.list
    }

    pub(super) fn push(&mut self, piece: Piece) {
        let len = piece.byte_len();
        if len == 0 {
            return;
        }
        self.len += len;
        match (self.list.last_mut(), piece) {
            (Some(Piece::Bytes(bytes)), Piece::Bytes(more)) => bytes.extend(more),
            (Some(Piece::Copy(range)), Piece::Copy(more)) if range.end == more.start => range.end = more.end,
            (_, piece) => self.list.push(piece),
        }
    }

    fn varint(&mut self, mut n: u64) {
        let mut bytes = Vec::with_capacity(10);
        while n >= 0x80 {
            bytes.push(n as u8 | 0x80);
            n >>= 7;
        }
        bytes.push(n as u8);
        self.push(Piece::Bytes(bytes));
    }

    /// A field that is a number.
    pub(super) fn number(&mut self, field: u32, n: u64) {
        self.varint(u64::from(field) << 3);
        self.varint(n);
    }

    /// A field that is a text.
    pub(super) fn text(&mut self, field: u32, text: &str) {
        self.start(field, text.len() as u64);
        self.push(Piece::Bytes(text.as_bytes().to_vec()));
    }

    /// The tag and the length of a field whose `len` bytes follow.
    pub(super) fn start(&mut self, field: u32, len: u64) {
        self.varint(u64::from(field) << 3 | 2);
        self.varint(len);
    }

    /// A field that is a message.
    pub(super) fn message(&mut self, field: u32, body: Pieces) {
        self.start(field, body.len);
        self.append(body);
    }

    pub(super) fn append(&mut self, more: Pieces) {
        for piece in more.list {
            self.push(piece);
        }
    }

    pub(super) fn copy(&mut self, range: Range<u64>) {
        self.push(Piece::Copy(range));
    }

    /// A copy of `range` with stretches of it replaced. `edits` are in order and lie in it; an empty one inserts.
    pub(super) fn edited(&mut self, range: Range<u64>, edits: Vec<(Range<u64>, Pieces)>) {
        let mut at = range.start;
        for (old, new) in edits {
            self.copy(at..old.start);
            self.append(new);
            at = old.end;
        }
        self.copy(at..range.end);
    }
}
