//! The formats of 32 weights with one scale.

use half::f16;

/// See [`crate::kernels::ggml::q8_0`].
pub fn q8_0(x: &[f32], out: &mut [u8]) {
    for (x, out) in x.as_chunks::<32>().0.iter().zip(out.as_chunks_mut::<34>().0) {
        let amax = x.iter().fold(0.0_f32, |m, x| m.max(x.abs()));
        let d = amax / 127.0;
        let id = if d == 0.0 { 0.0 } else { 1.0 / d };
        let (scale, codes) = out.split_at_mut(2);
        scale.copy_from_slice(&f16::from_f32(d).to_le_bytes());
        for (code, x) in codes.iter_mut().zip(x) {
            *code = (x * id).round() as i8 as u8;
        }
    }
}

/// See [`crate::kernels::ggml::from_q8_0`].
pub fn from_q8_0(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<34>().0.iter().zip(out.as_chunks_mut::<32>().0) {
        let d = f16::from_le_bytes([block[0], block[1]]).to_f32();
        for (out, &code) in out.iter_mut().zip(&block[2..]) {
            *out = f32::from(code as i8) * d;
        }
    }
}
