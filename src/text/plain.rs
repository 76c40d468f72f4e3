//! Makes a stranger's text safe to stand in a message: it stays what it is, and does nothing.
//!
//! What comes from BK-CI or a person may hold Markdown, mentions, links or characters that turn the reading direction.
//! Every such text goes through [`plain`] or [`code`] before it becomes part of a sentence. What is too long is cut
//! where a reader sees the end of a character: never within an accented letter, a flag or a family of emoji.

use unicode_segmentation::UnicodeSegmentation as _;

/// Stands for what was cut off.
const CUT: char = '…';

/// Stands for a text in which nothing is to be seen: Discord refuses a blank field, and `****` is no bold blank.
const NOTHING: &str = "—";

/// Follows characters that would begin a mention, a link or a time stamp. Invisible, and breaks the token for Discord.
const BREAK: char = '\u{200b}';

/// Joins emoji into one: a family, a profession, a flag.
const JOINER: char = '\u{200d}';

/// A line of a code block is cut to this.
const LINE_MAX: usize = 120;

/// What a reader sees as one character is rarely made of more than ten; a letter under a tower of marks is.
const PARTS_MAX: usize = 16;

/// As running text of at most `max` characters of the original, on one line, every sign of Markdown escaped.
pub fn plain(text: &str, max: usize) -> String {
    let mut safe = String::with_capacity(text.len().min(4 * max) + 8);
    for character in shortened(text, max).chars() {
        match character {
            '\\' | '*' | '_' | '~' | '`' | '|' | '>' | '#' | '-' | '+' | '[' | ']' | '(' | ')' | '<' | '.' | '='
            | '!' => {
                safe.push('\\');
                safe.push(character);
            }
            // `@everyone`, `:emoji:` and `https://` are no tokens any more.
            '@' | ':' => {
                safe.push(character);
                safe.push(BREAK);
            }
            other => safe.push(other),
        }
    }
    if is_blank(&safe) { NOTHING.to_owned() } else { safe }
}

/// As inline code of at most `max` characters, which nothing in the text can end.
pub fn code(text: &str, max: usize) -> String {
    let inside = shortened(text, max).replace('`', "ˋ");
    if is_blank(&inside) { "` `".to_owned() } else { format!("`{inside}`") }
}

/// A code block with one line, which nothing in it can end, and a caret under the place: `at`, in bytes. Of a long line
/// only the part around it.
pub fn pointed(text: &str, at: usize) -> String {
    const BEFORE: usize = 40;
    const AFTER: usize = 30;
    let seen = |text: &str| -> Vec<String> {
        let seen = text.graphemes(true).map(|grapheme| visible(grapheme).replace('`', "ˋ"));
        seen.filter(|grapheme| !grapheme.is_empty()).collect()
    };
    let (before, after) = text.split_at_checked(at).unwrap_or((text, ""));
    let (mut before, mut after) = (seen(before.trim_start()), seen(after.trim_end()));
    if before.len() > BEFORE {
        before.splice(..=before.len() - BEFORE, [CUT.to_string()]);
    }
    if after.len() > AFTER {
        after.splice(AFTER - 1.., [CUT.to_string()]);
    }
    // A blank as wide as what stands above it.
    let blanks: String = before.iter().map(|grapheme| if is_wide(grapheme) { '\u{3000}' } else { ' ' }).collect();
    format!("```\n{}{}\n{blanks}^\n```\n", before.concat(), after.concat())
}

/// A code block, which nothing in it can end, of the last of these lines: as many as fit into `max` UTF-16 units. Blank
/// lines are left out; nothing when there is nothing to be seen.
pub fn block(lines: &[String], max: usize) -> Option<String> {
    const FENCES: usize = "```\n```".len();
    let mut left = max.checked_sub(FENCES)?;
    let mut kept = Vec::new();
    for line in lines.iter().rev() {
        let mut line = shortened(line, LINE_MAX).replace('`', "ˋ");
        line.truncate(line.trim_end().len());
        if is_blank(&line) {
            continue;
        }
        if kept.is_empty() {
            line = cut(&line, left.saturating_sub(1));
        }
        let Some(rest) = left.checked_sub(length(&line) + 1) else { break };
        left = rest;
        kept.push(line);
    }
    kept.reverse();
    (kept.iter().any(|line| !line.is_empty())).then(|| format!("```\n{}\n```", kept.join("\n")))
}

/// In UTF-16 units, which Discord counts in places; never fewer than characters.
pub fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Whether it takes the place of two Latin letters: Chinese, Japanese, Korean, and emoji (Unicode, East_Asian_Width).
fn is_wide(grapheme: &str) -> bool {
    grapheme.starts_with(|first| {
        matches!(first, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}'
            | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff01}'..='\u{ff60}' | '\u{ffe0}'..='\u{ffe6}'
            | '\u{1f300}'..='\u{1faff}' | '\u{20000}'..='\u{3fffd}')
    })
}

/// For places that show a text as it is: at most `max` characters of it on one line, without those that nobody sees.
pub fn bare(text: &str, max: usize) -> String {
    let seen = shortened(text, max);
    if is_blank(&seen) { String::new() } else { seen.trim().to_owned() }
}

/// Cut to `max` UTF-16 units. Discord counts these in places and characters, which are fewer, in others.
pub fn cut(text: &str, max: usize) -> String {
    if length(text) <= max {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut left = max.saturating_sub(1);
    for grapheme in text.graphemes(true) {
        let Some(rest) = left.checked_sub(length(grapheme)) else { break };
        left = rest;
        kept.push_str(grapheme);
    }
    kept.extend((max > 0).then_some(CUT));
    kept
}

/// On one line, of at most `max` characters, without those that nobody sees.
fn shortened(text: &str, max: usize) -> String {
    let mut kept = String::new();
    let (mut length, mut fits) = (0, 0);
    for grapheme in text.graphemes(true) {
        let seen = visible(grapheme);
        length += seen.chars().count();
        kept.push_str(&seen);
        if length < max {
            fits = kept.len();
        }
        if length > max {
            kept.truncate(fits);
            kept.extend((max > 0).then_some(CUT));
            break;
        }
    }
    kept
}

/// What is to be seen of one character as a reader counts them. Joiners stay between what they join, nowhere else.
fn visible(grapheme: &str) -> String {
    let grapheme = if grapheme == "\r\n" { " " } else { grapheme };
    let seen = grapheme.chars().map(|character| if character.is_whitespace() { ' ' } else { character });
    let seen = seen.filter(|character| !character.is_control() && !is_invisible(*character)).take(PARTS_MAX);
    let seen: String = seen.collect();
    seen.trim_matches(JOINER).to_owned()
}

/// Characters without a picture of their own (Unicode, Default_Ignorable_Code_Point, and the direction and annotation
/// marks), by which a text can pretend to be another one or to be none. Variation selectors stay: they make emoji
/// coloured and choose among the forms of a Chinese character.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
        | '\u{200b}' | '\u{200c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e007f}')
}

fn is_blank(text: &str) -> bool {
    let selector = |character| matches!(character, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}');
    text.chars().all(|character| character.is_whitespace() || selector(character))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOSTILE: [&str; 28] = [
        "@everyone",
        "@here",
        "<@123456789012345678>",
        "<@!123456789012345678>",
        "<@&123456789012345678>",
        "<#123456789012345678>",
        "<t:0:R>",
        "<:x:1>",
        "<a:x:1>",
        "</retry:1>",
        "<id:customize>",
        "https://evil.example.com",
        "<https://evil.example.com>",
        "[click](https://evil.example.com)",
        "**bold** __under__ ~~gone~~ ||spoiler|| *i* _i_",
        "# heading",
        "-# small",
        "> quote",
        ">>> quote",
        "- list",
        "* list",
        "1. list",
        "```rm -rf```",
        "a\n# b",
        "a\u{2028}> b",
        r"\*\\_",
        "\u{202e}gnp.exe",
        "\u{2066}\u{200f}x\u{e0041}",
    ];

    /// What in a text that was made safe would still do something. Knows Discord's Markdown by its signs, and nothing of
    /// how the text was made safe.
    fn active(safe: &str) -> Option<String> {
        let mut characters = safe.chars().peekable();
        while let Some(character) = characters.next() {
            let next = characters.peek().copied();
            match character {
                // Discord takes a backslash before any sign as an escape, and shows one before anything else.
                '\\' => {
                    if next.is_none_or(|next| next.is_alphanumeric() || next.is_whitespace()) {
                        return Some("a loose backslash".into());
                    }
                    characters.next();
                }
                '*' | '_' | '~' | '`' | '|' | '>' | '#' | '-' | '+' | '[' | ']' | '(' | ')' | '<' => {
                    return Some(format!("{character} is not escaped"));
                }
                // Whoever looks for mentions, links or time stamps, also without heeding escapes, needs what follows.
                '@' | ':' if next != Some(BREAK) => return Some(format!("{character} begins a token")),
                '.' => return Some("a number with a point begins a list".into()),
                other if other.is_control() || matches!(other, '\u{2028}' | '\u{2029}') => {
                    return Some(format!("{other:?} breaks the line"));
                }
                '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                    return Some("the reading direction is turned".into());
                }
                _ => {}
            }
        }
        None
    }

    #[test]
    fn what_tells_active_texts_finds_them() {
        for hostile in HOSTILE.into_iter().filter(|hostile| !hostile.contains('\u{200f}')) {
            assert!(active(hostile).is_some(), "{hostile}");
        }
        assert_eq!(active("a\\*b@\u{200b}x"), None);
        assert!(active("\\").is_some() && active("\u{2066}x").is_some());
    }

    #[test]
    fn hostile_texts_do_nothing() {
        for hostile in HOSTILE {
            let safe = plain(hostile, 100);
            assert_eq!(active(&safe), None, "{hostile:?} became {safe:?}");
            for token in ["@everyone", "@here", "<@1", "<@!", "<@&", "<#1", "<t:0", "://", "](", "**", "||", "```"] {
                assert!(!safe.contains(token), "{hostile:?} became {safe:?}, in which {token:?} stands");
            }
        }
        assert_eq!(code("a`b``c", 100), "`aˋbˋˋc`");
        for blank in ["", "  ", "\u{200b}", "\n", "\u{fe0f}", "\u{3164}\u{2800}", "\u{200d}"] {
            assert_eq!(plain(blank, 5), NOTHING, "{blank:?}");
            assert_eq!(code(blank, 5), "` `", "{blank:?}");
        }
    }

    #[test]
    fn what_is_too_long_is_cut_between_what_readers_see_as_characters() {
        let family = "👨\u{200d}👩\u{200d}👧";
        assert_eq!(plain("流水线构建失败", 4), "流水线…");
        assert_eq!(plain(&format!("a{family}"), 6), format!("a{family}"), "as long as allowed");
        assert_eq!(plain(&format!("ab{family}"), 6), "ab…", "a family leaves as a whole");
        assert_eq!(plain("e\u{301}e\u{301}e\u{301}", 4), "e\u{301}…");
        assert_eq!(plain("🇨🇳🇯🇵", 3), "🇨🇳…");
        assert_eq!(plain(&format!("Z{}", "\u{301}".repeat(90)), 60).chars().count(), PARTS_MAX);
        assert_eq!(cut(&format!("a{family}"), 9), format!("a{family}"));
        assert_eq!(cut(&format!("a{family}b"), 9), "a…");
        assert_eq!((cut("ab", 2).as_str(), cut("abc", 2).as_str(), cut("abc", 0).as_str()), ("ab", "a…", ""));
        assert_eq!(cut("😀😀", 3), "😀…");
    }

    #[test]
    fn a_place_in_a_long_line_is_shown_with_what_is_around_it() {
        let long = format!("{}HERE{}", "a".repeat(100), "b".repeat(100));
        let lines = [format!("…{}HERE{}…", "a".repeat(39), "b".repeat(25)), format!("{}^", " ".repeat(40))];
        assert_eq!(pointed(&long, 100), format!("```\n{}\n{}\n```\n", lines[0], lines[1]));
        assert_eq!(pointed("` \u{202e}é流\nx", 10), "```\nˋ é流 x\n   　^\n```\n");
        assert_eq!(pointed("short", 99), "```\nshort\n     ^\n```\n", "a place that is not there");
    }

    #[test]
    fn a_block_keeps_the_end_of_a_log_and_nothing_in_it_ends_it() {
        let log = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        let lines = log(&["first", " \t", "```**b**\n# h", "\u{1b}  @everyone \u{202e}x  "]);
        assert_eq!(block(&lines, 100).as_deref(), Some("```\nfirst\nˋˋˋ**b** # h\n  @everyone x\n```"));
        assert_eq!(block(&log(&["first", "second", "third"]), 20).as_deref(), Some("```\nsecond\nthird\n```"));
        assert_eq!(block(&log(&["first", "second", "third"]), 19).as_deref(), Some("```\nthird\n```"));
        assert_eq!(block(&log(&["third"]), 11).as_deref(), Some("```\nth…\n```"));
        for (lines, max) in [(&["third"][..], 8), (&["third"], 0), (&["", "\u{200b}"], 100), (&[], 100)] {
            assert_eq!(block(&log(lines), max), None);
        }
        let long = block(&log(&["流".repeat(200).as_str()]), 1000).expect("a block");
        assert_eq!(long.chars().count(), LINE_MAX + 8, "{long}");
    }

    /// Everything that can go wrong, and anything else.
    const TEXTS: &str =
        "\\PC{0,60}|[@<>`*_\\\\\\[\\]()#|~:/!&+=.\\-0-9a-z \n\r\t\u{2028}\u{202e}\u{200d}\u{301}😀👩🇨🇳]{0,60}|.{0,60}";

    proptest! {
        #[test]
        fn any_text_does_nothing_and_is_bounded(text in TEXTS, max in 1usize..40) {
            let safe = plain(&text, max);
            prop_assert_eq!(active(&safe), None, "{:?}", &safe);
            prop_assert!(safe.chars().count() <= 2 * max);
            let code = code(&text, max);
            prop_assert!(code.chars().count() <= max.max(1) + 2);
            prop_assert_eq!(code.matches('`').count(), 2);
            prop_assert!(code.starts_with('`') && code.ends_with('`') && code.lines().count() == 1);
        }

        #[test]
        fn a_place_in_any_text_is_pointed_at(before in TEXTS, after in TEXTS) {
            let pointed = pointed(&format!("{before}{after}"), before.len());
            let lines: Vec<&str> = pointed.split('\n').collect();
            prop_assert_eq!((lines.len(), lines[0], lines[3], pointed.matches('`').count()), (5, "```", "```", 6));
            let blanks = lines[2].strip_suffix('^').expect("a caret");
            prop_assert!(blanks.chars().all(char::is_whitespace));
            prop_assert!(blanks.chars().count() <= 40 && lines[1].graphemes(true).count() <= 71, "{}", pointed);
        }

        #[test]
        fn a_block_of_any_lines_is_whole_and_bounded(lines in prop::collection::vec(TEXTS, 0..9), max in 0usize..300) {
            let Some(block) = block(&lines, max) else { return Ok(()) };
            prop_assert!(block.encode_utf16().count() <= max);
            prop_assert!(block.starts_with("```\n") && block.ends_with("\n```") && block.matches('`').count() == 6);
        }

        #[test]
        fn a_text_that_fits_stays_what_it_is(text in "[ -~流水线é😀]{0,60}") {
            let safe = plain(&text, 60);
            let mut characters = safe.chars().filter(|character| *character != BREAK);
            let mut shown = String::new();
            while let Some(character) = characters.next() {
                shown.extend(if character == '\\' { characters.next() } else { Some(character) });
            }
            prop_assert_eq!(shown, if text.trim().is_empty() { NOTHING } else { &text });
        }

        #[test]
        fn cutting_keeps_a_beginning_within_the_limit(text in "\\PC{0,30}|.{0,30}", max in 0usize..30) {
            let kept = cut(&text, max);
            prop_assert!(kept.encode_utf16().count() <= max);
            let beginning = kept.strip_suffix(CUT).unwrap_or(&kept);
            prop_assert!(text.starts_with(beginning));
            let ends: Vec<usize> = text.grapheme_indices(true).map(|(at, _)| at).chain([text.len()]).collect();
            prop_assert!(kept == text || ends.contains(&beginning.len()), "cut within a character: {kept:?}");
        }
    }
}
