//! Where a story keeps its rows: each one in a database of its own.

use super::Ground;

/// Names a server on which databases may be made; a story on PostgreSQL is skipped aloud without it.
pub const POSTGRES: &str = "REPRISE_TEST_POSTGRES";

/// Set where a skip counts as a failure.
const SKIPS: &str = "REPRISE_TEST_SKIPS";

pub async fn database_url(ground: Ground) -> Option<String> {
    match ground {
        // A file in the world's own folder.
        Ground::Sqlite | Ground::V4 | Ground::V4Backend => Some(String::new()),
        Ground::Postgres => match std::env::var(POSTGRES) {
            Ok(server) => Some(postgres_schema(&server).await.expect("a schema on the PostgreSQL server")),
            Err(_) => {
                assert!(std::env::var_os(SKIPS).is_none(), "{POSTGRES} is not set, and skips are forbidden here");
                skip_aloud();
                None
            }
        },
    }
}

/// Past the capture of the test runner, once.
fn skip_aloud() {
    static TOLD: std::sync::Once = std::sync::Once::new();
    TOLD.call_once(|| {
        use std::io::Write as _;
        let _ =
            writeln!(std::io::stderr(), "SKIPPED: every story on PostgreSQL; set {POSTGRES}=postgres://… to run them");
    });
}

/// In memory where the system has that: hundreds of databases that sync to one disk would wait for each other.
pub fn folder() -> std::io::Result<tempfile::TempDir> {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())
}

pub async fn postgres_schema(server: &str) -> anyhow::Result<String> {
    use sqlx::Connection as _;
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let schema = format!("story_{}_{number}", std::process::id());
    let mut connection = sqlx::PgConnection::connect(server).await?;
    let sql = sqlx::AssertSqlSafe(format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}"));
    sqlx::raw_sql(sql).execute(&mut connection).await?;
    connection.close().await?;
    let separator = if server.contains('?') { '&' } else { '?' };
    Ok(format!("{server}{separator}options=-csearch_path%3D{schema}"))
}
