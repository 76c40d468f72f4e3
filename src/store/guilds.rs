//! Servers: the language that an interaction last told, for what is asked in words.

use anyhow::Context as _;

use super::{Store, execute, read};
use crate::model::Locale;
use crate::model::ids::GuildId;

impl Store {
    /// A server's language, if an interaction came from there.
    ///
    /// # Errors
    /// The database failed.
    pub async fn guild_locale(&self, guild: GuildId) -> anyhow::Result<Option<Locale>> {
        let sql = "SELECT locale FROM guild WHERE id = $1";
        let rows = read!(self, (String,), sql, guild.as_i64()).context("reading a server's language")?;
        Ok(rows.first().map(|row| Locale::from_discord(&row.0)))
    }

    /// Keeps a server's language; writes only when it is another one than before, or than what is taken without one.
    ///
    /// # Errors
    /// The database failed.
    pub async fn note_guild_locale(&self, guild: GuildId, locale: Locale) -> anyhow::Result<()> {
        if self.guild_locale(guild).await?.unwrap_or_default() == locale {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        let sql =
            "INSERT INTO guild (id, locale) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET locale = excluded.locale";
        execute!(&mut tx, sql, guild.as_i64(), locale.as_str()).context("keeping a server's language")?;
        tx.commit().await
    }
}
