//! CRC-32 as zip uses it (ISO 3309, reflected, polynomial 0xEDB88320), and that of two stretches from each one's own.

const POLYNOMIAL: u32 = 0xedb8_8320;

/// `TABLES[k][b]`: what byte `b` does when `k` bytes follow it.
static TABLES: [[u32; 256]; 8] = {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let (mut crc, mut bit) = (byte as u32, 0);
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ POLYNOMIAL } else { crc >> 1 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut k = 1;
    while k < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[k - 1][byte];
            tables[k][byte] = before >> 8 ^ tables[0][(before & 255) as usize];
            byte += 1;
        }
        k += 1;
    }
    tables
};

/// The CRC-32 of the bytes before, whose own is `crc` (0 of none), and of these, eight at a time.
#[must_use]
pub fn crc32(crc: u32, bytes: &[u8]) -> u32 {
    let mut crc = !crc;
    let eights = bytes.chunks_exact(8);
    let rest = eights.remainder();
    for eight in eights {
        let word = u64::from_le_bytes(eight.try_into().expect("8 bytes")) ^ u64::from(crc);
        crc = (0..8).fold(0, |all, i| all ^ TABLES[7 - i][(word >> (8 * i)) as usize & 255]);
    }
    for &byte in rest {
        crc = crc >> 8 ^ TABLES[0][(crc as u8 ^ byte) as usize];
    }
    !crc
}

/// The CRC-32 of two stretches, one after the other, from their own: `length` is that of the second.
///
/// Appending a zero byte multiplies by x⁸ modulo the polynomial; that to the power of `length`, by squaring.
#[must_use]
pub fn combine(first: u32, second: u32, mut length: u64) -> u32 {
    // The polynomial x⁸, bits reflected: bit 31 is x⁰.
    let (mut power, mut product) = (1 << 23, first);
    while length > 0 {
        if length & 1 == 1 {
            product = multiply(product, power);
        }
        power = multiply(power, power);
        length >>= 1;
    }
    product ^ second
}

/// The product of two polynomials modulo the CRC's.
fn multiply(a: u32, mut b: u32) -> u32 {
    let mut product = 0;
    for bit in (0..32).rev() {
        if a >> bit & 1 == 1 {
            product ^= b;
        }
        b = if b & 1 == 1 { b >> 1 ^ POLYNOMIAL } else { b >> 1 };
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_the_catalogue() {
        assert_eq!(crc32(0, b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(0, b""), 0);
        assert_eq!(crc32(crc32(0, b"1234"), b"56789"), 0xcbf4_3926);
    }

    #[test]
    fn stretches_put_together_are_the_whole() {
        let bytes: Vec<u8> = (0..1000u32).map(|i| ((i * i) >> 3) as u8).collect();
        for cut in [0, 1, 7, 8, 9, 255, 256, 999, 1000] {
            let (a, b) = bytes.split_at(cut);
            assert_eq!(combine(crc32(0, a), crc32(0, b), b.len() as u64), crc32(0, &bytes), "{cut}");
        }
    }
}
