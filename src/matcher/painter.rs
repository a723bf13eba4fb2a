//! Finding the answer of every column for one class of addresses after the other.

use super::answers::{Answer, AnswerBuilder, Touched};
use super::limits::{Budget, BuildError};
use super::partition::Partition;
use super::parts::{Part, Parts};
use super::rows::Atoms;
use crate::policy::Touch;

/// Paints one row after the other.
pub(super) struct Painter {
    /// The columns of each set of services, as bits.
    columns: Vec<u64>,
    /// Words in a row of bits.
    words: usize,
    /// One past the last clause of each list.
    list_ends: Vec<u32>,
    /// The answer of columns that touch this clause only, certainly; by clause.
    alone: Vec<Option<Answer>>,
    /// The answer of columns that touch no clause.
    nothing: Answer,
    every: Vec<u64>,
    /// Columns that no clause of the list has closed yet, a row of bits a list.
    open: Vec<u64>,
    /// Columns in the certain extent of the clause whose possible extent comes next.
    certain: Vec<u64>,
    /// Columns that wait for all that touches them.
    waiting: Vec<u64>,
    /// What touches the columns that wait.
    touched: Vec<Vec<Touched>>,
    /// Rows of fewer and fewer sets of addresses, each painted over the one before.
    layers: Vec<Layer>,
    /// How many of them are in use.
    depth: usize,
    /// The answers of the row.
    row: Vec<u32>,
}

/// A row in which every clause decides alone, painted over another by the clauses of one more set.
#[derive(Default)]
struct Layer {
    /// The set; nothing for the first layer, where no clause matches.
    set: Option<u32>,
    answers: Vec<u32>,
    /// The clause that decides each column, or [`NO_CLAUSE`].
    deciding: Vec<u32>,
}

const NO_CLAUSE: u32 = u32::MAX;

/// Up to how many sets a row is painted in layers; blocks of addresses are nested less deeply.
const MANY_SETS: usize = 64;

/// How much of a clause's possible extent is certain, for the addresses of a row.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Certain {
    All,
    /// The columns that are noted.
    Noted,
    Nothing,
}

impl Painter {
    pub(super) fn new(
        parts: &Parts<'_>,
        columns: &Partition<u32>,
        answers: &mut AnswerBuilder,
        budget: &mut Budget,
    ) -> Result<Self, BuildError> {
        let count = columns.class_count();
        let words = count.div_ceil(64);
        let list_ends = answers.list_ends();
        let clauses = index(list_ends.last().copied().unwrap_or_default());
        budget.keep((parts.services.len() + list_ends.len()) * words * size_of::<u64>())?;
        budget.keep(clauses * size_of::<Option<Answer>>() + count * size_of::<Vec<Touched>>())?;
        let mut bits = vec![0_u64; parts.services.len() * words];
        let mut every = vec![0_u64; words];
        for column in 0..count {
            let bit = 1_u64 << (column % 64);
            if let Some(word) = every.get_mut(column / 64) {
                *word |= bit;
            }
            for set in columns.sets_of(column) {
                if let Some(word) = bits.get_mut(index(*set) * words + column / 64) {
                    *word |= bit;
                }
            }
        }
        let nothing = answers.answer(&[], budget)?;
        Ok(Self {
            columns: bits,
            words,
            alone: vec![None; clauses],
            nothing,
            open: vec![0; words * list_ends.len()],
            list_ends,
            every,
            certain: vec![0; words],
            waiting: vec![0; words],
            touched: vec![Vec::new(); count],
            layers: Vec::new(),
            depth: 0,
            row: vec![0; count],
        })
    }

    /// The answers of the row that was painted last.
    pub(super) fn row(&self) -> &[u32] {
        &self.row
    }

    /// Finds the answer of every column for addresses that lie in exactly these sets. Where a clause of
    /// the set `own` decides, which must be the innermost, the answer is its place in that set.
    pub(super) fn paint(
        &mut self,
        parts: &Parts<'_>,
        atoms: &Atoms,
        sets: &[u32],
        own: Option<u32>,
        answers: &mut AnswerBuilder,
        budget: &mut Budget,
    ) -> Result<(), BuildError> {
        let own_clauses = own.map_or(&[][..], |own| atoms.details_of(own));
        for ((clause, _), place) in own_clauses.iter().zip(0..) {
            self.set_alone(*clause, Some(Answer::own(place)));
        }
        let decides = |set: &u32| atoms.details_of(*set).iter().all(|(clause, _)| self.decides(*clause, answers));
        if sets.len() <= MANY_SETS && sets.iter().all(decides) {
            self.paint_layers(atoms, sets, own.is_some(), answers, budget)?;
        } else {
            self.paint_all(parts, &atoms.parts_of_all(sets), answers, budget)?;
        }
        // These answers are good for this row only.
        for (clause, _) in own_clauses {
            self.set_alone(*clause, None);
        }
        Ok(())
    }

    fn set_alone(&mut self, clause: u32, answer: Option<Answer>) {
        if let Some(alone) = self.alone.get_mut(index(clause)) {
            *alone = answer;
        }
    }

    /// Whether a clause decides alone, wherever no clause before it does: the policy has one list, and
    /// nothing about the clause is unknown or left to ask.
    pub(super) fn decides(&self, clause: u32, answers: &AnswerBuilder) -> bool {
        self.list_ends.len() == 1 && answers.is_certain(clause)
    }

    /// Paints a row of sets whose clauses all decide alone: from the widest set to the narrowest, each
    /// over the last. What it shares with the row before is there already, and neighbours in the
    /// order of addresses share most, for blocks of addresses are nested.
    fn paint_layers(
        &mut self,
        atoms: &Atoms,
        sets: &[u32],
        has_own: bool,
        answers: &mut AnswerBuilder,
        budget: &mut Budget,
    ) -> Result<(), BuildError> {
        if self.layers.is_empty() {
            let (row, deciding) = (vec![self.nothing.number(); self.row.len()], vec![NO_CLAUSE; self.row.len()]);
            self.layers.push(Layer { set: None, answers: row, deciding });
        }
        let sets = atoms.widest_first(sets);
        let known = self.layers.iter().take(self.depth + 1).skip(1).zip(&sets);
        let common = known.take_while(|(layer, set)| layer.set == Some(**set)).count();
        // The layer of a set with answers of its own is for one row only, and no other will do for it.
        let common = if has_own { common.min(sets.len().saturating_sub(1)) } else { common };
        self.depth = common;
        for set in sets.iter().skip(common) {
            budget.spend(self.row.len())?;
            let below = self.layers.get(self.depth).map(|layer| (layer.answers.clone(), layer.deciding.clone()));
            let (mut row, mut deciding) = below.unwrap_or_default();
            // Of several clauses of the set the first decides, so each column is looked at once.
            let mut open = self.every.clone();
            for (clause, services) in atoms.details_of(*set) {
                budget.spend(self.words)?;
                let answer = self.alone(*clause, answers, budget)?.number();
                let columns = bits_of(&self.columns, *services, self.words);
                for (word, (open, columns)) in open.iter_mut().zip(columns).enumerate() {
                    let hit = *open & columns;
                    *open &= !hit;
                    for column in bits(word, hit) {
                        if let (Some(before), Some(cell)) = (deciding.get_mut(column), row.get_mut(column))
                            && *clause < *before
                        {
                            (*before, *cell) = (*clause, answer);
                        }
                    }
                }
            }
            self.depth += 1;
            let size = 2 * size_of_val(row.as_slice());
            budget.release(size * self.layers.len().saturating_sub(self.depth));
            self.layers.truncate(self.depth);
            budget.keep(size)?;
            self.layers.push(Layer { set: Some(*set), answers: row, deciding });
        }
        if let Some(layer) = self.layers.get(self.depth) {
            self.row.copy_from_slice(&layer.answers);
        }
        if has_own {
            self.depth = self.depth.saturating_sub(1);
        }
        Ok(())
    }

    /// The answer of columns that only this clause touches, certainly.
    fn alone(&mut self, clause: u32, answers: &mut AnswerBuilder, budget: &mut Budget) -> Result<Answer, BuildError> {
        match self.alone.get_mut(index(clause)) {
            Some(Some(answer)) => Ok(*answer),
            alone => {
                let answer = answers.answer(&[Touched::new(clause, true)], budget)?;
                if let Some(alone) = alone {
                    *alone = Some(answer);
                }
                Ok(answer)
            }
        }
    }

    /// Applies the clauses in order to the columns that are left.
    fn paint_all(
        &mut self,
        parts: &Parts<'_>,
        touching: &[u32],
        answers: &mut AnswerBuilder,
        budget: &mut Budget,
    ) -> Result<(), BuildError> {
        budget.spend(self.row.len())?;
        for open in self.open.chunks_exact_mut(self.words.max(1)) {
            open.copy_from_slice(&self.every);
        }
        let several = self.list_ends.len() > 1;
        if several {
            // None of several lists decides alone.
            self.waiting.copy_from_slice(&self.every);
        } else {
            self.waiting.fill(0);
        }
        let mut noted = None;
        let mut list = 0;
        for part in touching {
            let Some(part) = parts.parts.get(index(*part)) else { continue };
            budget.spend(self.words)?;
            if part.certain_only {
                self.certain.copy_from_slice(bits_of(&self.columns, part.services, self.words));
                noted = Some(part.clause);
                continue;
            }
            let certain = match noted {
                _ if answers.is_exact(part.clause) => Certain::All,
                Some(clause) if clause == part.clause => Certain::Noted,
                _ => Certain::Nothing,
            };
            while self.list_ends.get(list).is_some_and(|end| *end <= part.clause) {
                list += 1;
            }
            let all_closed = self.apply(part, list, certain, answers, budget)?;
            if all_closed && !several {
                break;
            }
        }
        self.settle(answers, budget)
    }

    /// Applies one clause to the columns that its list has open; tells whether none is open any more.
    fn apply(
        &mut self,
        part: &Part<'_>,
        list: usize,
        certain: Certain,
        answers: &mut AnswerBuilder,
        budget: &mut Budget,
    ) -> Result<bool, BuildError> {
        let closes = answers.settled(Touched::new(part.clause, true)) == Some(Touch::Certain);
        let columns = bits_of(&self.columns, part.services, self.words);
        let open = self.open.get_mut(list * self.words..).unwrap_or_default();
        let rows = open.iter_mut().zip(columns).zip(self.certain.iter().zip(&mut self.waiting));
        let mut left = 0;
        for (word, ((open, columns), (noted, waiting))) in rows.enumerate() {
            let hit = *open & columns;
            let certain = match certain {
                Certain::All => hit,
                Certain::Noted => hit & noted,
                Certain::Nothing => 0,
            };
            let settled = if closes { certain } else { 0 };
            let direct = settled & !*waiting;
            let late = hit & !direct;
            *waiting |= late;
            *open &= !settled;
            left |= *open;
            if direct != 0
                && let Some(alone) = self.alone.get_mut(index(part.clause))
            {
                let answer = match alone {
                    Some(answer) => *answer,
                    None => *alone.insert(answers.answer(&[Touched::new(part.clause, true)], budget)?),
                };
                for column in bits(word, direct) {
                    if let Some(cell) = self.row.get_mut(column) {
                        *cell = answer.number();
                    }
                }
            }
            for column in bits(word, late) {
                if let Some(touched) = self.touched.get_mut(column) {
                    // To wait and to be answered with others takes several steps.
                    budget.spend(8)?;
                    budget.keep(size_of::<Touched>())?;
                    touched.push(Touched::new(part.clause, certain >> (column % 64) & 1 == 1));
                }
            }
        }
        Ok(left == 0)
    }

    /// Settles the columns that wait, and those that nothing touched.
    fn settle(&mut self, answers: &mut AnswerBuilder, budget: &mut Budget) -> Result<(), BuildError> {
        for (word, (waiting, open)) in self.waiting.iter().zip(&self.open).enumerate() {
            for column in bits(word, *waiting) {
                if let (Some(touched), Some(cell)) = (self.touched.get_mut(column), self.row.get_mut(column)) {
                    *cell = answers.answer(touched, budget)?.number();
                    budget.release(size_of_val(touched.as_slice()));
                    touched.clear();
                }
            }
            for column in bits(word, open & !waiting) {
                if let Some(cell) = self.row.get_mut(column) {
                    *cell = self.nothing.number();
                }
            }
        }
        Ok(())
    }
}

/// The columns of a set of services.
fn bits_of(columns: &[u64], services: u32, words: usize) -> &[u64] {
    let start = index(services) * words;
    columns.get(start..start + words).unwrap_or_default()
}

/// The numbers of the bits that are set in a word of a row.
fn bits(word: usize, mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = bits.checked_ilog2()?;
        bits &= !(1 << bit);
        Some(word * 64 + index(bit))
    })
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
