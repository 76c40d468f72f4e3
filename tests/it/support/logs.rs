//! Everything that one story logged.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

#[derive(Clone, Default)]
pub struct Logs(Arc<Mutex<Vec<u8>>>);

impl Logs {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// Waits until something was logged.
    pub async fn wait_for(&self, part: &str) {
        let logged = async {
            while !self.text().contains(part) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(10), logged).await;
        assert!(in_time.is_ok(), "never logged: {part}\n{}", self.text());
    }

    /// Lines at ERROR of the bot itself, save those that contain one of `forgiven`.
    pub fn errors(&self, forgiven: &[&str]) -> Vec<String> {
        let text = self.text();
        let errors = text.lines().filter(|line| line.contains(" ERROR ") && line.contains("reprise"));
        errors.filter(|line| !forgiven.iter().any(|part| line.contains(part))).map(str::to_owned).collect()
    }
}

impl io::Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl tracing_subscriber::fmt::MakeWriter<'_> for Logs {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
