//! Canonical Huffman codes (Huffman 1952), as Deep Compression puts them behind quantization: the more often a code occurs, the fewer
//! bits it takes.
//!
//! Code words have 15 bits at most; where an optimal code has longer ones, the counts are halved (0 stays 0, 1 stays 1) until it has none.
//! Words are given out by length, then by symbol, and stand in the stream with their first bit lowest, as in Deflate. The table is 4
//! bits for each symbol, the length of its word or 0, the first symbol in the low half of a byte.

use super::codebook::sorted::sort_few;
use crate::error::{Code, Error, Result};
use crate::kernels::bits::packed_len;

/// Bits of the longest word.
const LONGEST: u32 = 15;

/// Words for symbols of a few bits.
#[derive(Debug, Clone)]
pub(super) struct Words {
    /// Bits of each symbol's word; 0 for one that does not occur.
    lengths: Vec<u8>,
    /// The words, first bit lowest.
    words: Vec<u16>,
}

fn broken(what: &str) -> Error {
    Error::new(Code::ShapeMismatch, what)
}

impl Words {
    /// The shortest code for symbols of `width` bits.
    pub fn of(symbols: &[u8], width: u32) -> Words {
        let mut counts = vec![0_u64; 1 << width];
        symbols.iter().for_each(|&symbol| counts[usize::from(symbol)] += 1);
        Words::of_counts(counts)
    }

    /// The shortest code for symbols that occur so often.
    pub fn of_counts(mut counts: Vec<u64>) -> Words {
        loop {
            let lengths = depths(&counts);
            if lengths.iter().all(|&length| u32::from(length) <= LONGEST) {
                return Words { words: canonical(&lengths), lengths };
            }
            counts.iter_mut().for_each(|n| *n = n.div_ceil(2));
        }
    }

    /// Bytes of the table for symbols of `width` bits.
    pub fn table_len(width: u32) -> usize {
        packed_len(1 << width, 4)
    }

    /// The table.
    pub fn table(&self) -> Vec<u8> {
        self.lengths.chunks(2).map(|pair| pair[0] | pair.get(1).unwrap_or(&0) << 4).collect()
    }

    /// Reads a table, which may hold anything.
    pub fn read(table: &[u8]) -> Result<Words> {
        let lengths: Vec<u8> = table.iter().flat_map(|byte| [byte & 15, byte >> 4]).collect();
        let taken: u32 =
            lengths.iter().filter(|&&length| length > 0).map(|&length| 1 << (LONGEST - u32::from(length))).sum();
        if taken > 1 << LONGEST {
            return Err(broken("the table of the Huffman code has too many short words"));
        }
        Ok(Words { words: canonical(&lengths), lengths })
    }

    /// Word and length of a symbol.
    pub fn word(&self, symbol: u8) -> (u16, u32) {
        (self.words[usize::from(symbol)], u32::from(self.lengths[usize::from(symbol)]))
    }

    /// Bits that symbols take.
    pub fn bit_len(&self, symbols: &[u8]) -> u64 {
        symbols.iter().map(|&symbol| u64::from(self.lengths[usize::from(symbol)])).sum()
    }

    /// Symbols as a stream, padded to a byte.
    pub fn write(&self, symbols: &[u8], out: &mut Vec<u8>) {
        let mut bits = BitWriter::new(out);
        for &symbol in symbols {
            let (word, length) = self.word(symbol);
            bits.put(u32::from(word), length);
        }
        bits.finish();
    }

    /// As many symbols as `out` holds, from exactly the bytes that they take.
    pub fn decode(&self, stream: &[u8], out: &mut [u8]) -> Result<()> {
        let depth = u32::from(self.lengths.iter().copied().max().unwrap_or(0));
        // For whatever bits come next: the symbol and the length of its word.
        let mut next = vec![(0_u8, 0_u8); 1 << depth];
        for (symbol, (&length, &word)) in self.lengths.iter().zip(&self.words).enumerate() {
            if length > 0 {
                let step = 1_usize << length;
                (usize::from(word)..1 << depth).step_by(step).for_each(|i| next[i] = (symbol as u8, length));
            }
        }
        let mut bits = BitReader::new(stream);
        for out in out {
            let (symbol, length) = next[bits.peek(depth) as usize];
            if length == 0 || !bits.skip(u32::from(length)) {
                return Err(broken("the stream of the Huffman code is broken or too short"));
            }
            *out = symbol;
        }
        if bits.rest() >= 8 { Err(broken("the stream of the Huffman code is too long")) } else { Ok(()) }
    }
}

/// Depth of each symbol in an optimal tree; a lone symbol has depth 1. The two least trees are joined until there is one; leaves and
/// joined trees are each met in ascending order.
fn depths(counts: &[u64]) -> Vec<u8> {
    let mut lengths = vec![0; counts.len()];
    let mut leaves: Vec<(u64, usize)> =
        counts.iter().copied().enumerate().filter(|&(_, n)| n > 0).map(|(symbol, n)| (n, symbol)).collect();
    sort_few(&mut leaves, |a, b| a.0 <= b.0);
    if let [(_, only)] = leaves[..] {
        lengths[only] = 1;
        return lengths;
    }
    let n = leaves.len();
    let mut weights: Vec<u64> = leaves.iter().map(|&(count, _)| count).collect();
    let mut parents = vec![0; (2 * n).saturating_sub(1)];
    let (mut leaf, mut joined) = (0, n);
    for tree in n..parents.len() {
        let mut sum = 0;
        for _ in 0..2 {
            let take_leaf = leaf < n && (joined == tree || weights[leaf] <= weights[joined]);
            let least = if take_leaf { &mut leaf } else { &mut joined };
            sum += weights[*least];
            parents[*least] = tree;
            *least += 1;
        }
        weights.push(sum);
    }
    let mut depth = vec![0_u8; parents.len()];
    for i in (0..parents.len().saturating_sub(1)).rev() {
        depth[i] = depth[parents[i]] + 1;
    }
    for (&(_, symbol), depth) in leaves.iter().zip(depth) {
        lengths[symbol] = depth;
    }
    lengths
}

/// Words for lengths: by length, then by symbol.
fn canonical(lengths: &[u8]) -> Vec<u16> {
    let mut words = vec![0; lengths.len()];
    let mut word = 0_u32;
    for length in 1..=LONGEST {
        for (out, _) in words.iter_mut().zip(lengths).filter(|(_, l)| u32::from(**l) == length) {
            *out = (word << (32 - length)).reverse_bits() as u16;
            word += 1;
        }
        word <<= 1;
    }
    words
}

/// Appends bits to bytes, the first lowest.
pub(super) struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    held: u64,
    count: u32,
}

impl<'a> BitWriter<'a> {
    pub fn new(out: &'a mut Vec<u8>) -> BitWriter<'a> {
        BitWriter { out, held: 0, count: 0 }
    }

    /// The low `count` bits of a word, 32 at most; the others are 0.
    pub fn put(&mut self, word: u32, count: u32) {
        self.held |= u64::from(word) << self.count;
        self.count += count;
        if self.count >= 32 {
            self.out.extend_from_slice(&(self.held as u32).to_le_bytes());
            self.held >>= 32;
            self.count -= 32;
        }
    }

    /// Pads to a byte.
    pub fn finish(self) {
        self.out.extend_from_slice(&self.held.to_le_bytes()[..self.count.div_ceil(8) as usize]);
    }
}

/// Reads them back.
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    held: u64,
    count: u32,
}

impl<'a> BitReader<'a> {
    pub fn new(bytes: &'a [u8]) -> BitReader<'a> {
        BitReader { bytes, held: 0, count: 0 }
    }

    /// The next bits without taking them, 32 at most; 0 beyond the end.
    pub fn peek(&mut self, count: u32) -> u32 {
        while self.count <= 56
            && let Some((&byte, rest)) = self.bytes.split_first()
        {
            self.held |= u64::from(byte) << self.count;
            self.count += 8;
            self.bytes = rest;
        }
        (self.held & ((1 << count) - 1)) as u32
    }

    /// Takes bits that were peeked at; whether there were so many.
    pub fn skip(&mut self, count: u32) -> bool {
        if self.count < count {
            return false;
        }
        self.held >>= count;
        self.count -= count;
        true
    }

    /// Bits left.
    pub fn rest(&self) -> usize {
        self.bytes.len() * 8 + self.count as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(symbols: &[u8], width: u32) -> usize {
        let words = Words::of(symbols, width);
        let mut stream = Vec::new();
        words.write(symbols, &mut stream);
        assert_eq!(stream.len() as u64, words.bit_len(symbols).div_ceil(8));
        let read = Words::read(&words.table()).unwrap();
        let mut back = vec![0; symbols.len()];
        read.decode(&stream, &mut back).unwrap();
        assert_eq!(back, symbols);
        for end in 0..stream.len() {
            assert!(read.decode(&stream[..end], &mut back).is_err(), "{end} of {} bytes", stream.len());
        }
        stream.push(0);
        assert!(read.decode(&stream, &mut back).is_err() || symbols.is_empty() && stream.is_empty());
        stream.len() - 1
    }

    #[test]
    fn what_is_written_is_read_again() {
        assert_eq!(there_and_back(&[], 4), 0);
        assert_eq!(there_and_back(&[7; 20], 3), 3);
        assert_eq!(there_and_back(&[0, 1, 2, 3], 2), 1);
        // Each symbol half as often as the one before: the mean length is the entropy, 1.9375 bits.
        let halves: Vec<u8> =
            [0; 16].iter().chain(&[1; 8]).chain(&[2; 4]).chain(&[3; 2]).chain(&[4, 5]).copied().collect();
        assert_eq!(there_and_back(&halves, 4), 62_usize.div_ceil(8));
        there_and_back(&(0..=255).collect::<Vec<u8>>(), 8);
    }

    #[test]
    fn words_longer_than_fifteen_bits_are_avoided() {
        // Fibonacci numbers make the deepest tree.
        let (mut a, mut b, mut symbols) = (1, 1, Vec::new());
        for symbol in 0..20 {
            symbols.extend(std::iter::repeat_n(symbol, a));
            (a, b) = (b, a + b);
        }
        let words = Words::of(&symbols, 5);
        assert!((0..20).all(|symbol| (1..=15).contains(&words.word(symbol).1)));
        let mut stream = Vec::new();
        words.write(&symbols, &mut stream);
        let mut back = vec![0; symbols.len()];
        words.decode(&stream, &mut back).unwrap();
        assert_eq!(back, symbols);
    }

    #[test]
    fn a_table_with_too_many_short_words_is_refused() {
        assert!(Words::read(&[0x11, 0x01]).is_err());
        assert!(Words::read(&[0x11, 0x00]).is_ok());
    }
}
