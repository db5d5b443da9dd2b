//! Floats of 16 bits and fewer: `f32` to codes, rounded to nearest even, and codes to `f32`. A code is the float's own bits.

use super::dispatch;

pub use super::scalar::float::{codes, half, values};

/// The values of IEEE 754 binary16 numbers, little-endian. NaN keeps its bits, moved up; −0 stays −0.
///
/// # Panics
/// If `bytes` is not twice as long as `out`.
pub fn halves(bytes: &[u8], out: &mut [f32]) {
    assert_eq!(bytes.len(), 2 * out.len(), "two bytes per value");
    dispatch!(float::halves(bytes, out));
}

/// A float format: from the highest bit down a sign, an exponent and a fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Narrow {
    /// Bits of the exponent.
    pub exponent: u32,
    /// Bits of the fraction.
    pub fraction: u32,
    /// The code of the greatest finite value; codes above it, below the sign, are infinity or NaN.
    pub largest: u16,
    /// What a magnitude beyond the greatest finite value becomes, unless it saturates.
    pub beyond: u16,
    /// What NaN becomes.
    pub nan: u16,
}

impl Narrow {
    /// IEEE 754 binary16.
    pub const F16: Narrow = Narrow { exponent: 5, fraction: 10, largest: 0x7BFF, beyond: 0x7C00, nan: 0x7E00 };
    /// bfloat16: the upper half of an `f32`.
    pub const BF16: Narrow = Narrow { exponent: 8, fraction: 7, largest: 0x7F7F, beyond: 0x7F80, nan: 0x7FC0 };
    /// OCP FP8 E4M3: one NaN, no infinity.
    pub const E4M3: Narrow = Narrow { exponent: 4, fraction: 3, largest: 0x7E, beyond: 0x7F, nan: 0x7F };
    /// OCP FP8 E5M2.
    pub const E5M2: Narrow = Narrow { exponent: 5, fraction: 2, largest: 0x7B, beyond: 0x7C, nan: 0x7E };
    /// OCP MX E2M1: neither NaN nor infinity; NaN becomes 0.
    pub const E2M1: Narrow = Narrow { exponent: 2, fraction: 1, largest: 7, beyond: 7, nan: 0 };

    /// Bits of a code.
    #[must_use]
    pub const fn bits(&self) -> u32 {
        1 + self.exponent + self.fraction
    }

    /// What is subtracted from a stored exponent.
    #[must_use]
    pub const fn bias(&self) -> u32 {
        (1 << (self.exponent - 1)) - 1
    }

    /// The bit of the sign.
    #[must_use]
    pub const fn sign(&self) -> u16 {
        1 << (self.exponent + self.fraction)
    }

    /// The value of one code.
    #[must_use]
    pub fn value(&self, code: u16) -> f32 {
        let mut out = [0.0];
        values(*self, &[code], 1.0, &mut out);
        out[0]
    }

    /// The code of one value, saturated.
    #[must_use]
    pub fn code(&self, x: f32) -> u16 {
        let mut out = [0];
        codes(*self, &[x], 1.0, true, &mut out);
        out[0]
    }

    /// The greatest finite value.
    #[must_use]
    pub fn max(&self) -> f32 {
        self.value(self.largest)
    }
}

/// The bytes of codes: two for more than 8 bits, low one first; else one; two codes of 4 bits in one, low half first. An odd last code
/// of 4 bits has a byte of its own.
///
/// # Panics
/// If `out` is not as long as the codes need.
pub fn pack(codes: &[u16], bits: u32, out: &mut [u8]) {
    assert_eq!(out.len(), (codes.len() * bits as usize).div_ceil(8), "the bytes of these codes");
    match bits {
        16 => out.as_chunks_mut::<2>().0.iter_mut().zip(codes).for_each(|(b, c)| *b = c.to_le_bytes()),
        8 => out.iter_mut().zip(codes).for_each(|(b, c)| *b = *c as u8),
        _ => {
            let (pairs, rest) = codes.as_chunks::<2>();
            out.iter_mut().zip(pairs).for_each(|(b, c)| *b = (c[0] | c[1] << 4) as u8);
            if let ([last], Some(b)) = (rest, out.last_mut()) {
                *b = *last as u8;
            }
        }
    }
}

/// Reads [`pack`].
///
/// # Panics
/// If `bytes` is not as long as the codes need.
pub fn unpack(bytes: &[u8], bits: u32, codes: &mut [u16]) {
    assert_eq!(bytes.len(), (codes.len() * bits as usize).div_ceil(8), "the bytes of these codes");
    match bits {
        16 => codes.iter_mut().zip(bytes.as_chunks::<2>().0).for_each(|(c, b)| *c = u16::from_le_bytes(*b)),
        8 => codes.iter_mut().zip(bytes).for_each(|(c, b)| *c = u16::from(*b)),
        _ => codes.chunks_mut(2).zip(bytes).for_each(|(codes, b)| {
            codes[0] = u16::from(b & 15);
            if let Some(high) = codes.get_mut(1) {
                *high = u16::from(b >> 4);
            }
        }),
    }
}
