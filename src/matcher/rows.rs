//! The table of decisions over one family: classes of far addresses by classes of services.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::answers::AnswerBuilder;
use super::limits::{Budget, BuildError};
use super::pages::Pages;
use super::painter::Painter;
use super::partition::{Partition, events, partition};
use super::parts::Parts;
use crate::net::AddressNumber;

/// The ranges of an address set in one family.
pub(super) trait Ranged: AddressNumber + Default + Hash {
    const FAMILY: crate::net::Family;

    fn ranges(set: &crate::net::AddressSet) -> &[(Self, Self)];
}

impl Ranged for u32 {
    const FAMILY: crate::net::Family = crate::net::Family::V4;

    fn ranges(set: &crate::net::AddressSet) -> &[(Self, Self)] {
        set.numbers_v4()
    }
}

impl Ranged for u128 {
    const FAMILY: crate::net::Family = crate::net::Family::V6;

    fn ranges(set: &crate::net::AddressSet) -> &[(Self, Self)] {
        set.numbers_v6()
    }
}

/// The table of one family, in pages that equal rows share.
#[derive(Debug)]
pub(super) struct Table<N> {
    /// Where ranges of far addresses start, ascending from 0.
    pub(super) starts: Vec<N>,
    /// The row of each range.
    pub(super) rows: Vec<u32>,
    /// The first of each range's own answers; empty if no range has any.
    pub(super) owns: Vec<u32>,
    /// Where ranges of services start, ascending from 0.
    pub(super) service_starts: Vec<u32>,
    /// The column of each range.
    pub(super) columns: Vec<u32>,
    pub(super) column_count: usize,
    /// The pages of each row, one row after the other.
    pub(super) page_numbers: Vec<u32>,
    /// The answers of each page, one page after the other.
    pub(super) cells: Vec<u32>,
}

impl<N: Ranged> Table<N> {
    /// Builds the table; with at least `shared_from` classes of addresses rows are shared by those that
    /// differ in the rules of their own only.
    ///
    /// Takes the sum over classes of addresses of the clauses that touch it, each times a 64th of the
    /// columns, and the columns once.
    pub(super) fn build(
        parts: &Parts<'_>,
        shared_from: usize,
        answers: &mut AnswerBuilder,
        budget: &mut Budget,
    ) -> Result<Self, BuildError> {
        let columns = columns(parts, budget)?;
        let (addresses, atoms) = addresses::<N>(parts, budget)?;
        let mut painter = Painter::new(parts, &columns, answers, budget)?;
        let mut pages = Pages::new();
        let mut sharing = Sharing::default();
        let shares = addresses.class_count() >= shared_from;
        let mut places = Vec::with_capacity(addresses.class_count());
        for class in 0..addresses.class_count() {
            let sets = addresses.sets_of(class);
            let inner = if shares { sharing.split(sets, &atoms, &painter, answers, budget)? } else { None };
            let place = if let Some(inner) = inner {
                let own = sharing.own(inner, &atoms, answers, budget)?;
                let row = if let Some(row) = sharing.row() {
                    row
                } else {
                    painter.paint(parts, &atoms, sets, Some(inner), answers, budget)?;
                    sharing.keep(pages.row(painter.row(), budget)?, budget)?
                };
                (row, own)
            } else {
                painter.paint(parts, &atoms, sets, None, answers, budget)?;
                (pages.row(painter.row(), budget)?, 0)
            };
            places.push(place);
        }
        let (mut starts, mut rows, mut owns) = (Vec::new(), Vec::new(), Vec::new());
        let mut last = None;
        for (start, class) in addresses.starts.iter().zip(&addresses.classes) {
            let place = places.get(index(*class)).copied().unwrap_or_default();
            if last != Some(place) {
                last = Some(place);
                starts.push(*start);
                rows.push(place.0);
                if shares {
                    owns.push(place.1);
                }
            }
        }
        Ok(Self {
            starts,
            rows,
            owns,
            column_count: columns.class_count(),
            service_starts: columns.starts,
            columns: columns.classes,
            page_numbers: pages.numbers,
            cells: pages.cells,
        })
    }
}

/// Rows that classes of addresses share although each has clauses of its own.
#[derive(Debug, Default)]
struct Sharing {
    /// Rows by what makes them, apart from which clauses the innermost set has: the number of the
    /// other sets together, then for each clause of the innermost set its services, and how many
    /// clauses of the other sets stand before it.
    rows: HashMap<Box<[u32]>, u32, RandomState>,
    /// The key of the class in question.
    key: Vec<u32>,
    /// Several sets together, by number.
    outer: HashMap<Box<[u32]>, u32, RandomState>,
    /// The parts of each, in order; nothing if not each of them decides alone, for then a column can
    /// wait for several clauses, and what comes of it is good for one class only.
    outer_parts: Vec<Option<Vec<u32>>>,
    /// The sets of the class in question without the innermost.
    others: Vec<u32>,
    /// The first answer of the clauses of a set, by set.
    owns: HashMap<u32, u32, RandomState>,
}

impl Sharing {
    /// Parts of an innermost set, at most; more would make keys larger than rows.
    const FEW_PARTS: usize = 8;

    /// The innermost set of a class, when the key of its row is found; `None` if its row cannot be
    /// shared.
    fn split(
        &mut self,
        sets: &[u32],
        atoms: &Atoms,
        painter: &Painter,
        answers: &AnswerBuilder,
        budget: &mut Budget,
    ) -> Result<Option<u32>, BuildError> {
        let Some(inner) = atoms.innermost(sets) else { return Ok(None) };
        let own = atoms.parts_of(inner);
        if own.len() > Self::FEW_PARTS || Some(inner) == atoms.everywhere {
            return Ok(None);
        }
        self.others.clear();
        self.others.extend(sets.iter().filter(|set| **set != inner));
        budget.spend(sets.len())?;
        let outer = self.outer(atoms, painter, answers, budget)?;
        let Some(Some(before)) = self.outer_parts.get(index(outer)) else { return Ok(None) };
        self.key.clear();
        self.key.push(outer);
        for (number, (clause, services)) in own.iter().zip(atoms.details_of(inner)) {
            if !painter.decides(*clause, answers) {
                return Ok(None);
            }
            let place = before.partition_point(|outer| outer < number);
            self.key.extend([*services, u32::try_from(place).unwrap_or(u32::MAX)]);
        }
        Ok(Some(inner))
    }

    /// The number of the sets without the innermost.
    fn outer(
        &mut self,
        atoms: &Atoms,
        painter: &Painter,
        answers: &AnswerBuilder,
        budget: &mut Budget,
    ) -> Result<u32, BuildError> {
        if let Some(outer) = self.outer.get(self.others.as_slice()) {
            return Ok(*outer);
        }
        let mut details = self.others.iter().flat_map(|set| atoms.details_of(*set));
        let parts = details.all(|(clause, _)| painter.decides(*clause, answers));
        let parts = parts.then(|| atoms.parts_of_all(&self.others));
        let length = parts.as_ref().map_or(0, Vec::len);
        budget.spend(length)?;
        budget.keep((self.others.len() + length) * size_of::<u32>())?;
        let outer = u32::try_from(self.outer_parts.len()).unwrap_or(u32::MAX);
        self.outer_parts.push(parts);
        self.outer.insert(self.others.as_slice().into(), outer);
        Ok(outer)
    }

    /// The row of the key that was found last, if it is known.
    fn row(&self) -> Option<u32> {
        self.rows.get(self.key.as_slice()).copied()
    }

    /// Keeps the row of the key that was found last.
    fn keep(&mut self, row: u32, budget: &mut Budget) -> Result<u32, BuildError> {
        budget.keep(size_of_val(self.key.as_slice()))?;
        self.rows.insert(self.key.as_slice().into(), row);
        Ok(row)
    }

    /// The first of the answers that the clauses of a set have one after the other.
    fn own(
        &mut self,
        set: u32,
        atoms: &Atoms,
        answers: &mut AnswerBuilder,
        budget: &mut Budget,
    ) -> Result<u32, BuildError> {
        if let Some(own) = self.owns.get(&set) {
            return Ok(*own);
        }
        let own = answers.own(atoms.details_of(set).iter().map(|(clause, _)| *clause), budget)?;
        self.owns.insert(set, own);
        Ok(own)
    }
}

/// Cuts the services into columns.
fn columns(parts: &Parts<'_>, budget: &mut Budget) -> Result<Partition<u32>, BuildError> {
    let ranges = parts.services.iter().zip(0..).flat_map(|(set, number)| {
        set.iter().flat_map(move |&(first, last)| {
            // Nothing lies past the last service, but cutting there does no harm.
            events(number, first, last.checked_add(1))
        })
    });
    partition(ranges.collect(), budget)
}

/// Distinct sets of far addresses, with the parts that have each.
pub(super) struct Atoms {
    parts: Vec<u32>,
    /// Clause and services of each of these parts.
    details: Vec<(u32, u32)>,
    ends: Vec<usize>,
    /// The set of all addresses of the family, if it is among them.
    everywhere: Option<u32>,
    /// By how much the last address of a set is greater than the first, by set; nothing if it is more
    /// than one range.
    widths: Vec<Option<u128>>,
}

impl Atoms {
    /// By how much the last address of a set is greater than the first, if it is one range.
    fn width(&self, atom: u32) -> Option<u128> {
        self.widths.get(index(atom)).copied().flatten()
    }

    /// The smallest of the sets that are one range.
    fn innermost(&self, atoms: &[u32]) -> Option<u32> {
        let ranges = atoms.iter().filter_map(|atom| Some((self.width(*atom)?, std::cmp::Reverse(*atom))));
        ranges.min().map(|(_, atom)| atom.0)
    }

    /// The sets that are several ranges, then the others from the widest to the narrowest; the last is
    /// the innermost.
    pub(super) fn widest_first(&self, atoms: &[u32]) -> Vec<u32> {
        let mut sorted = atoms.to_vec();
        sorted.sort_unstable_by_key(|atom| (std::cmp::Reverse(self.width(*atom).unwrap_or(u128::MAX)), *atom));
        sorted
    }

    /// The parts of several sets, in order.
    pub(super) fn parts_of_all(&self, atoms: &[u32]) -> Vec<u32> {
        let mut parts: Vec<u32> = atoms.iter().flat_map(|atom| self.parts_of(*atom)).copied().collect();
        parts.sort_unstable();
        parts
    }

    fn parts_of(&self, atom: u32) -> &[u32] {
        self.parts.get(self.range(atom)).unwrap_or_default()
    }

    /// Clause and services of each part of a set.
    pub(super) fn details_of(&self, atom: u32) -> &[(u32, u32)] {
        self.details.get(self.range(atom)).unwrap_or_default()
    }

    fn range(&self, atom: u32) -> std::ops::Range<usize> {
        let end = self.ends.get(index(atom)).copied().unwrap_or_default();
        let start = atom.checked_sub(1).and_then(|before| self.ends.get(index(before))).copied().unwrap_or_default();
        start..end
    }
}

/// Cuts the addresses into classes. A set that several clauses share costs its ranges once.
fn addresses<N: Ranged>(parts: &Parts<'_>, budget: &mut Budget) -> Result<(Partition<N>, Atoms), BuildError> {
    let mut by_range: HashMap<(N, N), u32, RandomState> = HashMap::default();
    let mut by_place: HashMap<usize, u32, RandomState> = HashMap::default();
    let mut all = Vec::new();
    let mut atom_of = Vec::with_capacity(parts.parts.len());
    let mut count = 0_u32;
    let mut widths = Vec::new();
    for part in &parts.parts {
        let set = part.remote.set();
        let ranges = N::ranges(set);
        let known = match ranges {
            [(first, last)] => by_range.entry((*first, *last)).or_insert(u32::MAX),
            // The set lives as long as the parts do, so its place tells it from others.
            _ => by_place.entry(Arc::as_ptr(set).addr()).or_insert(u32::MAX),
        };
        if *known == u32::MAX {
            *known = count;
            budget.keep(ranges.len() * 2 * size_of::<(N, u32)>())?;
            all.extend(ranges.iter().flat_map(|&(first, last)| events(count, first, last.next())));
            count += 1;
            let width = |(first, last): &(N, N)| (*last).into() - (*first).into();
            widths.push(if let [range] = ranges { Some(width(range)) } else { None });
        }
        atom_of.push(*known);
    }
    // The parts of each atom, one atom after the other: count, add up, fill in.
    let mut ends = vec![0_usize; index(count)];
    for atom in &atom_of {
        if let Some(end) = ends.get_mut(index(*atom)) {
            *end += 1;
        }
    }
    let mut sum = 0;
    for end in &mut ends {
        let length = *end;
        *end = sum;
        sum += length;
    }
    let mut grouped = vec![0_u32; atom_of.len()];
    let mut details = vec![(0, 0); atom_of.len()];
    for ((atom, number), part) in atom_of.iter().zip(0..).zip(&parts.parts) {
        if let Some(end) = ends.get_mut(index(*atom))
            && let (Some(place), Some(detail)) = (grouped.get_mut(*end), details.get_mut(*end))
        {
            (*place, *detail) = (number, (part.clause, part.services));
            *end += 1;
        }
    }
    let everywhere = by_range.get(&(N::default(), N::LAST)).copied();
    Ok((partition(all, budget)?, Atoms { parts: grouped, details, ends, everywhere, widths }))
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
