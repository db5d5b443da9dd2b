//! Arrows between the modules of `www/`, read from tokens: static and dynamic imports. JSDoc's type imports are
//! comments, so they are free.

use super::Source;
use std::collections::{BTreeMap, BTreeSet};

/// Where the page starts: what these reach runs in the window. Workers are started by address, not imported.
const ENTRIES: &[&str] = &["main.js", "elements.js"];

/// These draw and react; they own no truth and know no engine.
const VIEWS: &[&str] = &["views/", "figures/", "explore/", "learn/", "shrink/"];

/// Who may ask the network: for an address that the user gave (or the bundled sample), for the wasm itself, and for the page's own files.
const NETWORK: &[&str] = &["lib/sources.js", "lib/engine.js", "offline/sw.js"];

/// What the package does not bring and one file asks for by name: there it may be missing.
const OPTIONAL: &[(&str, &str)] = &[("lib/cli/runtime.js", "onnxruntime-web")];

/// Ways to send or ask for something.
const NETWORK_WORDS: &[&str] =
    &["fetch", "XMLHttpRequest", "WebSocket", "WebTransport", "EventSource", "sendBeacon", "RTCPeerConnection"];

/// One line per broken rule, with file and line.
pub fn forbidden(sources: &[Source]) -> Vec<String> {
    let read: BTreeMap<&str, (Vec<Token>, Vec<Import>)> = sources
        .iter()
        .map(|source| {
            let tokens = tokens(&source.text);
            let imports = imports(&tokens, &source.path);
            (source.path.as_str(), (tokens, imports))
        })
        .collect();
    let graph: BTreeMap<&str, Vec<&str>> = read
        .iter()
        .map(|(path, (_, imports))| (*path, imports.iter().filter_map(|import| import.file.as_deref()).collect()))
        .collect();

    let mut broken = Vec::new();
    for (path, (tokens, imports)) in &read {
        let mut report = |line: usize, what: String| broken.push(format!("www/{path}:{line}: {what}"));
        for import in imports {
            let file = import.file.as_deref().unwrap_or_default();
            let is_optional = OPTIONAL.contains(&(path, &import.name));
            if path.starts_with("lib/")
                && !file.starts_with("lib/")
                && !import.name.starts_with("node:")
                && !is_optional
            {
                report(import.line, format!("the package's face imports {} from outside www/lib", import.name));
            }
            let is_outside = !path.starts_with("lib/") && !path.starts_with("engine/");
            if is_outside && file.starts_with("lib/") && way_to_wasm(file, &graph).is_some() {
                report(import.line, format!("imports {}, which holds the wasm: only the worker may", import.name));
            }
            if is_view(path) && file.starts_with("engine/") {
                report(import.line, format!("a view imports {}: views touch state only", import.name));
            }
        }
        if !NETWORK.contains(path) {
            for (line, word) in network_words(tokens) {
                report(line, format!("uses {word}: only {} may ask the network", NETWORK.join(" and ")));
            }
        }
    }
    for entry in ENTRIES.iter().filter(|entry| graph.contains_key(*entry)) {
        if let Some(way) = way_to_wasm(entry, &graph) {
            broken.push(format!("www/{entry}: the window reaches the wasm: {}", way.join(" → ")));
        }
    }
    broken
}

fn is_view(path: &str) -> bool {
    VIEWS.iter().any(|dir| path.starts_with(dir))
}

/// The chain of imports by which a file reaches the wasm's glue, if it does.
fn way_to_wasm<'a>(from: &'a str, graph: &BTreeMap<&str, Vec<&'a str>>) -> Option<Vec<&'a str>> {
    let mut seen = BTreeSet::from([from]);
    let mut open = vec![vec![from]];
    while let Some(way) = open.pop() {
        let last = *way.last().expect("not empty");
        if last.starts_with("lib/wasm/") {
            return Some(way);
        }
        for next in graph.get(last).into_iter().flatten().filter(|next| seen.insert(next)) {
            open.push(way.iter().copied().chain([*next]).collect());
        }
    }
    None
}

#[derive(Debug, PartialEq)]
struct Import {
    line: usize,
    /// As written.
    name: String,
    /// Below www/, where it is a relative one.
    file: Option<String>,
}

/// `import … from 'x'`, `import 'x'`, `export … from 'x'`, `import('x')`.
fn imports(tokens: &[Token], path: &str) -> Vec<Import> {
    let word = |at: usize| match tokens.get(at) {
        Some(Token { kind: Kind::Word | Kind::Sign, text, .. }) => text.as_str(),
        _ => "",
    };
    let mut found = Vec::new();
    for (i, token) in tokens.iter().enumerate().filter(|(_, token)| token.kind == Kind::Text) {
        let after_import = word(i.wrapping_sub(1)) == "import" && word(i.wrapping_sub(2)) != ".";
        let dynamic = word(i.wrapping_sub(1)) == "(" && word(i.wrapping_sub(2)) == "import";
        if after_import || dynamic || word(i.wrapping_sub(1)) == "from" {
            let name = token.text.clone();
            // `?worker&url` names a worker's address, as `new URL('./worker.js', …)` does: nothing of it comes into this file.
            let file = (name.starts_with('.') && !name.contains("?worker")).then(|| resolve(path, &name));
            found.push(Import { line: token.line, name, file });
        }
    }
    // An import whose address is worked out cannot be held to any rule.
    for i in (0..tokens.len()).filter(|&i| word(i) == "import" && word(i + 1) == "(") {
        if tokens.get(i + 2).is_some_and(|token| token.kind != Kind::Text) && path.starts_with("lib/") {
            let name = "a computed address".to_owned();
            found.push(Import { line: tokens[i].line, name, file: None });
        }
    }
    found
}

/// `engine/client.js` and `../lib/index.js` → `lib/index.js`.
fn resolve(from: &str, name: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in name.split(['?', '#']).next().unwrap_or(name).split('/') {
        match part {
            "." | "" => {}
            ".." => {
                if parts.pop().is_none() {
                    parts.push("(outside www)");
                }
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Uses of the network: the global names, not a property or a key of that name on something else.
fn network_words(tokens: &[Token]) -> Vec<(usize, String)> {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let mut found = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        if token.kind != Kind::Word || !NETWORK_WORDS.contains(&token.text.as_str()) {
            continue;
        }
        let owner = if text(i.wrapping_sub(1)) == "." { text(i.wrapping_sub(2)) } else { "globalThis" };
        let is_global = matches!(owner, "globalThis" | "window" | "self" | "navigator");
        let is_key = text(i + 1) == ":" && matches!(text(i.wrapping_sub(1)), "{" | ",");
        if is_global && !is_key {
            found.push((token.line, token.text.clone()));
        }
    }
    found
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Word,
    Sign,
    /// A string, without its quotes; a template in backticks counts where nothing is put into it.
    Text,
}

#[derive(Debug)]
struct Token {
    kind: Kind,
    text: String,
    line: usize,
}

/// Words, signs and strings; comments, regular expressions and numbers are left out. Code inside `${…}` counts.
fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let is_word = |c: char| c == '_' || c == '$' || c == '#' || c.is_alphanumeric();
    let mut found: Vec<Token> = Vec::new();
    let (mut line, mut i) = (1, 0);
    // For each open `${`: how many braces are open inside it.
    let mut templates: Vec<u32> = Vec::new();
    while i < chars.len() {
        let (start, start_line) = (i, line);
        let c = at(i);
        if c == '/' && at(i + 1) == '/' {
            while i < chars.len() && at(i) != '\n' {
                i += 1;
            }
        } else if c == '/' && at(i + 1) == '*' {
            i += 2;
            while i < chars.len() && !(at(i) == '*' && at(i + 1) == '/') {
                i += 1;
            }
            i += 2;
        } else if c == '\'' || c == '"' {
            i += 1;
            while i < chars.len() && at(i) != c && at(i) != '\n' {
                i += if at(i) == '\\' { 2 } else { 1 };
            }
            let inside = chars[start + 1..i.min(chars.len())].iter().collect();
            found.push(Token { kind: Kind::Text, text: inside, line: start_line });
            i += 1;
        } else if c == '`' || (c == '}' && templates.last() == Some(&0)) {
            if c == '}' {
                templates.pop();
            }
            i += 1;
            while i < chars.len() && at(i) != '`' && !(at(i) == '$' && at(i + 1) == '{') {
                i += if at(i) == '\\' { 2 } else { 1 };
            }
            if at(i) == '`' {
                if c == '`' {
                    let inside = chars[start + 1..i.min(chars.len())].iter().collect();
                    found.push(Token { kind: Kind::Text, text: inside, line: start_line });
                }
                i += 1;
            } else {
                templates.push(0);
                i += 2;
            }
        } else if c == '/' && starts_regex(found.last()) {
            i += 1;
            let mut in_class = false;
            while i < chars.len() && at(i) != '\n' && (in_class || at(i) != '/') {
                match at(i) {
                    '\\' => i += 1,
                    '[' => in_class = true,
                    ']' => in_class = false,
                    _ => {}
                }
                i += 1;
            }
            i += 1;
            while is_word(at(i)) {
                i += 1;
            }
        } else if is_word(c) {
            while i < chars.len() && is_word(at(i)) {
                i += 1;
            }
            found.push(Token { kind: Kind::Word, text: chars[start..i].iter().collect(), line: start_line });
        } else {
            i += 1;
            match (c, templates.last_mut()) {
                ('{', Some(open)) => *open += 1,
                ('}', Some(open)) => *open -= 1,
                _ => {}
            }
            if !c.is_whitespace() {
                found.push(Token { kind: Kind::Sign, text: c.to_string(), line: start_line });
            }
        }
        i = i.min(chars.len());
        line += chars[start..i].iter().filter(|&&c| c == '\n').count();
    }
    found
}

/// A slash begins a regular expression unless it follows a value.
fn starts_regex(before: Option<&Token>) -> bool {
    match before {
        None => true,
        Some(Token { kind: Kind::Text, .. }) => false,
        Some(Token { kind: Kind::Sign, text, .. }) => !matches!(text.as_str(), ")" | "]" | "}"),
        Some(Token { kind: Kind::Word, text, .. }) => {
            matches!(
                text.as_str(),
                "return" | "typeof" | "case" | "in" | "of" | "delete" | "void" | "throw" | "new" | "await" | "yield"
            )
        }
    }
}

mod tests {
    use super::forbidden;
    use crate::made_up;

    const HOUSE: &[(&str, &str)] = &[
        ("main.js", "import { EngineClient } from './engine/client.js';\nimport './views/page.js';"),
        ("engine/client.js", "new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });"),
        (
            "elements.js",
            "import address from './engine/worker.js?worker&url';\nnew Worker(new URL(address, import.meta.url));",
        ),
        ("engine/worker.js", "import * as face from '../lib/index.js';\nimport { answer } from './answers.js';"),
        ("engine/answers.js", "import { stats } from '../lib/index.js';"),
        ("lib/index.js", "import { load } from './engine.js';\nexport * from './errors.js';"),
        (
            "lib/engine.js",
            "import init from './wasm/fewerbits.js';\nawait fetch(new URL('./wasm/x.wasm', import.meta.url));",
        ),
        ("lib/errors.js", "export const a = 1;"),
        ("lib/sources.js", "const { open } = await import('node:fs/promises');\nawait fetch(url);"),
        ("views/page.js", "import { html } from 'lit';\nimport { format } from '../text/format.js';"),
        ("text/format.js", "import { code } from '../lib/errors.js';"),
    ];

    /// The house with one file replaced or added.
    fn broken(path: &str, text: &str) -> Vec<String> {
        let files: Vec<_> = HOUSE.iter().copied().filter(|(name, _)| *name != path).chain([(path, text)]).collect();
        forbidden(&made_up(&files))
    }

    #[test]
    fn the_house_as_it_is_meant_passes() {
        assert_eq!(forbidden(&made_up(HOUSE)), Vec::<String>::new());
    }

    #[test]
    fn only_the_worker_reaches_the_wasm() {
        for text in [
            "import { stats } from '../lib/index.js';",
            "const face = await import('../lib/index.js');",
            "export { load } from \"../lib/engine.js\";",
            "import '../lib/wasm/fewerbits.js';",
        ] {
            assert_eq!(broken("text/numbers.js", text).len(), 1, "{text}");
        }
        // Through the engine's client into the window: named with the way.
        let found = broken("engine/client.js", "import { answer } from './answers.js';");
        assert!(found[0].contains("main.js → engine/client.js → engine/answers.js → lib/index.js"), "{found:?}");
    }

    #[test]
    fn the_face_stands_alone() {
        assert_eq!(broken("lib/errors.js", "import { state } from '../state.js';").len(), 1);
        assert_eq!(broken("lib/errors.js", "import { html } from 'lit';").len(), 1);
        assert_eq!(broken("lib/errors.js", "await import(name);").len(), 1);
        assert_eq!(broken("lib/errors.js", "import fs from 'node:fs';"), Vec::<String>::new());
    }

    #[test]
    fn views_know_no_engine() {
        assert_eq!(broken("views/page.js", "import { EngineClient } from '../engine/client.js';").len(), 1);
        assert_eq!(broken("figures/matrix.js", "\nimport('../engine/client.js');").len(), 1);
    }

    #[test]
    fn one_module_asks_the_network() {
        for text in [
            "await fetch(url)",
            "const get = window.fetch;",
            "new WebSocket('wss://x')",
            "navigator.sendBeacon('/x')",
            "new XMLHttpRequest()",
            "`${await fetch(url)}`",
            "const { a = fetch } = {};",
        ] {
            let found = broken("session.js", text);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(found[0].starts_with("www/session.js:1: uses "), "{found:?}");
        }
        for text in [
            "source.fetch(x)",
            "const a = { fetch: 1 }",
            "const text = 'fetch(x)'",
            "`fetch(x)`",
            "/fetch(x)/.test(y)",
            "prefetch()",
        ] {
            assert_eq!(broken("session.js", text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn comments_and_types_are_free() {
        let text = "/** @type {import('../lib/index.js').Weights} */\n// import '../lib/index.js'; fetch(x)\nexport const a = '// fetch(';";
        assert_eq!(broken("views/page.js", text), Vec::<String>::new());
        let text = "const a = b / c; // it's\nconst d = `a ${ { x: '}' }.x } b`;\nimport('../engine/client.js');";
        assert_eq!(broken("views/page.js", text).len(), 1);
        assert!(broken("views/page.js", text)[0].starts_with("www/views/page.js:3:"));
    }
}
