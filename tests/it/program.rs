//! The program as an operator meets it: arguments, exit codes, what it prints.

use std::process::Output;

use crate::support::{World, stories};

stories![
    mappings_are_imported_and_exported,
    a_faulty_configuration_ends_with_2_and_names_every_fault,
    check_tries_everything_that_is_configured,
];

async fn run(world: &World, arguments: &[&str], more: &[(&str, &str)]) -> anyhow::Result<Output> {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_reprise"));
    command.args(arguments).env_clear().envs(world.environment()).envs(more.iter().copied());
    Ok(command.current_dir(world.folder()).output().await?)
}

fn text(bytes: &[u8]) -> String {
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

async fn check_tries_everything_that_is_configured(world: &mut World) -> anyhow::Result<()> {
    let registered = run(world, &["commands", "register"], &[]).await?;
    assert!(registered.status.success(), "{}", text(&registered.stderr));
    let checked = run(world, &["check"], &[]).await?;
    assert!(checked.status.success(), "{}{}", text(&checked.stdout), text(&checked.stderr));
    let wrong = run(world, &["check"], &[("REPRISE__BKCI__APP_SECRET", "wrong")]).await?;
    assert_eq!(wrong.status.code(), Some(1));
    assert!(text(&wrong.stdout).contains("FAILED  bkci.base_url"), "{}", text(&wrong.stdout));
    Ok(())
}
