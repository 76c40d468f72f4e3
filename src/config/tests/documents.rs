//! What is written about the configuration is so: the default file, the example, the README.

use config::ValueKind;

use super::*;

/// The names of the keys in `default.toml`, each with the comment over it.
fn documented() -> BTreeMap<String, String> {
    let (mut section, mut comment, mut keys) = (String::new(), String::new(), BTreeMap::new());
    let mut over_a_key = false;
    for line in layers::DEFAULTS.lines() {
        let pair = line.trim_start_matches("# ").split_once(" = ");
        let key = pair.filter(|(key, _)| key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            (section, comment) = (name.to_owned(), String::new());
        } else if let Some((key, _)) = key {
            keys.insert(format!("{section}.{key}"), comment.clone());
            over_a_key = true;
        } else if let Some(text) = line.strip_prefix("# ") {
            if std::mem::take(&mut over_a_key) {
                comment.clear();
            }
            comment.extend([text, " "]);
        }
    }
    keys
}

#[test]
fn the_default_file_documents_every_key_and_no_other() {
    let (layers, faults) = Layers::collect(&[], std::iter::empty());
    let mut reader = Reader::new(&layers, faults);
    let _ = read(&mut reader);
    let documented = documented();
    assert_eq!(documented.keys().collect::<Vec<_>>(), reader.known().iter().collect::<Vec<_>>());
    for (key, comment) in documented {
        assert!(comment.len() > 20, "{key} is not explained: {comment:?}");
        let secret = key.trim_end_matches("_file");
        let says = comment.contains("No effect in this version.");
        assert_eq!(says, WITHOUT_EFFECT.contains(&secret), "{key}: {comment}");
    }
}

#[test]
fn the_example_wants_nothing_but_its_blanks_filled() {
    let (_folder, path) = file(include_str!("../../../config/example.toml"));
    let faults = Settings::load(std::slice::from_ref(&path), nothing()).expect_err("blanks");
    let keys: Vec<&str> = faults.iter().map(|fault| fault.key.as_str()).collect();
    assert_eq!(keys, ["discord.token", "bkci.base_url", "bkci.app_code", "bkci.app_secret"]);
    load(&[path], &[]).expect("valid once they are filled");
}

#[test]
fn the_readme_names_keys_that_exist_with_their_defaults() {
    let (layers, _) = Layers::collect(&[], std::iter::empty());
    let table = include_str!("../../../README.md").split("| key | default |").nth(1).expect("a table");
    let rows: Vec<&str> = table.lines().skip(2).take_while(|line| line.starts_with('|')).collect();
    let words = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    assert!(rows.len() > 10);
    for row in rows {
        let cells: Vec<&str> = row.split('|').collect();
        let (keys, told) = (words(cells[1]), words(cells[2]));
        for (index, key) in keys.iter().enumerate() {
            let default = layers.winner(key).map(|entry| match &entry.raw {
                layers::Raw::Toml(ValueKind::Array(items)) => format!("{items:?}"),
                layers::Raw::Toml(kind) => kind.to_string(),
                layers::Raw::Variable(_) | layers::Raw::NotUtf8 => String::new(),
            });
            assert!(documented().contains_key(key), "{key}");
            // One default for all keys of the row, or one for each; no default is said in words.
            let told = told.get(index).or(told.first()).cloned();
            assert_eq!(default.filter(|default| !default.is_empty()), told, "{key}");
        }
    }
}
