//! Rows that change places as they are read: the queries and keys of a Llama, which Hugging Face stores by the halves of a head and GGUF
//! by pairs of neighbours.
//!
//! Definition: `LlamaModel.permute` of llama.cpp's `conversion/llama.py`.

use super::Bytes;
use crate::error::Result;

/// Which row of Hugging Face's q or k stands in row `row` of `rows` in GGUF, where there are so many `heads`: a rotation acts on
/// neighbouring rows there, on the halves of a head here.
#[must_use]
pub fn row_of(row: u64, rows: u64, heads: u64) -> u64 {
    let head_rows = rows / heads;
    let (head, within) = (row / head_rows, row % head_rows);
    head * head_rows + within % 2 * (head_rows / 2) + within / 2
}

/// Stored bytes of whole heads, seen in GGUF's order of rows.
pub struct Interleaved<'a> {
    stored: &'a mut dyn Bytes,
    /// Rows in all, and of a head.
    rows: [u64; 2],
    row_bytes: usize,
}

impl<'a> Interleaved<'a> {
    /// `stored` are `rows` rows of `row_bytes` bytes each, in heads of `head_rows`, an even number that divides `rows`.
    pub fn new(stored: &'a mut dyn Bytes, rows: u64, head_rows: u64, row_bytes: usize) -> Interleaved<'a> {
        Interleaved { stored, rows: [rows, head_rows], row_bytes }
    }
}

impl Bytes for Interleaved<'_> {
    fn read(&mut self, at: usize, out: &mut [u8]) {
        let [rows, head_rows] = self.rows;
        let mut done = 0;
        while done < out.len() {
            let (row, within) = ((at + done) / self.row_bytes, (at + done) % self.row_bytes);
            let some = (self.row_bytes - within).min(out.len() - done);
            let from = row_of(row as u64, rows, rows / head_rows) as usize;
            self.stored.read(from * self.row_bytes + within, &mut out[done..done + some]);
            done += some;
        }
    }

    fn write(&mut self, part: usize, bytes: &[u8]) -> Result<()> {
        self.stored.write(part, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_head_are_interleaved() {
        let rows: Vec<u64> = (0..8).map(|row| row_of(row, 8, 2)).collect();
        assert_eq!(rows, [0, 2, 1, 3, 4, 6, 5, 7]);
        let rows: Vec<u64> = (0..6).map(|row| row_of(row, 6, 1)).collect();
        assert_eq!(rows, [0, 3, 1, 4, 2, 5]);
    }

    struct Memory(Vec<u8>);

    impl Bytes for Memory {
        fn read(&mut self, at: usize, out: &mut [u8]) {
            out.copy_from_slice(&self.0[at..at + out.len()]);
        }

        fn write(&mut self, _: usize, _: &[u8]) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn bytes_are_read_in_the_new_order_however_they_are_cut() {
        // Two heads of four rows of three bytes, each byte naming its row and its place.
        let mut memory = Memory((0..8).flat_map(|row| (0..3).map(move |i| row * 10 + i)).collect());
        let wanted: Vec<u8> =
            [0, 2, 1, 3, 4, 6, 5, 7].iter().flat_map(|row| (0..3).map(move |i| row * 10 + i)).collect();
        for cut in 1..=24 {
            let mut interleaved = Interleaved::new(&mut memory, 8, 4, 3);
            let mut found = vec![0; 24];
            for (i, piece) in found.chunks_mut(cut).enumerate() {
                interleaved.read(i * cut, piece);
            }
            assert_eq!(found, wanted, "in pieces of {cut}");
        }
    }
}
