//! What a small file can say often: one text memorized by a pickle and meant a million times, one name that leads to many tensors. It must
//! cost what the file's own bytes do.

mod allocations;
mod formats_support;

use std::sync::Mutex;

use allocations::cost;
use formats_support::{count_refused, facts_of, list, stored_zip};

/// One at a time: what another test holds would be counted too.
static ALONE: Mutex<()> = Mutex::new(());

const MB: usize = 1 << 20;

/// Opcodes of a pickle.
mod pickle {
    pub fn text(s: &str) -> Vec<u8> {
        [b"X".as_slice(), &(s.len() as u32).to_le_bytes(), s.as_bytes()].concat()
    }

    pub fn int(n: u32) -> Vec<u8> {
        [b"J".as_slice(), &n.to_le_bytes()].concat()
    }

    pub fn tuple(items: &[Vec<u8>]) -> Vec<u8> {
        [b"(".to_vec(), items.concat(), b"t".to_vec()].concat()
    }

    /// Remembers a value under this number, and takes it off the stack.
    pub fn keep(number: u8, value: Vec<u8>) -> Vec<u8> {
        [value, vec![b'q', number, b'0']].concat()
    }

    pub fn kept(number: u8) -> Vec<u8> {
        vec![b'h', number]
    }

    /// One f32 of a storage with this key.
    pub fn tensor(key: Vec<u8>) -> Vec<u8> {
        let class = b"ctorch\nFloatStorage\n".to_vec();
        let storage = [tuple(&[text("storage"), class, key, text("cpu"), int(1)]), b"Q".to_vec()].concat();
        let arguments = [storage, int(0), tuple(&[int(1)]), tuple(&[int(1)]), b"\x89".to_vec(), b"N".to_vec()];
        [b"ctorch._utils\n_rebuild_tensor_v2\n".to_vec(), tuple(&arguments), b"R".to_vec()].concat()
    }

    /// A dictionary of these keys and values, after what is kept.
    pub fn dict(kept: Vec<u8>, pairs: Vec<u8>) -> Vec<u8> {
        [b"\x80\x02".to_vec(), kept, b"}(".to_vec(), pairs, b"u.".to_vec()].concat()
    }
}

fn checkpoint(pickle: &[u8]) -> Vec<u8> {
    stored_zip(&[("x/data.pkl", pickle), ("x/data/0", &[7; 4])])
}

#[test]
fn a_long_key_of_many_storages_is_refused_and_not_copied() {
    use pickle::{dict, keep, kept, tensor, text};
    let _alone = ALONE.lock();
    let long = keep(0, text(&"k".repeat(MB)));
    let pairs = (0..300).map(|i| [text(&format!("w{i}")), tensor(kept(0))].concat());
    let file = checkpoint(&dict(long, pairs.collect::<Vec<_>>().concat()));
    let (refused, most, _) = cost(|| list(&file));
    let want = ("malformed", Some("w0"), None, "at most 1000 bytes", "1048576 bytes");
    assert_eq!(facts_of(&refused.unwrap_err()), want);
    count_refused("torch");
    assert!(most < 16 * MB, "{most} bytes");
}

#[test]
fn a_long_text_that_a_pickle_means_often_is_not_read_each_time() {
    use pickle::{dict, keep, kept, tensor, text};
    let _alone = ALONE.lock();
    let long = || keep(0, text(&"é".repeat(MB / 2)));
    let good = [text("w"), tensor(text("0"))].concat();
    // A key of nothing, a key of lists, a name that is called.
    let called = [keep(1, [kept(0), kept(0), b"\x93".to_vec()].concat()), keep(2, b")".to_vec())].concat();
    for (what, before, pair) in [
        ("nothing", long(), [kept(0), b"N".to_vec()].concat()),
        ("lists", long(), [kept(0), b"]".to_vec()].concat()),
        ("calls", [long(), called].concat(), [text("o"), kept(1), kept(2), b"R".to_vec()].concat()),
    ] {
        let file = checkpoint(&dict(before, [pair.repeat(2000), good.clone()].concat()));
        let (listing, most, total) = cost(|| list(&file));
        assert_eq!(listing.unwrap().tensors[0].name, "w", "{what}");
        assert!(most < 16 * MB && total < 64 * MB, "{what}: {most} bytes at once, {total} in all");
    }
}

/// Of `n` names as many as there are, `w (2)` and so on.
fn check_numbered(names: impl Iterator<Item = String>, first: &str, n: usize, other: impl Fn(usize) -> String) {
    let names: std::collections::HashSet<String> = names.collect();
    assert_eq!(names.len(), n);
    assert!(names.contains(first) && (2..=n).all(|i| names.contains(&other(i))));
}

#[test]
fn one_tensor_under_one_key_many_times_is_numbered_in_one_go() {
    use pickle::{dict, keep, kept, tensor, text};
    let _alone = ALONE.lock();
    // To look for each number from the start is to look 4,000,000,000 times.
    const TIMES: usize = 90_000;
    let before = [keep(0, text("w")), keep(1, tensor(text("0")))].concat();
    let file = checkpoint(&dict(before, [kept(0), kept(1)].concat().repeat(TIMES)));
    let (listing, _, total) = cost(|| list(&file).unwrap());
    check_numbered(listing.tensors.into_iter().map(|t| t.name), "w", TIMES, |i| format!("w ({i})"));
    assert!(total < 512 * MB, "{total} bytes");
}

#[test]
fn a_number_that_a_name_has_already_is_passed_over() {
    use pickle::{dict, keep, kept, tensor, text};
    let _alone = ALONE.lock();
    let pairs = ["w (3)", "w", "w", "w (2)", "w", "w (2)"].map(|name| [text(name), kept(0)].concat()).concat();
    let listing = list(&checkpoint(&dict(keep(0, tensor(text("0"))), pairs))).unwrap();
    let mut names: Vec<_> = listing.tensors.iter().map(|t| t.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["w", "w (2)", "w (2) (2)", "w (2) (3)", "w (3)", "w (4)"]);
}

#[test]
fn a_state_that_many_objects_share_is_looked_through_once() {
    use pickle::{dict, keep, kept, tensor, text};
    let _alone = ALONE.lock();
    // A dictionary of 20,000 keys, and 20,000 objects whose state it is.
    let pair = [text("a"), b"N".to_vec()].concat();
    let state = [b"}(".to_vec(), pair.repeat(20_000), text("w"), tensor(text("0")), b"u".to_vec()].concat();
    let before = [keep(0, state), keep(1, b"cm\nO\n".to_vec()), keep(2, b")".to_vec())].concat();
    let object = [text("o"), kept(1), kept(2), b"R".to_vec(), kept(0), b"b".to_vec()].concat();
    let (listing, _, total) = cost(|| list(&checkpoint(&dict(before, object.repeat(20_000)))).unwrap());
    let names: Vec<_> = listing.tensors.iter().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["o.w"]);
    assert!(total < 64 * MB, "{total} bytes");
}

#[test]
fn numbers_of_varying_length_are_held_once_in_memory() {
    let _alone = ALONE.lock();
    // 4,000,000 elements of an ONNX tensor of 64-bit integers, a byte each.
    fn field(number: u8, body: &[u8]) -> Vec<u8> {
        let (mut n, mut out) = (body.len(), vec![number << 3 | 2]);
        while n >= 0x80 {
            out.push(n as u8 | 0x80);
            n >>= 7;
        }
        out.push(n as u8);
        [out, body.to_vec()].concat()
    }
    let dims = [0x08, 0x80, 0x92, 0xf4, 0x01];
    let tensor = [&dims[..], &[0x10, 7], &field(8, b"w"), &field(7, &vec![1; 4_000_000])].concat();
    let file = [vec![0x08, 8], field(7, &field(5, &tensor)), field(8, &[0x10, 17])].concat();
    let (listing, most, _) = cost(|| list(&file).unwrap());
    assert_eq!(listing.tensors[0].bytes, 0..32_000_000);
    assert!(most < 32_000_000 + 24 * MB, "{most} bytes");
}
