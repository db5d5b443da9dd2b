//! Arrows between the modules of `src/`, read from its tokens: `crate::x`, `crate::{x, y::z}` and `super::…`.

use super::Source;
use std::collections::HashMap;

/// Top-level module → what it may use besides itself, `tensor` and `error`, which all may use.
const ALLOWED: &[(&str, &[&str])] = &[
    ("tensor", &[]),
    ("error", &[]),
    ("kernels", &[]),
    ("stats", &["kernels"]),
    ("quant", &["kernels", "stats"]),
    ("formats", &[]),
    ("decode", &["kernels", "formats"]),
    ("nn", &["quant", "kernels"]),
    ("evaluate", &["quant", "stats", "kernels"]),
    ("picture", &["quant"]),
    ("pack", &["quant", "stats", "decode", "formats", "kernels"]),
    ("plan", &["formats", "quant", "stats", "pack"]),
    ("pipeline", &["plan", "pack", "formats", "quant", "stats", "evaluate", "decode"]),
    (
        "bindings",
        &["kernels", "stats", "quant", "formats", "decode", "nn", "evaluate", "picture", "pack", "plan", "pipeline"],
    ),
];

/// Everyone may use these.
const COMMON: &[&str] = &["tensor", "error"];

/// The only place for `unsafe` and the instruction set.
const UNSAFE_HOME: &str = "kernels/simd128";

/// One line per forbidden arrow, with file and line.
pub fn forbidden(sources: &[Source]) -> Vec<String> {
    let exports = match sources.iter().find(|source| source.path == "lib.rs") {
        Some(lib) => root_exports(&tokens(&lib.text)),
        None => HashMap::new(),
    };
    let mut broken = Vec::new();
    for source in sources {
        let module = module_path(&source.path);
        if module.iter().any(|name| name == "tests" || name == "test") {
            continue; // a test module in a file of its own
        }
        let tokens = without_test_code(tokens(&source.text));
        let mut report = |line: usize, what: String| broken.push(format!("src/{}:{line}: {what}", source.path));

        let Some(from) = module.first() else { continue }; // lib.rs re-exports everything
        let allowed = ALLOWED.iter().find(|(name, _)| name == from).map(|(_, allowed)| *allowed);
        if allowed.is_none() {
            report(1, format!("module `{from}` is not in the map: add it to ALLOWED in tests/layering/rust.rs"));
        }
        for (line, used) in arrows(&tokens, &module) {
            let to = exports.get(&used).unwrap_or(&used);
            let is_fine = to == from
                || COMMON.contains(&to.as_str())
                || allowed.is_none_or(|allowed| allowed.contains(&to.as_str()));
            if !is_fine {
                report(line, format!("`{from}` uses `{used}`: the arrow {from} → {to} is not in the map"));
            }
        }
        if source.path != format!("{UNSAFE_HOME}.rs") && !source.path.starts_with(&format!("{UNSAFE_HOME}/")) {
            for (line, what) in unsafe_uses(&tokens) {
                report(line, format!("{what} outside src/{UNSAFE_HOME}"));
            }
        }
    }
    broken
}

/// `quant/affine.rs` → quant, affine; `quant/mod.rs` → quant; `lib.rs` → nothing.
fn module_path(path: &str) -> Vec<String> {
    let mut parts: Vec<String> = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|last| last == "mod" || last == "lib") {
        parts.pop();
    }
    parts
}

#[derive(Clone, Debug, PartialEq)]
struct Token {
    text: String,
    line: usize,
}

/// Identifiers and single punctuation characters (`::` as one); comments, strings, characters and lifetimes are left out.
fn tokens(text: &str) -> Vec<Token> {
    let bytes = text.as_bytes();
    let is_ident = |b: u8| b == b'_' || b.is_ascii_alphanumeric() || b >= 0x80;
    let (mut found, mut line, mut i) = (Vec::new(), 1, 0);
    while i < bytes.len() {
        let start = i;
        let rest = &bytes[i..];
        if rest.starts_with(b"//") {
            i += rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
        } else if rest.starts_with(b"/*") {
            i = after_block_comment(bytes, i);
        } else if let Some(end) = after_string(bytes, i) {
            i = end;
        } else if rest[0] == b'\'' {
            i = after_char_or_lifetime(bytes, i);
        } else if is_ident(rest[0]) {
            i += rest.iter().position(|&b| !is_ident(b)).unwrap_or(rest.len());
            found.push(Token { text: text[start..i].to_owned(), line });
        } else if rest.starts_with(b"::") {
            i += 2;
            found.push(Token { text: "::".to_owned(), line });
        } else {
            i += 1;
            if !rest[0].is_ascii_whitespace() {
                found.push(Token { text: (rest[0] as char).to_string(), line });
            }
        }
        line += bytes[start..i].iter().filter(|&&b| b == b'\n').count();
    }
    found
}

fn after_block_comment(bytes: &[u8], start: usize) -> usize {
    let (mut depth, mut i) = (0, start);
    while i < bytes.len() {
        if bytes[i..].starts_with(b"/*") {
            depth += 1;
            i += 2;
        } else if bytes[i..].starts_with(b"*/") {
            depth -= 1;
            i += 2;
            if depth == 0 {
                break;
            }
        } else {
            i += 1;
        }
    }
    i
}

/// The end of a string that starts at `i`: `"…"`, `b"…"`, `c"…"`, `r#"…"#` and their kin.
fn after_string(bytes: &[u8], i: usize) -> Option<usize> {
    let before = i.checked_sub(1).map(|at| bytes[at]);
    if before.is_some_and(|b| b == b'_' || b.is_ascii_alphanumeric()) {
        return None;
    }
    let prefix = bytes[i..].iter().take(2).take_while(|b| b"brc".contains(b)).count();
    let raw = bytes[i..i + prefix].contains(&b'r');
    let hashes = if raw { bytes[i + prefix..].iter().take_while(|&&b| b == b'#').count() } else { 0 };
    let mut at = i + prefix + hashes;
    if bytes.get(at) != Some(&b'"') {
        return None;
    }
    at += 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if !raw => at += 2,
            b'"' if bytes[at + 1..].iter().take(hashes).filter(|&&b| b == b'#').count() == hashes => {
                return Some(at + 1 + hashes);
            }
            _ => at += 1,
        }
    }
    Some(bytes.len())
}

/// `'a'` and `'\n'` are characters; `'a` is a lifetime.
fn after_char_or_lifetime(bytes: &[u8], i: usize) -> usize {
    if bytes.get(i + 1) == Some(&b'\\') {
        let end = bytes.iter().skip(i + 3).position(|&b| b == b'\'');
        return end.map_or(bytes.len(), |end| i + 3 + end + 1);
    }
    let width = match bytes.get(i + 1) {
        Some(&b) if b >= 0xf0 => 4,
        Some(&b) if b >= 0xe0 => 3,
        Some(&b) if b >= 0xc0 => 2,
        _ => 1,
    };
    if bytes.get(i + 1 + width) == Some(&b'\'') { i + width + 2 } else { i + 1 }
}

/// Drops what follows `#[cfg(test)]` (or any `cfg` that asks for `test`): an item up to its closing brace or semicolon.
fn without_test_code(tokens: Vec<Token>) -> Vec<Token> {
    let mut kept = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        let is = |at: usize, text: &str| tokens.get(at).is_some_and(|token| token.text == text);
        if is(i, "#") && is(i + 1, "[") && is(i + 2, "cfg") {
            let end = matching(&tokens, i + 1);
            let asked = &tokens[i + 3..end.min(tokens.len())];
            let negated = asked.iter().any(|token| token.text == "not");
            if !negated && asked.iter().any(|token| token.text == "test") {
                i = after_item(&tokens, end + 1);
                continue;
            }
        }
        kept.push(tokens[i].clone());
        i += 1;
    }
    kept
}

/// The index of the bracket that closes the one at `open`.
fn matching(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_i32;
    for (i, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return i;
        }
    }
    tokens.len()
}

/// The index after the item that starts at `start`: past its first `;` or `{…}` outside other brackets.
fn after_item(tokens: &[Token], start: usize) -> usize {
    let mut i = start;
    while i < tokens.len() {
        match tokens[i].text.as_str() {
            ";" => return i + 1,
            "{" => return matching(tokens, i) + 1,
            "(" | "[" => i = matching(tokens, i) + 1,
            _ => i += 1,
        }
    }
    i
}

/// Every use of a top-level name of the crate: its line and the name.
fn arrows(tokens: &[Token], module: &[String]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    // Inline modules around the current token: `super` counts from the innermost.
    let mut inline: Vec<i32> = Vec::new();
    let mut depth = 0;
    let is = |at: usize, text: &str| tokens.get(at).is_some_and(|token| token.text == text);
    let mut i = 0;
    while i < tokens.len() {
        let start = i;
        match tokens[i].text.as_str() {
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                inline.retain(|&at| at <= depth);
            }
            "mod" if is(i + 2, "{") => inline.push(depth + 1),
            "crate" if is(i + 1, "::") => named(tokens, i + 2, &mut found),
            "super" if is(i + 1, "::") && !(i > 0 && is(i - 1, "::")) => {
                let mut up = 0;
                while is(i, "super") && is(i + 1, "::") {
                    up += 1;
                    i += 2;
                }
                if up == module.len() + inline.len() {
                    named(tokens, i, &mut found);
                }
                i -= 1;
            }
            _ => {}
        }
        i = i.max(start) + 1;
    }
    found
}

/// The names that a path names at `at`: one, or each of a group.
fn named(tokens: &[Token], at: usize, found: &mut Vec<(usize, String)>) {
    let Some(token) = tokens.get(at) else { return };
    if token.text != "{" {
        found.push((token.line, token.text.clone()));
        return;
    }
    let end = matching(tokens, at);
    let mut i = at + 1;
    while i < end {
        if tokens[i].text != "self" {
            found.push((tokens[i].line, tokens[i].text.clone()));
        }
        // To the next comma of this group.
        while i < end && tokens[i].text != "," {
            i = if tokens[i].text == "{" { matching(tokens, i) } else { i };
            i += 1;
        }
        i += 1;
    }
}

/// `pub use error::{Code, Error};` in lib.rs: Code → error, Error → error.
fn root_exports(tokens: &[Token]) -> HashMap<String, String> {
    let mut exports = HashMap::new();
    let is = |at: usize, text: &str| tokens.get(at).is_some_and(|token| token.text == text);
    for i in (0..tokens.len()).filter(|&i| is(i, "pub") && is(i + 1, "use")) {
        let first = if is(i + 2, "crate") || is(i + 2, "self") { i + 4 } else { i + 2 };
        let end = after_item_of_use(tokens, first);
        let Some(module) = tokens.get(first) else { continue };
        for leaf in first + 1..end {
            let next = tokens.get(leaf + 1).map(|token| token.text.as_str());
            if tokens[leaf].text.starts_with(|c: char| c.is_alphabetic()) && matches!(next, Some("," | "}" | ";")) {
                exports.insert(tokens[leaf].text.clone(), module.text.clone());
            }
        }
    }
    exports
}

fn after_item_of_use(tokens: &[Token], start: usize) -> usize {
    tokens.iter().skip(start).position(|token| token.text == ";").map_or(tokens.len(), |end| start + end)
}

fn unsafe_uses(tokens: &[Token]) -> Vec<(usize, String)> {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let mut found = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        if token.text == "unsafe" {
            found.push((token.line, "`unsafe`".to_owned()));
        }
        if matches!(token.text.as_str(), "core" | "std") && text(i + 1) == "::" {
            let group_has_arch = text(i + 2) == "{"
                && tokens[i + 3..matching(tokens, i + 2).min(tokens.len())].iter().any(|token| token.text == "arch");
            if text(i + 2) == "arch" || group_has_arch {
                found.push((token.line, format!("`{}::arch`", token.text)));
            }
        }
    }
    found
}

mod tests {
    use super::forbidden;
    use crate::made_up;

    const LIB: (&str, &str) = ("lib.rs", "pub mod quant;\npub use error::{Code, Error};\npub use plan::Plan;");

    fn broken(path: &str, text: &str) -> Vec<String> {
        forbidden(&made_up(&[LIB, (path, text)]))
    }

    #[test]
    fn allowed_arrows_pass() {
        let text = "use crate::{error::Error, kernels::{self, scalar}};\nuse crate::tensor::DType;\nfn f() -> crate::Error { super::super::stats::x() }";
        assert_eq!(broken("quant/affine.rs", text), Vec::<String>::new());
        assert_eq!(broken("bindings/mod.rs", "use crate::pipeline::Job;"), Vec::<String>::new());
        assert_eq!(
            broken("kernels/simd128/mod.rs", "use core::arch::wasm32::*; use crate::kernels::scalar; unsafe {}"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn forbidden_arrows_are_found_in_every_form() {
        for (path, text, line) in [
            ("formats/npy.rs", "use crate::quant::Scheme;", 1),
            ("stats/mod.rs", "fn f() {\n    crate::quant::encode();\n}", 2),
            ("kernels/mod.rs", "use crate::{tensor::DType,\n    stats::Moments};", 2),
            ("kernels/scalar/mod.rs", "use super::super::stats::Moments;", 1),
            ("kernels/mod.rs", "mod inner { use super::super::stats::Moments; }", 1),
            ("plan/mod.rs", "\nuse crate::bindings::Face;", 2),
            ("decode.rs", "use crate::Plan;", 1),
            ("formats/mod.rs", "pub(crate) use crate::stats as other;", 1),
            ("formats/mod.rs", "macro_rules! m { () => { $crate::quant::f() } }", 1),
            ("quant/mod.rs", "use crate::*;", 1),
        ] {
            let found = broken(path, text);
            assert_eq!(found.len(), 1, "{path}: {text}: {found:?}");
            assert!(found[0].starts_with(&format!("src/{path}:{line}: ")), "{found:?}");
        }
    }

    #[test]
    fn comments_strings_and_test_code_do_not_count() {
        let text = r##"
            //! See crate::quant.
            /* crate::quant /* nested crate::stats */ crate::plan */
            /// [`crate::bindings`]
            const A: &str = "crate::quant \" crate::stats";
            const B: &str = r#"crate::quant " unsafe"#;
            const C: char = '"';
            fn f<'a>(x: &'a str) -> char { '\'' }
            #[cfg(test)]
            mod tests { use crate::quant::x; fn g() { unsafe {} } }
            #[cfg(all(test, not_here))]
            use crate::stats;
        "##;
        assert_eq!(broken("formats/npy.rs", text), Vec::<String>::new());
        assert_eq!(broken("formats/npy/tests.rs", "use crate::quant::x;"), Vec::<String>::new());
    }

    #[test]
    fn code_after_test_code_counts() {
        let text = "#[cfg(test)]\nmod tests { fn f() { let x = '{'; } }\nuse crate::quant::x;\n#[cfg(not(test))]\nuse crate::stats::y;";
        assert_eq!(broken("formats/npy.rs", text).len(), 2);
    }

    #[test]
    fn unsafe_and_the_instruction_set_have_one_home() {
        for text in [
            "unsafe fn f() {}",
            "use core::arch::wasm32::v128;",
            "use std::{arch, fmt};",
            "use core::{fmt, arch::wasm32};",
        ] {
            assert_eq!(broken("kernels/scalar/mod.rs", text).len(), 1, "{text}");
        }
        assert_eq!(broken("kernels/mod.rs", "#![allow(unsafe_code)]\nuse core::fmt;"), Vec::<String>::new());
    }

    #[test]
    fn a_module_that_is_not_in_the_map_is_named() {
        assert!(broken("shapes.rs", "")[0].contains("`shapes` is not in the map"));
    }
}
