//! The formats of 32 weights with one scale, four blocks at a time: what is decided once for a block lies in a lane for each.

use core::arch::wasm32::{
    f32x4_abs, f32x4_add, f32x4_div, f32x4_eq, f32x4_gt, f32x4_lt, f32x4_mul, f32x4_neg, f32x4_pmax, f32x4_pmin,
    f32x4_replace_lane, f32x4_splat, f32x4_sub, f32x4_trunc, i8x16_bitmask, i8x16_eq, i8x16_shl, i8x16_splat,
    i8x16_sub, i16x8_narrow_i32x4, i32x4_add, i32x4_bitmask, i32x4_shl, i32x4_shuffle, i32x4_splat, i32x4_sub,
    u8x16_min, u8x16_narrow_i16x8, u8x16_shr, u32x4_extract_lane, u32x4_ge, u32x4_lt, u32x4_shr, v128, v128_and,
    v128_andnot, v128_bitselect, v128_or,
};

use super::super::load4;
use super::{emit, half_at, load_bytes, narrow, store_bytes};
use crate::kernels::scalar::ggml as scalar;

/// One number for each of four blocks, from four for each.
#[inline(always)]
fn fold(v: [v128; 4], f: fn(v128, v128) -> v128) -> v128 {
    let pair = |a, b| f(i32x4_shuffle::<0, 4, 1, 5>(a, b), i32x4_shuffle::<2, 6, 3, 7>(a, b));
    let (ab, cd) = (pair(v[0], v[1]), pair(v[2], v[3]));
    f(i32x4_shuffle::<0, 1, 4, 5>(ab, cd), i32x4_shuffle::<2, 3, 6, 7>(ab, cd))
}

/// Four numbers in half precision, in the low bits of their lanes: to nearest, ties to even.
#[inline(always)]
fn halves(x: v128) -> v128 {
    let sign = v128_and(u32x4_shr(x, 16), i32x4_splat(0x8000));
    let magnitude = v128_and(x, i32x4_splat(0x7FFF_FFFF));
    let odd = v128_and(u32x4_shr(magnitude, 13), i32x4_splat(1));
    let bias = i32x4_splat(0x0FFF - (112 << 23));
    let normal = u32x4_shr(i32x4_add(i32x4_add(magnitude, bias), odd), 13);
    // Adding one half leaves the bits of a subnormal half-precision number at the low end.
    let half = f32x4_splat(0.5);
    let subnormal = i32x4_sub(f32x4_add(magnitude, half), half);
    let finite = v128_bitselect(subnormal, normal, u32x4_lt(magnitude, i32x4_splat(113 << 23)));
    let overflow = u32x4_ge(magnitude, i32x4_splat(0x4780_0000));
    v128_or(sign, v128_bitselect(i32x4_splat(0x7C00), finite, overflow))
}

#[inline(always)]
fn lanes(v: v128) -> [u32; 4] {
    [u32x4_extract_lane::<0>(v), u32x4_extract_lane::<1>(v), u32x4_extract_lane::<2>(v), u32x4_extract_lane::<3>(v)]
}

#[inline(always)]
fn splats(v: v128) -> [v128; 4] {
    [
        i32x4_shuffle::<0, 0, 0, 0>(v, v),
        i32x4_shuffle::<1, 1, 1, 1>(v, v),
        i32x4_shuffle::<2, 2, 2, 2>(v, v),
        i32x4_shuffle::<3, 3, 3, 3>(v, v),
    ]
}

/// 1/d, or 0 where that overflows.
#[inline(always)]
fn reciprocals(d: v128) -> v128 {
    let id = f32x4_div(f32x4_splat(1.0), d);
    v128_and(id, f32x4_lt(f32x4_abs(id), f32x4_splat(f32::INFINITY)))
}

pub fn q8_0(x: &[f32], out: &mut [u8]) {
    let (fours, rest) = x.as_chunks::<128>();
    let (outs, rest_out) = out.as_chunks_mut::<{ 4 * 34 }>();
    let sign = f32x4_splat(-0.0);
    // The largest f32 below one half: 0.49999997 does not become 1.
    let almost_half = f32x4_splat(0.499_999_97);
    let magic = f32x4_splat(12_582_912.0);
    for (x, out) in fours.iter().zip(outs) {
        let mut amax = [f32x4_splat(0.0); 4];
        for (b, amax) in amax.iter_mut().enumerate() {
            let mut two = [f32x4_splat(0.0); 2];
            for k in 0..8 {
                two[k % 2] = f32x4_pmax(two[k % 2], f32x4_abs(load4(&x[32 * b + 4 * k..])));
            }
            *amax = f32x4_pmax(two[0], two[1]);
        }
        let d = f32x4_div(fold(amax, f32x4_pmax), f32x4_splat(127.0));
        let (scales, ids) = (lanes(halves(d)), splats(reciprocals(d)));
        for (b, out) in out.as_chunks_mut::<34>().0.iter_mut().enumerate() {
            out[..2].copy_from_slice(&scales[b].to_le_bytes()[..2]);
            for h in 0..2 {
                let codes: [v128; 4] = std::array::from_fn(|k| {
                    let t = f32x4_mul(load4(&x[32 * b + 16 * h + 4 * k..]), ids[b]);
                    let away = f32x4_add(t, v128_or(v128_and(t, sign), almost_half));
                    // The low bits of the sum are the whole number.
                    i32x4_sub(f32x4_add(f32x4_trunc(away), magic), magic)
                });
                store_bytes(narrow(codes), &mut out[2 + 16 * h..]);
            }
        }
    }
    scalar::legacy::q8_0(rest, rest_out);
}

pub fn from_q8_0(bytes: &[u8], out: &mut [f32]) {
    let none = f32x4_splat(-0.0);
    for (block, out) in bytes.as_chunks::<34>().0.iter().zip(out.as_chunks_mut::<32>().0) {
        let d = f32x4_splat(half_at(block, 0));
        let [low, high] = out.as_chunks_mut::<16>().0 else { continue };
        emit(load_bytes(&block[2..]), d, none, low);
        emit(load_bytes(&block[18..]), d, none, high);
    }
}

/// The first of the largest magnitude, for each of four blocks of which these are the least and the greatest.
#[inline(always)]
fn extremes(x: &[f32; 128], min: v128, max: v128) -> v128 {
    let below = f32x4_neg(min);
    let mut extreme = v128_bitselect(max, min, f32x4_gt(max, below));
    let zero = f32x4_eq(max, below);
    extreme = v128_andnot(extreme, zero);
    let ties = i32x4_bitmask(v128_andnot(zero, f32x4_eq(max, f32x4_splat(0.0))));
    if ties != 0 {
        // As much below zero as above: memory order decides.
        for b in (0..4).filter(|b| ties >> b & 1 == 1) {
            let first = x[32 * b..32 * b + 32].iter().fold(0.0_f32, |m, &x| if m.abs() < x.abs() { x } else { m });
            extreme = match b {
                0 => f32x4_replace_lane::<0>(extreme, first),
                1 => f32x4_replace_lane::<1>(extreme, first),
                2 => f32x4_replace_lane::<2>(extreme, first),
                _ => f32x4_replace_lane::<3>(extreme, first),
            };
        }
    }
    extreme
}

/// See `scalar::ggml::legacy::encode`. `BYTES` are those of four blocks.
#[inline(always)]
fn encode<const BITS: u32, const MIN: bool, const BYTES: usize>(
    x: &[f32],
    out: &mut [u8],
    scalar: fn(&[f32], &mut [u8]),
) {
    let (fours, rest) = x.as_chunks::<128>();
    let (outs, rest_out) = out.as_chunks_mut::<BYTES>();
    let mut coming = fours.first().map(scales::<BITS, MIN>);
    for (i, (x, out)) in fours.iter().zip(outs).enumerate() {
        // The divisions for the next blocks run while these are written.
        let Some(these) = coming else { break };
        coming = fours.get(i + 1).map(scales::<BITS, MIN>);
        put::<BITS, MIN, BYTES>(x, &these, out);
    }
    scalar(rest, rest_out);
}

/// What is decided once for each of four blocks: scale and, above it, minimum in half precision, the reciprocal scale, the minimum.
struct Scales {
    heads: v128,
    ids: v128,
    offsets: v128,
}

#[inline(always)]
fn scales<const BITS: u32, const MIN: bool>(x: &[f32; 128]) -> Scales {
    let steps = 1 << BITS;
    let (mut min, mut max) = ([f32x4_splat(0.0); 4], [f32x4_splat(0.0); 4]);
    for b in 0..4 {
        let first = load4(&x[32 * b..]);
        let (mut lows, mut highs) = (first, first);
        for k in 1..8 {
            let v = load4(&x[32 * b + 4 * k..]);
            lows = f32x4_pmin(lows, v);
            highs = f32x4_pmax(highs, v);
        }
        (min[b], max[b]) = (lows, highs);
    }
    let (min, max) = (fold(min, f32x4_pmin), fold(max, f32x4_pmax));
    let d = if MIN {
        f32x4_div(f32x4_sub(max, min), f32x4_splat((steps - 1) as f32))
    } else {
        f32x4_div(extremes(x, min, max), f32x4_splat(-((steps / 2) as f32)))
    };
    let heads = if MIN { v128_or(halves(d), i32x4_shl(halves(min), 16)) } else { halves(d) };
    Scales { heads, ids: reciprocals(d), offsets: min }
}

/// Writes four blocks.
#[inline(always)]
fn put<const BITS: u32, const MIN: bool, const BYTES: usize>(x: &[f32; 128], scales: &Scales, out: &mut [u8; BYTES]) {
    let steps = 1 << BITS;
    let magic = f32x4_splat(8_388_608.0);
    let most = i8x16_splat(steps as i8 - 1);
    let half = f32x4_splat(if MIN { 0.5 } else { (steps / 2) as f32 + 0.5 });
    let (ids, offsets) = (splats(scales.ids), splats(scales.offsets));
    let heads = lanes(scales.heads);
    for (b, out) in out.chunks_exact_mut(BYTES / 4).enumerate() {
        let mut at = if MIN { 4 } else { 2 };
        out[..at].copy_from_slice(&heads[b].to_le_bytes()[..at]);
        let codes: [v128; 2] = std::array::from_fn(|h| {
            let t: [v128; 4] = std::array::from_fn(|k| {
                let v = load4(&x[32 * b + 16 * h + 4 * k..]);
                let v = if MIN { f32x4_sub(v, offsets[b]) } else { v };
                let t = f32x4_trunc(f32x4_add(f32x4_mul(v, ids[b]), half));
                // A mask instead of the difference lets LLVM see a truncation, which it takes apart lane by lane.
                i32x4_sub(f32x4_add(t, magic), magic)
            });
            let (low, high) = (i16x8_narrow_i32x4(t[0], t[1]), i16x8_narrow_i32x4(t[2], t[3]));
            let bytes = u8x16_narrow_i16x8(low, high);
            let clamped = u8x16_min(bytes, most);
            // With a minimum no number is beyond the range. NaN, of an infinite one, is 0 or the greatest byte here, and becomes 0.
            if MIN { v128_and(bytes, i8x16_eq(bytes, clamped)) } else { clamped }
        });
        let mut low = codes[0];
        if BITS == 5 {
            let high = |codes| u32::from(i8x16_bitmask(i8x16_shl(codes, 3)));
            out[at..at + 4].copy_from_slice(&(high(codes[0]) | high(codes[1]) << 16).to_le_bytes());
            at += 4;
            low = v128_and(low, i8x16_splat(15));
        }
        store_bytes(v128_or(low, i8x16_shl(codes[1], 4)), &mut out[at..]);
    }
}

/// Spreads sixteen bits to sixteen bytes, 16 where the bit is set.
#[inline(always)]
fn spread(bits: u16) -> v128 {
    use core::arch::wasm32::{i8x16, i8x16_swizzle, u16x8_splat};
    let which = i8x16(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
    let bit = i8x16(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128);
    let set = v128_and(i8x16_swizzle(u16x8_splat(bits), which), bit);
    v128_and(i8x16_eq(set, bit), i8x16_splat(16))
}

#[inline(always)]
fn decode<const BITS: u32, const MIN: bool, const BYTES: usize>(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<BYTES>().0.iter().zip(out.as_chunks_mut::<32>().0) {
        let d = f32x4_splat(half_at(block, 0));
        let offset = f32x4_splat(if MIN { half_at(block, 2) } else { -0.0 });
        let nibbles = load_bytes(&block[BYTES - 16..]);
        let mut codes = [v128_and(nibbles, i8x16_splat(15)), u8x16_shr(nibbles, 4)];
        if BITS == 5 {
            for (h, codes) in codes.iter_mut().enumerate() {
                let at = BYTES - 20 + 2 * h;
                *codes = v128_or(*codes, spread(u16::from_le_bytes([block[at], block[at + 1]])));
            }
        }
        if !MIN {
            codes = codes.map(|codes| i8x16_sub(codes, i8x16_splat(1 << (BITS - 1))));
        }
        let [low, high] = out.as_chunks_mut::<16>().0 else { continue };
        emit(codes[0], d, offset, low);
        emit(codes[1], d, offset, high);
    }
}

pub fn q4_0(x: &[f32], out: &mut [u8]) {
    encode::<4, false, 72>(x, out, scalar::legacy::q4_0);
}

pub fn from_q4_0(bytes: &[u8], out: &mut [f32]) {
    decode::<4, false, 18>(bytes, out);
}

pub fn q4_1(x: &[f32], out: &mut [u8]) {
    encode::<4, true, 80>(x, out, scalar::legacy::q4_1);
}

pub fn from_q4_1(bytes: &[u8], out: &mut [f32]) {
    decode::<4, true, 20>(bytes, out);
}

pub fn q5_0(x: &[f32], out: &mut [u8]) {
    encode::<5, false, 88>(x, out, scalar::legacy::q5_0);
}

pub fn from_q5_0(bytes: &[u8], out: &mut [f32]) {
    decode::<5, false, 22>(bytes, out);
}

pub fn q5_1(x: &[f32], out: &mut [u8]) {
    encode::<5, true, 96>(x, out, scalar::legacy::q5_1);
}

pub fn from_q5_1(bytes: &[u8], out: &mut [f32]) {
    decode::<5, true, 24>(bytes, out);
}
