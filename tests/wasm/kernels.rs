//! Every kernel in SIMD128 against its scalar form, bit for bit, on the edge table.

use crate::edges::{Random, assert_same_bits, for_each_input};
use fewerbits::kernels::errors::Window;
use fewerbits::kernels::{self, Axis, CodeCounts, CompareSums, EvenRuns, Grid, Moments, Rounding, column_bits, scalar};
use wasm_bindgen_test::wasm_bindgen_test;

/// Without it the tests would hold scalar against scalar.
#[wasm_bindgen_test]
fn this_build_has_vector_instructions() {
    const { assert!(cfg!(target_feature = "simd128")) };
}

const ROUNDINGS: [Rounding; 4] = [
    Rounding::TiesEven,
    Rounding::TiesAway,
    Rounding::Stochastic { seed: 0 },
    Rounding::Stochastic { seed: 0xDEAD_BEEF },
];

fn grids() -> Vec<Grid> {
    let grid = |scale, zero_point, q_min, q_max| Grid { scale, zero_point, q_min, q_max };
    vec![
        grid(1.0, 0, -127, 127),
        grid(0.01, 0, -127, 127),
        grid(0.01, -128, -128, 127),
        grid(0.01, 127, -128, 127),
        grid(0.013, 3, -8, 7),
        grid(-0.013, 0, -8, 7),
        grid(0.2, 0, -1, 1),
        grid(0.2, 1, -2, 1),
        grid(f32::MIN_POSITIVE, 0, -127, 127),
        grid(1e37, -5, -128, 127),
        grid(2.0, 0, -127, 127),
    ]
}

fn for_each_grid(mut f: impl FnMut(&str, &[f32], usize, Grid, Rounding)) {
    for_each_input(|name, x| {
        for grid in grids() {
            for rounding in ROUNDINGS {
                for index in [0, 4_294_967_290] {
                    f(&format!("{name}; {grid:?}, {rounding:?}, index {index}"), x, index, grid, rounding);
                }
            }
        }
    });
}

#[wasm_bindgen_test]
fn codes_are_equal() {
    for_each_grid(|name, x, index, grid, rounding| {
        let (mut simd, mut plain) = (vec![99; x.len()], vec![-99; x.len()]);
        kernels::encode(x, index, grid, rounding, &mut simd);
        scalar::affine::encode(x, index, grid, rounding, &mut plain);
        assert_eq!(simd, plain, "{name}");
    });
}

#[wasm_bindgen_test]
fn values_and_codes_at_once_are_those_of_each_alone() {
    for_each_grid(|name, x, index, grid, rounding| {
        let (mut codes, mut back) = (vec![99; x.len()], vec![99.0; x.len()]);
        let (mut codes_alone, mut back_alone) = (vec![-99; x.len()], vec![-99.0; x.len()]);
        kernels::reconstruct_coded(x, index, grid, rounding, &mut codes, &mut back);
        kernels::encode(x, index, grid, rounding, &mut codes_alone);
        kernels::reconstruct(x, index, grid, rounding, &mut back_alone);
        assert_eq!(codes, codes_alone, "{name}");
        assert_same_bits(&back, &back_alone, name);
        scalar::affine::reconstruct_coded(x, index, grid, rounding, &mut codes_alone, &mut back_alone);
        assert_eq!(codes, codes_alone, "{name}, scalar");
        assert_same_bits(&back, &back_alone, &format!("{name}, scalar"));
    });
}

#[wasm_bindgen_test]
fn codes_are_counted_alike_one_by_one_and_in_pairs() {
    let mut random = Random(11);
    for bits in 1..=8 {
        for len in (0..=67).chain([2048]) {
            for signed in [false, true] {
                let half = if signed { 1_i32 << (bits - 1) } else { 0 };
                let codes: Vec<i8> = (0..len).map(|_| ((random.bits() % (1 << bits)) as i32 - half) as i8).collect();
                let mut expected = [0; 256];
                codes.iter().for_each(|&code| expected[usize::from(code as u8) & ((1 << bits) - 1)] += 2);
                for in_pairs in [false, true] {
                    let mut counts = CodeCounts::new(bits, in_pairs);
                    counts.add(&codes);
                    counts.add(&codes);
                    assert_eq!(counts.take(), expected, "{len} codes of {bits} bits, in pairs: {in_pairs}");
                    assert_eq!(counts.take(), [0; 256]);
                }
                if bits <= 6 {
                    let (words, _) = codes.as_chunks();
                    let mut simd = vec![0; 1 << (2 * bits + column_bits(bits, true))];
                    let mut plain = simd.clone();
                    kernels::count_code_pairs(words, bits, &mut simd);
                    scalar::binning::count_code_pairs(words, bits, &mut plain);
                    assert_eq!(simd, plain, "{len} codes of {bits} bits");
                }
            }
        }
    }
}

#[wasm_bindgen_test]
fn steps_and_values_are_equal() {
    for_each_grid(|name, x, index, grid, rounding| {
        let (mut simd, mut plain) = (vec![99.0; x.len()], vec![-99.0; x.len()]);
        kernels::steps(x, index, grid, rounding, &mut simd);
        scalar::affine::steps(x, index, grid, rounding, &mut plain);
        assert_same_bits(&simd, &plain, name);
        kernels::reconstruct(x, index, grid, rounding, &mut simd);
        scalar::affine::reconstruct(x, index, grid, rounding, &mut plain);
        assert_same_bits(&simd, &plain, name);
    });
}

#[wasm_bindgen_test]
fn one_grid_for_all_is_a_grid_for_each() {
    for_each_grid(|name, x, index, grid, rounding| {
        let (scales, zeros) = (vec![grid.scale; x.len()], vec![f32::from(grid.zero_point); x.len()]);
        let (mut all, mut each) = (vec![99.0; x.len()], vec![-99.0; x.len()]);
        kernels::reconstruct(x, index, grid, rounding, &mut all);
        kernels::reconstruct_each(x, index, &scales, &zeros, (grid.q_min, grid.q_max), rounding, &mut each);
        assert_same_bits(&all, &each, name);
    });
}

#[wasm_bindgen_test]
fn many_runs_at_once_are_each_run_alone() {
    for_each_input(|name, x| {
        for run_len in [1, 4, 5, 32] {
            let runs = x.len() / run_len;
            let x = &x[..runs * run_len];
            let scales: Vec<f32> = (0..runs).map(|i| [0.01, 1.0, -0.013, f32::MIN_POSITIVE][i % 4]).collect();
            let zero_points: Vec<i8> = (0..runs).map(|i| [0, 3, -8][i % 3]).collect();
            let even = EvenRuns { run_len, scales: &scales, zero_points: &zero_points, limits: (-8, 7) };
            for rounding in ROUNDINGS {
                let (mut all, mut plain, mut alone) = (vec![99.0; x.len()], vec![-99.0; x.len()], vec![99.0; x.len()]);
                kernels::reconstruct_runs(x, 7, &even, rounding, &mut all);
                scalar::affine::reconstruct_runs(x, 7, &even, rounding, &mut plain);
                for (i, (x, out)) in x.chunks(run_len).zip(alone.chunks_mut(run_len)).enumerate() {
                    let grid = Grid { scale: scales[i], zero_point: zero_points[i], q_min: -8, q_max: 7 };
                    kernels::reconstruct(x, 7 + i * run_len, grid, rounding, out);
                }
                assert_same_bits(&all, &alone, &format!("{name}, runs of {run_len}"));
                assert_same_bits(&all, &plain, &format!("{name}, runs of {run_len}, scalar"));
            }
        }
    });
}

#[wasm_bindgen_test]
fn steps_moved_off_zero_are_equal() {
    for_each_input(|name, x| {
        for grid in grids() {
            let mut simd = vec![0.0; x.len()];
            scalar::affine::steps(x, 0, grid, Rounding::TiesEven, &mut simd);
            let mut plain = simd.clone();
            kernels::keep_non_zero(x, grid, &mut simd);
            scalar::affine::keep_non_zero(x, grid, &mut plain);
            assert_same_bits(&simd, &plain, &format!("{name}; {grid:?}"));
        }
    });
}

#[wasm_bindgen_test]
fn grid_errors_are_equal() {
    for_each_input(|name, x| {
        for grid in grids() {
            let (simd, plain) = (kernels::grid_error(x, grid), scalar::affine::grid_error(x, grid));
            assert!(same(simd, plain), "{name}; {grid:?}: {simd} and {plain}");
        }
    });
}

fn same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

#[wasm_bindgen_test]
fn extents_are_equal() {
    for_each_input(|name, x| {
        let (simd, plain) = (kernels::extent(x), scalar::sums::extent(x));
        assert_same_bits(&[simd.min, simd.max], &[plain.min, plain.max], name);
        assert_eq!(simd.abs_max.to_bits(), plain.abs_max.to_bits(), "{name}");
    });
}

#[wasm_bindgen_test]
fn moments_are_equal() {
    for_each_input(|name, x| {
        let fields = |m: Moments| [m.count, m.mean, m.m2, m.m3, m.m4];
        let (simd, plain) = (fields(kernels::moments(x)), fields(scalar::sums::moments(x)));
        assert!(simd.iter().zip(&plain).all(|(a, b)| same(*a, *b)), "{name}: {simd:?} and {plain:?}");
    });
}

#[wasm_bindgen_test]
fn comparisons_and_products_are_equal() {
    let mut random = Random(7);
    for_each_input(|name, x| {
        let mut y = x.to_vec();
        for y in &mut y {
            if random.bits().is_multiple_of(4) {
                *y = random.gaussian();
            }
        }
        let fields = |s: CompareSums| [s.error2, s.error_abs, s.max];
        let (simd, plain) = (kernels::compare(x, &y), scalar::sums::compare(x, &y));
        let (a, b) = (fields(simd), fields(plain));
        // The greatest of errors that are NaN depends on the lane: comparisons are of finite values.
        if x.iter().all(|x| x.is_finite()) {
            assert!(a.iter().zip(&b).all(|(a, b)| same(*a, *b)), "{name}: {a:?} and {b:?}");
        }
        assert_eq!(simd.both_zeros, plain.both_zeros, "{name}");
        let (simd, plain) = (kernels::simd128::sums::fidelity(x, &y), scalar::sums::fidelity(x, &y));
        assert!(same(simd.energy, plain.energy) && same(simd.error2, plain.error2), "{name}: {simd:?} and {plain:?}");
        let fidelity = kernels::fidelity(x, &y);
        if x.iter().all(|x| x.is_finite()) {
            assert!(same(simd.max, plain.max), "{name}: {simd:?} and {plain:?}");
            // Of the greatest and least values too.
            let near = |a: f64, b: f64| (a - b).abs() <= 1e-6 * b;
            assert!(near(fidelity.energy, kernels::energy(x).squares), "{name}: {fidelity:?}");
            assert!(near(fidelity.error2, a[0]) && near(fidelity.max, a[2]), "{name}: {fidelity:?} and {a:?}");
        } else {
            assert!(!fidelity.is_finite(), "{name}");
        }
        let (simd, plain) = (kernels::energy(x), scalar::sums::energy(x));
        assert!(same(simd.squares, plain.squares), "{name}: {simd:?} and {plain:?}");
        assert_eq!(simd.zeros, plain.zeros, "{name}");
        let (simd, plain) = (kernels::products(x, &y), scalar::sums::products(x, &y));
        assert!(same(simd.0, plain.0) && same(simd.1, plain.1), "{name}: {simd:?} and {plain:?}");
    });
}

#[wasm_bindgen_test]
fn histograms_are_equal() {
    let axes = [
        (-0.2, 0.2, 64),
        (0.0, 1.0, 1),
        (-1.0, 127.0, 333),
        (f32::MIN, f32::MAX, 5),
        (0.0, 1e-44, 3),
        (5.0, 5.0, 4),
        (-1.0, 1.0, 5000),
    ];
    for_each_input(|name, x| {
        let y: Vec<f32> = x.iter().rev().copied().collect();
        for (lo, hi, bins) in axes {
            let axis = Axis::new(lo, hi, bins);
            let (mut simd, mut plain) = (vec![0; axis.table_len()], vec![0; axis.table_len()]);
            kernels::count_bins(x, &axis, &mut simd);
            scalar::binning::count_bins(x, &axis, &mut plain);
            assert_eq!(simd, plain, "{name}, {axis:?}");
            kernels::count_error_bins(x, &y, &axis, &mut simd);
            scalar::binning::count_error_bins(x, &y, &axis, &mut plain);
            assert_eq!(simd, plain, "errors, {name}, {axis:?}");
        }
    });
}

#[wasm_bindgen_test]
fn errors_are_summed_and_counted_in_pairs_alike() {
    let windows = [
        Window::NONE,
        Window { lo: -0.2, per_unit: 160.0, first: 0, width: 64, reach: 0.0 },
        Window { lo: -0.2, per_unit: 400.0, first: 38, width: Window::MOST, reach: 0.0 },
        Window { lo: -1.0, per_unit: 2e6, first: 1_999_990, width: 20, reach: 0.0 },
        Window { lo: -1e30, per_unit: 1e-30, first: 0, width: 2, reach: 0.0 },
    ];
    let mut random = Random(17);
    for_each_input(|name, x| {
        let y: Vec<f32> = x.iter().map(|x| x + 0.1 * random.gaussian()).collect();
        for window in windows {
            let what = format!("{name}, {window:?}");
            let (mut simd, mut plain) = (vec![7; window.table_len()], vec![7; window.table_len()]);
            let a = kernels::errors::error_sums(x, &y, &window, &mut simd);
            let b = scalar::errors::error_sums(x, &y, &window, &mut plain);
            assert!(same(a.error2, b.error2) && same(a.error_abs, b.error_abs), "{what}: {a:?} and {b:?}");
            assert!(same(a.max.into(), b.max.into()) || x.iter().any(|x| x.is_nan()), "{what}: {a:?} and {b:?}");
            assert_eq!(simd, plain, "{what}");
            let (mut simd, mut plain) = (vec![], vec![]);
            kernels::errors::for_each_outside(x, &y, &window, |i| simd.push(i));
            scalar::errors::for_each_outside(x, &y, &window, |i| plain.push(i));
            assert_eq!(simd, plain, "{what}");
        }
    });
}

#[wasm_bindgen_test]
fn codes_of_tables_and_their_values_are_equal() {
    let below_zero = f32::from_bits(0x8000_0001);
    let tables: [Vec<f32>; 6] = [
        vec![],
        vec![below_zero],
        vec![-0.5, 0.5],
        (0..15).map(|i| (i as f32 - 7.0) / 70.0).collect(),
        (0..31).map(|i| (i as f32 - 15.0) * 1e36).collect(),
        (0..255).map(|i| (i as f32 - 127.0) / 500.0).collect(),
    ];
    for_each_input(|name, x| {
        for cuts in &tables {
            for factor in [1.0, 7.3, f32::MIN_POSITIVE, 1e38] {
                let what = format!("{name}, {} cuts, factor {factor}", cuts.len());
                let (mut simd, mut plain) = (vec![99; x.len()], vec![-99; x.len()]);
                kernels::codebook::encode(x, factor, cuts, &mut simd);
                scalar::codebook::encode(x, factor, cuts, &mut plain);
                assert_eq!(simd, plain, "{what}");
                let entries: Vec<f32> = (0..=cuts.len()).map(|i| (i as f32 - 3.0) / 7.0).collect();
                let (mut from_simd, mut from_plain) = (vec![99.0; x.len()], vec![-99.0; x.len()]);
                // Codes past the table too.
                plain.iter_mut().step_by(5).for_each(|code| *code = code.wrapping_add(9));
                kernels::codebook::decode(&plain, &entries, factor, &mut from_simd);
                scalar::codebook::decode(&plain, &entries, factor, &mut from_plain);
                assert_same_bits(&from_simd, &from_plain, &what);
            }
        }
    });
}

#[wasm_bindgen_test]
fn sums_of_magnitudes_are_equal() {
    for_each_input(|name, x| {
        for cut in [-1.0, 0.0, 0.05, 2.0, f32::MAX] {
            let simd = kernels::codebook::magnitudes_above(x, cut);
            let plain = scalar::codebook::magnitudes_above(x, cut);
            assert!(same(simd.0, plain.0) && simd.1 == plain.1, "{name}, above {cut}: {simd:?} and {plain:?}");
        }
    });
}

#[wasm_bindgen_test]
fn steps_of_half_quadratic_quantization_are_equal() {
    for_each_input(|name, x| {
        for (factor, zero, high) in [(100.0, 7.3, 15.0), (1.0, 0.0, 255.0), (1e-30, -3.0, 3.0), (1e36, 1e5, 1.0)] {
            for weight in [0.1, 1e-3] {
                let grid = kernels::hqq::Grid { factor, scale: 1.0 / factor, zero, high };
                let simd = kernels::hqq::step(x, grid, weight);
                let plain = scalar::hqq::step(x, grid, weight);
                assert!(same(simd.0, plain.0) && same(simd.1, plain.1), "{name}, {grid:?}: {simd:?} and {plain:?}");
            }
        }
    });
}
