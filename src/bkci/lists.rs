//! Lists, read as somebody: projects, pipelines, builds; and what a name or a number stands for.
//!
//! v4 searches by name and number. v3 cannot, so its pages are walked up to a bound, and hitting that bound is an answer
//! of its own: it is never taken for "there is none" (bkci-api 7.4, 10).

use super::address::Family;
use super::endpoint::Endpoint;
use super::error::{self, Answer};
use super::{Client, Error, wire};
use crate::model::ids::{PipelineId, ProjectId, Uid};
use crate::model::listed;

/// Entries of a page: as many as BK-CI gives at once (bkci-api 14).
pub(super) const PAGE: u32 = 100;

/// A walk reads no more pages than this.
pub const PAGES: u32 = 10;

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part<T> {
    /// What is on it.
    pub entries: Vec<T>,
    /// There is a further page.
    pub more: bool,
    /// How many pages there are, where BK-CI says so.
    pub pages: Option<u32>,
}

/// What walking the pages of a list came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Walked<T> {
    /// Everything was seen.
    All(Vec<T>),
    /// There is more than [`PAGES`] pages hold.
    BoundHit(Vec<T>),
}

/// Whose view of which pipeline's builds.
#[derive(Clone, Copy, Debug)]
pub struct BuildsOf<'a> {
    /// As whom to read.
    pub uid: &'a Uid,
    /// English name.
    pub project: &'a ProjectId,
    /// `p-…`
    pub pipeline: &'a PipelineId,
}

/// Whose view of which project's pipelines.
#[derive(Clone, Copy, Debug)]
pub struct PipelinesOf<'a> {
    /// As whom to read.
    pub uid: &'a Uid,
    /// English name.
    pub project: &'a ProjectId,
    /// A part of the name. v4 lists only those; v3 lists all, whatever is here.
    pub named: Option<&'a str>,
}

/// What a pipeline's name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PipelineFound {
    /// Exactly one pipeline.
    One(listed::Pipeline),
    /// More than one; people have to choose by id.
    Several(Vec<listed::Pipeline>),
    /// None. Those whose names contain it.
    None(Vec<listed::Pipeline>),
    /// The project has more pipelines than are looked through. Those seen whose names are or contain it.
    BoundHit(Vec<listed::Pipeline>),
}

/// What a build's number stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one at a time, and not kept")]
pub enum BuildFound {
    /// That build.
    One(listed::Build),
    /// There is none. The latest number, where it is known.
    None(Option<u32>),
    /// Not found within [`PAGES`] pages.
    BoundHit,
}

impl Client {
    /// A page of the projects that somebody sees, from 1 (bkci-api 10).
    ///
    /// # Errors
    /// As for every read: nothing was changed.
    pub async fn projects(&self, uid: &Uid, page: u32) -> Result<Part<listed::Project>, Error> {
        let paged = self.family() != Family::V3;
        let read = |answer: &Answer<'_>| wire::lists::projects(answer.accepted()?, paged).map_err(unusable(answer));
        self.ask(Endpoint::Projects { page }, Some(uid), read).await
    }

    /// A page of a project's pipelines, from 1 (bkci-api 10).
    ///
    /// # Errors
    /// As for every read: nothing was changed.
    pub async fn pipelines(&self, of: PipelinesOf<'_>, page: u32) -> Result<Part<listed::Pipeline>, Error> {
        let PipelinesOf { uid, project, named } = of;
        let read = |answer: &Answer<'_>| wire::lists::pipelines(answer.accepted()?).map_err(unusable(answer));
        self.ask(Endpoint::Pipelines { project, named, page }, Some(uid), read).await
    }

    /// A page of a pipeline's builds, from 1, the latest build first (bkci-api 7.4).
    ///
    /// # Errors
    /// As for every read: nothing was changed.
    pub async fn builds(&self, of: BuildsOf<'_>, page: u32) -> Result<Part<listed::Build>, Error> {
        self.history(of, Excerpt { page, ..Excerpt::default() }).await
    }

    /// A page of a pipeline's builds, from 1, the one that changed last first (bkci-api 7.4). A build that changes while
    /// pages are read moves to the first: others may then be seen twice, and only itself is passed over, until the next look.
    ///
    /// # Errors
    /// As for every read: nothing was changed.
    pub async fn builds_by_update(&self, of: BuildsOf<'_>, page: u32) -> Result<Part<listed::Build>, Error> {
        self.history(of, Excerpt { by_update: true, page, ..Excerpt::default() }).await
    }

    /// The latest build of a pipeline, if there is any.
    ///
    /// # Errors
    /// As for every read: nothing was changed.
    pub async fn latest_build(&self, of: BuildsOf<'_>) -> Result<Option<listed::Build>, Error> {
        let part = self.history(of, Excerpt { size: 1, ..Excerpt::default() }).await?;
        Ok(part.entries.into_iter().next())
    }

    /// Whether lists can be searched by name and number.
    pub fn searches(&self) -> bool {
        self.family() != Family::V3
    }

    /// The pipeline of exactly this name. Which of two is meant is never guessed, so the whole list is looked through.
    ///
    /// # Errors
    /// As for every read: nothing was changed.
    pub async fn pipeline_named(&self, of: PipelinesOf<'_>) -> Result<PipelineFound, Error> {
        let name = of.named.unwrap_or_default();
        let mut walk = Walk::default();
        loop {
            if let Some(walked) = walk.goes_on(self.pipelines(of, walk.page()).await?) {
                return Ok(named(walked, name));
            }
        }
    }

    /// The build of this number.
    ///
    /// # Errors
    /// As for every read: nothing was changed.
    pub async fn build_numbered(&self, of: BuildsOf<'_>, number: u32) -> Result<BuildFound, Error> {
        if self.searches() {
            let part = self.history(of, Excerpt { number: Some(number), size: 1, ..Excerpt::default() }).await?;
            let found = part.entries.into_iter().find(|build| build.number == number);
            return Ok(found.map_or(BuildFound::None(None), BuildFound::One));
        }
        let mut hunt = Hunt::new(number);
        loop {
            if let Some(found) = hunt.learns(&self.builds(of, hunt.page).await?) {
                return Ok(found);
            }
        }
    }

    async fn history(&self, of: BuildsOf<'_>, excerpt: Excerpt) -> Result<Part<listed::Build>, Error> {
        let BuildsOf { uid, project, pipeline } = of;
        let read = |answer: &Answer<'_>| wire::lists::builds(answer.accepted()?).map_err(unusable(answer));
        self.ask(Endpoint::Builds { project, pipeline, excerpt }, Some(uid), read).await
    }
}

/// Which part of a pipeline's builds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Excerpt {
    /// Only this one; v4 alone can do that.
    pub(super) number: Option<u32>,
    /// What changed last comes first, not the highest number.
    pub(super) by_update: bool,
    /// From 1.
    pub(super) page: u32,
    /// Entries of a page.
    pub(super) size: u32,
}

impl Default for Excerpt {
    fn default() -> Self {
        Self { number: None, by_update: false, page: 1, size: PAGE }
    }
}

pub(super) fn unusable(answer: &Answer<'_>) -> impl Fn(wire::Fault) -> Error {
    let endpoint = answer.endpoint;
    move |hint| error::unusable(endpoint, hint)
}

/// A list, read page after page, up to the bound.
#[derive(Debug)]
pub struct Walk<T> {
    seen: Vec<T>,
    pages: u32,
}

impl<T> Default for Walk<T> {
    fn default() -> Self {
        Self { seen: Vec::new(), pages: 0 }
    }
}

impl<T> Walk<T> {
    /// The page to read next.
    pub fn page(&self) -> u32 {
        self.pages + 1
    }

    /// What was seen so far.
    pub fn seen(&self) -> &[T] {
        &self.seen
    }

    /// Takes the page that was read; everything, once there is no further one to read.
    pub fn goes_on(&mut self, part: Part<T>) -> Option<Walked<T>> {
        self.seen.extend(part.entries);
        self.pages += 1;
        let seen = |walk: &mut Self| std::mem::take(&mut walk.seen);
        match part.more {
            false => Some(Walked::All(seen(self))),
            true if self.pages == PAGES => Some(Walked::BoundHit(seen(self))),
            true => None,
        }
    }
}

fn named(walked: Walked<listed::Pipeline>, name: &str) -> PipelineFound {
    let (all, seen_all) = match walked {
        Walked::All(all) => (all, true),
        Walked::BoundHit(all) => (all, false),
    };
    let like = name.to_lowercase();
    let (mut exact, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|pipeline| pipeline.name == name);
    // Names that somebody may not look at are not offered to them.
    let similar = others.into_iter().filter(|other| other.readable && other.name.to_lowercase().contains(&like));
    match (seen_all, exact.len()) {
        (false, _) => PipelineFound::BoundHit(exact.into_iter().chain(similar).collect()),
        (true, 0) => PipelineFound::None(similar.collect()),
        (true, 1) => PipelineFound::One(exact.remove(0)),
        (true, _) => PipelineFound::Several(exact),
    }
}

/// So many guesses rest on how the numbers are spread; should they mislead, the rest halves what is left.
const GUESSES: u32 = 4;

/// Looks for a number. Numbers fall from page to page, evenly or not: some may be missing. Each page that is read narrows
/// down where one is.
#[derive(Debug)]
struct Hunt {
    number: u32,
    /// The page to read next.
    page: u32,
    reads: u32,
    latest: Option<u32>,
    between: Between,
}

impl Hunt {
    fn new(number: u32) -> Self {
        let between = Between { from: 1, to: u32::MAX, above: u32::MAX, after: u32::MAX, below: 0 };
        Self { number, page: 1, reads: 0, latest: None, between }
    }

    /// Takes the page that was read.
    fn learns(&mut self, part: &Part<listed::Build>) -> Option<BuildFound> {
        if let Some(found) = part.entries.iter().find(|build| build.number == self.number) {
            return Some(BuildFound::One(found.clone()));
        }
        if self.reads == 0 {
            self.latest = part.entries.iter().map(|build| build.number).max();
            self.between.after = part.pages.map_or(u32::MAX, |pages| pages.saturating_add(1));
        }
        self.reads += 1;
        if self.between.narrow(self.page, part, self.number) {
            return Some(BuildFound::None(self.latest));
        }
        let guess = self.reads <= GUESSES;
        self.page = if guess { self.between.guess(self.number) } else { self.between.middle() };
        (self.reads == PAGES).then_some(BuildFound::BoundHit)
    }
}

/// The pages on which a number may still be.
#[derive(Debug)]
struct Between {
    from: u32,
    to: u32,
    /// The lowest number on the page before `from`.
    above: u32,
    /// A page with numbers that are too low, and the highest of them: in the beginning, what would follow the last page.
    after: u32,
    below: u32,
}

impl Between {
    /// Learns from a page without the number; `true` when it is nowhere.
    fn narrow(&mut self, page: u32, part: &Part<listed::Build>, number: u32) -> bool {
        let numbers = || part.entries.iter().map(|build| build.number);
        match (numbers().max(), numbers().min()) {
            (_, Some(lowest)) if lowest > number => {
                (self.from, self.above) = (page + 1, lowest);
                // No page can hold more. At least the next one: a build that began meanwhile has moved the others on.
                let farthest = (self.from + (lowest - number - 1) / PAGE).min(self.after - 1);
                self.to = self.to.min(farthest).max(self.from);
                !part.more
            }
            (Some(highest), _) if highest > number => true,
            (highest, _) => {
                (self.after, self.below) = (page, highest.unwrap_or(0));
                self.to = page - 1;
                self.to < self.from
            }
        }
    }

    /// Where it stands if the numbers are spread evenly.
    fn guess(&self, number: u32) -> u32 {
        let [from, above, after, below] = [self.from, self.above, self.after, self.below].map(u64::from);
        let ahead = (above - u64::from(number) - 1) * after.saturating_sub(from) / (above - below).max(1);
        u32::try_from(from + ahead).unwrap_or(u32::MAX).min(self.to)
    }

    fn middle(&self) -> u32 {
        self.from + (self.to - self.from) / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::status::BuildStatus;

    fn build(number: u32) -> listed::Build {
        listed::Build {
            id: format!("b-{number:032x}").parse().expect("a build"),
            number,
            status: BuildStatus::Failed,
            begun: None,
            ended: None,
            updated: None,
            read_at: None,
            branch: None,
            commit: None,
            message: None,
            start_user: None,
            from_webhook: false,
            execute_count: None,
            stages: Vec::new(),
            errors: Vec::new(),
        }
    }

    fn pipeline(number: u32, name: &str) -> listed::Pipeline {
        let id = format!("p-{number:032x}").parse().expect("a pipeline");
        listed::Pipeline { id, name: name.into(), readable: !name.contains("secret") }
    }

    /// A page as v3 gives it.
    fn page<T: Clone>(all: &[T], page: u32) -> Part<T> {
        let pages: Vec<_> = all.chunks(PAGE as usize).collect();
        let entries = pages.get(page as usize - 1).map(|entries| entries.to_vec()).unwrap_or_default();
        Part { entries, more: (page as usize) < pages.len(), pages: u32::try_from(pages.len()).ok() }
    }

    /// Looks for a number among builds with these numbers; answers what was found and which pages were read.
    fn look_for(number: u32, numbers: impl DoubleEndedIterator<Item = u32>) -> (BuildFound, Vec<u32>) {
        let all: Vec<_> = numbers.rev().map(build).collect();
        let (mut hunt, mut pages) = (Hunt::new(number), Vec::new());
        loop {
            pages.push(hunt.page);
            if let Some(found) = hunt.learns(&page(&all, hunt.page)) {
                return (found, pages);
            }
        }
    }

    #[test]
    fn a_number_is_found_where_it_should_stand() {
        for (number, latest, pages) in [
            (5000, 5000, &[1][..]),
            (4901, 5000, &[1]),
            (4900, 5000, &[1, 2]),
            (128, 5000, &[1, 49]),
            (1, 5000, &[1, 50]),
        ] {
            let (found, read) = look_for(number, 1..=latest);
            assert_eq!((found, read.as_slice()), (BuildFound::One(build(number)), pages), "{number} of {latest}");
        }
    }

    #[test]
    fn a_number_is_found_though_others_are_missing() {
        for step in [2_u32, 3, 7, 50] {
            let numbers = || (1..=10_000).filter(move |number| number % step == 0);
            for number in (step..=10_000).step_by(step as usize * 13) {
                let (found, read) = look_for(number, numbers());
                assert_eq!(found, BuildFound::One(build(number)), "{number}, every {step}th, read {read:?}");
            }
            assert_eq!(look_for(step * 3 + 1, numbers()).0, BuildFound::None(Some(10_000 / step * step)));
        }
        // Most of the old ones were cleaned away.
        let uneven = || (1..=6_000_u32).filter(|number| number % 40 == 0).chain(6_001..=10_000);
        for number in [40, 400, 3_000, 6_000, 6_001, 7_777] {
            let (found, read) = look_for(number, uneven());
            assert_eq!(found, BuildFound::One(build(number)), "{number}, read {read:?}");
        }
        // Old builds that were cleaned away.
        assert_eq!(look_for(5, 4_000..=5_000).0, BuildFound::None(Some(5_000)));
    }

    #[test]
    fn a_number_that_is_not_there_is_told_with_the_latest() {
        assert_eq!(look_for(5_001, 1..=5_000), (BuildFound::None(Some(5_000)), vec![1]));
        assert_eq!(look_for(1, std::iter::empty()), (BuildFound::None(None), vec![1]));
        assert_eq!(look_for(0, 1..=50).0, BuildFound::None(Some(50)));
    }

    #[test]
    fn looking_for_a_number_ends_at_the_bound_and_says_so() {
        // A list that never comes to an end, nor nearer.
        let part = Part { entries: vec![build(1_000_000)], more: true, pages: None };
        let mut hunt = Hunt::new(7);
        for _ in 1..PAGES {
            assert_eq!(hunt.learns(&part), None);
        }
        assert_eq!(hunt.learns(&part), Some(BuildFound::BoundHit));
    }

    #[test]
    fn a_build_that_begins_meanwhile_hides_none() {
        let all: Vec<_> = (1..=300).rev().map(build).collect();
        let moved: Vec<_> = (1..=301).rev().map(build).collect();
        let mut hunt = Hunt::new(101);
        assert_eq!(hunt.learns(&page(&all, 1)), None);
        assert_eq!((hunt.page, hunt.learns(&page(&moved, 2))), (2, None));
        assert_eq!((hunt.page, hunt.learns(&page(&moved, 3))), (3, Some(BuildFound::One(build(101)))));
    }

    fn walk(all: &[listed::Pipeline]) -> Walked<listed::Pipeline> {
        let mut walk = Walk::default();
        loop {
            if let Some(walked) = walk.goes_on(page(all, walk.page())) {
                return walked;
            }
        }
    }

    fn find(name: &str, all: &[listed::Pipeline]) -> PipelineFound {
        named(walk(all), name)
    }

    #[test]
    fn a_name_stands_for_a_pipeline_only_when_it_is_exact_and_no_other_has_it() {
        let mut all: Vec<_> = (0..250).map(|number| pipeline(number, &format!("p{number}"))).collect();
        all.extend([pipeline(500, "nightly"), pipeline(501, "nightly-secret"), pipeline(502, "Nightly full")]);
        assert_eq!(find("nightly", &all), PipelineFound::One(pipeline(500, "nightly")));
        assert_eq!(find("NIGHT", &all), PipelineFound::None(vec![all[250].clone(), all[252].clone()]));
        assert_eq!(find("nothing", &all), PipelineFound::None(Vec::new()));
        all.push(pipeline(503, "nightly"));
        let both = vec![pipeline(500, "nightly"), pipeline(503, "nightly")];
        assert_eq!(find("nightly", &all), PipelineFound::Several(both));
    }

    #[test]
    fn a_name_is_never_settled_on_before_all_were_seen() {
        let all: Vec<_> = (0..1001).map(|number| pipeline(number, &format!("p{number}"))).collect();
        let PipelineFound::BoundHit(similar) = find("p7", &all) else { panic!("the bound is hit") };
        assert_eq!(similar[0], pipeline(7, "p7"), "what was seen is told, the exact one first");
        assert!(similar.len() > 1);
        assert_eq!(find("p7", &all[..1000]), PipelineFound::One(pipeline(7, "p7")));
    }
}
