//! The double of BK-CI.
