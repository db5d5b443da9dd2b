//! What is known of codebooks, binary, ternary, HQQ, pruning and entropy coding without another implementation.

mod edges;

use edges::Random;
use fewerbits::Shape;
use fewerbits::quant::{Options, Scheme, Value};
use fewerbits::stats::Comparison;

fn options(pairs: &[(&str, Value)]) -> Options {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn number(value: f64) -> Value {
    Value::Number(value)
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

/// Unit Gaussians, as many as the known values are given for.
fn many() -> (Vec<f32>, Shape) {
    (Random(77).gaussians(1 << 21, 1.0), Shape::new(&[2048, 1024]).unwrap())
}

fn sqnr(x: &[f32], shape: &Shape, id: &str, chosen: &[(&str, Value)]) -> f64 {
    let prepared = Scheme::new(id, &options(chosen)).unwrap().prepare(x, shape).unwrap();
    let mut back = vec![0.0; x.len()];
    prepared.reconstruct(x, 0, &mut back);
    Comparison::of(x, &back).unwrap().sqnr_db
}

#[test]
fn known_values_hold_on_gaussians() {
    let (x, shape) = many();
    let known = [
        ("binary", vec![("per", text("tensor"))], 4.40),
        ("binary", vec![], 4.40),
        // −10·log₁₀(1 − 2·α·2φ(t) + α²·2Φ(−t)) at the threshold t and level α of each.
        ("ternary", vec![], 7.18),
        ("bitnet", vec![], 5.79),
        ("kmeans", vec![("bits", number(1.0))], 4.40),
        ("kmeans", vec![("bits", number(2.0))], 9.30),
        ("kmeans", vec![("bits", number(3.0)), ("init", text("random"))], 14.62),
        ("kmeans", vec![("bits", number(4.0))], 20.22),
        ("kmeans", vec![("bits", number(4.0)), ("init", text("density"))], 20.22),
    ];
    for (id, chosen, expected) in known {
        let found = sqnr(&x, &shape, id, &chosen);
        assert!((found - expected).abs() <= 0.05, "{id} {chosen:?}: {found} dB, {expected} expected");
    }
}

#[test]
fn a_codebook_is_at_rest_and_codes_are_its_nearest() {
    let x = Random(9).gaussians(3 * 500, 0.2);
    let shape = Shape::new(&[3, 500]).unwrap();
    for grain in ["tensor", "channel", "group"] {
        for init in ["linear", "density", "random"] {
            let chosen = options(&[
                ("bits", number(3.0)),
                ("init", text(init)),
                ("granularity", text(grain)),
                ("groupSize", number(125.0)),
            ]);
            let prepared = Scheme::new("kmeans", &chosen).unwrap().prepare(&x, &shape).unwrap();
            let book = prepared.codebook().unwrap();
            assert_eq!(book.len(), 8 * prepared.runs());
            let codes = prepared.codes(&prepared.encode(&x).unwrap()).unwrap();
            let mut sums = vec![(0.0, 0); book.len()];
            for (i, (&x, &code)) in x.iter().zip(&codes).enumerate() {
                let run = i * prepared.runs() / codes.len();
                let table = &book[run * 8..run * 8 + 8];
                let nearest = table.iter().map(|level| (level - x).abs()).fold(f32::INFINITY, f32::min);
                assert_eq!((table[code as usize] - x).abs(), nearest, "{grain} {init}");
                let sum = &mut sums[run * 8 + code as usize];
                *sum = (sum.0 + f64::from(x), sum.1 + 1);
            }
            for (level, (sum, n)) in book.iter().zip(sums) {
                assert!(n == 0 || (sum / f64::from(n) - f64::from(*level)).abs() < 1e-6, "{grain} {init}");
            }
        }
    }
}

/// `−Σ p·log₂ p` of the codes.
fn entropy(codes: &[i32]) -> f64 {
    let mut counts = std::collections::HashMap::new();
    codes.iter().for_each(|code| *counts.entry(code).or_insert(0_u32) += 1);
    counts.values().map(|&n| f64::from(n) / codes.len() as f64).map(|p| -p * p.log2()).sum()
}

#[test]
fn huffman_codes_are_within_a_bit_of_the_entropy_and_change_no_value() {
    let x = Random(21).gaussians(1 << 16, 0.1);
    let shape = Shape::new(&[256, 256]).unwrap();
    for id in ["int8", "int4", "int3", "kmeans", "nf4", "hqq"] {
        let plain = Scheme::new(id, &Options::new()).unwrap();
        let scheme = Scheme::new(id, &options(&[("entropy", text("huffman"))])).unwrap();
        assert!(plain.is_len_exact() && !scheme.is_len_exact());
        let (bare, coded) = (plain.prepare(&x, &shape).unwrap(), scheme.prepare(&x, &shape).unwrap());
        let (bare_bytes, bytes) = (bare.encode(&x).unwrap(), coded.encode(&x).unwrap());
        let codes = bare.codes(&bare_bytes).unwrap();
        assert_eq!(coded.codes(&bytes).unwrap(), codes, "{id}");
        assert_eq!(scheme.decode(&bytes, &shape).unwrap(), plain.decode(&bare_bytes, &shape).unwrap(), "{id}");
        let saved = (bare_bytes.len() as f64 - bytes.len() as f64) * 8.0 / x.len() as f64;
        let width = f64::from((codes.iter().max().unwrap() - codes.iter().min().unwrap()) as u32).log2().ceil();
        // Less than a bit above the entropy; a table is at most 129 bytes.
        assert!(saved > width - entropy(&codes) - 1.02, "{id}: {saved} bits saved");
        // Any cut is noticed.
        for end in [0, 1, bytes.len() / 2, bytes.len() - 1] {
            assert!(scheme.decode(&bytes[..end], &shape).is_err(), "{id}: {end} of {} bytes", bytes.len());
        }
    }
}

#[test]
fn pruning_keeps_the_largest_and_counts_its_places() {
    let n = 40 * 60;
    let x = Random(22).gaussians(n, 0.1);
    let shape = Shape::new(&[40, 60]).unwrap();
    let fitted = |id: &str, pairs: &[(&str, Value)]| {
        let scheme = Scheme::new(id, &options(pairs)).unwrap();
        let prepared = scheme.prepare(&x, &shape).unwrap();
        let bytes = prepared.encode(&x).unwrap();
        let back = scheme.decode(&bytes, &shape).unwrap();
        (bytes.len(), back)
    };
    let zeros = |back: &[f32]| back.iter().filter(|&&y| y == 0.0).count();
    for id in ["binary", "kmeans", "int8", "hqq", "nf4"] {
        let plain = fitted(id, &[]).0 - if id == "binary" || id == "nf4" { 0 } else { 4 };
        let ratio = [("prune", text("ratio")), ("pruneRatio", number(0.75))];
        let (len, back) = fitted(id, &ratio);
        assert!(zeros(&back) >= n * 3 / 4, "{id}");
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&a, &b| x[a].abs().total_cmp(&x[b].abs()));
        assert!(order[..n * 3 / 4].iter().all(|&i| back[i].to_bits() == 0), "{id}");
        // A quarter of the codes and a bit for each weight.
        let bits = match id {
            "binary" => 1,
            "int8" => 8,
            _ => 4,
        };
        assert!(len <= plain + 8 - n * bits / 8 + n / 8 + n / 4 * bits / 8, "{id}: {len} of {plain}");
        let (_, back) = fitted(id, &[("prune", text("threshold")), ("pruneThreshold", number(0.05))]);
        assert!(x.iter().zip(&back).all(|(x, y)| x.abs() >= 0.05 || *y == 0.0), "{id}");
        let two_of_four = [("prune", text("nm")), ("pruneN", number(2.0)), ("pruneM", number(4.0))];
        let (_, back) = fitted(id, &two_of_four);
        for (x, y) in x.chunks(4).zip(back.chunks(4)) {
            let mut magnitudes: Vec<f32> = x.iter().map(|x| x.abs()).collect();
            magnitudes.sort_by(f32::total_cmp);
            assert!(x.iter().zip(y).all(|(x, y)| x.abs() >= magnitudes[2] || *y == 0.0), "{id}");
        }
    }
    // 1:4 has two bits for each four weights.
    let (len, _) = fitted("int8", &[("prune", text("nm")), ("pruneN", number(1.0)), ("pruneM", number(4.0))]);
    assert_eq!(len, 4 + n / 4 + n / 16);
    // Those that stay are fitted as if they were alone: α is the mean of their magnitudes.
    let (_, back) =
        fitted("binary", &[("per", text("tensor")), ("prune", text("threshold")), ("pruneThreshold", number(0.05))]);
    let stay: Vec<f64> = x.iter().map(|x| f64::from(x.abs())).filter(|x| *x >= f64::from(0.05_f32)).collect();
    let mean = (stay.iter().sum::<f64>() / stay.len() as f64) as f32;
    assert!(back.iter().all(|y| *y == 0.0 || y.abs() == mean));
    let more = options(&[("prune", text("nm")), ("pruneN", number(5.0)), ("pruneM", number(4.0))]);
    assert_eq!(Scheme::new("int8", &more).unwrap_err().code, fewerbits::Code::InvalidOption);
}

#[test]
fn broken_bytes_are_refused_or_read_but_never_panic() {
    let x = Random(23).gaussians(24 * 20, 0.1);
    let shape = Shape::new(&[24, 20]).unwrap();
    let mut random = Random(24);
    for id in ["int3", "kmeans", "nf4", "ternary", "hqq"] {
        for prune in ["none", "ratio", "threshold", "nm"] {
            for entropy in ["none", "huffman"] {
                let chosen = options(&[("prune", text(prune)), ("entropy", text(entropy)), ("pruneM", number(5.0))]);
                let scheme = Scheme::new(id, &chosen).unwrap();
                let bytes = scheme.prepare(&x, &shape).unwrap().encode(&x).unwrap();
                for _ in 0..60 {
                    let mut broken = bytes.clone();
                    for _ in 0..1 + random.bits() % 4 {
                        let at = random.bits() as usize % broken.len();
                        broken[at] = random.bits() as u8;
                    }
                    let _ = scheme.decode(&broken, &shape);
                    let end = random.bits() as usize % bytes.len();
                    assert!(scheme.decode(&bytes[..end], &shape).is_err(), "{id} {prune} {entropy}: {end} bytes");
                }
            }
        }
    }
}

#[test]
fn the_power_that_hqq_takes_is_near_the_true_one() {
    for i in -3400..3800 {
        let x = 10_f64.powf(f64::from(i) / 100.0) as f32;
        let (ours, exact) = (f64::from(fewerbits::kernels::scalar::hqq::power(x)), f64::from(x).powf(-0.3));
        assert!((ours - exact).abs() <= 3e-6 * exact, "{x}: {ours}, {exact}");
    }
}
