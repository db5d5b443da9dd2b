//! Raw deflate streams that come in pieces: wherever they are cut, the same bytes come out.

use fewerbits::formats::inflate::Inflate;
use formats_support::Random;

mod formats_support;

/// Runs, which few bits of the stream make: at a cut much is still to come out, though no byte is left to go in. And what is no run.
fn contents() -> Vec<(&'static str, Vec<u8>)> {
    let mut random = Random(9);
    let noise: Vec<u8> = (0..3000).map(|_| random.next() as u8).collect();
    vec![
        ("zeros", vec![0; 300_000]),
        ("a period of 7", b"abcdefg".repeat(30_000)),
        ("runs around noise", [vec![0; 100_000], noise, vec![0; 150_000]].concat()),
    ]
}

#[test]
fn a_stream_cut_at_any_byte_inflates_to_what_was_deflated() {
    for (what, content) in contents() {
        for level in [1, 6, 9] {
            let stream = miniz_oxide::deflate::compress_to_vec(&content, level);
            for cut in 0..=stream.len() {
                let mut inflate = Inflate::new();
                let mut out = Vec::new();
                for piece in [&stream[..cut], &stream[cut..]] {
                    inflate.push(piece.to_vec());
                    out.extend(inflate.pull(1 << 20).unwrap_or_else(|e| panic!("{what}, {level}, cut at {cut}: {e}")));
                }
                assert!(out == content && inflate.ended(), "{what}, {level}, cut at {cut}: {} bytes", out.len());
            }
        }
    }
}

#[test]
fn what_is_no_stream_is_refused_wherever_it_is_cut() {
    // A block of a type that there is not, after a good one.
    let mut stream = b"\x00\x05\x00\xfa\xffhello".to_vec();
    stream.extend([0x07, 0, 0, 0]);
    for cut in 0..=stream.len() {
        let mut inflate = Inflate::new();
        let run = |inflate: &mut Inflate, piece: &[u8]| {
            inflate.push(piece.to_vec());
            inflate.pull(1 << 20)
        };
        let refused = run(&mut inflate, &stream[..cut]).and_then(|_| run(&mut inflate, &stream[cut..]));
        assert_eq!(refused.unwrap_err().code.as_str(), "malformed", "cut at {cut}");
    }
}
