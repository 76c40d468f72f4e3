//! Makes a stranger's text safe to stand in a message: it stays what it is, and does nothing.
//!
//! What comes from BK-CI or a person may hold Markdown, mentions, links or characters that turn the reading direction.
//! Every such text goes through [`plain`] or [`code`] before it becomes part of a sentence.

/// Stands for what was cut off.
const CUT: char = '…';

/// Stands for a text in which nothing is to be seen: Discord refuses a blank field, and `****` is no bold blank.
const NOTHING: &str = "—";

/// Follows characters that would begin a mention, a link or a time stamp. Invisible, and breaks the token for Discord.
const BREAK: char = '\u{200b}';

/// As running text of at most `max` characters of the original, on one line, every sign of Markdown escaped.
pub fn plain(text: &str, max: usize) -> String {
    let mut safe = String::with_capacity(text.len() + 8);
    for character in shortened(text, max) {
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
    if safe.trim().is_empty() { NOTHING.to_owned() } else { safe }
}

/// As inline code of at most `max` characters, which nothing in the text can end.
pub fn code(text: &str, max: usize) -> String {
    let inside: String = shortened(text, max).map(|character| if character == '`' { 'ˋ' } else { character }).collect();
    if inside.trim().is_empty() { "` `".to_owned() } else { format!("`{inside}`") }
}

/// On one line, without control characters and without those that turn the reading direction; cut at characters.
fn shortened(text: &str, max: usize) -> impl Iterator<Item = char> + '_ {
    let seen = text.chars().map(|character| if character.is_whitespace() { ' ' } else { character });
    let seen = seen.filter(|character| !character.is_control() && !is_invisible(*character));
    let long = seen.clone().nth(max).is_some();
    let kept = if long { max.saturating_sub(1) } else { max };
    seen.take(kept).chain(long.then_some(CUT))
}

/// Direction marks, joiners and blanks without width (Unicode, general category Cf), by which a text can pretend to be
/// another one.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hostile_texts_do_nothing() {
        for hostile in [
            "@everyone",
            "@here",
            "<@123456789012345678>",
            "<@&123456789012345678>",
            "<#123456789012345678>",
            "<t:0:R>",
            "<:x:1>",
            "https://evil.example.com",
            "[click](https://evil.example.com)",
            "**bold** __under__ ~~gone~~ ||spoiler||",
            "# heading",
            "> quote",
            "- list",
            "1. list",
            "```rm -rf```",
            "a\n# b",
            "\u{202e}gnp.exe",
        ] {
            let safe = plain(hostile, 100);
            for token in
                ["@everyone", "@here", "<@", "<#", "<t", "<:", "://", "](", "**", "||", "```", "\n", "\u{202e}"]
            {
                assert!(!unescaped(&safe, token), "{hostile:?} became {safe:?}, in which {token:?} is active");
            }
        }
        assert_eq!(code("a`b``c", 100), "`aˋbˋˋc`");
        for blank in ["", "  ", "\u{200b}", "\n"] {
            assert_eq!(plain(blank, 5), NOTHING);
        }
        assert_eq!(code("", 5), "` `");
        assert_eq!(plain("流水线构建失败", 4), "流水线…");
    }

    /// Whether `token` stands there with its first character not escaped.
    fn unescaped(text: &str, token: &str) -> bool {
        text.match_indices(token).any(|(at, _)| !text[..at].ends_with('\\'))
    }

    proptest! {
        #[test]
        fn any_text_is_bounded_and_on_one_line(text in "\\PC{0,60}|[@<>`*_\\\\\\[\\]()#|~:/\n\r\u{202e}a]{0,60}", max in 1usize..40) {
            let safe = plain(&text, max);
            prop_assert!(safe.chars().count() <= 2 * max);
            prop_assert!(!safe.contains(['\n', '\r']));
            prop_assert!(!unescaped(&safe, "<") && !safe.contains("@everyone") && !unescaped(&safe, "`"));
            let code = code(&text, max);
            prop_assert!(code.chars().count() <= max + 2 + 1);
            prop_assert_eq!(code.matches('`').count(), 2);
        }
    }
}
