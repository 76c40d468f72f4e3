//! Reprise
