//! Offers: buttons that were posted. The row says what pressing one would do; the button itself says nothing.

use anyhow::Context as _;

use super::{Store, Tx, execute, read};
use crate::model::Timestamp;
use crate::model::ids::{InteractionId, OfferId, UserId};
use crate::model::status::BuildStatus;
use crate::reply::{Offer, Shown, What};

/// `offer.verb`: a retry that was shown.
const SHOWN: &str = "retry";

/// `offer.verb`: a retry that was shown to one person, on a notice.
const QUIET: &str = "quiet retry";

/// `offer.verb`: what can be done on a notice.
const NOTICE: &str = "notice";

/// `offer.verb`: looking for a watch.
const WATCH: &str = "watch";

type Row = (String, String, i64, String, String, Option<i64>, i64, Option<i64>);

impl Store {
    /// An offer, however old.
    ///
    /// # Errors
    /// The database failed.
    pub async fn offer(&self, id: &OfferId) -> anyhow::Result<Option<Offer>> {
        let sql = "SELECT verb, about, attempt, status, digest, asker, expires_ms, used_by FROM offer WHERE id = $1";
        let rows = read!(self, Row, sql, id.as_str()).with_context(|| format!("reading offer {id}"))?;
        let Some((verb, about, attempt, status, digest, asker, expires_ms, used_by)) = rows.into_iter().next() else {
            return Ok(None);
        };
        let attempt = u32::try_from(attempt).with_context(|| format!("the attempt of offer {id}"))?;
        let read = || serde_json::from_str(&about).with_context(|| format!("reading offer {id}"));
        let what = match verb.as_str() {
            SHOWN | QUIET => What::Shown(Shown {
                about: read()?,
                attempt,
                status: BuildStatus::from_wire(&status),
                digest,
                quiet: verb == QUIET,
            }),
            NOTICE => What::Notice { about: read()?, attempt },
            WATCH => What::Watch { watch: about },
            other => anyhow::bail!("offer {id} is for something this version does not know: {other}"),
        };
        Ok(Some(Offer {
            what,
            asker: asker.map(UserId::from_i64),
            expires: Timestamp(expires_ms),
            used_by: used_by.map(UserId::from_i64),
            id: id.clone(),
        }))
    }
}

/// Keeps an offer that is about to be posted. The same cause makes the same offer.
pub(crate) async fn post(tx: &mut Tx, cause: InteractionId, offer: &Offer) -> anyhow::Result<()> {
    let sql = "INSERT INTO offer (id, cause, verb, about, attempt, status, digest, asker, expires_ms)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING";
    let (verb, about, attempt) = match &offer.what {
        What::Shown(Shown { about, attempt, quiet, .. }) => {
            (if *quiet { QUIET } else { SHOWN }, serde_json::to_string(about)?, *attempt)
        }
        What::Notice { about, attempt } => (NOTICE, serde_json::to_string(about)?, *attempt),
        What::Watch { watch } => (WATCH, watch.clone(), 0),
    };
    let (status, digest) = match &offer.what {
        What::Shown(shown) => (shown.status.as_wire(), shown.digest.as_str()),
        What::Notice { .. } | What::Watch { .. } => ("", ""),
    };
    execute!(
        tx,
        sql,
        offer.id.as_str(),
        cause.as_i64(),
        verb,
        about,
        i64::from(attempt),
        status,
        digest,
        offer.asker.map(UserId::as_i64),
        offer.expires.0,
    )
    .with_context(|| format!("keeping offer {}", offer.id))?;
    Ok(())
}

/// Uses an offer up. `false`: somebody did before.
pub(crate) async fn take(tx: &mut Tx, id: &OfferId, by: UserId, now: Timestamp) -> anyhow::Result<bool> {
    let sql = "UPDATE offer SET used_by = $1, used_ms = $2 WHERE id = $3 AND used_by IS NULL";
    let taken = execute!(tx, sql, by.as_i64(), now.0, id.as_str()).with_context(|| format!("using offer {id}"))?;
    Ok(taken == 1)
}
