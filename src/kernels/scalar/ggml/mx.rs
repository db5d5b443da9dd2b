//! `mxfp4` and `nvfp4` as ggml has them: E2M1 codes under a power of two (32 weights) or an unsigned E4M3 scale (16 weights).
//!
//! Codes stand for twice their E2M1 value and scales for half of theirs. Where the exponent of an `mxfp4` scale would be negative (all
//! weights below 2^−125) it is 0; the C code converts a negative float to an unsigned byte there.

/// Twice the values of the codes; there is no −0.
pub const LEVELS: [i8; 16] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

/// The first code with the least error in f32.
pub fn nearest(x: f32, scale: f32) -> u8 {
    let error = |i: usize| (f32::from(LEVELS[i]) * scale - x).abs();
    let mut best = (0, error(0));
    for i in 1..16 {
        let error = error(i);
        if error < best.1 {
            best = (i, error);
        }
    }
    best.0 as u8
}

/// Codes of weights half the length apart in a byte.
fn put_codes(x: &[f32], scale: f32, out: &mut [u8]) {
    let (low, high) = x.split_at(out.len());
    for ((low, high), out) in low.iter().zip(high).zip(out) {
        *out = nearest(*low, scale) | nearest(*high, scale) << 4;
    }
}

fn read(nibbles: &[u8], scale: f32, out: &mut [f32]) {
    let (low, high) = out.split_at_mut(nibbles.len());
    for ((&byte, low), high) in nibbles.iter().zip(low).zip(high) {
        *low = f32::from(LEVELS[usize::from(byte & 15)]) * scale;
        *high = f32::from(LEVELS[usize::from(byte >> 4)]) * scale;
    }
}

/// The greatest magnitude.
pub fn amax(x: &[f32]) -> f32 {
    x.iter().fold(0.0, |m, x| m.max(x.abs()))
}

/// `⌊log2(amax)⌋ + 125` with glibc's f32 logarithm, which is the next whole number just below a power of two: for so many of the greatest
/// fractions as round up to it.
pub fn exponent_of(amax: f32) -> u8 {
    let bits = amax.to_bits();
    let (exponent, fraction) = (bits >> 23, bits & 0x7F_FFFF);
    let mut above = exponent;
    if fraction > 0x7F_FFFF - 44 {
        // The logarithm is near this whole number: its own exponent says how coarse an f32 is there.
        let near = if exponent >= 127 { exponent - 127 } else { 126 - exponent };
        let rounding_up = near.checked_ilog2().map_or(0, |log| 44 >> (6 - log));
        above += u32::from(fraction > 0x7F_FFFF - rounding_up);
    }
    above.saturating_sub(2) as u8
}

/// Half of `2^(code − 127)`.
pub fn half_power(code: u8) -> f32 {
    f32::from_bits(if code < 2 { 0x0020_0000 << code } else { u32::from(code - 1) << 23 })
}

/// See [`crate::kernels::ggml_more::mxfp4`].
pub fn mxfp4(x: &[f32], out: &mut [u8]) {
    for (x, out) in x.as_chunks::<32>().0.iter().zip(out.as_chunks_mut::<17>().0) {
        mxfp4_with(x, exponent_of(amax(x)), out);
    }
}

/// See [`crate::kernels::ggml_more::mxfp4_with`].
pub fn mxfp4_with(x: &[f32; 32], exponent: u8, out: &mut [u8; 17]) {
    out[0] = exponent;
    put_codes(x, half_power(exponent), &mut out[1..]);
}

/// See [`crate::kernels::ggml_more::from_mxfp4`].
pub fn from_mxfp4(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<17>().0.iter().zip(out.as_chunks_mut::<32>().0) {
        read(&block[1..], half_power(block[0]), out);
    }
}

/// An E4M3 code without sign: half up, saturated at 448, 0 where nothing is left.
pub fn to_ue4m3(x: f32) -> u8 {
    let bits = x.to_bits();
    let exponent = (bits >> 23) as i32 - 120;
    if exponent <= 0 {
        return ((x * 512.0 + 0.5) as u8).min(7);
    }
    // A carry out of the fraction goes into the exponent.
    let rounded = (exponent as u32) << 3 | bits >> 20 & 7;
    if exponent >= 15 { 0x7E } else { (rounded + (bits >> 19 & 1)).min(0x7E) as u8 }
}

/// Half of what an E4M3 code without sign stands for; the sign's bit does not count but in the code of NaN, which is 0.
pub fn half_ue4m3(code: u8) -> f32 {
    let fraction = f32::from(code & 7);
    let exponent = u32::from(code >> 3 & 15);
    match (code, exponent) {
        (0x7F, _) => 0.0,
        (_, 0) => fraction / 1024.0,
        _ => (1.0 + fraction / 8.0) * f32::from_bits((exponent + 119) << 23),
    }
}

/// See [`crate::kernels::ggml_more::nvfp4`].
pub fn nvfp4(x: &[f32], out: &mut [u8]) {
    for (x, out) in x.as_chunks::<64>().0.iter().zip(out.as_chunks_mut::<36>().0) {
        let (scales, codes) = out.split_at_mut(4);
        for ((x, scale), codes) in x.as_chunks::<16>().0.iter().zip(scales).zip(codes.as_chunks_mut::<8>().0) {
            *scale = to_ue4m3(amax(x) / 6.0);
            put_codes(x, half_ue4m3(*scale), codes);
        }
    }
}

/// See [`crate::kernels::ggml_more::from_nvfp4`].
pub fn from_nvfp4(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<36>().0.iter().zip(out.as_chunks_mut::<64>().0) {
        let (scales, codes) = block.split_at(4);
        for ((&scale, codes), out) in scales.iter().zip(codes.as_chunks::<8>().0).zip(out.as_chunks_mut::<16>().0) {
            read(codes, half_ue4m3(scale), out);
        }
    }
}
