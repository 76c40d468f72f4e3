//! Holds the architecture that the head of `src/lib.rs` draws: who may know whom, where the outside libraries stay, and
//! which modules do no I/O and read no clock. The drawing is the table; this test reads it.
//!
//! Code of tests is left out: the module `tests` at the end of a file, and files named `tests.rs`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Libraries that only these files and folders may name.
const LIBRARIES: [(&str, &[&str]); 4] = [
    ("serenity", &["src/discord/"]),
    ("sqlx", &["src/store/"]),
    ("axum", &["src/http.rs", "src/callback.rs", "src/discord/endpoint.rs"]),
    ("reqwest", &["src/bkci/", "src/discord/client.rs"]),
];

/// Modules that only turn values into values.
const PURE: [&str; 5] = ["src/model/", "src/reply/", "src/policy.rs", "src/text/", "src/commands/words.rs"];

/// What those may not touch.
const IMPURE: [&str; 11] = [
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "std::time::UNIX_EPOCH",
    "tokio",
    "crate::clock",
];

/// The drawing's word for every module of ours.
const EVERYTHING: &str = "everything";

#[test]
fn every_arrow_between_modules_is_drawn() {
    let drawing = drawing();
    let files = source_files();
    let arrows = files.iter().flat_map(|file| arrows(file, &drawing));
    let undrawn: Vec<String> = arrows
        .filter(|arrow| !drawing.allows(&arrow.from, &arrow.to))
        .map(|arrow| format!("{}: {} → {}", arrow.place, arrow.from, arrow.to))
        .collect();
    assert!(undrawn.is_empty(), "the head of src/lib.rs does not draw:\n{}", undrawn.join("\n"));
}

#[test]
fn every_drawn_arrow_is_there() {
    let drawing = drawing();
    let files = source_files();
    let used: BTreeSet<(String, String)> =
        files.iter().flat_map(|file| arrows(file, &drawing)).map(|arrow| (arrow.from, arrow.to)).collect();
    let drawn = drawing.arrows.iter().filter(|(from, _)| from != EVERYTHING);
    let gone: Vec<String> = drawn.filter(|arrow| !used.contains(*arrow)).map(|(a, b)| format!("{a} → {b}")).collect();
    assert!(gone.is_empty(), "the head of src/lib.rs draws what no code does:\n{}", gone.join("\n"));
}

#[test]
fn outside_libraries_stay_where_they_belong() {
    for file in source_files() {
        for (library, places) in LIBRARIES {
            let at_home = places.iter().any(|place| file.name.starts_with(place));
            let named = file.paths.iter().find(|path| path.names[0] == library);
            if let Some(path) = named.filter(|_| !at_home) {
                panic!("{}:{}: {library} belongs into {places:?} only", file.name, path.line);
            }
        }
    }
}

#[test]
fn pure_modules_do_no_io_and_read_no_clock() {
    for file in source_files().into_iter().filter(|file| PURE.iter().any(|place| file.name.starts_with(place))) {
        for path in &file.paths {
            let name = path.names.join("::");
            let impure = IMPURE.iter().any(|bad| name == *bad || name.starts_with(&format!("{bad}::")));
            assert!(!impure, "{}:{}: {name} does not belong into a pure module", file.name, path.line);
        }
    }
}

/// A path in code, such as `crate::bkci::Error`; `super` and `self` are resolved.
#[derive(Debug, PartialEq)]
struct CodePath {
    names: Vec<String>,
    line: usize,
}

struct SourceFile {
    name: String,
    module: Vec<String>,
    paths: Vec<CodePath>,
}

struct Arrow {
    from: String,
    to: String,
    place: String,
}

fn source_files() -> Vec<SourceFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("src")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of ours") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    assert!(files.len() > 30, "the source is not where it is looked for");
    files.iter().map(|path| source_file(path, path.strip_prefix(root).expect("below the root").to_owned())).collect()
}

fn source_file(path: &Path, name: PathBuf) -> SourceFile {
    let text = std::fs::read_to_string(path).expect("readable source");
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let mut module: Vec<String> = name.iter().skip(1).map(|part| part.to_string_lossy().into_owned()).collect();
    let last = module.pop().unwrap_or_default();
    if !matches!(last.as_str(), "mod.rs" | "lib.rs") {
        module.push(last.trim_end_matches(".rs").to_owned());
    }
    let paths = paths(code, &module);
    SourceFile { name: name.display().to_string(), module, paths }
}

fn arrows<'a>(file: &'a SourceFile, drawing: &'a Drawing) -> impl Iterator<Item = Arrow> + 'a {
    // `lib.rs` knows nobody: it lists them.
    let own = drawing.node(&file.module);
    file.paths.iter().filter(|path| path.names[0] == "crate" && !file.module.is_empty()).filter_map(move |path| {
        let to = drawing.node(&path.names[1..]);
        let place = format!("{}:{}", file.name, path.line);
        (to != own).then(|| Arrow { from: own.clone(), to, place })
    })
}

// ---- the drawing ----

struct Drawing {
    arrows: Vec<(String, String)>,
    nodes: BTreeSet<String>,
}

impl Drawing {
    fn allows(&self, from: &str, to: &str) -> bool {
        self.arrows.iter().any(|(a, b)| (a == from || a == EVERYTHING) && b == to)
    }

    /// The part of the drawing that a path lies in: the longest beginning that is drawn, else its first name.
    fn node(&self, names: &[String]) -> String {
        let beginnings = (1..=names.len()).rev().map(|length| names[..length].join("::"));
        let drawn = beginnings.into_iter().find(|beginning| self.nodes.contains(beginning));
        drawn.or_else(|| names.first().cloned()).unwrap_or_default()
    }
}

/// Reads the block of the head that has arrows: `a, b → { c, d::{e, f} (a note) }`; lines without an arrow go on.
fn drawing() -> Drawing {
    let head = include_str!("../src/lib.rs");
    let block = head.split("```text").nth(1).and_then(|rest| rest.split("```").next()).expect("a drawing");
    let mut entries: Vec<String> = Vec::new();
    for line in block.lines().map(|line| line.trim_start_matches("//!").trim()) {
        match entries.last_mut() {
            Some(entry) if !line.contains('→') => entry.push_str(line),
            _ if line.contains('→') => entries.push(line.to_owned()),
            _ => {}
        }
    }
    let sides = entries.iter().map(|entry| entry.split_once('→').expect("an arrow"));
    let mut arrows = Vec::new();
    let mut nodes = BTreeSet::new();
    for (from, to) in sides.map(|(from, to)| (listed(from), listed(to))) {
        nodes.extend(from.iter().chain(&to).cloned());
        arrows.extend(from.iter().flat_map(|from| to.iter().map(move |to| (from.clone(), to.clone()))));
    }
    Drawing { arrows, nodes }
}

/// `{ a, b::{c, d} (note) }` → a, b::c, b::d.
fn listed(text: &str) -> Vec<String> {
    let without_notes: String =
        text.split('(').map(|part| part.split_once(')').map_or(part, |(_, after)| after)).collect();
    let tokens = tokens(&without_notes);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        read_tree(&tokens, &mut at, Vec::new(), &mut found);
        at += 1;
    }
    found.into_iter().map(|path| path.names.join("::")).collect()
}

// ---- code ----

#[derive(Debug, PartialEq)]
enum Token {
    Name(String),
    /// `::`
    Then,
    Open,
    Close,
    Comma,
    Other,
}

/// Every path: what stands before a `::`, and single names after `use`.
fn paths(code: &str, module: &[String]) -> Vec<CodePath> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let begins =
            matches!(tokens[at].0, Token::Name(_)) && tokens.get(at + 1).is_some_and(|next| next.0 == Token::Then);
        let used = at > 0 && tokens[at - 1].0 == Token::Name("use".to_owned());
        if begins || used {
            read_tree(&tokens, &mut at, Vec::new(), &mut found);
        }
        at += 1;
    }
    found.into_iter().map(|path| resolved(path, module)).collect()
}

/// Reads one use-tree, or one path, that begins at `at`, and leaves `at` on its last token.
fn read_tree(tokens: &[(Token, usize)], at: &mut usize, mut names: Vec<String>, found: &mut Vec<CodePath>) {
    let mut line = tokens[*at].1;
    while let Some((token, here)) = tokens.get(*at) {
        match token {
            Token::Name(name) => {
                line = *here;
                names.push(name.clone());
                match tokens.get(*at + 1) {
                    Some((Token::Then, _)) => *at += 2,
                    _ => break,
                }
            }
            Token::Open => return read_group(tokens, at, &names, found),
            // `*`, or `::<` in an expression.
            Token::Then | Token::Close | Token::Comma | Token::Other => break,
        }
    }
    if !names.is_empty() {
        found.push(CodePath { names, line });
    }
}

fn read_group(tokens: &[(Token, usize)], at: &mut usize, names: &[String], found: &mut Vec<CodePath>) {
    *at += 1;
    while let Some((token, _)) = tokens.get(*at) {
        match token {
            Token::Close => return,
            Token::Name(name) if name == "as" => *at += 1,
            Token::Name(_) | Token::Open => read_tree(tokens, at, names.to_vec(), found),
            Token::Other => found.push(CodePath { names: names.to_vec(), line: tokens[*at].1 }),
            Token::Then | Token::Comma => {}
        }
        *at += 1;
    }
}

fn resolved(mut path: CodePath, module: &[String]) -> CodePath {
    let up = path.names.iter().take_while(|name| *name == "super").count();
    if up > 0 {
        let above = &module[..module.len().saturating_sub(up)];
        let rest = path.names.split_off(up);
        path.names = ["crate".to_owned()].into_iter().chain(above.iter().cloned()).chain(rest).collect();
    } else if path.names[0] == "self" {
        path.names.splice(..1, ["crate".to_owned()].into_iter().chain(module.iter().cloned()));
    } else if path.names[0] == env!("CARGO_PKG_NAME") {
        path.names[0] = "crate".to_owned();
    }
    path
}

/// Each with its line. Comments and texts are left out.
fn tokens(code: &str) -> Vec<(Token, usize)> {
    let mut tokens = Vec::new();
    let (mut rest, mut line) = (code, 1);
    while let Some(first) = rest.chars().next() {
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        let (length, token) = if let Some(length) = skipped(rest) {
            (length, None)
        } else if is_name(first) {
            let length = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
            (length, Some(Token::Name(rest[..length].to_owned())))
        } else if rest.starts_with("::") {
            (2, Some(Token::Then))
        } else {
            let token = match first {
                '{' => Some(Token::Open),
                '}' => Some(Token::Close),
                ',' => Some(Token::Comma),
                c if c.is_whitespace() => None,
                _ => Some(Token::Other),
            };
            (first.len_utf8(), token)
        };
        tokens.extend(token.map(|token| (token, line)));
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    tokens
}

/// The length of a comment or of a literal of text, if one begins here.
fn skipped(rest: &str) -> Option<usize> {
    let end = |from: usize, mark: &str| rest[from..].find(mark).map_or(rest.len(), |at| from + at + mark.len());
    if rest.starts_with("//") {
        return Some(end(2, "\n"));
    }
    if rest.starts_with("/*") {
        return Some(end(2, "*/"));
    }
    let raw = rest.strip_prefix('b').unwrap_or(rest).strip_prefix('r');
    let hashes = raw.map_or(0, |raw| raw.len() - raw.trim_start_matches('#').len());
    if raw.is_some_and(|raw| raw[hashes..].starts_with('"')) {
        let opening = rest.find('"').unwrap_or_default() + 1;
        return Some(end(opening, &format!("\"{}", "#".repeat(hashes))));
    }
    let quoted = rest.strip_prefix("b").unwrap_or(rest);
    let prefix = rest.len() - quoted.len();
    if let Some(text) = quoted.strip_prefix('"') {
        return Some(prefix + 1 + unescaped(text, '"'));
    }
    // A character, not a lifetime.
    let text = quoted.strip_prefix('\'')?;
    let mut characters = text.chars();
    let is_character = match characters.next() {
        Some('\\') => true,
        Some(_) => characters.next() == Some('\''),
        None => false,
    };
    is_character.then(|| prefix + 1 + unescaped(text, '\''))
}

/// Up to and with the first mark that no backslash precedes.
fn unescaped(text: &str, mark: char) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        if !escaped && character == mark {
            return at + 1;
        }
        escaped = !escaped && character == '\\';
    }
    text.len()
}

#[test]
fn the_reader_of_code_finds_paths_and_leaves_text_alone() {
    let code = r###"
        //! crate::comment
        use std::{fs, time::{Duration as D, Instant}};
        use serenity;
        use super::wire::{self, Body};
        use crate::bkci::*; // crate::late
        fn f<'a>(x: &'a str) -> crate::store::Store<'a> { "crate::text \" crate::more"; '"'; '\''; b"crate::b"; x }
        const R: &str = r#"crate::raw " crate::rawer"#;
        macro_rules! m { () => { $crate::store::Pool::new::<crate::app::App>() } }
    "###;
    let module = ["bkci".to_owned(), "error".to_owned()];
    let found: Vec<(String, usize)> =
        paths(code, &module).into_iter().map(|path| (path.names.join("::"), path.line)).collect();
    let expected = [
        ("std::fs", 3),
        ("std::time::Duration", 3),
        ("std::time::Instant", 3),
        ("serenity", 4),
        ("crate::bkci::wire::self", 5),
        ("crate::bkci::wire::Body", 5),
        ("crate::bkci", 6),
        ("crate::store::Store", 7),
        ("crate::store::Pool::new", 9),
        ("crate::app::App", 9),
    ];
    assert_eq!(found, expected.map(|(name, line)| (name.to_owned(), line)));
    assert_eq!(listed("{ a, b::{c, d} (a note), e (x) }"), ["a", "b::c", "b::d", "e"]);
    assert_eq!(listed("a, b"), ["a", "b"]);
}
