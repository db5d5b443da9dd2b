//! Codes of 1 to 8 bits as a dense stream, least significant bit first, and back.
//!
//! LLVM turns the loops for 8 and 4 bits into vector code by itself, so there is no SIMD form here.

/// Bytes that `count` codes of `bits` bits take: the last byte is padded with zeros.
#[must_use]
pub fn packed_len(count: usize, bits: u32) -> usize {
    // In two parts, so that the product cannot overflow.
    let bits = bits as usize;
    count / 8 * bits + (count % 8 * bits).div_ceil(8)
}

/// Packs the low `bits` bits of each code.
///
/// # Panics
/// If `out` is not [`packed_len`] long or `bits` is not in 1–8.
pub fn pack(codes: &[i8], bits: u32, out: &mut [u8]) {
    assert!((1..=8).contains(&bits), "a code has 1 to 8 bits");
    assert_eq!(out.len(), packed_len(codes.len(), bits), "one byte for each 8 bits");
    let mask = 0xFF_u8 >> (8 - bits);
    match bits {
        8 => {
            for (byte, code) in out.iter_mut().zip(codes) {
                *byte = *code as u8;
            }
        }
        4 => {
            let pairs = codes.chunks_exact(2);
            if let [last] = pairs.remainder() {
                out[codes.len() / 2] = *last as u8 & mask;
            }
            for (byte, pair) in out.iter_mut().zip(pairs) {
                *byte = (pair[0] as u8 & mask) | (pair[1] as u8) << 4;
            }
        }
        _ => {
            // Eight codes fill `bits` whole bytes.
            for (bytes, codes) in out.chunks_mut(bits as usize).zip(codes.chunks(8)) {
                let word = codes.iter().rev().fold(0_u64, |word, &code| word << bits | u64::from(code as u8 & mask));
                for (byte, value) in bytes.iter_mut().zip(word.to_le_bytes()) {
                    *byte = value;
                }
            }
        }
    }
}

/// Reads codes of `bits` bits back, sign-extended. The inverse of [`pack`] for codes that fit.
///
/// # Panics
/// If `packed` is not [`packed_len`] long for these codes or `bits` is not in 1–8.
pub fn unpack(packed: &[u8], bits: u32, codes: &mut [i8]) {
    assert!((1..=8).contains(&bits), "a code has 1 to 8 bits");
    assert_eq!(packed.len(), packed_len(codes.len(), bits), "one byte for each 8 bits");
    let unused = 8 - bits;
    for (bytes, codes) in packed.chunks(bits as usize).zip(codes.chunks_mut(8)) {
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        let word = u64::from_le_bytes(word);
        for (i, code) in codes.iter_mut().enumerate() {
            let low = (word >> (i as u32 * bits)) as u8;
            *code = ((low << unused) as i8) >> unused;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_survive_packing_at_every_width_and_length() {
        for bits in 1..=8 {
            for len in 0..=67_usize {
                let codes: Vec<i8> =
                    (0..len).map(|i| (((i * 37 + 11) as u8) << (8 - bits)) as i8 >> (8 - bits)).collect();
                let mut packed = vec![0xAA; packed_len(len, bits)];
                pack(&codes, bits, &mut packed);
                let mut back = vec![0; len];
                unpack(&packed, bits, &mut back);
                assert_eq!(codes, back, "{bits} bits, {len} codes");
            }
        }
    }

    #[test]
    fn the_stream_is_least_significant_bit_first() {
        let mut out = [0; 2];
        pack(&[1, 2, 3, -4], 4, &mut out);
        assert_eq!(out, [0x21, 0xC3]);
        let mut out = [0; 3];
        pack(&[1, 2, 3, -4, -1, 0, 0, 1], 3, &mut out);
        // 001 010 011 100 111 000 000 001, first code in the lowest bits.
        assert_eq!(out, [0b1101_0001, 0b0111_1000, 0b0010_0000]);
    }
}
