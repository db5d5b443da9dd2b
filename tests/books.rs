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
    ];
    for (id, chosen, expected) in known {
        let found = sqnr(&x, &shape, id, &chosen);
        assert!((found - expected).abs() <= 0.05, "{id} {chosen:?}: {found} dB, {expected} expected");
    }
}
