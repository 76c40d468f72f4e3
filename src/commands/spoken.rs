//! What a command in words is answered. Everybody reads it, so nothing is said that is for one person; and whoever only
//! chats with the bot is not answered with the same line again and again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Answer, Decision, Next, Opened, settled};
use crate::model::Timestamp;
use crate::model::ids::UserId;
use crate::reply::{Mistake, Reply, Slip};

/// A person hears the same line at most once in this time.
const ONCE_IN: Duration = Duration::from_hours(1);

/// So many lines are remembered; when as many people were told one within the hour, nobody else is.
const REMEMBERED: usize = 10_000;

/// What is said once per person and hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Line {
    /// That the answer is for one person only.
    SeeWhoami,
    /// Which commands there are.
    Usage,
}

impl Opened {
    /// Makes of an answer what may be said to everybody.
    pub(super) fn in_public(self) -> Self {
        match self.answer {
            Answer::Public | Answer::InPlace { .. } => self,
            Answer::Private => settled(Answer::Public, Decision::Say(public(self.next))),
        }
    }

    /// The line that this comes to, if it is one.
    pub fn line(&self) -> Option<Line> {
        let Next::Settled(decision) = &self.next else { return None };
        match decision.as_ref() {
            Decision::Say(Reply::SeeWhoami) => Some(Line::SeeWhoami),
            Decision::Say(Reply::Mistaken {
                mistake: Mistake { slip: Slip::NoCommand | Slip::UnknownCommand, .. },
                ..
            }) => Some(Line::Usage),
            Decision::Say(_) | Decision::Propose(..) | Decision::Do(_) => None,
        }
    }
}

/// What only repeats what was typed in public stays. Nothing else does: even that somebody has no mapping is theirs to
/// tell.
fn public(next: Next) -> Reply {
    let Next::Settled(decision) = next else { return Reply::SeeWhoami };
    match *decision {
        Decision::Say(
            reply @ (Reply::Mistaken { .. } | Reply::Malformed { .. } | Reply::TaskAndSkip | Reply::SkipAndFailedJobs),
        ) => reply,
        Decision::Say(_) | Decision::Propose(..) | Decision::Do(_) => Reply::SeeWhoami,
    }
}

/// Who was told which line, and when. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Told(Arc<Mutex<HashMap<(UserId, Line), Timestamp>>>);

impl Told {
    /// Whether this person has not been told this line for an hour. They are now.
    pub fn is_news(&self, user: UserId, line: Line, now: Timestamp) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= REMEMBERED {
            told.retain(|_, at| now.since(*at) < ONCE_IN);
        }
        let known = told.get(&(user, line)).is_some_and(|at| now.since(*at) < ONCE_IN);
        if known || told.len() >= REMEMBERED {
            return false;
        }
        told.insert((user, line), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_once_per_person_and_hour_and_what_is_remembered_is_bounded() {
        let told = Told::default();
        let at = |minutes: u64| Timestamp(0).plus(Duration::from_mins(minutes));
        assert!(told.is_news(UserId(1), Line::Usage, at(0)));
        assert!(!told.is_news(UserId(1), Line::Usage, at(59)));
        assert!(told.is_news(UserId(1), Line::SeeWhoami, at(59)), "another line");
        assert!(told.is_news(UserId(2), Line::Usage, at(59)), "another person");
        assert!(told.is_news(UserId(1), Line::Usage, at(60)));
        for user in 0..20_000 {
            told.is_news(UserId(user), Line::Usage, at(61));
        }
        let remembered = || told.0.lock().expect("no panic before").len();
        assert!(remembered() <= REMEMBERED && !told.is_news(UserId(30_000), Line::Usage, at(61)));
        assert!(told.is_news(UserId(30_000), Line::Usage, at(200)) && remembered() < 10);
    }
}
