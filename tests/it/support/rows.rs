//! Rows, looked at and changed past the bot: what only another part of it would write.

use secrecy::ExposeSecret as _;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};

use super::World;

/// A connection of its own.
pub enum Rows {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl World {
    pub async fn rows(&self) -> anyhow::Result<Rows> {
        let settings = self.settings()?;
        let url = settings.store.url.expose_secret();
        Ok(if url.starts_with("sqlite:") {
            Rows::Sqlite(SqliteConnection::connect(url).await?)
        } else {
            Rows::Postgres(PgConnection::connect(url).await?)
        })
    }

    pub async fn write(&self, sql: &str) -> anyhow::Result<()> {
        let mut rows = self.rows().await?;
        rows.execute(sql).await?;
        rows.close().await
    }

    /// What a query for one number says.
    pub async fn number(&self, sql: &str) -> anyhow::Result<i64> {
        let sql = AssertSqlSafe(sql.to_owned());
        Ok(match self.rows().await? {
            Rows::Sqlite(mut rows) => sqlx::query_as::<_, (i64,)>(sql).fetch_one(&mut rows).await?.0,
            Rows::Postgres(mut rows) => sqlx::query_as::<_, (i64,)>(sql).fetch_one(&mut rows).await?.0,
        })
    }
}

impl Rows {
    pub async fn execute(&mut self, sql: &str) -> anyhow::Result<()> {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(rows) => sqlx::raw_sql(sql).execute(rows).await.map(|_| ())?,
            Self::Postgres(rows) => sqlx::raw_sql(sql).execute(rows).await.map(|_| ())?,
        }
        Ok(())
    }

    /// Lets nobody else write from now on, until this is closed: the bot's own statements wait.
    pub async fn hold(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Sqlite(_) => self.execute("BEGIN IMMEDIATE").await,
            Self::Postgres(_) => self.execute("BEGIN; LOCK TABLE look IN ACCESS EXCLUSIVE MODE").await,
        }
    }

    pub async fn close(self) -> anyhow::Result<()> {
        match self {
            Self::Sqlite(rows) => rows.close().await?,
            Self::Postgres(rows) => rows.close().await?,
        }
        Ok(())
    }
}
