//! What holds for every scheme and every tensor.

mod edges;

use edges::{Random, for_each_input};
use fewerbits::evaluate::{EvaluateOptions, Known, LONG, evaluate, evaluate_prepared};
use fewerbits::quant::{Entry, Extents, Kind, Options, Prepared, Scheme, Value, catalogue};
use fewerbits::stats::{Comparison, Histogram, Metrics, SummaryOptions, summarize};
use fewerbits::{Code, Shape};

fn options(pairs: &[(&str, Value)]) -> Options {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

/// What can stand around any scheme.
fn around() -> Vec<Vec<(&'static str, Value)>> {
    let entropy = ("entropy", text("huffman"));
    let nm = |n, m| vec![("prune", text("nm")), ("pruneN", Value::Number(n)), ("pruneM", Value::Number(m))];
    let prunes = [
        vec![("prune", text("ratio")), ("pruneRatio", Value::Number(0.6))],
        vec![("prune", text("threshold")), ("pruneThreshold", Value::Number(0.1))],
        nm(2.0, 4.0),
        nm(1.0, 5.0),
    ];
    let mut all = vec![vec![entropy.clone()]];
    for prune in prunes {
        all.push(prune.clone());
        all.push(prune.into_iter().chain([entropy.clone()]).collect());
    }
    all
}

/// Every scheme, with every choice of every option once, and each grain.
fn schemes() -> Vec<Scheme> {
    let mut all = Vec::new();
    for entry in catalogue() {
        let has = |name| entry.options.iter().any(|option| option.name == name);
        let grains: [&[(&str, Value)]; 4] = [
            &[],
            &[("granularity", text("channel")), ("axis", Value::Number(0.0))],
            &[("granularity", text("channel")), ("axis", Value::Number(1.0))],
            &[("granularity", text("group")), ("groupSize", Value::Number(5.0))],
        ];
        for grain in grains {
            if !grain.is_empty() && !has("granularity") {
                continue;
            }
            let mut choices: Vec<Vec<(&str, Value)>> = vec![vec![]];
            for option in entry.options {
                let values = match &option.kind {
                    Kind::Flag { .. } => vec![Value::Flag(false), Value::Flag(true)],
                    Kind::Choice { values, .. } => values.iter().map(|v| text(v.value)).collect(),
                    Kind::Integer { min, .. } if option.name == "bits" => vec![Value::Number(*min), Value::Number(4.0)],
                    Kind::Number { .. } if option.name.ends_with("Ratio") => {
                        [0.0, 0.1, 0.5, 1.0].map(Value::Number).to_vec()
                    }
                    _ => continue,
                };
                choices.extend(values.into_iter().map(|value| vec![(option.name, value)]));
            }
            for choice in choices.into_iter().chain(around()) {
                let mut pairs = choice;
                pairs.retain(|(name, _)| *name != "granularity");
                pairs.extend_from_slice(grain);
                let mut options = options(&pairs);
                options.insert("nonFinite".to_owned(), text("saturate"));
                // Most of the shapes here have rows that no block divides.
                if has("flatten") {
                    options.insert("flatten".to_owned(), Value::Flag(true));
                }
                all.push(Scheme::new(entry.id, &options).unwrap());
            }
        }
    }
    all
}

/// No options, but for blocks that shall run over rows of any length.
fn flattened(entry: &Entry) -> Options {
    let flatten = entry.options.iter().any(|option| option.name == "flatten");
    if flatten { options(&[("flatten", Value::Flag(true))]) } else { Options::new() }
}

fn reconstruct(prepared: &Prepared, x: &[f32]) -> Vec<f32> {
    let mut back = vec![0.0; x.len()];
    prepared.reconstruct(x, 0, &mut back);
    back
}

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| x.to_bits()).collect()
}

/// Small tensors of awkward shapes, with the edge table's values.
fn for_each_tensor(mut f: impl FnMut(&str, &[f32], &Shape)) {
    for_each_input(|name, x| {
        if !name.ends_with("by 0") || x.len() > 260 {
            return;
        }
        let n = x.len() as u64;
        let mut dims = vec![vec![1, n], vec![n, 1]];
        dims.extend((2..8).find(|d| n > 0 && n.is_multiple_of(*d)).map(|d| vec![n / d, d]));
        dims.extend(n.is_multiple_of(12).then(|| vec![n / 12, 2, 3, 2]));
        for dims in dims {
            f(&format!("{name}, {dims:?}"), x, &Shape::new(&dims).unwrap());
        }
    });
}

#[test]
fn bytes_decode_to_what_reconstruct_promises_and_are_as_long_as_foretold() {
    let schemes = schemes();
    for_each_tensor(|name, x, shape| {
        for scheme in &schemes {
            let what = || format!("{name}: {} {:?}", scheme.id(), scheme.options());
            let prepared = scheme.prepare(x, shape).unwrap_or_else(|e| panic!("{}: {e}", what()));
            let bytes = prepared.encode(x).unwrap();
            let foretold = scheme.byte_len(shape).unwrap();
            if scheme.is_len_exact() {
                assert_eq!(bytes.len(), foretold, "{}", what());
            } else {
                assert!(bytes.len() <= foretold, "{}: {} bytes, {foretold} at most", what(), bytes.len());
                assert_eq!(prepared.encoded_len(x).unwrap(), Some(bytes.len()), "{}", what());
            }
            let back = reconstruct(&prepared, x);
            // Half-precision scales end at 65504.
            if prepared.reads_finite() || x.iter().all(|x| x.abs() < 1e6 || !x.is_finite()) {
                assert!(back.iter().all(|y| y.is_finite()), "{}: {back:?}", what());
            }
            // −0 and 0 differ: a code of zero reads back as +0 times a scale that may be negative.
            let decoded = scheme.decode(&bytes, shape).unwrap();
            assert_eq!(bits(&decoded), bits(&back), "{}", what());
            assert_eq!(prepared.codes(&bytes).unwrap().len(), x.len(), "{}", what());
        }
    });
}

#[test]
fn what_other_schemes_found_out_changes_nothing() {
    let schemes = schemes();
    for_each_tensor(|name, x, shape| {
        let (extents, mut known) = (Extents::default(), Known::default());
        // In an order that goes back and forth between ways to cut.
        for (i, scheme) in schemes.iter().enumerate().step_by(7).chain(schemes.iter().enumerate().step_by(11)) {
            let options = EvaluateOptions { bins: 8 + i % 2, range: Some((-0.5, 0.5)), ..EvaluateOptions::default() };
            let Ok(fresh) = evaluate(x, shape, scheme, &options) else { continue };
            let prepared = scheme.prepare_knowing(x, shape, &extents).unwrap();
            let later = evaluate_prepared(x, shape, scheme, &prepared, &options, &mut known).unwrap();
            assert_eq!(format!("{fresh:?}"), format!("{later:?}"), "{name}: {scheme:?}");
        }
    });
}

#[test]
fn counted_codes_make_the_histogram_and_the_metrics_of_the_values() {
    let mut x = Random(13).gaussians(1 << 13, 0.2);
    x.iter_mut().step_by(50).for_each(|x| *x = 0.0);
    let options = EvaluateOptions { range: Some((-0.31, 0.37)), ..EvaluateOptions::default() };
    // Few long rows, and many short ones for which counting codes does not pay.
    for dims in [[1, 8192], [64, 128]] {
        let shape = Shape::new(&dims).unwrap();
        // The search for less error changes scales only.
        for scheme in schemes().into_iter().filter(|scheme| scheme.options().choice("effort") != "best") {
            let prepared = scheme.prepare(&x, &shape).unwrap();
            let back = reconstruct(&prepared, &x);
            let e = evaluate(&x, &shape, &scheme, &options).unwrap();
            let what = format!("{dims:?} {} {:?}", scheme.id(), scheme.options());
            assert_eq!(e.quantized, Histogram::new(&back, -0.31, 0.37, options.bins), "{what}");
            // The energy of the result is summed level by level; all else in the same order.
            let m = Comparison::of(&x, &back).unwrap();
            assert!((e.metrics.cosine - m.cosine).abs() <= 1e-14, "{what}");
            assert_eq!(Metrics { cosine: m.cosine, ..e.metrics }, m, "{what}");
        }
    }
}

#[test]
fn errors_of_long_tensors_are_counted_exactly_and_summed_well() {
    let mut x = Random(14).gaussians(LONG + 77, 0.2);
    x.iter_mut().step_by(50).for_each(|x| *x = 0.0);
    let shape = Shape::new(&[x.len() as u64]).unwrap();
    // No error beyond half a step; some clipped; steps of many sizes; none; squares beyond f32, below it.
    for (id, pairs, factor) in [
        ("int4", vec![], 1.0),
        ("int3", vec![("range", text("percentile")), ("symmetric", Value::Flag(false))], 1.0),
        ("int5", vec![("granularity", text("group"))], 1.0),
        ("int8", vec![("rounding", text("stochastic"))], 1.0),
        ("nf4", vec![], 1.0),
        ("ternary", vec![], 1.0),
        ("int2", vec![], 1e36),
        ("int6", vec![], 1e-30),
    ] {
        let x: Vec<f32> = x.iter().map(|x| x * factor).collect();
        let scheme = Scheme::new(id, &self::options(&pairs)).unwrap();
        for (error_bins, error_range) in [(160, None), (40, Some(0.1 * factor)), (5000, None)] {
            let options = EvaluateOptions { error_bins, error_range, ..EvaluateOptions::default() };
            let back = reconstruct(&scheme.prepare(&x, &shape).unwrap(), &x);
            let e = evaluate(&x, &shape, &scheme, &options).unwrap();
            let what = format!("{id} {options:?}");
            assert_eq!(e.errors, Histogram::of_errors(&x, &back, e.errors.hi, error_bins), "{what}");
            let (m, exact) = (e.metrics, Comparison::of(&x, &back).unwrap());
            let near = |a: f64, b: f64| (a - b).abs() <= 1e-7 * b.abs();
            assert!(
                near(m.mse, exact.mse) && near(m.mae, exact.mae) && near(m.sqnr_db, exact.sqnr_db),
                "{what}: {m:?}"
            );
            assert!((m.cosine - exact.cosine).abs() <= 1e-7, "{what}: {m:?}");
            assert_eq!((m.max_abs, m.max_abs_index), (exact.max_abs, exact.max_abs_index), "{what}");
            assert_eq!((m.zeroed, m.zeros_before), (exact.zeroed, exact.zeros_before), "{what}");
            assert_eq!(m.zeros_after, exact.zeros_after, "{what}");
        }
    }
}

#[test]
fn any_stretch_of_a_tensor_is_reconstructed_as_in_the_whole() {
    let x = Random(3).gaussians(6 * 10 * 7, 0.2);
    let shape = Shape::new(&[6, 10, 7]).unwrap();
    for scheme in schemes() {
        let prepared = scheme.prepare(&x, &shape).unwrap();
        let whole = reconstruct(&prepared, &x);
        for (start, end) in [(0, 1), (1, 8), (5, 420), (69, 141), (419, 420), (7, 7)] {
            let mut part = vec![9.0; end - start];
            prepared.reconstruct(&x, start, &mut part);
            assert_eq!(bits(&part), bits(&whole[start..end]), "{} {:?}", scheme.id(), scheme.options());
        }
        for index in [0, 8, 100, 419] {
            let trace = prepared.trace(&x, index);
            assert_eq!(trace.back.to_bits(), whole[index].to_bits());
            assert_eq!(trace.run, prepared.run_at(&x, index));
            // The bits that the trace points at are the bits in the file.
            let bytes = prepared.encode(&x).unwrap();
            let first = trace.byte_offset * 8 + u64::from(trace.bit_offset);
            let read: String = (0..trace.bits.len() as u64)
                .rev()
                .map(|b| if bytes[((first + b) / 8) as usize] >> ((first + b) % 8) & 1 == 1 { '1' } else { '0' })
                .collect();
            assert_eq!(read, trace.bits, "{} {:?} {index}", scheme.id(), scheme.options());
            assert_eq!(prepared.codes(&bytes).unwrap()[index], trace.code.unwrap());
        }
    }
}

#[test]
fn an_unclipped_weight_comes_back_within_half_a_step() {
    let x = Random(5).gaussians(12 * 96, 0.3);
    let shape = Shape::new(&[12, 96]).unwrap();
    for bits in 2..=8 {
        for symmetric in [true, false] {
            for grain in ["tensor", "channel", "group"] {
                let chosen = options(&[("symmetric", Value::Flag(symmetric)), ("granularity", text(grain))]);
                let scheme = Scheme::new(&format!("int{bits}"), &chosen).unwrap();
                let prepared = scheme.prepare(&x, &shape).unwrap();
                let back = reconstruct(&prepared, &x);
                for (i, (&weight, y)) in x.iter().zip(&back).enumerate() {
                    let step = prepared.run_at(&x, i).scale;
                    // The asymmetric grid's ends may lie half a step inside the range, since zero has to be a level.
                    let most = if symmetric { 0.5 } else { 1.0 } * step * 1.0001;
                    let what = format!("int{bits} {symmetric} {grain}: {weight} became {y}, step {step}");
                    assert!((weight - y).abs() <= most, "{what}");
                }
            }
        }
    }
}

/// PyTorch's `quantize_per_tensor` multiplies by `1/scale` where ONNX divides: the codes differ by one at most, and near ties only.
#[test]
fn pytorchs_codes_are_ours_but_for_ties() {
    let mut x = Random(19).gaussians(1 << 16, 0.1);
    let scale = 0.1_f32 / 24.0;
    x.extend((-127..127).map(|k| (k as f32 + 0.5) * scale));
    let mut codes = vec![0; x.len()];
    let grid = fewerbits::kernels::Grid { scale, zero_point: 3, q_min: -128, q_max: 127 };
    fewerbits::kernels::encode(&x, 0, grid, fewerbits::kernels::Rounding::TiesEven, &mut codes);
    let inverse = 1.0 / scale;
    let mut differing = 0;
    for (x, &ours) in x.iter().zip(&codes) {
        let theirs = ((x * inverse).round_ties_even() + 3.0).clamp(-128.0, 127.0) as i32;
        let ours = i32::from(ours);
        assert!((ours - theirs).abs() <= 1, "{x}: {ours} and {theirs}");
        if ours != theirs {
            differing += 1;
            let rest = (x / scale).abs().fract();
            assert!((rest - 0.5).abs() < 1e-4, "{x} is no tie: {rest}");
        }
    }
    assert!(differing < 254, "{differing}");
}

#[test]
fn refit_and_least_squares_never_make_the_error_larger() {
    let mut random = Random(11);
    let mut x = random.gaussians(64 * 48, 0.1);
    (0..40).for_each(|i| x[i * 71] *= 12.0);
    let shape = Shape::new(&[64, 48]).unwrap();
    let mse = |chosen: &[(&str, Value)], id: &str| {
        let scheme = Scheme::new(id, &options(chosen)).unwrap();
        let prepared = scheme.prepare(&x, &shape).unwrap();
        Comparison::of(&x, &reconstruct(&prepared, &x)).unwrap().mse
    };
    for id in ["int2", "int3", "int4", "int8"] {
        for grain in ["tensor", "channel", "group"] {
            for symmetric in [true, false] {
                let base = vec![("granularity", text(grain)), ("symmetric", Value::Flag(symmetric))];
                let plain = mse(&base, id);
                for better in [("refit", Value::Flag(true)), ("range", text("mse"))] {
                    let mut with = base.clone();
                    with.push(better.clone());
                    let changed = mse(&with, id);
                    assert!(changed <= plain * (1.0 + 1e-6), "{id} {grain} {better:?}: {plain} became {changed}");
                }
            }
        }
    }
    let (clipped, whole) = (mse(&[("range", text("mse"))], "int4"), mse(&[], "int4"));
    assert!(clipped < whole * 0.7, "outliers are worth clipping at 4 bits: {whole} became {clipped}");
}

#[test]
fn mean_correction_leaves_no_mean_error() {
    let x: Vec<f32> = Random(13).gaussians(16 * 100, 0.1).iter().map(|x| x.abs()).collect();
    let shape = Shape::new(&[16, 100]).unwrap();
    let chosen =
        options(&[("correction", text("mean")), ("range", text("percentile")), ("percentile", Value::Number(90.0))]);
    let scheme = Scheme::new("int3", &chosen).unwrap();
    let back = reconstruct(&scheme.prepare(&x, &shape).unwrap(), &x);
    for (x, y) in x.chunks(100).zip(back.chunks(100)) {
        let mean: f64 = x.iter().zip(y).map(|(x, y)| f64::from(x - y)).sum::<f64>() / 100.0;
        assert!(mean.abs() < 1e-8, "{mean}");
    }
}

#[test]
fn stochastic_rounding_is_right_on_average_and_repeats_with_its_seed() {
    let n = 100_000;
    let mut x = vec![0.3_f32; n];
    (x[0], x[1]) = (7.0, -7.0);
    let shape = Shape::new(&[n as u64]).unwrap();
    let run = |seed: f64| {
        let chosen = options(&[("rounding", text("stochastic")), ("seed", Value::Number(seed))]);
        reconstruct(&Scheme::new("int4", &chosen).unwrap().prepare(&x, &shape).unwrap(), &x)
    };
    let (a, b) = (run(1.0), run(2.0));
    assert_eq!(bits(&a), bits(&run(1.0)));
    assert_ne!(bits(&a), bits(&b));
    let mean = a[2..].iter().map(|&y| f64::from(y)).sum::<f64>() / (n - 2) as f64;
    // Standard error of the mean: √(0.3·0.7/n) = 0.00145.
    assert!((mean - 0.3).abs() < 0.006, "{mean}");
}

#[test]
fn non_zero_quantization_makes_no_weight_zero_and_mixed_keeps_its_shares() {
    let x = Random(17).gaussians(40 * 25, 0.1);
    let shape = Shape::new(&[40, 25]).unwrap();
    for bits in 2..=8 {
        let chosen = options(&[("bits", Value::Number(f64::from(bits)))]);
        let back = reconstruct(&Scheme::new("nonzero", &chosen).unwrap().prepare(&x, &shape).unwrap(), &x);
        assert!(back.iter().all(|&y| y != 0.0));
    }
    let chosen = options(&[("zeroRatio", Value::Number(0.4)), ("floatRatio", Value::Number(0.1))]);
    let scheme = Scheme::new("mixed", &chosen).unwrap();
    let back = reconstruct(&scheme.prepare(&x, &shape).unwrap(), &x);
    let mut order: Vec<usize> = (0..x.len()).collect();
    order.sort_by(|&a, &b| x[a].abs().total_cmp(&x[b].abs()));
    assert!(order[..400].iter().all(|&i| back[i] == 0.0));
    assert!(order[900..].iter().all(|&i| back[i] == x[i]));
    // 100 kept weights of 8 bytes, 1000 codes of one byte, a scale and a zero point.
    assert_eq!(scheme.byte_len(&shape).unwrap(), 800 + 1000 + 5);
}

#[test]
fn what_is_not_finite_is_refused_with_number_and_place_or_saturated() {
    let x = [0.5, f32::NAN, -1.0, f32::INFINITY, f32::NEG_INFINITY, 0.25];
    let shape = Shape::new(&[6]).unwrap();
    for entry in catalogue() {
        let error = Scheme::new(entry.id, &flattened(entry)).unwrap().prepare(&x, &shape).unwrap_err();
        assert_eq!((error.code, error.offset), (Code::NonFinite, Some(1)), "{}", entry.id);
        assert!(error.message.starts_with("3 weights"), "{error}");
    }
    let scheme = Scheme::new("int8", &options(&[("nonFinite", text("saturate"))])).unwrap();
    let back = reconstruct(&scheme.prepare(&x, &shape).unwrap(), &x);
    assert_eq!((back[1], back[3], back[4]), (0.0, 1.0, -1.0));
}

#[test]
fn unknown_names_are_refused_with_those_known() {
    let error = Scheme::new("int9", &Options::new()).unwrap_err();
    assert_eq!(error.code, Code::UnknownScheme);
    assert!(error.expected.as_deref().unwrap().contains("int8"));
    let error = Scheme::new("int8", &options(&[("granulrity", text("tensor"))])).unwrap_err();
    assert_eq!(error.code, Code::UnknownOption);
    assert!(error.expected.as_deref().unwrap().contains("granularity"));
    let error = Scheme::new("int8", &options(&[("granularity", text("row"))])).unwrap_err();
    assert_eq!(error.code, Code::InvalidOption);
    assert!(error.expected.as_deref().unwrap().contains("\"channel\""));
    let error = Scheme::new("int8", &options(&[("symmetric", Value::Number(1.0))])).unwrap_err();
    assert_eq!(error.code, Code::InvalidOption);
    let shape = Shape::new(&[2, 3]).unwrap();
    let axis = options(&[("granularity", text("channel")), ("axis", Value::Number(2.0))]);
    let error = Scheme::new("int8", &axis).unwrap().prepare(&[0.0; 6], &shape).unwrap_err();
    assert_eq!(error.code, Code::InvalidOption);
}

#[test]
fn bytes_of_the_wrong_number_are_refused() {
    let shape = Shape::new(&[3, 5]).unwrap();
    let scheme = Scheme::new("int4", &Options::new()).unwrap();
    let n = scheme.byte_len(&shape).unwrap();
    assert_eq!(n, 4 + 3 * 3);
    for len in [0, n - 1, n + 1] {
        assert_eq!(scheme.decode(&vec![0; len], &shape).unwrap_err().code, Code::ShapeMismatch);
    }
}

#[test]
fn ids_are_unique_and_every_option_has_words() {
    for entry in catalogue() {
        assert_eq!(catalogue().filter(|other| other.id == entry.id).count(), 1);
        assert!(!entry.summary.is_empty() && !entry.source.title.is_empty());
        for option in entry.options {
            assert!(option.help.ends_with('.') && !option.title.is_empty(), "{}", option.name);
        }
    }
}

#[test]
fn more_than_two_to_the_24_weights_are_all_counted() {
    let n = (1 << 24) + 5;
    let mut x = vec![0.25_f32; n];
    x[n - 1] = 0.5;
    let shape = Shape::new(&[n as u64]).unwrap();
    let options = SummaryOptions { bins: 4, range: Some((0.0, 1.0)), ..SummaryOptions::default() };
    let summary = summarize(&x, &shape, &options).unwrap();
    assert_eq!(summary.histogram.unwrap().counts, [0, (1 << 24) + 4, 1, 0]);
    let scheme = Scheme::new("int8", &Options::new()).unwrap();
    let back = reconstruct(&scheme.prepare(&x, &shape).unwrap(), &x);
    let metrics = Comparison::of(&x, &back).unwrap();
    assert_eq!((metrics.count, back[n - 1]), (n as u64, 0.5));
    assert_eq!(metrics.max_abs_index, Some(0));
}

#[test]
fn sums_over_a_hundred_million_values_keep_their_digits() {
    // A repeated stretch, so that the right answer is known from the stretch alone, in exact rational arithmetic by f64 on few values.
    let stretch: Vec<f32> = Random(23).gaussians(10_000, 1.0).iter().map(|x| x + 10_000.0).collect();
    let repeats = 10_000;
    let mut moments = fewerbits::kernels::Moments::default();
    for _ in 0..repeats {
        for chunk in stretch.chunks(4096) {
            moments = moments.merge(fewerbits::kernels::moments(chunk));
        }
    }
    let n = stretch.len() as f64;
    let mean = stretch.iter().map(|&x| f64::from(x) - 10_000.0).sum::<f64>() / n + 10_000.0;
    let variance = stretch.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n;
    assert_eq!(moments.count, n * f64::from(repeats));
    assert!((moments.mean - mean).abs() < 1e-9 * mean, "{} {mean}", moments.mean);
    assert!((moments.m2 / moments.count - variance).abs() < 1e-6 * variance, "{} {variance}", moments.m2);
}
