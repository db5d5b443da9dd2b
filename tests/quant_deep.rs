//! Deep Compression of a tensor: the paper's own example, stages in real bytes, and what is promised of the weights that come back.

mod edges;

use edges::Random;
use fewerbits::Shape;
use fewerbits::quant::deep::{Record, decode, stages};
use fewerbits::quant::{Options, Scheme, Value};

fn scheme(options: &[(&str, Value)]) -> Scheme {
    let options: Options = options.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    Scheme::new("deep", &options).unwrap()
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

fn packed(scheme: &Scheme, x: &[f32], dims: &[u64]) -> (Vec<u8>, Vec<f32>) {
    let shape = Shape::new(dims).unwrap();
    let prepared = scheme.prepare(x, &shape).unwrap();
    let bytes = prepared.encode(x).unwrap();
    let back = scheme.decode(&bytes, &shape).unwrap();
    let mut promised = vec![0.0; x.len()];
    prepared.reconstruct(x, 0, &mut promised);
    assert_eq!(back, promised);
    (bytes, back)
}

#[test]
fn a_gap_too_wide_is_padded_with_a_zero_as_in_the_papers_figure() {
    // Figure 2: weights at 1, 4 and 15; three bits; the span from 4 to 15 is wider than 8, so a zero is stored at 12.
    let mut codes = [0; 16];
    (codes[1], codes[4], codes[15]) = (1, 2, 3);
    let record = Record::new(&codes, 2, 3, vec![0.9, 1.7, 3.4]).unwrap();
    assert_eq!(record.gaps, [1, 2, 7, 2]);
    assert_eq!(record.codes, [1, 2, 0, 3]);
    let bytes = record.to_bytes(false);
    // The head, three values, four codes of 2 bits, four gaps of 3 bits.
    assert_eq!(bytes.len(), 20 + 12 + 1 + 2);
    assert_eq!(bytes[32..], [0b11_00_10_01, 0b11_010_001, 0b101]);
    let back = decode(&bytes, 16).unwrap();
    assert_eq!((back[1], back[4], back[12], back[15]), (0.9, 1.7, 0.0, 3.4));
    assert_eq!(back.iter().filter(|x| **x != 0.0).count(), 3);
}

#[test]
fn stages_are_counted_in_real_bytes() {
    let x = Random(7).gaussians(64 * 100, 0.1);
    let options = [("bits", Value::Number(4.0)), ("pruneRatio", Value::Number(0.9)), ("indexBits", text("5"))];
    let coded = packed(&scheme(&options), &x, &[64, 100]).0;
    let plain = packed(&scheme(&[&options[..], &[("entropy", text("none"))]].concat()), &x, &[64, 100]).0;
    let found = stages(&coded, 6400).unwrap();
    assert_eq!((found.weights, found.kept, found.code_bits, found.index_bits), (6400, 640, 4, 5));
    assert!(found.values <= 15);
    let stored = found.kept + found.padding;
    assert_eq!(found.float, 25600);
    assert_eq!(found.pruned, 20 + 4 * stored + (5 * stored).div_ceil(8));
    assert_eq!(found.shared, 20 + 4 * found.values + (4 * stored).div_ceil(8) + (5 * stored).div_ceil(8));
    // Without Huffman's code the record is as long as the stage before says.
    assert_eq!(plain.len() as u64, found.shared);
    assert_eq!(coded.len() as u64, found.coded);
    assert!(found.coded < found.shared && found.shared < found.pruned && found.pruned < found.float);
}

#[test]
fn automatic_gaps_are_never_longer_than_any_width() {
    for (seed, ratio) in [(1, 0.0), (2, 0.3), (3, 0.7), (4, 0.95), (5, 0.999), (6, 1.0)] {
        let x = Random(seed).gaussians(5000, 0.1);
        let with = |width: &str| {
            let options = [("pruneRatio", Value::Number(ratio)), ("indexBits", text(width))];
            packed(&scheme(&options), &x, &[50, 100]).0.len()
        };
        let auto = with("auto");
        let widths = ["3", "4", "5", "6", "7", "8"].map(with);
        assert!(widths.iter().all(|&width| auto <= width), "{ratio}: {auto}, {widths:?}");
    }
}

#[test]
fn weights_that_share_few_values_come_back_as_they_are() {
    let mut random = Random(9);
    let values: Vec<f32> = random.gaussians(31, 1.0);
    let x: Vec<f32> = (0..4000).map(|i| if i % 3 == 0 { values[i / 3 % 31] } else { 0.0 }).collect();
    let keep = [("bits", Value::Number(5.0)), ("prune", text("none"))];
    let (bytes, back) = packed(&scheme(&keep), &x, &[40, 100]);
    assert_eq!(back, x);
    assert!(bytes.len() < 4000);
    // With a value more than codes tell they are shared anew.
    let fewer = [("bits", Value::Number(4.0)), ("prune", text("none"))];
    let (_, back) = packed(&scheme(&fewer), &x, &[40, 100]);
    assert_ne!(back, x);
    assert!(back.iter().zip(&x).all(|(y, x)| (*x == 0.0) == (*y == 0.0)));
}

#[test]
fn shared_values_are_the_means_of_their_weights() {
    let x = Random(11).gaussians(10_000, 1.0);
    for start in ["linear", "density", "random"] {
        let options = [("bits", Value::Number(3.0)), ("init", text(start)), ("pruneRatio", Value::Number(0.5))];
        let (bytes, back) = packed(&scheme(&options), &x, &[100, 100]);
        let record = Record::parse(&bytes, 10_000).unwrap();
        assert!(record.values.len() <= 7);
        for value in record.values {
            let own: Vec<f64> = x.iter().zip(&back).filter(|(_, y)| **y == value).map(|(x, _)| f64::from(*x)).collect();
            let mean = own.iter().sum::<f64>() / own.len() as f64;
            assert!((mean - f64::from(value)).abs() < 1e-6, "{start}: {mean} {value}");
        }
    }
}

#[test]
fn a_tensor_of_zeros_and_an_empty_one_are_records_too() {
    for (count, dims) in [(5000, [50, 100]), (0, [0, 7])] {
        let (bytes, back) = packed(&scheme(&[]), &vec![0.0; count], &dims);
        assert_eq!(back, vec![0.0; count]);
        // Gaps say where nothing is.
        assert!(bytes.len() < 60, "{}", bytes.len());
    }
}
