//! The bytes of a tensor under Deep Compression, and back: `docs/deep-compression.md` defines them.
//!
//! Where weights stand is said by gaps (the paper's relative index): for each stored weight how many zeros lie before it, in `index_bits` bits.
//! Of a run of zeros that is longer, each 2^`index_bits` are a stored zero with the greatest gap before it (the paper's padding zero), those
//! after the last weight too: so a record of few bytes never claims many weights. What weights are is said by codes: 0 for a padding zero,
//! the others number the shared values. Without gaps (`index_bits` 0) every weight has a code, and 0 is a zero.

use serde::Serialize;

use super::super::huffman::{BitReader, BitWriter, Words};
use crate::error::{Code, Error, Result};
use crate::kernels::bits::packed_len;
use crate::tensor::{to_usize, try_vec};

/// Bytes before the shared values.
pub const HEAD: usize = 20;

/// Widths that a gap may have.
pub const INDEX_BITS: std::ops::RangeInclusive<u32> = 3..=8;

const CODES_CODED: u8 = 1;
const GAPS_CODED: u8 = 2;

/// A tensor as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Bits of a code, 1 to 8.
    pub code_bits: u32,
    /// Bits of a gap, 3 to 8; 0 where every weight has a code.
    pub index_bits: u32,
    /// The shared values: code `c` stands for `values[c − 1]`, code 0 for zero.
    pub values: Vec<f32>,
    /// One for each stored weight.
    pub codes: Vec<u8>,
    /// Zeros before each, where there are gaps.
    pub gaps: Vec<u8>,
}

/// Bytes after each stage of Deep Compression, as a record that ends there would have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stages {
    /// Weights of the tensor.
    pub weights: u64,
    /// Those that are not zero.
    pub kept: u64,
    /// Zeros that are stored because a gap is too wide.
    pub padding: u64,
    /// Bits of a code.
    pub code_bits: u32,
    /// Bits of a gap; 0 where every weight has a code.
    pub index_bits: u32,
    /// Shared values.
    pub values: u64,
    /// All weights, 4 bytes each.
    pub float: u64,
    /// Stored weights of 4 bytes and their gaps.
    pub pruned: u64,
    /// The shared values, codes and gaps.
    pub shared: u64,
    /// The whole record, codes and gaps as Huffman has them.
    pub coded: u64,
}

/// What a writer settles of one stream: fixed width, or words where these are shorter.
struct Stream {
    words: Option<Words>,
    len: usize,
}

impl Stream {
    fn of(counts: &[u64], width: u32, entropy: bool) -> Stream {
        let total: u64 = counts.iter().sum();
        let plain = packed_len(total as usize, width);
        let words = entropy.then(|| Words::of_counts(counts.to_vec())).map(|words| {
            let bits: u64 = (0..=u8::MAX).zip(counts).map(|(symbol, n)| n * u64::from(words.word(symbol).1)).sum();
            let len = Words::table_len(width) + bits.div_ceil(8) as usize;
            (words, len)
        });
        match words.filter(|(_, len)| *len < plain) {
            Some((words, len)) => Stream { words: Some(words), len },
            None => Stream { words: None, len: plain },
        }
    }

    /// First bit and number of bits of a symbol, the stream beginning at bit `at`.
    fn bits_of(&self, at: usize, symbols: &[u8], width: u32, index: usize) -> (u64, u32) {
        let at = at as u64;
        match &self.words {
            None => (at + index as u64 * u64::from(width), width),
            Some(words) => {
                let table = Words::table_len(width) as u64 * 8;
                (at + table + words.bit_len(&symbols[..index]), words.word(symbols[index]).1)
            }
        }
    }

    fn write(&self, symbols: &[u8], width: u32, out: &mut Vec<u8>) {
        if let Some(words) = &self.words {
            out.extend(words.table());
            return words.write(symbols, out);
        }
        let mut bits = BitWriter::new(out);
        symbols.iter().for_each(|&symbol| bits.put(u32::from(symbol), width));
        bits.finish();
    }
}

fn counts_of(symbols: &[u8], width: u32) -> Vec<u64> {
    let mut counts = vec![0; 1 << width];
    symbols.iter().for_each(|&symbol| counts[usize::from(symbol)] += 1);
    counts
}

/// Calls `f(code, gap)` for each stored weight of a tensor, 0 in `codes` standing for a zero.
fn for_each_stored(codes: &[u8], index_bits: u32, f: &mut dyn FnMut(u8, u8)) {
    let most = (1_usize << index_bits) - 1;
    let mut zeros = 0;
    for &code in codes {
        if code == 0 && zeros < most {
            zeros += 1;
        } else {
            f(code, zeros as u8);
            zeros = 0;
        }
    }
}

/// Bytes of a record for a tensor of these codes, one for each weight.
fn len_of(codes: &[u8], code_bits: u32, index_bits: u32, values: usize, entropy: bool) -> usize {
    let (mut codes_of, mut gaps_of) = (vec![0; 1 << code_bits], vec![0; 1 << index_bits]);
    if index_bits == 0 {
        codes_of = counts_of(codes, code_bits);
    } else {
        for_each_stored(codes, index_bits, &mut |code, gap| {
            codes_of[usize::from(code)] += 1;
            gaps_of[usize::from(gap)] += 1;
        });
    }
    let gaps_len = if index_bits == 0 { 0 } else { Stream::of(&gaps_of, index_bits, entropy).len };
    HEAD + 4 * values + Stream::of(&codes_of, code_bits, entropy).len + gaps_len
}

/// The width of gaps by which a record is shortest: none, or 3 to 8 bits; of equal ones the first.
pub fn best_index_bits(codes: &[u8], code_bits: u32, values: usize, entropy: bool) -> u32 {
    let all = [0].into_iter().chain(INDEX_BITS);
    all.min_by_key(|&index_bits| len_of(codes, code_bits, index_bits, values, entropy)).unwrap_or_default()
}

impl Record {
    /// A tensor of these codes, one for each weight, 0 for a zero; with gaps of so many bits, or without.
    ///
    /// # Errors
    /// `out_of_memory`.
    pub fn new(codes: &[u8], code_bits: u32, index_bits: u32, values: Vec<f32>) -> Result<Record> {
        let mut record = Record { code_bits, index_bits, values, codes: Vec::new(), gaps: Vec::new() };
        if index_bits == 0 {
            record.codes = try_vec(0, codes.len())?;
            record.codes.copy_from_slice(codes);
        } else {
            let mut stored = 0;
            for_each_stored(codes, index_bits, &mut |_, _| stored += 1);
            record.codes.try_reserve_exact(stored).map_err(|_| no_memory(stored))?;
            record.gaps.try_reserve_exact(stored).map_err(|_| no_memory(stored))?;
            for_each_stored(codes, index_bits, &mut |code, gap| {
                record.codes.push(code);
                record.gaps.push(gap);
            });
        }
        Ok(record)
    }

    /// The record's bytes, with Huffman's code where it is shorter, or always of fixed width.
    #[must_use]
    pub fn to_bytes(&self, entropy: bool) -> Vec<u8> {
        let codes = Stream::of(&counts_of(&self.codes, self.code_bits), self.code_bits, entropy);
        let gaps = Stream::of(&counts_of(&self.gaps, self.index_bits), self.index_bits, entropy);
        let flag = |stream: &Stream, flag| if stream.words.is_some() { flag } else { 0 };
        let flags = flag(&codes, CODES_CODED) | flag(&gaps, GAPS_CODED);
        let mut out = vec![self.code_bits as u8, self.index_bits as u8, flags, self.values.len() as u8];
        out.extend((self.codes.len() as u64).to_le_bytes());
        out.extend((codes.len as u64).to_le_bytes());
        out.extend(self.values.iter().flat_map(|value| value.to_le_bytes()));
        codes.write(&self.codes, self.code_bits, &mut out);
        if self.index_bits > 0 {
            gaps.write(&self.gaps, self.index_bits, &mut out);
        }
        out
    }

    /// Reads a record, which may hold anything, of a tensor of so many weights. Nothing is held that the bytes have no room for.
    ///
    /// # Errors
    /// `malformed` with the offset in the record; `truncated`.
    pub fn parse(bytes: &[u8], count: u64) -> Result<Record> {
        let head =
            bytes.first_chunk::<HEAD>().ok_or_else(|| short(bytes, HEAD as u64, "the record ends in its head"))?;
        let [code_bits, index_bits, flags, values] = [head[0], head[1], head[2], head[3]];
        let field = |at: usize| head[at..].first_chunk().map_or(0, |field| u64::from_le_bytes(*field));
        let (stored, codes_len) = (field(4), field(12));
        if !(1..=8).contains(&code_bits) {
            return Err(broken("codes cannot have so many bits", 0, "1 to 8", code_bits));
        }
        if index_bits != 0 && !INDEX_BITS.contains(&u32::from(index_bits)) {
            return Err(broken("gaps cannot have so many bits", 1, "0, or 3 to 8", index_bits));
        }
        if flags > 3 || index_bits == 0 && flags & GAPS_CODED != 0 {
            return Err(broken("the flags of the record are not known", 2, "0 to 3, 0 or 1 without gaps", flags));
        }
        let (code_bits, index_bits) = (u32::from(code_bits), u32::from(index_bits));
        if u32::from(values) >= 1 << code_bits {
            let most = (1 << code_bits) - 1;
            return Err(broken("there are more shared values than codes", 3, format!("at most {most}"), values));
        }
        let fits = if index_bits == 0 { stored == count } else { stored <= count };
        if !fits {
            let expected = format!("{}{count}", if index_bits == 0 { "" } else { "at most " });
            return Err(broken("the stored weights are not those of the tensor", 4, expected, stored));
        }
        if index_bits > 0 && count - stored > stored.saturating_add(1).saturating_mul((1 << index_bits) - 1) {
            return Err(broken(
                "so few stored weights do not span the tensor",
                4,
                format!("enough for {count}"),
                stored,
            ));
        }
        let codes_at = HEAD + 4 * usize::from(values);
        let rest = (bytes.len() as u64).checked_sub(codes_at as u64);
        let rest = rest.ok_or_else(|| short(bytes, codes_at as u64, "the record ends in its shared values"))?;
        if codes_len > rest {
            return Err(short(bytes, (codes_at as u64).saturating_add(codes_len), "the record ends in its codes"));
        }
        let values: Vec<f32> = bytes[HEAD..codes_at].as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        if let Some(i) = values.iter().position(|value| !value.is_finite()) {
            return Err(broken("a shared value is not finite", HEAD + 4 * i, "a finite number", values[i]));
        }
        let (codes, gaps) = bytes[codes_at..].split_at(to_usize(codes_len)?);
        let codes = read(codes, codes_at, stored, code_bits, flags & CODES_CODED != 0, "codes")?;
        if let Some(i) = codes.iter().position(|&code| usize::from(code) > values.len()) {
            return Err(broken(
                "a code names no shared value",
                codes_at,
                format!("at most {}", values.len()),
                codes[i],
            ));
        }
        let gaps_at = bytes.len() - gaps.len();
        if index_bits == 0 && !gaps.is_empty() {
            return Err(broken("bytes follow the codes of a record without gaps", gaps_at, "0 bytes", gaps.len()));
        }
        let gaps = match index_bits {
            0 => Vec::new(),
            _ => read(gaps, gaps_at, stored, index_bits, flags & GAPS_CODED != 0, "gaps")?,
        };
        let record = Record { code_bits, index_bits, values, codes, gaps };
        record.check_places(count, gaps_at)?;
        Ok(record)
    }

    /// Holds the gaps to their rules.
    fn check_places(&self, count: u64, at: usize) -> Result<()> {
        if self.index_bits == 0 {
            return Ok(());
        }
        let most = u8::MAX >> (8 - self.index_bits);
        if let Some(i) = self.codes.iter().zip(&self.gaps).position(|(&code, &gap)| code == 0 && gap != most) {
            return Err(broken(
                "a padding zero stands where none is needed",
                at,
                format!("a gap of {most}"),
                self.gaps[i],
            ));
        }
        let spanned: u64 = self.gaps.iter().map(|&gap| u64::from(gap) + 1).sum();
        if spanned > count {
            return Err(broken("the gaps lead past the end of the tensor", at, format!("{count} weights"), spanned));
        }
        if count - spanned > u64::from(most) {
            let expected = format!("at most {most} zeros after them");
            return Err(broken("the gaps do not reach the end of the tensor", at, expected, count - spanned));
        }
        Ok(())
    }

    /// Where in the bytes it is said what becomes of element `index`, first bit and number of bits: the code of a stored weight, the gap in
    /// which a zero lies; no bits for a zero after the last stored weight.
    #[must_use]
    pub fn bits_of(&self, entropy: bool, index: usize) -> (u64, u32) {
        let (mut entry, mut place) = (index, index);
        if self.index_bits > 0 {
            let mut next = 0;
            let found = self.gaps.iter().position(|&gap| {
                place = next + usize::from(gap);
                next = place + 1;
                place >= index
            });
            let Some(found) = found else { return (0, 0) };
            entry = found;
        }
        let codes = Stream::of(&counts_of(&self.codes, self.code_bits), self.code_bits, entropy);
        let codes_at = (HEAD + 4 * self.values.len()) * 8;
        if place == index {
            return codes.bits_of(codes_at, &self.codes, self.code_bits, entry);
        }
        let gaps = Stream::of(&counts_of(&self.gaps, self.index_bits), self.index_bits, entropy);
        gaps.bits_of(codes_at + codes.len * 8, &self.gaps, self.index_bits, entry)
    }

    /// A code for each of the tensor's weights, as many as `out` holds; 0 for a zero.
    pub fn spread(&self, out: &mut [u8]) {
        if self.index_bits == 0 {
            return out.copy_from_slice(&self.codes);
        }
        out.fill(0);
        let mut next = 0;
        for (&code, &gap) in self.codes.iter().zip(&self.gaps) {
            out[next + usize::from(gap)] = code;
            next += usize::from(gap) + 1;
        }
    }

    /// What each code stands for.
    #[must_use]
    pub fn levels(&self) -> Vec<f32> {
        [0.0].into_iter().chain(self.values.iter().copied()).collect()
    }

    /// Bytes after each stage, of a tensor of `count` weights whose record has `len` bytes.
    #[must_use]
    pub fn stages(&self, count: u64, len: u64) -> Stages {
        let stored = self.codes.len();
        let kept = self.codes.iter().filter(|&&code| code != 0).count() as u64;
        let gaps = packed_len(stored, self.index_bits);
        let shared = HEAD + 4 * self.values.len() + packed_len(stored, self.code_bits) + gaps;
        Stages {
            weights: count,
            kept,
            padding: if self.index_bits == 0 { 0 } else { stored as u64 - kept },
            code_bits: self.code_bits,
            index_bits: self.index_bits,
            values: self.values.len() as u64,
            float: 4 * count,
            pruned: (HEAD + 4 * stored + gaps) as u64,
            shared: shared as u64,
            coded: len,
        }
    }
}

/// The symbols of a stream that begins at `at` and is all of `bytes`.
fn read(bytes: &[u8], at: usize, stored: u64, width: u32, coded: bool, what: &str) -> Result<Vec<u8>> {
    let locate = |e: Error| {
        let message = format!("the {what}: {}", e.message);
        Error::new(Code::Malformed, message).with_offset(at as u64).with_found(format!("{} bytes", bytes.len()))
    };
    let table_len = if coded { Words::table_len(width) } else { 0 };
    let Some((table, stream)) = bytes.split_at_checked(table_len) else {
        return Err(broken(&format!("the {what} end in their table"), at, format!("{table_len} bytes"), bytes.len()));
    };
    // A word has a bit at least.
    let room = (stream.len() as u64).saturating_mul(8) / if coded { 1 } else { u64::from(width) };
    if stored > room || !coded && packed_len(to_usize(stored)?, width) != stream.len() {
        return Err(broken(&format!("the {what} are not as many as weights are stored"), at, stored, room));
    }
    let mut symbols = try_vec(0_u8, to_usize(stored)?)?;
    if coded {
        Words::read(table).and_then(|words| words.decode(stream, &mut symbols)).map_err(locate)?;
        return Ok(symbols);
    }
    let mut bits = BitReader::new(stream);
    for symbol in &mut symbols {
        *symbol = bits.peek(width) as u8;
        bits.skip(width);
    }
    Ok(symbols)
}

fn broken(what: &str, at: usize, expected: impl ToString, found: impl ToString) -> Error {
    Error::new(Code::Malformed, what)
        .with_offset(at as u64)
        .with_expected(expected.to_string())
        .with_found(found.to_string())
}

fn short(bytes: &[u8], needed: u64, what: &str) -> Error {
    Error::new(Code::Truncated, what)
        .with_offset(bytes.len() as u64)
        .with_expected(format!("at least {needed} bytes"))
        .with_found(format!("{} bytes", bytes.len()))
}

fn no_memory(bytes: usize) -> Error {
    Error::new(Code::OutOfMemory, "not enough memory for the stored weights").with_found(bytes)
}
