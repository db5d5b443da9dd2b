//! Byte-level BPE with GPT-2's way of splitting: what GGUF calls `tokenizer.ggml.model` = `gpt2`, `tokenizer.ggml.pre` = `gpt-2`.
//!
//! Definition: GPT-2's encoder.py. A text is cut into pieces by
//! `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`; each begins as its bytes, and of all neighbouring pairs the one
//! that stands first in the list of merges is joined, until there is none. Tokens are written with a printable character for each byte.
//! The texts of special tokens mean nothing here: they are read as any text.

use std::collections::HashMap;

use super::letters::is_letter;
use crate::error::{Code, Error, Result};

/// Text to tokens and back.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    /// The bytes of each token.
    bytes: Vec<Vec<u8>>,
    /// The token of each single byte.
    single: Vec<u32>,
    /// Pair → when it is joined, and what it becomes.
    merges: HashMap<(u32, u32), (u32, u32)>,
}

impl Tokenizer {
    /// `tokens`: by number, in GPT-2's characters; `merges`: two tokens with a space between, the first ones first.
    ///
    /// # Errors
    /// `malformed` when a byte has no token, or a merge joins or makes what is no token.
    pub fn new<'a>(
        tokens: impl IntoIterator<Item = &'a str>,
        merges: impl IntoIterator<Item = &'a str>,
    ) -> Result<Tokenizer> {
        let alphabet = alphabet();
        let byte_of: HashMap<char, u8> = alphabet.iter().zip(0..=255).map(|(&c, b)| (c, b)).collect();
        let mut numbers = HashMap::new();
        let mut bytes = Vec::new();
        for token in tokens {
            numbers.entry(token).or_insert(bytes.len() as u32);
            // A special token may be written in any characters; it stands for its text.
            let read: Option<Vec<u8>> = token.chars().map(|c| byte_of.get(&c).copied()).collect();
            bytes.push(read.unwrap_or_else(|| token.as_bytes().to_vec()));
        }
        let number = |token: &str| {
            numbers.get(token).copied().ok_or_else(|| {
                Error::new(Code::Malformed, "the tokenizer names a token that it does not have").with_found(token)
            })
        };
        let single = alphabet.iter().map(|c| number(&c.to_string())).collect::<Result<_>>()?;
        let mut joined = HashMap::new();
        for (rank, merge) in (0..).zip(merges) {
            let (a, b) = merge
                .split_once(' ')
                .ok_or_else(|| Error::new(Code::Malformed, "a merge is not two tokens").with_found(merge))?;
            let made = number(&[a, b].concat())?;
            joined.entry((number(a)?, number(b)?)).or_insert((rank, made));
        }
        Ok(Tokenizer { bytes, single, merges: joined })
    }

    /// How many tokens there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are none, which cannot be.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The tokens of a text; none is put before it.
    #[must_use]
    pub fn encode(&self, text: &str) -> Vec<u32> {
        pieces(text).flat_map(|piece| self.join(piece)).collect()
    }

    fn join(&self, piece: &str) -> Vec<u32> {
        let mut tokens: Vec<u32> = piece.bytes().map(|b| self.single[usize::from(b)]).collect();
        loop {
            let ranked = tokens.windows(2).filter_map(|pair| self.merges.get(&(pair[0], pair[1])));
            let Some(&(rank, made)) = ranked.min() else { return tokens };
            let mut at = 0;
            while at + 1 < tokens.len() {
                if self.merges.get(&(tokens[at], tokens[at + 1])) == Some(&(rank, made)) {
                    tokens[at] = made;
                    tokens.remove(at + 1);
                }
                at += 1;
            }
        }
    }

    /// The bytes that tokens stand for. A character may be cut: bytes of several calls joined are the text.
    ///
    /// # Errors
    /// `invalid_argument` for a number without a token.
    pub fn decode(&self, tokens: &[u32]) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        for &token in tokens {
            let bytes = self.bytes.get(token as usize).ok_or_else(|| {
                Error::new(Code::InvalidArgument, "a token is not in the vocabulary")
                    .with_expected(format!("0 to {}", self.bytes.len().saturating_sub(1)))
                    .with_found(token)
            })?;
            out.extend_from_slice(bytes);
        }
        Ok(out)
    }
}

/// The character that GPT-2 writes for each byte: itself where it prints, the next free one from U+0100 on elsewhere.
fn alphabet() -> Vec<char> {
    let mut next = 0x100..;
    let mut one = |byte: u8| match byte {
        b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF => char::from(byte),
        _ => next.next().and_then(char::from_u32).unwrap_or_else(|| unreachable!("68 characters from U+0100 on")),
    };
    (0..=255).map(&mut one).collect()
}

/// Cuts a text as GPT-2's expression does.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (piece, after) = rest.split_at(piece_len(rest));
        rest = after;
        Some(piece)
    })
}

/// The bytes of the first piece of a text that is not empty.
fn piece_len(text: &str) -> usize {
    const ENDINGS: [&str; 7] = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];
    if let Some(ending) = ENDINGS.iter().find(|ending| text.starts_with(**ending)) {
        return ending.len();
    }
    let word = text.strip_prefix(' ').unwrap_or(text);
    let kinds: [fn(char) -> bool; 3] =
        [is_letter, char::is_numeric, |c| !c.is_whitespace() && !is_letter(c) && !c.is_numeric()];
    for kind in kinds {
        let len = word.find(|c| !kind(c)).unwrap_or(word.len());
        if len > 0 {
            return text.len() - word.len() + len;
        }
    }
    // White space, but for its last character where something follows that it belongs to.
    let len = text.find(|c: char| !c.is_whitespace()).unwrap_or(text.len());
    match text[..len].char_indices().next_back() {
        Some((last, _)) if len < text.len() && last > 0 => last,
        _ => len,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_as_gpt_2_cuts_them() {
        let cut = |text| pieces(text).collect::<Vec<_>>();
        assert_eq!(
            cut("Hello  world's 12abc!?\n\n x"),
            ["Hello", " ", " world", "'s", " 12", "abc", "!?", "\n\n", " x"]
        );
        assert_eq!(cut("a \t\nb   "), ["a", " \t", "\n", "b", "   "]);
        assert_eq!(cut("naïve 你好\u{3000}½'S"), ["naïve", " 你好", "\u{3000}", "½", "'", "S"]);
        assert_eq!(cut("e\u{301}"), ["e", "\u{301}"], "a mark is no letter");
        assert_eq!(cut(""), [""; 0]);
    }

    fn small() -> Tokenizer {
        let mut tokens: Vec<String> = alphabet().iter().map(char::to_string).collect();
        tokens.extend(["ab", "abab", "Ġa", "<end>"].map(str::to_owned));
        Tokenizer::new(tokens.iter().map(String::as_str), ["a b", "ab ab", "Ġ a"]).unwrap()
    }

    #[test]
    fn merges_are_taken_in_their_order() {
        let t = small();
        assert_eq!(t.encode("ababab"), [257, 256]);
        // The space's own token: "a b" is joined before "Ġ a" could be.
        let space = t.encode(" ")[0];
        assert_eq!(t.encode(" ab"), [space, 256]);
        assert_eq!(t.encode(" ac")[0], 258);
    }

    #[test]
    fn decoding_gives_the_bytes_back() {
        let t = small();
        let text = "abab naïve\t你\u{0}";
        assert_eq!(t.decode(&t.encode(text)).unwrap(), text.as_bytes());
        assert_eq!(t.decode(&[259]).unwrap(), b"<end>");
        assert_eq!(t.decode(&[260]).unwrap_err().code, Code::InvalidArgument);
    }

    #[test]
    fn a_tokenizer_with_holes_is_refused() {
        assert_eq!(Tokenizer::new(["a"], []).unwrap_err().code, Code::Malformed);
        let tokens: Vec<String> = alphabet().iter().map(char::to_string).collect();
        let with = |merge| Tokenizer::new(tokens.iter().map(String::as_str), [merge]).unwrap_err().code;
        assert_eq!(with("a b"), Code::Malformed);
        assert_eq!(with("ab"), Code::Malformed);
    }
}
