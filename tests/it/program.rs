//! The program as an operator meets it: arguments, exit codes, what it prints.

use std::process::Output;

use crate::support::{World, stories};

stories![
    mappings_are_imported_and_exported,
    a_faulty_configuration_ends_with_2_and_names_every_fault,
    one_variable_that_is_no_text_is_a_fault_and_others_are_ignored,
    health_tells_whether_a_process_is_alive,
    what_was_asked_for_is_alone_on_standard_output,
];

/// Runs the program in this world's environment, changed or added to by `more`, until it ends.
pub async fn run(world: &World, arguments: &[&str], more: &[(&str, &str)]) -> anyhow::Result<Output> {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_reprise"));
    command.args(arguments).env_clear().envs(world.environment()).envs(more.iter().copied());
    Ok(command.current_dir(world.folder()).output().await?)
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

async fn mappings_are_imported_and_exported(world: &mut World) -> anyhow::Result<()> {
    let file = world.folder().join("mappings.csv");
    std::fs::write(&file, "discord_user_id,devops_uid\n17,zoe\n16,adam\n")?;
    let file = file.display().to_string();
    let imported = run(world, &["mapping", "import", &file], &[]).await?;
    assert!(imported.status.success(), "{}", text(&imported.stderr));
    let exported = run(world, &["mapping", "export"], &[]).await?;
    let expected = format!("discord_user_id,devops_uid\n16,adam\n{},dev.uid\n17,zoe\n", world.dev);
    assert_eq!(text(&exported.stdout), expected);
    std::fs::write(world.folder().join("bad.csv"), "discord_user_id,devops_uid\n18,ok\nx,y\n")?;
    let refused = run(world, &["mapping", "import", "bad.csv"], &[]).await?;
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("line 3"), "{}", text(&refused.stderr));
    assert_eq!(text(&run(world, &["mapping", "export"], &[]).await?.stdout), expected, "nothing was changed");
    Ok(())
}

async fn a_faulty_configuration_ends_with_2_and_names_every_fault(world: &mut World) -> anyhow::Result<()> {
    let more =
        [("REPRISE__BKCI__API", "v9"), ("REPRISE__HTTP__LISTEN", "nowhere"), ("REPRISE__DISCORD__TOKEN", "hunter 2")];
    let ended = run(world, &["serve"], &more).await?;
    assert_eq!(ended.status.code(), Some(2));
    let said = text(&ended.stderr);
    for key in ["bkci.api", "http.listen", "discord.token"] {
        assert!(said.contains(key), "{key}: {said}");
    }
    assert!(!said.contains("hunter"), "{said}");
    Ok(())
}

async fn one_variable_that_is_no_text_is_a_fault_and_others_are_ignored(world: &mut World) -> anyhow::Result<()> {
    use std::os::unix::ffi::OsStrExt as _;
    let export = |name: &'static str| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_reprise"));
        let no_text = std::ffi::OsStr::from_bytes(b"hunter2\xff");
        command.args(["mapping", "export"]).env_clear().envs(world.environment()).env(name, no_text);
        command.output()
    };
    let ignored = export("PS1").await?;
    assert_eq!(ignored.status.code(), Some(0), "{}", text(&ignored.stderr));
    let fault = export("REPRISE__DISCORD__TOKEN").await?;
    assert_eq!(fault.status.code(), Some(2));
    let said = text(&fault.stderr);
    assert!(said.contains("discord.token (environment variable REPRISE__DISCORD__TOKEN): is not UTF-8"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
    Ok(())
}

async fn health_tells_whether_a_process_is_alive(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    let address = world.address().strip_prefix("http://").expect("an address").to_owned();
    // In a container there are the same layers; none of the others may matter.
    std::fs::write(world.folder().join("listen.toml"), format!("[http]\nlisten = \"{address}\"\n"))?;
    let folder = world.folder().to_owned();
    let health = async |more: &[(&str, &str)], arguments: &[&str]| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_reprise"));
        command.arg("health").args(arguments).env_clear().envs(more.iter().copied());
        command.current_dir(&folder).output().await
    };
    let alive = health(&[("REPRISE__BKCI__API", "v9")], &["--config", "listen.toml"]).await?;
    assert_eq!((alive.status.code(), text(&alive.stdout)), (Some(0), format!("{address} is alive\n")));
    let alive = health(&[("REPRISE__HTTP__LISTEN", &address.replace("127.0.0.1", "0.0.0.0"))], &[]).await?;
    assert_eq!((alive.status.code(), text(&alive.stderr)), (Some(0), String::new()));
    world.stop().await?;
    let gone = health(&[], &["--config", "listen.toml"]).await?;
    assert_eq!(gone.status.code(), Some(1));
    let expected = format!("nothing answers at {address} (http.listen): Connection refused (os error 111)\n");
    assert_eq!((text(&gone.stderr), text(&gone.stdout)), (expected, String::new()));
    // Docker keeps 2 for itself: a health check ends with 0 or 1, whatever is wrong.
    let faulty = health(&[("REPRISE__HTTP__LISTEN", "here")], &[]).await?;
    assert_eq!(faulty.status.code(), Some(1));
    assert!(text(&faulty.stderr).contains("http.listen (environment variable"), "{}", text(&faulty.stderr));
    Ok(())
}

async fn what_was_asked_for_is_alone_on_standard_output(world: &mut World) -> anyhow::Result<()> {
    let more = [("REPRISE__LOG__LEVEL", "trace")];
    let shown = run(world, &["commands", "show"], &more).await?;
    let definitions: serde_json::Value = serde_json::from_slice(&shown.stdout)?;
    let names: Vec<_> = definitions.as_array().expect("a list").iter().map(|command| command["name"].clone()).collect();
    assert!(names.contains(&"retry".into()) && names.contains(&"mapping".into()), "{names:?}");
    let exported = run(world, &["mapping", "export"], &more).await?;
    assert_eq!(text(&exported.stdout), format!("discord_user_id,devops_uid\n{},dev.uid\n", world.dev));
    assert!(world.discord.requests().is_empty(), "neither speaks with Discord");
    Ok(())
}
