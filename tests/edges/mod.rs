//! The inputs that every kernel is run on.

#![allow(dead_code, reason = "each test file uses its own part")]

/// xorshift32: small, and a failure names the seed that makes it again.
pub struct Random(pub u32);

impl Random {
    /// 32 bits.
    pub fn bits(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    /// Uniform in `[0, 1)`.
    pub fn uniform(&mut self) -> f64 {
        f64::from(self.bits() >> 8) / 16_777_216.0
    }

    /// Standard normal, by Box and Muller.
    pub fn gaussian(&mut self) -> f32 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        (radius * (std::f64::consts::TAU * self.uniform()).cos()) as f32
    }

    /// So many Gaussian values of this spread.
    pub fn gaussians(&mut self, n: usize, std: f32) -> Vec<f32> {
        (0..n).map(|_| self.gaussian() * std).collect()
    }
}

/// Named inputs: every length from 0 to 67 and around block sizes, constants, extremes, what is not finite, all at odd starts too.
pub fn table() -> Vec<(String, Vec<f32>)> {
    let mut table: Vec<(String, Vec<f32>)> = Vec::new();
    let mut random = Random(0x9E37_79B9);
    for len in (0..=67).chain([127, 128, 129, 255, 256, 257, 1023, 4095, 4096, 4097]) {
        table.push((format!("gaussian, {len}"), random.gaussians(len, 0.1)));
    }
    let mut add = |name: &str, values: &[f32]| {
        // Cycled to a length that has whole vectors and a rest.
        let cycled = values.iter().copied().cycle().take(if values.is_empty() { 0 } else { 83 }).collect();
        table.push((name.to_owned(), cycled));
    };
    add("zeros", &[0.0]);
    add("zeros of both signs", &[0.0, -0.0, -0.0]);
    add("constant", &[0.3]);
    add("negative constant", &[-7.0]);
    add("ties", &[0.5, 1.5, -0.5, -1.5, 2.5, -2.5, 126.5, 127.5, -128.5, 0.499_999_97, -0.499_999_97]);
    add("huge", &[f32::MAX, f32::MIN, 1e38, -3e38, 1.0]);
    add("tiny", &[1e-38, -1e-38, 1.2e-38, 3e-38]);
    add("subnormal", &[1e-45, -1e-45, 5e-40, 0.0, -3e-42]);
    add("whole numbers", &[-3.0, 0.0, 1.0, 2.0, 8_388_608.0, 16_777_216.0, -16_777_215.0]);
    add("an outlier", &[0.1, -0.2, 0.05, 1e6, 0.01, -0.1, 0.07]);
    add("not finite", &[f32::NAN, 1.0, f32::INFINITY, -2.0, f32::NEG_INFINITY, -f32::NAN, 0.0]);
    add("only NaN", &[f32::NAN]);
    table
}

/// Calls `f(name, values)` with each input of the table, and with it shifted by one to three elements, so that vectors are loaded
/// from every alignment.
pub fn for_each_input(mut f: impl FnMut(&str, &[f32])) {
    for (name, values) in table() {
        for skip in 0..=3.min(values.len()) {
            let mut shifted = vec![9.0; skip];
            shifted.extend_from_slice(&values);
            f(&format!("{name}, shifted by {skip}"), &shifted[skip..]);
        }
    }
}

/// Equal bits, where one NaN is as good as another: WebAssembly leaves a NaN's bits open.
pub fn assert_same_bits(ours: &[f32], theirs: &[f32], what: &str) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (i, (a, b)) in ours.iter().zip(theirs).enumerate() {
        let same = a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
        assert!(
            same,
            "{what}: element {i} is {a:?} ({:#010x}) here and {b:?} ({:#010x}) there",
            a.to_bits(),
            b.to_bits()
        );
    }
}
