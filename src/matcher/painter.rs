//! Finding the answer of every column for one class of addresses after the other.

use super::answers::{Answer, AnswerBuilder, Touched};
use super::limits::{Budget, BuildError};
use super::partition::Partition;
use super::parts::{Part, Parts};
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
    /// The clause that decides each column where only the clauses of all addresses match, or
    /// [`NO_CLAUSE`]; nothing if that alone does not tell.
    ground: Option<Vec<u32>>,
    /// The parts of all addresses, in order.
    ground_parts: Vec<u32>,
    /// The answers of the row.
    row: Vec<u32>,
}

const NO_CLAUSE: u32 = u32::MAX;
/// Up to how many parts are painted over the ground one by one.
const FEW_PARTS: usize = 8;

/// How much of a clause's possible extent is certain, for the addresses of a row.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Certain {
    All,
    /// The columns that are noted.
    Noted,
    Nothing,
}

impl Painter {
    /// A painter for a policy, some parts of which hold `everywhere`.
    pub(super) fn new(
        parts: &Parts<'_>,
        columns: &Partition<u32>,
        everywhere: &[u32],
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
        let mut painter = Self {
            columns: bits,
            words,
            alone: vec![None; clauses],
            nothing: answers.answer(&[], budget)?,
            open: vec![0; words * list_ends.len()],
            list_ends,
            every,
            certain: vec![0; words],
            waiting: vec![0; words],
            touched: vec![Vec::new(); count],
            ground: None,
            ground_parts: Vec::new(),
            row: vec![0; count],
        };
        painter.paint_ground(parts, everywhere, answers, budget)?;
        Ok(painter)
    }

    /// The answers of the row that was painted last.
    pub(super) fn row(&self) -> &[u32] {
        &self.row
    }

    /// Finds the answer of every column for addresses that exactly these parts have, given in order.
    /// Where one of `own` decides, the answer is its place among them.
    pub(super) fn paint(
        &mut self,
        parts: &Parts<'_>,
        touching: &[u32],
        own: &[u32],
        answers: &mut AnswerBuilder,
        budget: &mut Budget,
    ) -> Result<(), BuildError> {
        let clauses = own.iter().filter_map(|part| parts.parts.get(index(*part))).map(|part| index(part.clause));
        for (clause, place) in clauses.clone().zip(0..) {
            if let Some(alone) = self.alone.get_mut(clause) {
                *alone = Some(Answer::own(place));
            }
        }
        if !self.paint_over(parts, touching, answers, budget)? {
            self.paint_all(parts, touching, answers, budget)?;
        }
        for clause in clauses {
            if let Some(alone) = self.alone.get_mut(clause) {
                *alone = None;
            }
        }
        Ok(())
    }

    /// Whether a clause decides alone, wherever no clause before it does: the policy has one list, and
    /// nothing about the clause is unknown or left to ask.
    pub(super) fn decides(&self, clause: u32, answers: &AnswerBuilder) -> bool {
        self.list_ends.len() == 1 && answers.is_certain(clause)
    }

    /// Paints what holds for all addresses, which most rows are little different from.
    fn paint_ground(
        &mut self,
        parts: &Parts<'_>,
        everywhere: &[u32],
        answers: &AnswerBuilder,
        budget: &mut Budget,
    ) -> Result<(), BuildError> {
        let mut ground = vec![NO_CLAUSE; self.row.len()];
        for part in everywhere {
            let Some(part) = parts.parts.get(index(*part)) else { continue };
            if !self.decides(part.clause, answers) {
                return Ok(());
            }
            budget.spend(self.row.len())?;
            self.lower(&mut ground, part);
        }
        if self.list_ends.len() == 1 {
            (self.ground, self.ground_parts) = (Some(ground), everywhere.to_vec());
        }
        Ok(())
    }

    /// Lets a part decide the columns that a later clause, or none, decides so far.
    fn lower(&self, deciding: &mut [u32], part: &Part<'_>) {
        let words = bits_of(&self.columns, part.services, self.words).iter().enumerate();
        for column in words.flat_map(|(word, columns)| bits(word, *columns)) {
            if let Some(clause) = deciding.get_mut(column) {
                *clause = (*clause).min(part.clause);
            }
        }
    }

    /// Paints a row over the ground; tells whether it could, which is if the parts that do not hold
    /// everywhere are few and each decides alone.
    fn paint_over(
        &mut self,
        parts: &Parts<'_>,
        touching: &[u32],
        answers: &mut AnswerBuilder,
        budget: &mut Budget,
    ) -> Result<bool, BuildError> {
        let Some(ground) = &self.ground else { return Ok(false) };
        let more = touching.len().saturating_sub(self.ground_parts.len());
        if more > FEW_PARTS {
            return Ok(false);
        }
        // Both are in order, and the parts of the ground are all among those given.
        let mut of_ground = self.ground_parts.iter().peekable();
        let more = touching.iter().filter(|part| of_ground.next_if_eq(part).is_none());
        let more: Vec<&Part<'_>> = more.filter_map(|part| parts.parts.get(index(*part))).collect();
        if !more.iter().all(|part| self.decides(part.clause, answers)) {
            return Ok(false);
        }
        budget.spend(self.row.len() * (more.len() + 1))?;
        let mut row = std::mem::take(&mut self.row);
        row.copy_from_slice(ground);
        for part in more {
            self.lower(&mut row, part);
        }
        for cell in &mut row {
            *cell = if *cell == NO_CLAUSE { self.nothing } else { self.alone(*cell, answers, budget)? }.number();
        }
        self.row = row;
        Ok(true)
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
