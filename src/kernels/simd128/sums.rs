//! Sums over weights, eight lanes of f64.

use core::arch::wasm32::{
    f32x4_abs, f32x4_add, f32x4_eq, f32x4_extract_lane, f32x4_mul, f32x4_pmax, f32x4_pmin, f32x4_splat, f32x4_sub,
    f64x2_abs, f64x2_add, f64x2_mul, f64x2_pmax, f64x2_promote_low_f32x4, f64x2_splat, f64x2_sub, i32x4_add,
    i32x4_shuffle, i32x4_splat, i32x4_sub, u32x4_extract_lane, u32x4_max, v128, v128_and,
};

use super::super::sums::{CompareSums, Energy, Extent, FIDELITY_RUN, Fidelity, Moments};
use super::super::{LANES, scalar};
use super::{lanes, load4};

pub fn extent(x: &[f32]) -> Extent {
    // Three times two accumulators: with four of each they and a block do not fit in sixteen registers.
    let mut min = [f32x4_splat(f32::INFINITY); 2];
    let mut max = [f32x4_splat(f32::NEG_INFINITY); 2];
    let mut magnitude = [i32x4_splat(0); 2];
    let sign_off = i32x4_splat(i32::MAX);
    let blocks = x.chunks_exact(8);
    let rest = blocks.remainder();
    for block in blocks {
        for k in 0..2 {
            let v = load4(&block[4 * k..]);
            // pmin(a, b) is `b < a ? b : a`: a NaN in b leaves a.
            min[k] = f32x4_pmin(min[k], v);
            max[k] = f32x4_pmax(max[k], v);
            magnitude[k] = u32x4_max(magnitude[k], v128_and(v, sign_off));
        }
    }
    let fold = |v: [v128; 2], f: fn(v128, v128) -> v128| {
        let v = f(v[0], v[1]);
        let v = f(v, i32x4_shuffle::<2, 3, 0, 1>(v, v));
        f(v, i32x4_shuffle::<1, 0, 3, 2>(v, v))
    };
    let folded = Extent {
        min: f32x4_extract_lane::<0>(fold(min, f32x4_pmin)),
        max: f32x4_extract_lane::<0>(fold(max, f32x4_pmax)),
        abs_max: f32::from_bits(u32x4_extract_lane::<0>(fold(magnitude, u32x4_max))),
    };
    scalar::sums::canonical(folded.merge(scalar::sums::extent(rest)))
}

/// Eight f32 as four pairs of f64, in element order.
#[inline(always)]
fn promote8(x: &[f32]) -> [v128; 4] {
    promote(load4(x), load4(&x[4..]))
}

#[inline(always)]
fn promote(a: v128, b: v128) -> [v128; 4] {
    let high = |v| i32x4_shuffle::<2, 3, 2, 3>(v, v);
    [
        f64x2_promote_low_f32x4(a),
        f64x2_promote_low_f32x4(high(a)),
        f64x2_promote_low_f32x4(b),
        f64x2_promote_low_f32x4(high(b)),
    ]
}

pub fn moments(x: &[f32]) -> Moments {
    if x.is_empty() {
        return Moments::default();
    }
    let blocks = x.chunks_exact(LANES);
    let rest = blocks.remainder();
    let mut sum = [f64x2_splat(0.0); 4];
    for block in blocks.clone() {
        let v = promote8(block);
        for k in 0..4 {
            sum[k] = f64x2_add(sum[k], v[k]);
        }
    }
    let mut sum = lanes(sum);
    for (lane, &x) in sum.iter_mut().zip(rest) {
        *lane += f64::from(x);
    }
    let count = x.len() as f64;
    let mean = scalar::reduce(sum) / count;

    let center = f64x2_splat(mean);
    let (mut m2, mut m3, mut m4) = ([f64x2_splat(0.0); 4], [f64x2_splat(0.0); 4], [f64x2_splat(0.0); 4]);
    for block in blocks {
        let v = promote8(block);
        for k in 0..4 {
            let d = f64x2_sub(v[k], center);
            let d2 = f64x2_mul(d, d);
            m2[k] = f64x2_add(m2[k], d2);
            m3[k] = f64x2_add(m3[k], f64x2_mul(d2, d));
            m4[k] = f64x2_add(m4[k], f64x2_mul(d2, d2));
        }
    }
    let (mut m2, mut m3, mut m4) = (lanes(m2), lanes(m3), lanes(m4));
    for (lane, &x) in rest.iter().enumerate() {
        let d = f64::from(x) - mean;
        let d2 = d * d;
        m2[lane] += d2;
        m3[lane] += d2 * d;
        m4[lane] += d2 * d2;
    }
    Moments { count, mean, m2: scalar::reduce(m2), m3: scalar::reduce(m3), m4: scalar::reduce(m4) }
}

pub fn energy(x: &[f32]) -> Energy {
    let mut squares = [f64x2_splat(0.0); 4];
    let mut zeros = i32x4_splat(0);
    let blocks = x.chunks_exact(LANES);
    let rest = blocks.remainder();
    for x in blocks {
        let (a, b) = (load4(x), load4(&x[4..]));
        zeros = i32x4_sub(zeros, i32x4_add(is_zero(a), is_zero(b)));
        let x = promote(a, b);
        for k in 0..4 {
            squares[k] = f64x2_add(squares[k], f64x2_mul(x[k], x[k]));
        }
    }
    let mut squares = lanes(squares);
    let mut zeros = total(zeros);
    for (lane, &x) in squares.iter_mut().zip(rest) {
        *lane += f64::from(x) * f64::from(x);
        zeros += u64::from(x == 0.0);
    }
    Energy { squares: scalar::reduce(squares), zeros }
}

/// −1 in each lane that holds a zero. Such lanes are counted in u32: a chunk is far shorter than 2³² elements a lane.
#[inline(always)]
fn is_zero(x: v128) -> v128 {
    f32x4_eq(x, f32x4_splat(0.0))
}

pub fn compare(x: &[f32], y: &[f32]) -> CompareSums {
    let zero = f64x2_splat(0.0);
    let (mut error2, mut error_abs, mut max) = ([zero; 4], [zero; 4], [zero; 4]);
    let mut both_zeros = i32x4_splat(0);
    let whole = x.len() / LANES * LANES;
    for (x, y) in x.chunks_exact(LANES).zip(y.chunks_exact(LANES)) {
        let (xa, xb, ya, yb) = (load4(x), load4(&x[4..]), load4(y), load4(&y[4..]));
        for (x, y) in [(xa, ya), (xb, yb)] {
            both_zeros = i32x4_sub(both_zeros, v128_and(is_zero(x), is_zero(y)));
        }
        let (x, y) = (promote(xa, xb), promote(ya, yb));
        for k in 0..4 {
            let e = f64x2_sub(x[k], y[k]);
            let magnitude = f64x2_abs(e);
            error2[k] = f64x2_add(error2[k], f64x2_mul(e, e));
            error_abs[k] = f64x2_add(error_abs[k], magnitude);
            max[k] = f64x2_pmax(max[k], magnitude);
        }
    }
    let (mut error2, mut error_abs) = (lanes(error2), lanes(error_abs));
    let mut s = CompareSums {
        max: lanes(max).into_iter().fold(0.0, |a, b| if b > a { b } else { a }),
        both_zeros: total(both_zeros),
        ..CompareSums::default()
    };
    for (lane, (&x, &y)) in x[whole..].iter().zip(&y[whole..]).enumerate() {
        let e = f64::from(x) - f64::from(y);
        error2[lane] += e * e;
        error_abs[lane] += e.abs();
        if e.abs() > s.max {
            s.max = e.abs();
        }
        s.both_zeros += u64::from(x == 0.0 && y == 0.0);
    }
    CompareSums { error2: scalar::reduce(error2), error_abs: scalar::reduce(error_abs), ..s }
}

pub fn fidelity(x: &[f32], y: &[f32]) -> Fidelity {
    let (mut energy, mut error2, mut max) = ([f64x2_splat(0.0); 4], [f64x2_splat(0.0); 4], [f32x4_splat(0.0); 2]);
    let (x_runs, y_runs) = (x.chunks_exact(FIDELITY_RUN), y.chunks_exact(FIDELITY_RUN));
    let rest = scalar::sums::fidelity_run(x_runs.remainder(), y_runs.remainder());
    for (x, y) in x_runs.zip(y_runs) {
        let (mut run_energy, mut run_error2) = ([f32x4_splat(0.0); 2], [f32x4_splat(0.0); 2]);
        for (x, y) in x.chunks_exact(LANES).zip(y.chunks_exact(LANES)) {
            for k in 0..2 {
                let v = load4(&x[4 * k..]);
                let e = f32x4_sub(v, load4(&y[4 * k..]));
                run_energy[k] = f32x4_add(run_energy[k], f32x4_mul(v, v));
                run_error2[k] = f32x4_add(run_error2[k], f32x4_mul(e, e));
                max[k] = f32x4_pmax(max[k], f32x4_abs(e));
            }
        }
        let (run_energy, run_error2) = (promote(run_energy[0], run_energy[1]), promote(run_error2[0], run_error2[1]));
        for k in 0..4 {
            energy[k] = f64x2_add(energy[k], run_energy[k]);
            error2[k] = f64x2_add(error2[k], run_error2[k]);
        }
    }
    let (mut energy, mut error2) = (lanes(energy), lanes(error2));
    for lane in 0..LANES {
        energy[lane] += f64::from(rest.energy[lane]);
        error2[lane] += f64::from(rest.error2[lane]);
    }
    let max = f32x4_pmax(max[0], max[1]);
    let max = f32x4_pmax(max, i32x4_shuffle::<2, 3, 0, 1>(max, max));
    let max = f32x4_pmax(max, i32x4_shuffle::<1, 0, 3, 2>(max, max));
    let max = f32x4_extract_lane::<0>(max);
    let max = if rest.max > max { rest.max } else { max };
    Fidelity { energy: scalar::reduce(energy), error2: scalar::reduce(error2), max: f64::from(max) }
}

fn total(v: v128) -> u64 {
    u64::from(u32x4_extract_lane::<0>(v))
        + u64::from(u32x4_extract_lane::<1>(v))
        + u64::from(u32x4_extract_lane::<2>(v))
        + u64::from(u32x4_extract_lane::<3>(v))
}

pub fn products(x: &[f32], k: &[f32]) -> (f64, f64) {
    let (mut xk, mut k2) = ([f64x2_splat(0.0); 4], [f64x2_splat(0.0); 4]);
    let whole = x.len() / LANES * LANES;
    for (x, k) in x.chunks_exact(LANES).zip(k.chunks_exact(LANES)) {
        let (x, k) = (promote8(x), promote8(k));
        for i in 0..4 {
            xk[i] = f64x2_add(xk[i], f64x2_mul(x[i], k[i]));
            k2[i] = f64x2_add(k2[i], f64x2_mul(k[i], k[i]));
        }
    }
    let (mut xk, mut k2) = (lanes(xk), lanes(k2));
    for (lane, (&x, &k)) in x[whole..].iter().zip(&k[whole..]).enumerate() {
        let (x, k) = (f64::from(x), f64::from(k));
        xk[lane] += x * k;
        k2[lane] += k * k;
    }
    (scalar::reduce(xk), scalar::reduce(k2))
}
