"""The text of the Rust documentation that rustup installs: prose only, page by page, with a held-out part.

Taken are the books and the standard library's own pages under `$(rustc --print sysroot)/share/doc/rust/html`, each licensed
MIT OR Apache-2.0. Left out: the embedded book (its prose is CC BY-SA), the unstable book (mostly links), translations, older
editions of the book, code, tables, and `core` and `alloc`, which `std` shows again.

A paragraph is a `<p>` or `<li>` of at least 40 characters; what stands twice is kept once, where it comes first. Typographic quotes and
dashes become ASCII, white space becomes single spaces. Paragraphs end in a newline; a page is a string of them.

A page is held out when the SHA-256 of its path, as a number, is divisible by 16.
"""

import hashlib
import html.parser
import pathlib
import re
import subprocess

BOOKS = [
    "book",
    "reference",
    "nomicon",
    "rust-by-example",
    "edition-guide",
    "cargo",
    "rustc",
    "rustdoc",
    "clippy",
    "style-guide",
    "error_codes",
]
CRATES = ["std", "proc_macro", "test"]
SKIPPED = re.compile(
    r"/(2018-edition|second-edition|first-edition|es|ja|ko|zh|arch|simd|core_arch)/|/(print|toc|SUMMARY|all|help|settings)\.html$"
)
SHORTEST = 40
ASCII = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2014": "-", "\u2013": "-", "\u2026": "...", "\u00a0": " "})
HELD_OUT_ONE_IN = 16


class Prose(html.parser.HTMLParser):
    """Gathers paragraphs of a page: in `<main>` for a book, in `.docblock` for a crate's page."""

    BLOCKS = {"p", "li", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6", "div", "section", "blockquote", "dd", "dt", "details"}
    HIDDEN = {"pre", "nav", "script", "style", "button", "table", "summary", "svg", "sup"}
    VOID = {"br", "img", "hr", "input", "link", "meta", "wbr", "source", "path", "use"}

    def __init__(self, is_book):
        super().__init__(convert_charrefs=True)
        self.is_book = is_book
        self.stack = []
        self.found = []
        self.words = []

    def flush(self, keep):
        text = " ".join("".join(self.words).translate(ASCII).split())
        self.words = []
        if keep and len(text) >= SHORTEST:
            self.found.append(text)

    def in_prose(self):
        tags = [tag for tag, _ in self.stack]
        inside = "main" in tags if self.is_book else any("docblock" in c for _, c in self.stack)
        return inside and not any(tag in self.HIDDEN for tag in tags)

    def keeps(self):
        return any(tag in ("p", "li", "dd") for tag, _ in self.stack)

    def handle_starttag(self, tag, attrs):
        if tag in self.VOID:
            return
        if tag in self.BLOCKS:
            self.flush(self.keeps())
        self.stack.append((tag, dict(attrs).get("class") or ""))

    def handle_endtag(self, tag):
        if tag in self.BLOCKS:
            self.flush(self.keeps())
        names = [t for t, _ in self.stack]
        if tag in names:
            del self.stack[len(names) - 1 - names[::-1].index(tag) :]

    def handle_data(self, data):
        if self.in_prose() and data != "\u00a7":
            self.words.append(data)


def root():
    """Where rustup put the documentation."""
    sysroot = subprocess.run(["rustc", "--print", "sysroot"], capture_output=True, text=True, check=True).stdout.strip()
    return pathlib.Path(sysroot) / "share/doc/rust/html"


def held_out(path):
    return int(hashlib.sha256(path.encode()).hexdigest(), 16) % HELD_OUT_ONE_IN == 0


def pages():
    """[(path, text)], in the order of the books above and of their paths."""
    base, seen, result = root(), set(), []
    for part in BOOKS + CRATES:
        for file in sorted((base / part).rglob("*.html")):
            path = file.relative_to(base).as_posix()
            if SKIPPED.search("/" + path):
                continue
            parser = Prose(part in BOOKS)
            parser.feed(file.read_text(encoding="utf-8"))
            fresh = [p for p in parser.found if not (p in seen or seen.add(p))]
            if fresh:
                result.append((path, "".join(p + "\n" for p in fresh)))
    return result
