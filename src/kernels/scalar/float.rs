//! Floats of 16 bits and fewer. Without a branch and with the format's numbers as loop constants, so that LLVM makes vectors of both
//! loops, for every format at once.

use super::super::float::Narrow;

/// The codes of `x / scale`, true division, rounded to nearest even. Beyond the greatest finite value a magnitude is that value, or with
/// `saturate` off what the format has for it. −0 stays −0.
///
/// # Panics
/// If `x` and `codes` differ in length.
pub fn codes(format: Narrow, x: &[f32], scale: f32, saturate: bool, codes: &mut [u16]) {
    assert_eq!(x.len(), codes.len(), "one code per value");
    let shift = 23 - format.fraction;
    let half = (1_u32 << (shift - 1)) - 1;
    let rebias = (127 - format.bias()) << format.fraction;
    let least_normal = (128 - format.bias()) << 23;
    // Adding it to a subnormal value rounds that to whole multiples of the least, which are left in the low bits.
    let magic = (151 - format.bias() - format.fraction) << 23;
    let most = u32::from(if saturate { format.largest } else { format.beyond });
    let nan = u32::from(format.nan);
    let sign_shift = 32 - format.bits();
    let sign_mask = u32::from(format.sign());
    for (code, x) in codes.iter_mut().zip(x) {
        let bits = (x / scale).to_bits();
        let magnitude = bits & 0x7FFF_FFFF;
        let normal = (magnitude.wrapping_add(half + (magnitude >> shift & 1)) >> shift).wrapping_sub(rebias);
        let subnormal = (f32::from_bits(magnitude) + f32::from_bits(magic)).to_bits().wrapping_sub(magic);
        let rounded = if magnitude < least_normal { subnormal } else { normal };
        let below_sign = if magnitude > 0x7F80_0000 { nan } else { rounded.min(most) };
        *code = (below_sign | bits >> sign_shift & sign_mask) as u16;
    }
}

/// The values of codes, times `scale`.
///
/// # Panics
/// If `codes` and `out` differ in length.
pub fn values(format: Narrow, codes: &[u16], scale: f32, out: &mut [f32]) {
    assert_eq!(codes.len(), out.len(), "one value per code");
    let shift = 23 - format.fraction;
    let rebias = (127 - format.bias()) << 23;
    // 2^(1 − bias), from where the normal values count; bfloat16 has it below f32's own least.
    let least_normal = (128 - format.bias()) << 23;
    let first_normal = if rebias == 0 { 0 } else { 1_u32 << format.fraction };
    let (largest, infinity) = (u32::from(format.largest), u32::from(format.beyond));
    // Above the greatest finite code stands infinity where the format has one, and NaN.
    let has_infinity = format.nan > format.beyond;
    let sign_mask = u32::from(format.sign());
    let sign_shift = 32 - format.bits();
    for (out, &code) in out.iter_mut().zip(codes) {
        let code = u32::from(code);
        let magnitude = code & (sign_mask - 1);
        let wide = magnitude << shift;
        // 2^(1 − bias) · (1 + fraction) − 2^(1 − bias), exact because both have one exponent.
        let subnormal = (f32::from_bits(wide.wrapping_add(least_normal)) - f32::from_bits(least_normal)).to_bits();
        let finite = if magnitude < first_normal { subnormal } else { wide.wrapping_add(rebias) };
        let special = if has_infinity && magnitude == infinity { 0x7F80_0000 } else { 0x7FC0_0000 };
        let bits = if magnitude > largest { special } else { finite };
        *out = f32::from_bits(bits | (code & sign_mask) << sign_shift) * scale;
    }
}

/// See [`super::super::float::halves`].
pub fn halves(bytes: &[u8], out: &mut [f32]) {
    for (out, &bytes) in out.iter_mut().zip(bytes.as_chunks::<2>().0) {
        *out = half(u16::from_le_bytes(bytes));
    }
}

/// Half to single without a branch and without arithmetic on subnormals (slow on some processors).
#[inline(always)]
pub fn half(h: u16) -> f32 {
    const EXPONENT: u32 = 112 << 23; // the bias moves from 15 to 127
    let sign = u32::from(h & 0x8000) << 16;
    let magnitude = u32::from(h & 0x7fff) << 13;
    // Normal: move the bias. Infinite and NaN: move it twice, to the largest exponent.
    let normal = magnitude + EXPONENT + if magnitude >= 0x0f80_0000 { EXPONENT } else { 0 };
    // Subnormal: 2^-14 · (1 + m) − 2^-14, exact because both have the exponent of 2^-14.
    let subnormal = f32::from_bits(magnitude + (113 << 23)) - f32::from_bits(113 << 23);
    let bits = if magnitude < 0x0080_0000 { subnormal.to_bits() } else { normal };
    f32::from_bits(bits | sign)
}
