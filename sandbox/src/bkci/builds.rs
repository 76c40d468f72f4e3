//! All builds of the world, found by id and by pipeline, with what is due next and when each row last changed.
//!
//! Ten thousand builds are looked at many times a second: nothing here goes through all of them. Whoever changes a
//! build goes through [`Builds::alter`], so that its place in both orders is right afterwards.

use std::collections::{BTreeSet, HashMap};

use super::build::Build;
use super::history::Written;

#[derive(Default)]
pub(super) struct Builds {
    all: Vec<Build>,
    by_id: HashMap<String, usize>,
    by_pipeline: HashMap<String, Shelf>,
    /// By time, then by position: the first is what happens next.
    due: BTreeSet<(i64, usize)>,
    due_of: Vec<Option<i64>>,
    /// Those whose next event must be found anew.
    touched: BTreeSet<usize>,
}

/// The builds of one pipeline.
#[derive(Default)]
struct Shelf {
    numbered: Vec<usize>,
    /// By the time of the row's last change.
    updated: BTreeSet<(i64, usize)>,
}

impl Builds {
    pub(super) fn push(&mut self, build: Build) {
        let index = self.all.len();
        self.by_id.insert(build.id.clone(), index);
        let shelf = self.by_pipeline.entry(build.pipeline.clone()).or_default();
        shelf.numbered.push(index);
        shelf.updated.insert((build.updated_ms, index));
        self.all.push(build);
        self.due_of.push(None);
        self.touched.insert(index);
    }

    pub(super) fn get(&self, index: usize) -> &Build {
        &self.all[index]
    }

    pub(super) fn position(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    pub(super) fn find(&self, id: &str) -> Option<&Build> {
        self.position(id).map(|index| self.get(index))
    }

    /// The builds of a pipeline, by number.
    pub(super) fn of(&self, pipeline: &str) -> impl DoubleEndedIterator<Item = &Build> + ExactSizeIterator {
        let numbered = self.by_pipeline.get(pipeline).map_or(&[][..], |shelf| &shelf.numbered);
        numbered.iter().map(|index| &self.all[*index])
    }

    /// The builds of a pipeline, the one whose row changed last first (bkci-api.md 7.4, `updateTimeDesc`).
    pub(super) fn latest_changed(&self, pipeline: &str) -> impl Iterator<Item = &Build> {
        let updated = self.by_pipeline.get(pipeline).into_iter().flat_map(|shelf| shelf.updated.iter().rev());
        updated.map(|(_, index)| &self.all[*index])
    }

    /// Changes a build at a time. When its row is another afterwards, it was updated then; never earlier than before.
    pub(super) fn alter<T>(&mut self, index: usize, at: i64, change: impl FnOnce(&mut Build) -> T) -> T {
        let build = &mut self.all[index];
        let (row, updated_ms) = (build.row(), build.updated_ms);
        let result = change(build);
        build.written = Written::default();
        if build.row() != row {
            build.updated_ms = updated_ms.max(at);
        }
        if build.updated_ms != updated_ms {
            let shelf = self.by_pipeline.entry(build.pipeline.clone()).or_default();
            shelf.updated.remove(&(updated_ms, index));
            shelf.updated.insert((build.updated_ms, index));
        }
        self.touched.insert(index);
        result
    }

    /// The next events of a pipeline's builds must be found anew.
    pub(super) fn touch(&mut self, pipeline: &str) {
        self.touched.extend(self.by_pipeline.get(pipeline).into_iter().flat_map(|shelf| &shelf.numbered));
    }

    pub(super) fn take_touched(&mut self) -> BTreeSet<usize> {
        std::mem::take(&mut self.touched)
    }

    /// Positions of a pipeline's builds.
    pub(super) fn positions(&self, pipeline: &str) -> &[usize] {
        self.by_pipeline.get(pipeline).map_or(&[], |shelf| &shelf.numbered)
    }

    pub(super) fn schedule(&mut self, index: usize, due: Option<i64>) {
        if let Some(old) = self.due_of[index] {
            self.due.remove(&(old, index));
        }
        self.due_of[index] = due;
        self.due.extend(due.map(|at| (at, index)));
    }

    /// What happens next, as far as everything touched was scheduled.
    pub(super) fn first_due(&self) -> Option<(i64, usize)> {
        self.due.first().copied()
    }
}
