//! What is estimated from a sample of rows, held against the whole tensor, and the stated deviation against the estimates' true spread.

use fewerbits::Shape;
use fewerbits::pack::Packing;
use fewerbits::pack::survey::{Loss, Sample, loss};
use fewerbits::quant::Options;

const COLUMNS: usize = 256;

/// Rows whose spread changes slowly along the tensor, with heavy tails, as embeddings sorted by frequency have them.
fn weights(rows: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut uniform = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut out = Vec::with_capacity(rows * COLUMNS);
    for row in 0..rows {
        let width = 0.01 + 0.03 * row as f64 / rows as f64;
        for _ in 0..COLUMNS {
            let normal = (-2.0 * uniform().max(1e-12).ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos();
            let tail = if uniform() < 0.01 { 6.0 } else { 1.0 };
            out.push((normal * width * tail) as f32);
        }
    }
    out
}

fn scheme(id: &str) -> Packing {
    Packing::Scheme { id: id.into(), options: Options::new() }
}

/// The loss estimated from `places` runs of `each` rows, the first of them beginning at `offset` of its share.
fn sampled(packing: &Packing, x: &[f32], places: usize, each: usize, offset: f64) -> Loss {
    let rows = x.len() / COLUMNS;
    let mut values = Vec::new();
    for place in 0..places {
        let start = ((rows - each) as f64 * (place as f64 + offset) / places as f64) as usize;
        values.extend_from_slice(&x[start * COLUMNS..(start + each) * COLUMNS]);
    }
    let shape = Shape::new(&[(places * each) as u64, COLUMNS as u64]).unwrap();
    let sample = Sample { values: &values, shape: &shape, places: places as u64, count: x.len() as u64 };
    loss(packing, &sample, u64::MAX).unwrap()
}

#[test]
fn a_sample_of_everything_is_the_truth() {
    let x = weights(64, 1);
    let shape = Shape::new(&[64, COLUMNS as u64]).unwrap();
    let sample = Sample { values: &x, shape: &shape, places: 16, count: x.len() as u64 };
    for id in ["q8_0", "q4_k", "q2_k"] {
        let found = loss(&scheme(id), &sample, u64::MAX).unwrap();
        let packer = scheme(id).packer().unwrap();
        let back = packer.unpack(&packer.pack(&x, &shape).unwrap(), &shape).unwrap();
        let error2: f64 = x.iter().zip(&back).map(|(x, y)| f64::from(x - y).powi(2)).sum();
        let energy: f64 = x.iter().map(|x| f64::from(*x).powi(2)).sum();
        assert!((found.error / (error2 / energy) - 1.0).abs() < 1e-5, "{id}: {found:?}");
        assert_eq!(found.deviation, 0.0);
    }
}

#[test]
fn estimates_lie_about_as_far_from_the_truth_as_they_say() {
    let x = weights(4096, 2);
    for id in ["q8_0", "q5_k", "q4_0", "q3_k"] {
        let packing = scheme(id);
        let truth = sampled(&packing, &x, 1, 4096, 0.0).error;
        let estimates: Vec<Loss> = (0..24).map(|i| sampled(&packing, &x, 16, 4, f64::from(i) / 24.0)).collect();
        for found in &estimates {
            assert!((found.error - truth).abs() < 5.0 * found.deviation, "{id}: {found:?} of {truth}");
            assert!(found.deviation < 0.2 * truth, "{id}: {found:?} of {truth}");
        }
        // The spread of what is found again and again, against what each says of itself.
        let spread = (estimates.iter().map(|e| (e.error - truth).powi(2)).sum::<f64>() / 24.0).sqrt();
        let said = estimates.iter().map(|e| e.deviation).sum::<f64>() / 24.0;
        assert!(spread < 1.5 * said && said < 6.0 * spread, "{id}: spread {spread}, said {said}");
    }
}

#[test]
fn fewer_places_are_the_first_ones() {
    let x = weights(64, 3);
    let shape = Shape::new(&[64, COLUMNS as u64]).unwrap();
    let sample = Sample { values: &x, shape: &shape, places: 16, count: x.len() as u64 };
    let few = loss(&scheme("q4_k"), &sample, 4).unwrap();
    let first = Shape::new(&[16, COLUMNS as u64]).unwrap();
    let same = Sample { values: &x[..16 * COLUMNS], shape: &first, places: 4, count: x.len() as u64 };
    assert_eq!(few, loss(&scheme("q4_k"), &same, u64::MAX).unwrap());
    assert!(few.deviation > 0.0);
}

#[test]
fn what_cannot_be_packed_has_no_error_and_what_is_zero_loses_nothing() {
    let shape = Shape::new(&[4, COLUMNS as u64]).unwrap();
    let mut x = vec![0.0; 4 * COLUMNS];
    let of = |values: &[f32]| {
        loss(&scheme("q8_0"), &Sample { values, shape: &shape, places: 2, count: 1 << 20 }, u64::MAX).unwrap()
    };
    assert_eq!(of(&x), Loss { error: 0.0, deviation: 0.0 });
    x[700] = f32::NAN;
    assert!(of(&x).error.is_nan());
    let odd = Sample { values: &x, shape: &shape, places: 3, count: 1 << 20 };
    assert!(loss(&scheme("q8_0"), &odd, u64::MAX).is_err());
}
