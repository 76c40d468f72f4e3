//! A database that an older version left, with data in it: what was waiting is carried on.

use reprise::model::ids::UserId;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{Connection as _, SqlSafeStr as _};

use crate::support::{World, stories};

stories![what_version_0_1_left_waiting_is_said_and_its_mappings_hold];

/// The tables as version 0.1 made them.
fn first_version() -> Migrator {
    let sql = include_str!("../../src/store/migrations/0001_init.sql");
    Migrator::with_migrations(vec![Migration::new(1, "init".into(), MigrationType::Simple, sql.into_sql_str(), false)])
}

/// A mapping, and an answer that was decided on and not said.
fn left_behind(world: &World) -> String {
    format!(
        "INSERT INTO mapping (user_id, uid, set_by, set_ms) VALUES ({dev}, 'dev.uid', NULL, 1);
         INSERT INTO receipt (interaction, state, token, token_expires_ms, request, private, locale, channel, message,
             received_ms, lease_until_ms, attempts)
         VALUES (77, 'decided', NULL, 1, '{{}}', FALSE, 'en', {channel}, NULL, 1, 0, 1);
         INSERT INTO delivery (id, cause, revision, reply, closing, state, why, due_ms, lease_until_ms, attempts)
         VALUES ('answer/77', 77, 1, '\"NothingDone\"', TRUE, 'waiting', NULL, 1, 0, 1);",
        dev = world.dev,
        channel = world.channel,
    )
}

async fn what_version_0_1_left_waiting_is_said_and_its_mappings_hold(world: &mut World) -> anyhow::Result<()> {
    let url = world.fresh_store().await?;
    let rows = sqlx::AssertSqlSafe(left_behind(world));
    if url.starts_with("sqlite:") {
        let options = url.parse::<sqlx::sqlite::SqliteConnectOptions>()?.create_if_missing(true);
        let mut connection = sqlx::SqliteConnection::connect_with(&options).await?;
        first_version().run(&mut connection).await?;
        sqlx::raw_sql(rows).execute(&mut connection).await?;
        connection.close().await?;
    } else {
        let mut connection = sqlx::PgConnection::connect(&url).await?;
        first_version().run(&mut connection).await?;
        sqlx::raw_sql(rows).execute(&mut connection).await?;
        connection.close().await?;
    }
    world.start().await?;
    let said = |world: &World| {
        let messages = world.discord.messages(world.channel, world.dev);
        messages.iter().any(|message| message.text().contains("Nothing was done")).then_some(())
    };
    world.pass_until("what was waiting", said).await;
    let store = world.store().await?;
    let mapping = store.mapping(UserId(world.dev)).await?.expect("a mapping");
    store.close().await;
    assert_eq!(mapping.uid.as_str(), "dev.uid");
    Ok(())
}
