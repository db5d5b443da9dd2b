//! Sums over weights, in lanes.

use super::reduce;
use crate::kernels::LANES;
use crate::kernels::sums::{CompareSums, Energy, Extent, FIDELITY_RUN, Fidelity, Moments};

/// See [`crate::kernels::extent`].
#[must_use]
pub fn extent(x: &[f32]) -> Extent {
    let mut e = Extent::EMPTY;
    for &x in x {
        let magnitude = x.abs();
        e = e.merge(Extent { min: x, max: x, abs_max: magnitude });
    }
    canonical(e)
}

/// Turns −0 into 0, so that the order in which zeros of both signs were met does not show.
#[must_use]
pub fn canonical(e: Extent) -> Extent {
    Extent { min: e.min + 0.0, max: e.max + 0.0, abs_max: e.abs_max }
}

/// See [`crate::kernels::moments`].
#[must_use]
pub fn moments(x: &[f32]) -> Moments {
    if x.is_empty() {
        return Moments::default();
    }
    let mut sum = [0.0; LANES];
    for (i, &x) in x.iter().enumerate() {
        sum[i % LANES] += f64::from(x);
    }
    let count = x.len() as f64;
    let mean = reduce(sum) / count;
    let (mut m2, mut m3, mut m4) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
    for (i, &x) in x.iter().enumerate() {
        let d = f64::from(x) - mean;
        let d2 = d * d;
        m2[i % LANES] += d2;
        m3[i % LANES] += d2 * d;
        m4[i % LANES] += d2 * d2;
    }
    Moments { count, mean, m2: reduce(m2), m3: reduce(m3), m4: reduce(m4) }
}

/// See [`crate::kernels::energy`].
#[must_use]
pub fn energy(x: &[f32]) -> Energy {
    let mut squares = [0.0; LANES];
    let mut zeros = 0;
    for (i, &x) in x.iter().enumerate() {
        squares[i % LANES] += f64::from(x) * f64::from(x);
        zeros += u64::from(x == 0.0);
    }
    Energy { squares: reduce(squares), zeros }
}

/// See [`crate::kernels::compare`].
#[must_use]
pub fn compare(x: &[f32], y: &[f32]) -> CompareSums {
    let mut error2 = [0.0; LANES];
    let mut error_abs = [0.0; LANES];
    let mut s = CompareSums::default();
    for (i, (&x, &y)) in x.iter().zip(y).enumerate() {
        let lane = i % LANES;
        let e = f64::from(x) - f64::from(y);
        error2[lane] += e * e;
        error_abs[lane] += e.abs();
        if e.abs() > s.max {
            s.max = e.abs();
        }
        s.both_zeros += u64::from(x == 0.0 && y == 0.0);
    }
    CompareSums { error2: reduce(error2), error_abs: reduce(error_abs), ..s }
}

/// See [`crate::kernels::fidelity`]: the look in f32.
#[must_use]
pub fn fidelity(x: &[f32], y: &[f32]) -> Fidelity {
    let (mut energy, mut error2, mut max) = ([0.0; LANES], [0.0; LANES], 0.0_f32);
    for (x, y) in x.chunks(FIDELITY_RUN).zip(y.chunks(FIDELITY_RUN)) {
        let run = fidelity_run(x, y);
        for lane in 0..LANES {
            energy[lane] += f64::from(run.energy[lane]);
            error2[lane] += f64::from(run.error2[lane]);
        }
        if run.max > max {
            max = run.max;
        }
    }
    Fidelity { energy: reduce(energy), error2: reduce(error2), max: f64::from(max) }
}

/// The sums of a run, in lanes.
pub struct FidelityRun {
    /// `Σ x²`
    pub energy: [f32; LANES],
    /// `Σ (x − y)²`
    pub error2: [f32; LANES],
    /// Greatest `|x − y|`
    pub max: f32,
}

/// At most [`FIDELITY_RUN`] elements.
#[must_use]
pub fn fidelity_run(x: &[f32], y: &[f32]) -> FidelityRun {
    let mut run = FidelityRun { energy: [0.0; LANES], error2: [0.0; LANES], max: 0.0 };
    for (i, (&x, &y)) in x.iter().zip(y).enumerate() {
        let e = x - y;
        run.energy[i % LANES] += x * x;
        run.error2[i % LANES] += e * e;
        if e.abs() > run.max {
            run.max = e.abs();
        }
    }
    run
}

/// See [`crate::kernels::products`].
#[must_use]
pub fn products(x: &[f32], k: &[f32]) -> (f64, f64) {
    let (mut xk, mut k2) = ([0.0; LANES], [0.0; LANES]);
    for (i, (&x, &k)) in x.iter().zip(k).enumerate() {
        let (x, k) = (f64::from(x), f64::from(k));
        xk[i % LANES] += x * k;
        k2[i % LANES] += k * k;
    }
    (reduce(xk), reduce(k2))
}
