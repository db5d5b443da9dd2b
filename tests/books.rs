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
