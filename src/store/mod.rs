//! The rows that connect the parts, on SQLite (one process) or PostgreSQL (several).
//!
//! One SQL text serves both databases; only a claim differs, by the suffix `FOR UPDATE SKIP LOCKED`. Rows that are
//! worked on carry a lease and a count of attempts: whoever claims a row raises the count, and writes back only while
//! the count is still theirs. Safety rests on that fence, never on a clock.

pub mod deliveries;
pub mod follows;
pub mod guilds;
pub mod hooks;
pub mod looks;
pub mod mappings;
pub mod notices;
pub mod offers;
pub mod operations;
pub mod receipts;
pub mod watches;

use std::str::FromStr;
use std::time::Duration;

use anyhow::Context as _;
use prometheus_client::metrics::counter::Counter;
use secrecy::{ExposeSecret, SecretString};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, PgConnection, PgPool, Postgres, SqlSafeStr, Sqlite, SqlitePool, Transaction};

use crate::model::Timestamp;

/// How long a writer waits for another one.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long anybody waits for a connection before the store counts as unreachable.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections for reading (SQLite), connections in all (PostgreSQL).
const CONNECTIONS: u32 = 4;

/// The store. Clones share the connections.
#[derive(Clone, Debug)]
pub struct Store {
    pool: Pool,
    written: Counter,
}

#[derive(Clone, Debug)]
enum Pool {
    /// SQLite has one writer, so ours is a pool of one: waiting happens here and not in the file's lock.
    Sqlite {
        write: SqlitePool,
        read: SqlitePool,
    },
    Postgres(PgPool),
}

/// A transaction. Counted when it is committed and has changed rows: asking for work that is not there costs nothing.
pub(crate) struct Tx {
    on: On,
    changed: bool,
    written: Counter,
}

/// A transaction on either database.
pub(crate) enum On {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// Runs a statement in a transaction and says how many rows it changed.
macro_rules! execute {
    ($tx:expr, $sql:expr $(, $bind:expr)* $(,)?) => {{
        let tx: &mut $crate::store::Tx = $tx;
        let done = match &mut tx.on {
            $crate::store::On::Sqlite(on) => {
                sqlx::query($sql)$(.bind($bind))*.execute(&mut **on).await.map(|done| done.rows_affected())
            }
            $crate::store::On::Postgres(on) => {
                sqlx::query($sql)$(.bind($bind))*.execute(&mut **on).await.map(|done| done.rows_affected())
            }
        };
        tx.saw($sql, done.as_ref().is_ok_and(|rows| *rows > 0));
        done
    }};
}

/// Fetches at most one row as a tuple, in a transaction.
macro_rules! fetch {
    ($tx:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {{
        let tx: &mut $crate::store::Tx = $tx;
        let row = match &mut tx.on {
            $crate::store::On::Sqlite(on) => {
                sqlx::query_as::<_, $row>($sql)$(.bind($bind))*.fetch_optional(&mut **on).await
            }
            $crate::store::On::Postgres(on) => {
                sqlx::query_as::<_, $row>($sql)$(.bind($bind))*.fetch_optional(&mut **on).await
            }
        };
        tx.saw($sql, matches!(row, Ok(Some(_))));
        row
    }};
}

/// Reads rows as tuples, outside a transaction.
macro_rules! read {
    ($store:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        match &$store.pool {
            $crate::store::Pool::Sqlite { read, .. } => {
                sqlx::query_as::<_, $row>($sql)$(.bind($bind))*.fetch_all(read).await
            }
            $crate::store::Pool::Postgres(pool) => {
                sqlx::query_as::<_, $row>($sql)$(.bind($bind))*.fetch_all(pool).await
            }
        }
    };
}

/// Claims a row: `$sql` is a macro that takes the suffix which makes concurrent claimants pass each other by.
macro_rules! claim {
    ($tx:expr, $row:ty, $sql:ident $(, $bind:expr)* $(,)?) => {{
        let tx: &mut $crate::store::Tx = $tx;
        let row = match &mut tx.on {
            $crate::store::On::Sqlite(on) => {
                sqlx::query_as::<_, $row>($sql!(""))$(.bind($bind))*.fetch_optional(&mut **on).await
            }
            $crate::store::On::Postgres(on) => {
                sqlx::query_as::<_, $row>($sql!("FOR UPDATE SKIP LOCKED"))$(.bind($bind))*.fetch_optional(&mut **on).await
            }
        };
        tx.saw($sql!(""), matches!(row, Ok(Some(_))));
        row
    }};
}

pub(crate) use {claim, execute, fetch, read};

impl Store {
    /// Opens the database at `url` (`sqlite://FILE` or `postgres://…`), and brings its tables up to date.
    ///
    /// # Errors
    /// The database cannot be reached or opened, or was written by a newer version of this program.
    pub async fn open(url: &SecretString) -> anyhow::Result<Self> {
        let url = url.expose_secret();
        if url.starts_with("sqlite:") { Self::open_sqlite(url).await } else { Self::open_postgres(url).await }
    }

    async fn open_sqlite(url: &str) -> anyhow::Result<Self> {
        let options = SqliteConnectOptions::from_str(url)
            .context("store.url is not an address of a SQLite file")?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // FULL keeps what was acknowledged across a power cut, for a quarter of a millisecond.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true);
        let pool = || SqlitePoolOptions::new().acquire_timeout(ACQUIRE_TIMEOUT);
        let write = pool().max_connections(1).connect_with(options.clone()).await;
        let write = write.context("opening the SQLite database named by store.url")?;
        migrations().run(&write).await.context("bringing the SQLite database up to date")?;
        let read = pool().max_connections(CONNECTIONS).connect_with(options.read_only(true)).await;
        let read = read.context("opening the SQLite database for reading")?;
        Ok(Self { pool: Pool::Sqlite { write, read }, written: Counter::default() })
    }

    async fn open_postgres(url: &str) -> anyhow::Result<Self> {
        let Ok(options) = PgConnectOptions::from_str(url) else {
            // The library's own message may quote the address, and with it the password.
            anyhow::bail!("store.url is not a PostgreSQL address");
        };
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(ACQUIRE_TIMEOUT);
        let pool = match pool.connect_with(options.clone()).await {
            // The pool has tried again and again, and does not say what was in the way.
            Err(sqlx::Error::PoolTimedOut) => Err(why_not(&options).await),
            pool => pool,
        };
        let pool = pool.context("connecting to the PostgreSQL database of store.url")?;
        migrations().run(&pool).await.context("bringing the PostgreSQL database up to date")?;
        Ok(Self { pool: Pool::Postgres(pool), written: Counter::default() })
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// It does not.
    pub async fn ping(&self) -> anyhow::Result<()> {
        read!(self, (i64,), "SELECT CAST(1 AS BIGINT)").context("asking the database for a sign of life")?;
        Ok(())
    }

    /// Closes every connection, after what is under way.
    pub async fn close(&self) {
        match &self.pool {
            Pool::Sqlite { write, read } => {
                read.close().await;
                write.close().await;
            }
            Pool::Postgres(pool) => pool.close().await,
        }
    }

    /// Takes back what a former process of this bot had claimed, so that a restart goes on at once. Only SQLite, which
    /// has one process; with PostgreSQL another process may be at work, and leases run out by themselves.
    ///
    /// # Errors
    /// The database failed.
    pub async fn take_over(&self) -> anyhow::Result<()> {
        if let Pool::Sqlite { .. } = self.pool {
            let mut tx = self.begin().await?;
            execute!(&mut tx, "UPDATE receipt SET lease_until_ms = 0 WHERE state = 'received'")?;
            execute!(&mut tx, "UPDATE operation SET lease_until_ms = 0")?;
            execute!(&mut tx, "UPDATE hook SET lease_until_ms = 0")?;
            execute!(&mut tx, "UPDATE delivery SET lease_until_ms = 0 WHERE state = 'waiting'")?;
            execute!(&mut tx, "UPDATE look SET lease_until_ms = 0")?;
            execute!(&mut tx, "UPDATE hook SET lease_until_ms = 0")?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Rows that somebody still has to work on: undecided receipts, operations without an end, texts that could not be
    /// said, callbacks to ask for. What a notice says later, to spare its edits, is not left. For tests and metrics.
    ///
    /// # Errors
    /// The database failed.
    pub async fn left_to_do(&self, now: Timestamp) -> anyhow::Result<i64> {
        let rows = read!(
            self,
            (i64,),
            "SELECT (SELECT COUNT(*) FROM receipt WHERE state = 'received')
                  + (SELECT COUNT(*) FROM operation WHERE state IN ('intended', 'sending'))
                  + (SELECT COUNT(*) FROM delivery WHERE state = 'waiting' AND (due_ms <= $1 OR why IS NOT NULL))
                  + (SELECT COUNT(*) FROM hook WHERE state IN ('wanted', 'unwanted'))",
            now.0
        )?;
        Ok(rows.first().map_or(0, |row| row.0))
    }

    /// Counts the transactions that have changed rows.
    pub fn written(&self) -> Counter {
        self.written.clone()
    }

    pub(crate) async fn begin(&self) -> anyhow::Result<Tx> {
        let on = match &self.pool {
            // IMMEDIATE takes the write lock at once, so that no transaction fails half-way for want of it.
            Pool::Sqlite { write, .. } => On::Sqlite(write.begin_with("BEGIN IMMEDIATE").await.context(BEGINNING)?),
            Pool::Postgres(pool) => On::Postgres(pool.begin().await.context(BEGINNING)?),
        };
        Ok(Tx { on, changed: false, written: self.written.clone() })
    }
}

const BEGINNING: &str = "beginning a transaction";

impl Tx {
    /// Notes whether a statement that met rows has changed them.
    fn saw(&mut self, sql: &str, rows: bool) {
        self.changed |= rows && !sql.trim_start().starts_with("SELECT");
    }

    pub(crate) async fn commit(self) -> anyhow::Result<()> {
        match self.on {
            On::Sqlite(tx) => tx.commit().await,
            On::Postgres(tx) => tx.commit().await,
        }
        .context("committing a transaction")?;
        if self.changed {
            self.written.inc();
        }
        Ok(())
    }
}

async fn why_not(options: &PgConnectOptions) -> sqlx::Error {
    let tried = tokio::time::timeout(ACQUIRE_TIMEOUT, PgConnection::connect_with(options)).await;
    tried.ok().and_then(Result::err).unwrap_or(sqlx::Error::PoolTimedOut)
}

fn migrations() -> Migrator {
    let scripts = [
        (1, "init", include_str!("migrations/0001_init.sql")),
        (2, "offers", include_str!("migrations/0002_offers.sql")),
        (3, "words", include_str!("migrations/0003_words.sql")),
        (4, "follows", include_str!("migrations/0004_follows.sql")),
    ];
    let migration = |(version, name, sql): (i64, &'static str, &'static str)| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(scripts.map(migration).into())
}
