//! What can be held of the Dockerfile without building it: its files are there, and its calls are calls of the program.

use std::path::{Path, PathBuf};

use clap::Parser as _;
use reprise::cli::Arguments;
use reprise::config::Http;

/// Instructions: the word in capitals, and the rest.
fn instructions() -> Vec<(String, String)> {
    let text = include_str!("../../Dockerfile");
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let joined = lines.join("\n").replace("\\\n", " ");
    let words = joined.lines().filter_map(|line| line.split_once(' '));
    words.map(|(word, rest)| (word.to_owned(), rest.trim().to_owned())).collect()
}

/// What is copied out of this repository: source and destination.
fn copied() -> Vec<(String, String)> {
    let copies = instructions().into_iter().filter(|(word, rest)| word == "COPY" && !rest.starts_with("--from"));
    copies
        .flat_map(|(_, rest)| {
            let (sources, destination) = rest.rsplit_once(' ').expect("a destination");
            sources.split(' ').map(|source| (source.to_owned(), destination.to_owned())).collect::<Vec<_>>()
        })
        .collect()
}

/// The words of the array at the end of an instruction.
fn call(word: &str) -> Vec<String> {
    let (_, rest) = instructions().into_iter().rfind(|(name, _)| name == word).expect(word);
    serde_json::from_str(&rest[rest.find('[').expect(word)..]).expect(word)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_file_that_the_image_is_made_of_is_there_and_not_ignored() {
    let ignored: Vec<&str> = include_str!("../../.dockerignore").lines().collect();
    let copied = copied();
    for (source, _) in &copied {
        assert!(root().join(source).exists(), "{source}");
        let covers = |pattern: &&str| source.split('/').any(|part| part == pattern.trim_start_matches("**/"));
        assert!(!ignored.iter().any(covers), "{source}");
    }
    let sources: Vec<&str> = copied.iter().map(|(source, _)| source.as_str()).collect();
    // Whatever the build embeds or reads, and the manifest of every member.
    for needed in ["Cargo.toml", "Cargo.lock", "sandbox/Cargo.toml", "src", "config", "i18n", "i18n.toml"] {
        assert!(sources.contains(&needed), "{needed}");
    }
}

#[test]
fn the_image_runs_and_asks_the_program_with_the_same_layers_and_not_as_root() {
    let serve = [call("ENTRYPOINT"), call("CMD")].concat();
    let health = call("HEALTHCHECK");
    for (call, expected) in [(&serve, "serve"), (&health, "health")] {
        Arguments::try_parse_from(call).unwrap_or_else(|fault| panic!("{call:?}: {fault}"));
        assert_eq!((call[0].as_str(), call[1].as_str()), ("reprise", expected));
    }
    assert_eq!(serve[2..], health[2..], "health must look where serve listens");
    let user = instructions().into_iter().find(|(word, _)| word == "USER").map(|(_, user)| user);
    assert!(user.and_then(|user| user.parse::<u32>().ok()).is_some_and(|id| id > 0));
    assert!(instructions().iter().all(|(word, _)| word != "ENV"), "a variable would win over a file that is mounted");
}

#[test]
fn a_mounted_file_wins_over_the_images_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let mounted = folder.path().join("reprise.toml");
    let serve = call("CMD");
    let files = || {
        let named = serve.windows(2).filter(|pair| pair[0] == "--config").map(|pair| pair[1].as_str());
        named.map(|name| match name.rsplit_once('/').expect("a path") {
            (_, "reprise.toml") => mounted.clone(),
            (folder, file) => {
                let is_it = |(source, to): &(String, String)| source.ends_with(file) && to.starts_with(folder);
                root().join(copied().into_iter().find(is_it).expect(file).0)
            }
        })
    };
    let listen = || {
        let files: Vec<PathBuf> = files().collect();
        let nothing = std::iter::empty::<(String, String)>();
        Http::load(&files, nothing).map(|http| http.listen.to_string()).map_err(|faults| faults.to_string())
    };
    std::fs::write(&mounted, "").expect("a file");
    assert_eq!(listen().as_deref(), Ok("0.0.0.0:8080"));
    std::fs::write(&mounted, "[http]\nlisten = \"0.0.0.0:9000\"\n").expect("a file");
    assert_eq!(listen().as_deref(), Ok("0.0.0.0:9000"));
}
