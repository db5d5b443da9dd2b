//! Thousands of seeded mutations of real headers: whatever comes, no panic, no read outside the file, and every listing
//! keeps its promises. What the fuzzers in `fuzz/` do for hours, in a second and the same each time.

mod formats_support;

use std::fs;
use std::path::Path;

use formats_support::{Random, exercise, step_claimed};

const ROUNDS: usize = 3000;

/// Numbers that others did not expect.
const NUMBERS: [&str; 12] = [
    "0",
    "-1",
    "1e3",
    "2147483648",
    "4294967295",
    "4294967296",
    "9007199254740993",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1.5",
    "null",
];

const WORDS: [&str; 16] = [
    "\"F4\"",
    "\"F6_E2M3\"",
    "\"F64\"",
    "\"C64\"",
    "\"BOOL\"",
    "[]",
    "{}",
    "[0,0]",
    "\"__metadata__\"",
    "\"shape\"",
    "'>f8'",
    "'|V2'",
    "True",
    "False",
    "(3L,)",
    "\"../x\"",
];

fn bases() -> Vec<(String, Vec<u8>)> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let folders = ["corpus", "corpus/sharded", "gguf", "corpus/onnx", "parts"].map(|folder| data.join(folder));
    let mut files: Vec<_> = folders
        .iter()
        .flat_map(|folder| fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file() && !path.ends_with("expected.json") && !path.ends_with("external.data"))
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap()))
        .collect();
    files.sort();
    assert!(files.len() > 20);
    files
}

/// One change somewhere in the header, mostly; the data says nothing to a parser.
fn mutate(file: &mut Vec<u8>, random: &mut Random) {
    let header = file.len().min(1600);
    if header == 0 {
        return file.push(random.next() as u8);
    }
    let at = random.below(header);
    let some = 1 + random.below(12);
    match random.below(13) {
        11 | 12 if file.starts_with(b"GGUF") => count(file, random),
        11 | 12 => {}
        10 => shift(file, random),
        0 => file[at] ^= 1 << random.below(8),
        1 => file[at] = random.next() as u8,
        2 => file[at] = b"{}[]()\"',:0\\\x00\xff LT"[random.below(17)],
        3 => drop(file.drain(at..(at + some).min(file.len()))),
        4 => {
            let copy = file[at..(at + 4 * some).min(file.len())].to_vec();
            let to = random.below(header);
            drop(file.splice(to..to, copy));
        }
        5 => file.truncate(at),
        6 => file.extend(std::iter::repeat_n(0, some)),
        7 => drop(file.splice(at..at, WORDS[random.below(WORDS.len())].bytes())),
        8 if file.len() >= 8 => {
            let length = u64::from_le_bytes(file[..8].try_into().unwrap());
            let length =
                length.wrapping_add(random.next() % 7).wrapping_sub(3) ^ [0, 1 << 31, 1 << 63][random.below(3)];
            file[..8].copy_from_slice(&length.to_le_bytes());
        }
        _ => {
            // A number becomes another one.
            let digits = |from: usize| file[from..].iter().take_while(|b| b.is_ascii_digit()).count();
            let from = (at..header).find(|&i| digits(i) > 0).unwrap_or(at);
            let to = from + digits(from);
            drop(file.splice(from..to, NUMBERS[random.below(NUMBERS.len())].bytes()));
        }
    }
}

/// One of the binary numbers in a GGUF header becomes another one. Most words of four bytes are such numbers, or half of one.
fn count(file: &mut [u8], random: &mut Random) {
    const WORDS: [u64; 16] = [0, 1, 2, 4, 5, 8, 9, 12, 31, 32, 255, 1 << 31, (1 << 32) - 1, 1 << 32, 1 << 63, u64::MAX];
    let at = 4 + random.below(file.len().min(1600).saturating_sub(12).max(1));
    let number = WORDS[random.below(WORDS.len())];
    if random.below(2) == 0 && at + 8 <= file.len() {
        file[at..at + 8].copy_from_slice(&number.to_le_bytes());
    } else if at + 4 <= file.len() {
        file[at..at + 4].copy_from_slice(&(number as u32).to_le_bytes());
    }
}

/// Moves one tensor (the last, often) a few bytes down, into the one before it, and ends the file as much earlier.
fn shift(file: &mut Vec<u8>, random: &mut Random) {
    const KEY: &[u8] = b"\"data_offsets\":[";
    let places: Vec<usize> =
        (0..file.len().saturating_sub(KEY.len())).filter(|&i| file[i..].starts_with(KEY)).collect();
    let Some(&last) = places.last() else { return };
    let from = KEY.len() + if random.below(2) == 0 { last } else { places[random.below(places.len())] };
    let Some(length) = file[from..].iter().position(|&b| b == b']') else { return };
    let by = 1 + random.next() % 8;
    let numbers = String::from_utf8_lossy(&file[from..from + length]).into_owned();
    let moved: Option<Vec<u64>> = numbers.split(',').map(|n| n.parse::<u64>().ok()?.checked_sub(by)).collect();
    let Some(moved) = moved else { return };
    let mut text = moved.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
    // White space keeps the header's length.
    text.extend(std::iter::repeat_n(' ', length.saturating_sub(text.len())));
    file.splice(from..from + length, text.bytes());
    file.truncate(file.len().saturating_sub(by as usize));
}

/// Sets the safetensors length right again, so that the change is met behind it.
fn repair(file: &mut [u8], added: i64) {
    if let Some(length) = file.first_chunk_mut::<8>() {
        *length = u64::from_le_bytes(*length).wrapping_add_signed(added).to_le_bytes();
    }
}

#[test]
fn mutated_files_never_break_a_promise() {
    for (name, base) in bases() {
        let (mut listed, mut refused) = (0, 0);
        for round in 0..ROUNDS {
            let mut random = Random(round as u64 ^ 0x5eed);
            let mut file = base.clone();
            for _ in 0..1 + random.below(3) {
                mutate(&mut file, &mut random);
            }
            if name.ends_with(".safetensors") && random.below(2) == 0 {
                let added = file.len() as i64 - base.len() as i64;
                repair(&mut file, added);
            }
            let result = std::panic::catch_unwind(|| exercise(&file));
            match result.unwrap_or_else(|_| panic!("{name}, round {round}: {:?}", String::from_utf8_lossy(&file))) {
                Some(_) => listed += 1,
                None => refused += 1,
            }
            // The same bytes at the start of a file of another length.
            let len = [file.len() as u64 + 1, 1 << 33, u64::MAX][random.below(3)];
            let start = &file[..file.len().min(4096)];
            let _ = step_claimed(start, len);
        }
        assert!(refused > ROUNDS / 20, "{name}: {listed} listed, {refused} refused");
    }
}
