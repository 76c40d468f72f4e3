//! Discord user ↔ DevOps UID. One UID per Discord user; a UID may belong to several users, which is shown.

use std::collections::HashSet;

use anyhow::Context as _;

use super::{Store, Tx, execute, fetch, read};
use crate::model::Timestamp;
use crate::model::ids::{Uid, UserId};

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Discord user.
    pub user: UserId,
    /// As whom they act at BK-CI.
    pub uid: Uid,
    /// Who set it; absent when it came from a file on the server.
    pub set_by: Option<UserId>,
    /// When.
    pub set_at: Timestamp,
}

type Row = (i64, String, Option<i64>, i64);

fn mapping((user, uid, set_by, set_ms): Row) -> anyhow::Result<Mapping> {
    let uid = uid.parse().context("a mapping's UID in the store")?;
    Ok(Mapping { user: UserId::from_i64(user), uid, set_by: set_by.map(UserId::from_i64), set_at: Timestamp(set_ms) })
}

impl Store {
    /// The mapping of one person.
    ///
    /// # Errors
    /// The database failed.
    pub async fn mapping(&self, user: UserId) -> anyhow::Result<Option<Mapping>> {
        let sql = "SELECT user_id, uid, set_by, set_ms FROM mapping WHERE user_id = $1";
        let rows = read!(self, Row, sql, user.as_i64()).context("reading a mapping")?;
        rows.into_iter().next().map(mapping).transpose()
    }

    /// Other people who act as this UID.
    ///
    /// # Errors
    /// The database failed.
    pub async fn others_with(&self, uid: &Uid, user: UserId) -> anyhow::Result<Vec<UserId>> {
        let sql = "SELECT user_id FROM mapping WHERE uid = $1 AND user_id <> $2 ORDER BY user_id";
        let rows = read!(self, (i64,), sql, uid.as_str(), user.as_i64()).context("reading mappings by UID")?;
        Ok(rows.into_iter().map(|row| UserId::from_i64(row.0)).collect())
    }

    /// Everybody who acts as a UID.
    ///
    /// # Errors
    /// The database failed.
    pub async fn people_of(&self, uid: &Uid) -> anyhow::Result<HashSet<UserId>> {
        let rows = read!(self, (i64,), "SELECT user_id FROM mapping WHERE uid = $1", uid.as_str());
        let rows = rows.with_context(|| format!("looking for who acts as {uid}"))?;
        Ok(rows.into_iter().map(|(user,)| UserId::from_i64(user)).collect())
    }

    /// Every mapping, by UID.
    ///
    /// # Errors
    /// The database failed.
    pub async fn mappings(&self) -> anyhow::Result<Vec<Mapping>> {
        let rows = read!(self, Row, "SELECT user_id, uid, set_by, set_ms FROM mapping ORDER BY uid, user_id");
        rows.context("reading the mappings")?.into_iter().map(mapping).collect()
    }

    /// Adds or changes mappings, all or none.
    ///
    /// # Errors
    /// The database failed; nothing was changed.
    pub async fn import_mappings(&self, mappings: &[(UserId, Uid)], now: Timestamp) -> anyhow::Result<()> {
        let mut tx = self.begin().await?;
        for (user, uid) in mappings {
            set_mapping(&mut tx, *user, uid, None, now).await?;
        }
        tx.commit().await
    }
}

pub(crate) async fn set_mapping(
    tx: &mut Tx,
    user: UserId,
    uid: &Uid,
    by: Option<UserId>,
    now: Timestamp,
) -> anyhow::Result<()> {
    let sql = "INSERT INTO mapping (user_id, uid, set_by, set_ms) VALUES ($1, $2, $3, $4)
               ON CONFLICT (user_id) DO UPDATE SET uid = excluded.uid, set_by = excluded.set_by, set_ms = excluded.set_ms";
    execute!(tx, sql, user.as_i64(), uid.as_str(), by.map(UserId::as_i64), now.0).context("setting a mapping")?;
    Ok(())
}

pub(crate) async fn remove_mapping(tx: &mut Tx, user: UserId) -> anyhow::Result<()> {
    fetch!(tx, (i64,), "DELETE FROM mapping WHERE user_id = $1 RETURNING user_id", user.as_i64())
        .context("removing a mapping")?;
    Ok(())
}
