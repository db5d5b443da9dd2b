//! The K-quants: super-blocks of 256 weights, cut into sub-blocks of 16 or 32 whose scales are themselves quantized.
//!
//! Each follows the same plan. Every sub-block is fitted alone: a scale, in some formats a minimum too, is searched that makes the weighted
//! error small. The fitted scales share one half-precision scale and become small integers. With what a reader will get for scale and
//! minimum each weight is rounded once more; where the scale became zero the codes of the fit stay.
//!
//! Every sum runs in element order in f32, without fused multiply-add.

use half::f16;

/// Weights of a super-block.
pub const WEIGHTS: usize = 256;

/// Below this largest magnitude a sub-block counts as zero.
pub const ALL_ZERO: f32 = 1e-15;

/// Rounds to the nearest whole number, ties to even, by adding 1.5·2²³ and reading the low bits. Outside ±2²² the bits decide: infinity
/// becomes −2²², NaN 0.
#[must_use]
pub fn nearest(x: f32) -> i32 {
    ((x + 12_582_912.0).to_bits() & 0x007F_FFFF) as i32 - 0x0040_0000
}

/// How the scale and minimum of a sub-block are searched.
#[derive(Debug, Clone, Copy)]
pub struct Search {
    /// Weights of a sub-block.
    pub len: usize,
    /// The greatest code.
    pub most: f32,
    /// The first try's range has this much more than `most` steps, each later one a tenth more.
    pub from: f32,
    /// The last try.
    pub last: u32,
    /// Magnitudes of errors, weighted by magnitudes; otherwise squares, weighted by the magnitude plus the root mean square.
    pub absolute: bool,
}

/// Of `q2_k`.
pub const SEARCH_2: Search = Search { len: 16, most: 3.0, from: -0.5, last: 15, absolute: true };
/// Of `q4_k`.
pub const SEARCH_4: Search = Search { len: 32, most: 15.0, from: -1.0, last: 20, absolute: false };
/// Of `q5_k`.
pub const SEARCH_5: Search = Search { len: 32, most: 31.0, from: -0.5, last: 15, absolute: false };

impl Search {
    /// Steps of the range in try `i`.
    #[must_use]
    pub fn steps(&self, i: u32) -> f32 {
        self.from + 0.1 * i as f32 + self.most
    }

    fn weights(&self, x: &[f32]) -> [f32; 32] {
        let mut weights = [0.0; 32];
        let root = match self.absolute {
            true => 0.0,
            false => (x.iter().fold(0.0, |sum, x| sum + x * x) / 32.0).sqrt(),
        };
        for (weight, x) in weights.iter_mut().zip(x) {
            *weight = root + x.abs();
        }
        weights
    }

    /// Weighted error of codes read with this scale and minimum.
    fn error(&self, x: &[f32], weights: &[f32], codes: &[u8], scale: f32, min: f32) -> f32 {
        let mut sum = 0.0;
        for ((x, weight), &code) in x.iter().zip(weights).zip(codes) {
            let error = scale * f32::from(code) + min - x;
            sum += weight * if self.absolute { error.abs() } else { error * error };
        }
        sum
    }

    /// Scale, negated minimum and codes of one sub-block.
    ///
    /// Each try cuts the range from the minimum into another number of steps and fits scale and minimum to the codes by least squares.
    /// The tries start from the minimum that was best until then.
    fn fit(&self, x: &[f32], best: &mut [u8]) -> (f32, f32) {
        let weights = self.weights(x);
        let (mut min, mut max) = (x[0], x[0]);
        let mut sum_w = weights[0];
        let mut sum_x = sum_w * x[0];
        for (&x, &weight) in x.iter().zip(&weights).skip(1) {
            min = if x < min { x } else { min };
            max = if x > max { x } else { max };
            sum_w += weight;
            sum_x += weight * x;
        }
        min = if min > 0.0 { 0.0 } else { min };
        if max == min {
            best.fill(0);
            return (0.0, -min);
        }
        let code = |x: f32, min: f32, inverse: f32| nearest(inverse * (x - min)).clamp(0, self.most as i32) as u8;
        let inverse = self.most / (max - min);
        let mut scale = 1.0 / inverse;
        for (best, &x) in best.iter_mut().zip(x) {
            *best = code(x, min, inverse);
        }
        let mut best_error = self.error(x, &weights, best, scale, min);
        for i in 0..=self.last {
            let inverse = self.steps(i) / (max - min);
            let mut codes = [0; 32];
            let (mut sum_l, mut sum_l2, mut sum_xl) = (0.0, 0.0, 0.0);
            for ((out, &x), weight) in codes.iter_mut().zip(x).zip(weights) {
                *out = code(x, min, inverse);
                let l = f32::from(*out);
                sum_l += weight * l;
                sum_l2 += weight * l * l;
                sum_xl += weight * l * x;
            }
            let determinant = sum_w * sum_l2 - sum_l * sum_l;
            if determinant > 0.0 {
                let mut this_scale = (sum_w * sum_xl - sum_x * sum_l) / determinant;
                let mut this_min = (sum_l2 * sum_x - sum_l * sum_xl) / determinant;
                if this_min > 0.0 {
                    this_min = 0.0;
                    this_scale = sum_xl / sum_l2;
                }
                let error = self.error(x, &weights, &codes, this_scale, this_min);
                if error < best_error {
                    best.copy_from_slice(&codes[..best.len()]);
                    (best_error, scale, min) = (error, this_scale, this_min);
                }
            }
        }
        (scale, -min)
    }

    /// Fits every sub-block of a super-block: scales, negated minima, and codes.
    fn fit_all(&self, x: &[f32; WEIGHTS]) -> ([f32; 16], [f32; 16], [u8; WEIGHTS]) {
        let (mut scales, mut mins, mut codes) = ([0.0; 16], [0.0; 16], [0; WEIGHTS]);
        let fits = scales.iter_mut().zip(&mut mins);
        for ((x, codes), (scale, min)) in x.chunks(self.len).zip(codes.chunks_mut(self.len)).zip(fits) {
            (*scale, *min) = self.fit(x, codes);
        }
        (scales, mins, codes)
    }

    /// Rounds the weights of a sub-block once more, with the scale and minimum that a reader gets.
    fn requantize(&self, x: &[f32], d: f32, min: f32, codes: &mut [u8]) {
        if d == 0.0 {
            return;
        }
        for (code, x) in codes.iter_mut().zip(x) {
            *code = nearest((x + min) / d).clamp(0, self.most as i32) as u8;
        }
    }
}

/// Of sixteen scales or minima the greatest, 0 if none is above.
#[must_use]
pub fn greatest(x: &[f32]) -> f32 {
    x.iter().fold(0.0, |m, &x| if x > m { x } else { m })
}

/// The half-precision value that a reader gets, written to the front of `out`.
pub fn put_half(x: f32, out: &mut [u8]) -> f32 {
    let half = f16::from_f32(x);
    out[..2].copy_from_slice(&half.to_le_bytes());
    half.to_f32()
}

fn half_at(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// Two bits of each of 256 codes: byte `32·h + l` holds those of weights `128·h + l`, `+ 32`, `+ 64` and `+ 96`, from its low bits up.
pub fn put_pairs(codes: &[u8; WEIGHTS], shift: u32, out: &mut [u8]) {
    for (codes, out) in codes.as_chunks::<128>().0.iter().zip(out.as_chunks_mut::<32>().0) {
        for (l, out) in out.iter_mut().enumerate() {
            *out = (0..4).fold(0, |byte, k| byte | (codes[l + 32 * k] >> shift & 3) << (2 * k));
        }
    }
}

/// Reads [`put_pairs`] for weight `i`.
fn pair_at(bytes: &[u8], i: usize) -> u8 {
    bytes[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3
}

/// The scales and minima of `q2_k`: bytes of a nibble each, and what a reader multiplies them by.
pub fn scales_2(scales: &[f32; 16], mins: &[f32; 16], block: &mut [u8; 84]) -> (f32, f32) {
    let (max_scale, max_min) = (greatest(scales), greatest(mins));
    let (mut d, mut d_min) = (0.0, 0.0);
    block[..16].fill(0);
    if max_scale > 0.0 {
        let inverse = 15.0 / max_scale;
        for (out, scale) in block.iter_mut().zip(scales) {
            *out = nearest(inverse * scale) as u8;
        }
        d = max_scale / 15.0;
    }
    if max_min > 0.0 {
        let inverse = 15.0 / max_min;
        for (out, min) in block.iter_mut().zip(mins) {
            *out |= (nearest(inverse * min) << 4) as u8;
        }
        d_min = max_min / 15.0;
    }
    (put_half(d, &mut block[80..]), put_half(d_min, &mut block[82..]))
}

/// See [`crate::kernels::ggml::q2_k`].
pub fn q2_k(x: &[f32], out: &mut [u8]) {
    for (x, block) in x.as_chunks::<WEIGHTS>().0.iter().zip(out.as_chunks_mut::<84>().0) {
        let (scales, mins, mut codes) = SEARCH_2.fit_all(x);
        let (d, d_min) = scales_2(&scales, &mins, block);
        for (j, (x, codes)) in x.chunks(16).zip(codes.chunks_mut(16)).enumerate() {
            let (scale, min) = (block[j] & 15, block[j] >> 4);
            SEARCH_2.requantize(x, d * f32::from(scale), d_min * f32::from(min), codes);
        }
        put_pairs(&codes, 0, &mut block[16..80]);
    }
}

/// Reads [`q2_k`].
pub fn from_q2_k(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<84>().0.iter().zip(out.as_chunks_mut::<WEIGHTS>().0) {
        let (d, d_min) = (half_at(block, 80), half_at(block, 82));
        for (i, out) in out.iter_mut().enumerate() {
            let scale = block[i / 16];
            let code = pair_at(&block[16..80], i);
            *out = d * f32::from(scale & 15) * f32::from(code) - d_min * f32::from(scale >> 4);
        }
    }
}

/// Scale and codes, from 0 to 7 with 4 for zero, of a sub-block of `q3_k`.
///
/// From codes on the grid that puts the extreme at −4, each weight in turn moves to the code that is best while the others stay, until
/// none moves or five rounds are over.
pub fn fit_3(x: &[f32; 16], codes: &mut [u8; 16]) -> f32 {
    let extreme = extreme(x);
    if extreme.abs() < ALL_ZERO {
        codes.fill(0);
        return 0.0;
    }
    let inverse = -4.0 / extreme;
    let clamped = |t: f32| nearest(t).clamp(-4, 3) as f32;
    let mut at = [0.0; 16];
    let (mut sum_xl, mut sum_l2) = (0.0, 0.0);
    for (l, &x) in at.iter_mut().zip(x) {
        *l = clamped(inverse * x);
        let w = x * x;
        sum_xl += w * x * *l;
        sum_l2 += w * *l * *l;
    }
    for _ in 0..5 {
        let mut changed = false;
        for (l, &x) in at.iter_mut().zip(x) {
            let w = x * x;
            let mut xl = sum_xl - w * x * *l;
            if xl > 0.0 {
                let mut l2 = sum_l2 - w * *l * *l;
                let new = clamped(x * l2 / xl);
                if new != *l {
                    xl += w * x * new;
                    l2 += w * new * new;
                    if l2 > 0.0 && xl * xl * sum_l2 > sum_xl * sum_xl * l2 {
                        (*l, sum_xl, sum_l2) = (new, xl, l2);
                        changed = true;
                    }
                }
            }
        }
        if !changed {
            break;
        }
    }
    for (code, l) in codes.iter_mut().zip(at) {
        *code = (l + 4.0) as u8;
    }
    if sum_l2 > 0.0 { sum_xl / sum_l2 } else { 0.0 }
}

/// The first weight of the largest magnitude.
fn extreme(x: &[f32]) -> f32 {
    x.iter().fold(0.0_f32, |m, &x| if x.abs() > m.abs() { x } else { m })
}

/// The scales of `q3_k`, six bits each, at 96 in the block: eight bytes hold the low nibbles of scales 0–7 and 8–15, four the high pairs.
/// Gives what a reader multiplies each code by.
pub fn scales_3(scales: &[f32; 16], block: &mut [u8; 110]) -> [f32; 16] {
    let extreme = extreme(scales);
    block[96..108].fill(0);
    let mut d = 0.0;
    if extreme != 0.0 {
        let inverse = -32.0 / extreme;
        d = 1.0 / inverse;
        for (j, scale) in scales.iter().enumerate() {
            let code = ((nearest(inverse * scale) as i8).clamp(-32, 31) + 32) as u8;
            block[96 + j % 8] |= (code & 15) << (j / 8 * 4);
            block[104 + j % 4] |= (code >> 4) << (j / 4 * 2);
        }
    }
    let d = put_half(d, &mut block[108..]);
    std::array::from_fn(|j| d * f32::from(scale_3(block, j)))
}

/// The scale of a sub-block of `q3_k`, −32 … 31.
#[must_use]
pub fn scale_3(block: &[u8], j: usize) -> i8 {
    let low = block[96 + j % 8] >> (j / 8 * 4) & 15;
    let high = block[104 + j % 4] >> (j / 4 * 2) & 3;
    (low | high << 4) as i8 - 32
}

/// See [`crate::kernels::ggml::q3_k`].
pub fn q3_k(x: &[f32], out: &mut [u8]) {
    for (x, block) in x.as_chunks::<WEIGHTS>().0.iter().zip(out.as_chunks_mut::<110>().0) {
        let (mut scales, mut codes) = ([0.0; 16], [0; WEIGHTS]);
        let (x, fitted) = (x.as_chunks::<16>().0, codes.as_chunks_mut::<16>().0);
        for ((x, codes), scale) in x.iter().zip(&mut *fitted).zip(&mut scales) {
            *scale = fit_3(x, codes);
        }
        for ((x, codes), d) in x.iter().zip(fitted).zip(scales_3(&scales, block)) {
            if d != 0.0 {
                *codes = x.map(|x| (nearest(x / d).clamp(-4, 3) + 4) as u8);
            }
        }
        for (l, out) in block[..32].iter_mut().enumerate() {
            *out = (0..8).fold(0, |byte, k| byte | (codes[l + 32 * k] >> 2) << k);
        }
        put_pairs(&codes, 0, &mut block[32..96]);
    }
}

/// Reads [`q3_k`].
pub fn from_q3_k(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<110>().0.iter().zip(out.as_chunks_mut::<WEIGHTS>().0) {
        let d = half_at(block, 108);
        for (i, out) in out.iter_mut().enumerate() {
            let high = block[i % 32] >> (i / 32) & 1;
            let code = pair_at(&block[32..96], i) as i8 + 4 * high as i8 - 4;
            *out = d * f32::from(scale_3(block, i / 16)) * f32::from(code);
        }
    }
}

/// The scales and minima of `q4_k` and `q5_k`, six bits each, in the first sixteen bytes of a block; gives the two that a reader
/// multiplies them by.
pub fn scales_45(scales: &[f32], mins: &[f32], block: &mut [u8]) -> (f32, f32) {
    let (max_scale, max_min) = (greatest(scales), greatest(mins));
    let inverse = |max: f32| if max > 0.0 { 63.0 / max } else { 0.0 };
    let (inverse_scale, inverse_min) = (inverse(max_scale), inverse(max_min));
    let six = |t: f32| (nearest(t) as u8).min(63);
    let (header, packed) = block.split_at_mut(4);
    for j in 0..8 {
        let (scale, min) = (six(inverse_scale * scales[j]), six(inverse_min * mins[j]));
        if j < 4 {
            packed[j] = scale;
            packed[j + 4] = min;
        } else {
            packed[j + 4] = scale & 15 | (min & 15) << 4;
            packed[j - 4] |= (scale >> 4) << 6;
            packed[j] |= (min >> 4) << 6;
        }
    }
    (put_half(max_scale / 63.0, header), put_half(max_min / 63.0, &mut header[2..]))
}

/// Scale and minimum of sub-block `j` of `q4_k` and `q5_k`, 0 … 63.
#[must_use]
pub fn scale_45(block: &[u8], j: usize) -> (u8, u8) {
    let packed = &block[4..16];
    if j < 4 {
        (packed[j] & 63, packed[j + 4] & 63)
    } else {
        (packed[j + 4] & 15 | packed[j - 4] >> 6 << 4, packed[j + 4] >> 4 | packed[j] >> 6 << 4)
    }
}

/// Codes of `q4_k` and `q5_k`; `block` gets its scales.
fn codes_45(search: Search, x: &[f32; WEIGHTS], block: &mut [u8]) -> [u8; WEIGHTS] {
    let (scales, mins, mut codes) = search.fit_all(x);
    let (d, d_min) = scales_45(&scales, &mins, block);
    for (j, (x, codes)) in x.chunks(32).zip(codes.chunks_mut(32)).enumerate() {
        let (scale, min) = scale_45(block, j);
        search.requantize(x, d * f32::from(scale), d_min * f32::from(min), codes);
    }
    codes
}

/// Low nibbles: byte `32·p + l` holds those of weights `64·p + l` and `+ 32`.
pub fn put_nibbles(codes: &[u8; WEIGHTS], out: &mut [u8]) {
    for (codes, out) in codes.as_chunks::<64>().0.iter().zip(out.as_chunks_mut::<32>().0) {
        for (l, out) in out.iter_mut().enumerate() {
            *out = codes[l] & 15 | codes[l + 32] << 4;
        }
    }
}

/// See [`crate::kernels::ggml::q4_k`].
pub fn q4_k(x: &[f32], out: &mut [u8]) {
    for (x, block) in x.as_chunks::<WEIGHTS>().0.iter().zip(out.as_chunks_mut::<144>().0) {
        let codes = codes_45(SEARCH_4, x, block);
        put_nibbles(&codes, &mut block[16..]);
    }
}

/// See [`crate::kernels::ggml::q5_k`].
pub fn q5_k(x: &[f32], out: &mut [u8]) {
    for (x, block) in x.as_chunks::<WEIGHTS>().0.iter().zip(out.as_chunks_mut::<176>().0) {
        let codes = codes_45(SEARCH_5, x, block);
        for (l, out) in block[16..48].iter_mut().enumerate() {
            *out = (0..8).fold(0, |byte, k| byte | (codes[l + 32 * k] >> 4) << k);
        }
        put_nibbles(&codes, &mut block[48..]);
    }
}

/// Values of `q4_k` and `q5_k` from their codes.
fn values_45(block: &[u8], out: &mut [f32; WEIGHTS], code: impl Fn(usize) -> u8) {
    let (d, d_min) = (half_at(block, 0), half_at(block, 2));
    for (i, out) in out.iter_mut().enumerate() {
        let (scale, min) = scale_45(block, i / 32);
        *out = d * f32::from(scale) * f32::from(code(i)) - d_min * f32::from(min);
    }
}

/// Reads [`q4_k`].
pub fn from_q4_k(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<144>().0.iter().zip(out.as_chunks_mut::<WEIGHTS>().0) {
        values_45(block, out, |i| block[16 + i / 64 * 32 + i % 32] >> (i % 64 / 32 * 4) & 15);
    }
}

/// Reads [`q5_k`].
pub fn from_q5_k(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<176>().0.iter().zip(out.as_chunks_mut::<WEIGHTS>().0) {
        values_45(block, out, |i| {
            let low = block[48 + i / 64 * 32 + i % 32] >> (i % 64 / 32 * 4) & 15;
            low | (block[16 + i % 32] >> (i / 32) & 1) << 4
        });
    }
}

/// Scale and codes, from 0 to 63 with 32 for zero, of a sub-block of `q6_k`.
///
/// The grid that puts the extreme at −32 is tried first, then eighteen around it; of each the scale that fits its codes best is taken.
/// Errors are weighted by squares.
fn fit_6(x: &[f32; 16], codes: &mut [u8; 16]) -> f32 {
    let extreme = extreme(x);
    if extreme.abs() < ALL_ZERO {
        codes.fill(0);
        return 0.0;
    }
    let code = |t: f32| nearest(t).clamp(-32, 31) as f32;
    let sums = |inverse: f32| {
        let (mut sum_xl, mut sum_l2) = (0.0, 0.0);
        for &x in x {
            let l = code(inverse * x);
            let w = x * x;
            sum_xl += w * x * l;
            sum_l2 += w * l * l;
        }
        (sum_xl, sum_l2)
    };
    let mut chosen = -32.0 / extreme;
    let (sum_xl, sum_l2) = sums(chosen);
    let mut scale = if sum_l2 != 0.0 { sum_xl / sum_l2 } else { 0.0 };
    let mut best = scale * sum_xl;
    for i in (-9..=9).filter(|&i| i != 0) {
        let inverse = -(32.0 + 0.1 * i as f32) / extreme;
        let (sum_xl, sum_l2) = sums(inverse);
        if sum_l2 > 0.0 && sum_xl * sum_xl > best * sum_l2 {
            chosen = inverse;
            scale = sum_xl / sum_l2;
            best = scale * sum_xl;
        }
    }
    *codes = x.map(|x| (code(chosen * x) + 32.0) as u8);
    scale
}

/// The scales of `q6_k`, a signed byte each, at 192 in the block; gives what a reader multiplies each code by, or nothing where all is
/// zero.
pub fn scales_6(scales: &[f32; 16], block: &mut [u8; 210]) -> Option<[f32; 16]> {
    let extreme = extreme(scales);
    if extreme.abs() < ALL_ZERO {
        return None;
    }
    let inverse = -128.0 / extreme;
    let d = put_half(1.0 / inverse, &mut block[208..]);
    Some(std::array::from_fn(|j| {
        let scale = nearest(inverse * scales[j]).min(127) as i8;
        block[192 + j] = scale as u8;
        d * f32::from(scale)
    }))
}

/// See [`crate::kernels::ggml::q6_k`].
pub fn q6_k(x: &[f32], out: &mut [u8]) {
    for (x, block) in x.as_chunks::<WEIGHTS>().0.iter().zip(out.as_chunks_mut::<210>().0) {
        let (mut scales, mut codes) = ([0.0; 16], [0; WEIGHTS]);
        let (x, fitted) = (x.as_chunks::<16>().0, codes.as_chunks_mut::<16>().0);
        for ((x, codes), scale) in x.iter().zip(&mut *fitted).zip(&mut scales) {
            *scale = fit_6(x, codes);
        }
        let Some(read) = scales_6(&scales, block) else {
            block.fill(0);
            continue;
        };
        for ((x, codes), d) in x.iter().zip(fitted).zip(read) {
            if d != 0.0 {
                *codes = x.map(|x| (nearest(x / d).clamp(-32, 31) + 32) as u8);
            }
        }
        for (h, codes) in codes.as_chunks::<128>().0.iter().enumerate() {
            for l in 0..64 {
                block[64 * h + l] = codes[l] & 15 | codes[l + 64] << 4;
            }
        }
        put_pairs(&codes, 4, &mut block[128..192]);
    }
}

/// Reads [`q6_k`].
pub fn from_q6_k(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<210>().0.iter().zip(out.as_chunks_mut::<WEIGHTS>().0) {
        let d = half_at(block, 208);
        for (i, out) in out.iter_mut().enumerate() {
            let low = block[i / 128 * 64 + i % 64] >> (i % 128 / 64 * 4) & 15;
            let code = (low | pair_at(&block[128..192], i) << 4) as i8 - 32;
            *out = d * f32::from(block[192 + i / 16] as i8) * f32::from(code);
        }
    }
}
