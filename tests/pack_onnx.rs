//! How ONNX stores quantized weights: sizes, rows packed apart, edges, and how far codes lie from weights. That ONNX Runtime reads them
//! alike is for tests/python/onnx_proof.py to say.

use fewerbits::pack::{Bytes, Packer, Packing, Stored, pack_and_verify};
use fewerbits::{Code, DType, Result, Shape};

fn linear(bits: u32, axis: Option<usize>, block: Option<u64>, scale: &str) -> Packing {
    Packing::OnnxLinear { bits, axis, block, scale: scale.into() }
}

fn mat_mul(bits: u32, block: u64) -> Packing {
    Packing::OnnxMatMul { bits, block, scale: "F32".into() }
}

fn gather(bits: u32, block: u64) -> Packing {
    Packing::OnnxGather { bits, block, scale: "F32".into() }
}

/// Reproducible values around 0.
fn values(n: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    (0..n)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 40) as f32 / (1 << 23) as f32 - 1.0) * 0.3
        })
        .collect()
}

/// Parts as they come.
struct Packed {
    parts: Vec<Vec<u8>>,
}

/// A file in memory.
struct Memory {
    stored: Vec<u8>,
    parts: Vec<Vec<u8>>,
}

impl Bytes for Memory {
    fn read(&mut self, at: usize, out: &mut [u8]) {
        out.copy_from_slice(&self.stored[at..at + out.len()]);
    }

    fn write(&mut self, part: usize, bytes: &[u8]) -> Result<()> {
        self.parts.resize(self.parts.len().max(part + 1), vec![]);
        self.parts[part].extend_from_slice(bytes);
        Ok(())
    }
}

fn verified(packer: &dyn Packer, values: &[f32], shape: &Shape) -> Result<Packed> {
    let stored: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let header = Stored { dtype: DType::F32, big_endian: false, byte_len: stored.len() as u64, first: 0 };
    let mut memory = Memory { stored, parts: vec![] };
    pack_and_verify(packer, header, shape, &mut memory)?;
    Ok(Packed { parts: memory.parts })
}

fn shape(dims: &[u64]) -> Shape {
    Shape::new(dims).unwrap()
}

#[test]
fn parts_have_the_sizes_that_they_are_announced_with() {
    for (packing, dims, want) in [
        (linear(8, Some(0), None, "F32"), &[6, 40][..], vec![(vec![6, 40], 240), (vec![6], 24)]),
        (linear(8, Some(1), None, "F32"), &[6, 40], vec![(vec![6, 40], 240), (vec![40], 160)]),
        (linear(8, None, None, "F16"), &[6, 40], vec![(vec![6, 40], 240), (vec![], 2)]),
        (linear(8, Some(1), None, "F32"), &[2, 3, 5], vec![(vec![2, 3, 5], 30), (vec![3], 12)]),
        (linear(4, Some(1), Some(32), "F32"), &[6, 40], vec![(vec![6, 40], 120), (vec![6, 2], 48)]),
        (linear(4, Some(0), Some(4), "F16"), &[6, 5], vec![(vec![6, 5], 15), (vec![2, 5], 20)]),
        (linear(4, Some(1), Some(2), "F32"), &[3, 3, 1, 1], vec![(vec![3, 3, 1, 1], 5), (vec![3, 2, 1, 1], 24)]),
        (mat_mul(4, 32), &[70, 5], vec![(vec![5, 3, 16], 240), (vec![5, 3], 60)]),
        (mat_mul(8, 16), &[70, 5], vec![(vec![5, 5, 16], 400), (vec![5, 5], 100)]),
        (gather(4, 16), &[7, 32], vec![(vec![7, 16], 112), (vec![7, 2], 56)]),
        (gather(8, 16), &[7, 32], vec![(vec![7, 32], 224), (vec![7, 2], 56)]),
    ] {
        let (shape, packer) = (shape(dims), packing.packer().unwrap());
        let parts = packer.parts(&shape).unwrap();
        let got: Vec<(Vec<u64>, u64)> = parts.iter().map(|p| (p.dims.clone(), p.byte_len)).collect();
        assert_eq!(got, want, "{packing:?} of {dims:?}");
        let packed = packer.pack(&values(shape.count() as usize, 1), &shape).unwrap();
        let lengths: Vec<u64> = packed.iter().map(|part| part.len() as u64).collect();
        assert_eq!(lengths, want.iter().map(|w| w.1).collect::<Vec<_>>(), "{packing:?} of {dims:?}");
    }
}

#[test]
fn rows_packed_apart_give_the_bytes_of_the_whole() {
    let mut apart = 0;
    for dims in [&[12u64, 32][..], &[12, 33], &[8, 6, 3, 3], &[16, 64], &[5, 16]] {
        for packing in [
            linear(8, Some(0), None, "F32"),
            linear(8, Some(1), None, "F32"),
            linear(8, None, None, "F32"),
            linear(4, Some(0), Some(4), "F32"),
            linear(4, Some(1), Some(16), "F16"),
            gather(4, 16),
        ] {
            let (shape, packer) = (shape(dims), packing.packer().unwrap());
            let Ok(parts) = packer.parts(&shape) else { continue };
            let Some(step) = packer.apart(&shape) else { continue };
            apart += 1;
            let values = values(shape.count() as usize, 2);
            let whole = packer.pack(&values, &shape).unwrap();
            let columns = (shape.count() / dims[0]) as usize;
            let mut joined = vec![Vec::new(); parts.len()];
            for first in (0..dims[0]).step_by(step as usize) {
                let some = step.min(dims[0] - first);
                let mut dims = dims.to_vec();
                dims[0] = some;
                let rows = &values[first as usize * columns..][..some as usize * columns];
                let packed = packer.pack(rows, &Shape::new(&dims).unwrap()).unwrap();
                for ((joined, part), p) in joined.iter_mut().zip(packed).zip(&parts) {
                    assert!(p.by_rows);
                    assert_eq!(joined.len() as u64, first * (p.byte_len / shape.dims()[0]), "{packing:?} {dims:?}");
                    joined.extend(part);
                }
            }
            assert_eq!(joined, whole, "{packing:?} of {dims:?}");
        }
    }
    assert!(apart >= 12, "{apart}");
}

#[test]
fn every_weight_reads_back_within_half_a_step() {
    let dims = [48u64, 32];
    let x = values(48 * 32, 3);
    let largest = |indices: &mut dyn Iterator<Item = usize>| indices.fold(0f32, |a, i| a.max(x[i].abs()));
    let (rows, columns) = (48, 32);
    type Group<'a> = &'a dyn Fn(usize) -> f32;
    let by_row: Group<'_> = &|i| largest(&mut (0..columns).map(|j| i / columns * columns + j));
    let by_column: Group<'_> = &|i| largest(&mut (0..rows).map(|r| r * columns + i % columns));
    let blocks_of_row: Group<'_> = &|i| largest(&mut (0..16).map(|j| i / 16 * 16 + j));
    let blocks_of_column: Group<'_> =
        &|i| largest(&mut (0..16).map(|r| (i / columns / 16 * 16 + r) * columns + i % columns));
    let whole: Group<'_> = &|_| largest(&mut (0..x.len()));
    for (packing, group, limit) in [
        (linear(8, Some(0), None, "F32"), by_row, 127.0),
        (linear(8, Some(1), None, "F32"), by_column, 127.0),
        (linear(8, None, None, "F32"), whole, 127.0),
        (linear(4, Some(1), Some(16), "F32"), blocks_of_row, 8.0),
        (linear(4, Some(0), Some(16), "F32"), blocks_of_column, 8.0),
        (mat_mul(4, 16), blocks_of_column, 8.0),
        (mat_mul(8, 16), blocks_of_column, 128.0),
        (gather(4, 16), blocks_of_row, 8.0),
        (gather(8, 16), blocks_of_row, 128.0),
    ] {
        let packer = packing.packer().unwrap();
        let parts = packer.pack(&x, &shape(&dims)).unwrap();
        let back = packer.unpack(&parts, &shape(&dims)).unwrap();
        for (i, (x, back)) in x.iter().zip(&back).enumerate() {
            // In blocks the end opposite to the extreme has one code fewer: what lies there may lose a whole step.
            let step = group(i) / limit;
            let is_cut = !matches!(packing, Packing::OnnxLinear { bits: 8, .. }) && x.abs() > group(i) - step;
            let most = step * if is_cut { 1.0 } else { 0.5 };
            assert!((x - back).abs() <= most * 1.0001, "{packing:?}: weight {i}, {x} became {back}, step {step}");
        }
    }
}

#[test]
fn the_extreme_of_a_block_is_kept_exactly_whatever_its_sign() {
    for sign in [1.0f32, -1.0] {
        let mut x = values(32, 4);
        x[9] = 0.75 * sign;
        for packing in [linear(4, Some(1), Some(32), "F32"), gather(4, 32), gather(8, 32)] {
            let packer = packing.packer().unwrap();
            let parts = packer.pack(&x, &shape(&[1, 32])).unwrap();
            assert_eq!(packer.unpack(&parts, &shape(&[1, 32])).unwrap()[9], 0.75 * sign, "{packing:?}");
        }
    }
}

#[test]
fn zeros_subnormals_and_the_largest_floats_have_scales() {
    for fill in [0.0f32, -0.0, 1e-45, -1e-40, f32::MIN_POSITIVE, f32::MAX, f32::MIN] {
        for packing in [
            linear(8, Some(0), None, "F32"),
            linear(8, None, None, "F32"),
            linear(4, Some(1), Some(16), "F32"),
            mat_mul(4, 16),
            mat_mul(8, 16),
            gather(4, 16),
            gather(8, 16),
        ] {
            let x = vec![fill; 32 * 16];
            let packer = packing.packer().unwrap();
            let packed =
                verified(&*packer, &x, &shape(&[32, 16])).unwrap_or_else(|e| panic!("{packing:?} {fill}: {e}"));
            let back = packer.unpack(&packed.parts, &shape(&[32, 16])).unwrap();
            let is_tiny = fill.abs() < 1e-30;
            for b in back {
                assert!(
                    b.is_finite() && if is_tiny { b == 0.0 || b == fill } else { (b / fill - 1.0).abs() < 1e-6 },
                    "{packing:?} {fill}: {b}"
                );
            }
        }
    }
    // Scales of F16: what F16 weights can have.
    for fill in [65504.0f32, 6e-8, -6e-5] {
        for packing in [linear(8, Some(0), None, "F16"), linear(4, Some(1), Some(16), "F16")] {
            let packer = packing.packer().unwrap();
            let packed = verified(&*packer, &[fill; 64], &shape(&[4, 16])).unwrap();
            let back = packer.unpack(&packed.parts, &shape(&[4, 16])).unwrap();
            assert!(
                back.iter().all(|b| (b - fill).abs() <= fill.abs() * 0.01 || fill.abs() < 1e-4),
                "{packing:?} {fill} {back:?}"
            );
        }
    }
}

#[test]
fn weights_that_are_not_finite_are_refused() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut x = values(512, 5);
        x[77] = bad;
        for packing in
            [linear(8, Some(0), None, "F32"), linear(4, Some(1), Some(16), "F32"), mat_mul(4, 16), gather(4, 16)]
        {
            let e = packing.packer().unwrap().pack(&x, &shape(&[32, 16])).unwrap_err();
            assert_eq!((e.code, e.offset), (Code::NonFinite, Some(77)), "{packing:?}");
        }
    }
}

#[test]
fn packings_that_onnx_has_not_are_refused() {
    for (packing, expected) in [
        (linear(5, None, None, "F32"), "4 or 8 bits, and for com.microsoft blocks of a power of two from 16"),
        (linear(4, None, Some(16), "F32"), "4 or 8 bits, and for com.microsoft blocks of a power of two from 16"),
        (linear(4, Some(0), Some(0), "F32"), "4 or 8 bits, and for com.microsoft blocks of a power of two from 16"),
        (linear(8, None, None, "BF16"), "F32 or F16"),
        (linear(8, None, None, "Q4_0"), "F32 or F16"),
        (mat_mul(4, 24), "4 or 8 bits, and for com.microsoft blocks of a power of two from 16"),
        (mat_mul(4, 8), "4 or 8 bits, and for com.microsoft blocks of a power of two from 16"),
        (mat_mul(3, 32), "4 or 8 bits, and for com.microsoft blocks of a power of two from 16"),
        (gather(4, 0), "4 or 8 bits, and for com.microsoft blocks of a power of two from 16"),
    ] {
        let e = packing.packer().err().unwrap_or_else(|| panic!("{packing:?}"));
        assert_eq!((e.code, e.expected.as_deref()), (Code::InvalidArgument, Some(expected)), "{packing:?}");
    }
    for (packing, dims, expected) in [
        (linear(8, Some(2), None, "F32"), &[4u64, 4][..], "an axis below 2"),
        (linear(8, Some(0), None, "F32"), &[], "an axis below 0"),
        (mat_mul(4, 32), &[4, 4, 4], "2 dimensions"),
        (gather(4, 32), &[64], "2 dimensions"),
        (gather(4, 32), &[4, 48], "rows of a multiple of 32"),
    ] {
        let e = packing.packer().unwrap().parts(&shape(dims)).unwrap_err();
        assert_eq!((e.code, e.expected.as_deref()), (Code::ShapeMismatch, Some(expected)), "{packing:?} {dims:?}");
    }
}

/// Bands of rows, packed apart and put in their places in the records of the columns, are the whole.
#[test]
fn bands_of_a_matrix_are_parts_of_the_whole() {
    for (bits, block, rows, at_once) in [(4, 32, 100, 64), (8, 16, 50, 16), (4, 16, 64, 48)] {
        let columns = 7;
        let (values, packer) = (values(rows * columns, 5), mat_mul(bits, block).packer().unwrap());
        let shape = |rows: usize| Shape::new(&[rows as u64, columns as u64]).unwrap();
        let band = packer.band().unwrap() as usize;
        assert_eq!(band as u64, block);
        let whole = packer.pack(&values, &shape(rows)).unwrap();
        let bands = rows.div_ceil(band);
        let mut gathered: Vec<Vec<u8>> = whole.iter().map(|part| vec![0xaa; part.len()]).collect();
        for row in (0..rows).step_by(at_once) {
            let end = rows.min(row + at_once);
            let parts = packer.pack(&values[row * columns..end * columns], &shape(end - row)).unwrap();
            for (part, gathered) in parts.iter().zip(&mut gathered) {
                let (record, share) = (gathered.len() / columns, part.len() / columns);
                for (column, bytes) in part.chunks(share).enumerate() {
                    let at = column * record + record / bands * (row / band);
                    gathered[at..at + share].copy_from_slice(bytes);
                }
            }
        }
        assert_eq!(gathered, whole, "{bits} bits in blocks of {block}");
    }
}
