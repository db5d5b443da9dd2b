//! Anchors of benchmarks.

use core::arch::wasm32::{f32x4_add, f32x4_splat, i16x8_narrow_i32x4, i32x4_splat, u8x16_narrow_i16x8, v128_and};

use super::{load4, store16};

pub fn convert_and_store(x: &[f32], codes: &mut [i8]) {
    let magic = f32x4_splat(12_582_912.0);
    let low_byte = i32x4_splat(0xFF);
    let convert = |x: &[f32]| v128_and(f32x4_add(load4(x), magic), low_byte);
    let whole = x.len() / 16 * 16;
    let (x16, x_rest) = x.split_at(whole);
    let (codes16, codes_rest) = codes.split_at_mut(whole);
    for (x, codes) in x16.chunks_exact(16).zip(codes16.chunks_exact_mut(16)) {
        let ab = i16x8_narrow_i32x4(convert(x), convert(&x[4..]));
        let cd = i16x8_narrow_i32x4(convert(&x[8..]), convert(&x[12..]));
        store16(u8x16_narrow_i16x8(ab, cd), codes);
    }
    super::super::scalar::anchors::convert_and_store(x_rest, codes_rest);
}
