//! The double of Discord.
