//! What a broken file may cost: cut at every byte, or claiming what it likes, no file of the corpus makes its reader hold 64 MB.
#![allow(unsafe_code, reason = "an allocator that counts is unsafe by its trait")]

mod formats_support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use formats_support::step_claimed;

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: everything is handed on to the system's allocator as it came; numbers are only counted beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Relaxed) + layout.size();
        MOST.fetch_max(held, Relaxed);
        // SAFETY: the caller's promises are those that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const LIMIT: usize = 64 << 20;

/// The most that was held at once while `run` ran, above what was held before.
fn most(run: impl FnOnce()) -> usize {
    let before = HELD.load(Relaxed);
    MOST.store(before, Relaxed);
    run();
    MOST.load(Relaxed) - before
}

// The only test here: others beside it would be counted too.
#[test]
fn a_file_cut_at_any_byte_or_claiming_any_length_takes_little_memory() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let (mut files, mut greatest) = (0, 0);
    for folder in ["corpus", "corpus/onnx", "corpus/sharded", "deep", "gguf", "parts", "zips"] {
        for entry in fs::read_dir(data.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if !path.is_file() || path.ends_with("expected.json") {
                continue;
            }
            let file = fs::read(&path).unwrap();
            files += 1;
            let step = if file.len() < 6000 { 1 } else { 61 };
            for cut in (0..file.len()).step_by(step) {
                let held = most(|| {
                    // As it is cut, with zeros up to its own length, and as the start of a file of 40 GB.
                    let _ = step_claimed(&file[..cut], cut as u64);
                    let _ = step_claimed(&file[..cut], file.len() as u64);
                    if cut % 16 == 0 {
                        let _ = step_claimed(&file[..cut], 40 << 30);
                    }
                });
                assert!(held <= LIMIT, "{}, cut at {cut}: {held} bytes", path.display());
                greatest = greatest.max(held);
            }
        }
    }
    assert!(files > 60, "{files} files");
    println!("{files} files, {greatest} bytes at most");
}
