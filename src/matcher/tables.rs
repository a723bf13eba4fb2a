//! The tables of one family, small or fast, and the loops that look flows up in them.

use super::Kind;
use super::answers::{AnswerBuilder, Answers};
use super::cells::{Cells, Lookup};
use super::columns::Columns;
use super::direct::{AddressBlocks, Block, OwnBlock, PlainBlock, ServiceTable};
use super::halves::AddressHalves;
use super::limits::{Budget, BuildError};
use super::parts::{Parts, Rest};
use super::rows::{Ranged, Table};
use super::search::{AddressSearch, ServiceSearch};
use super::simd::{Kernel, Work};
use crate::net::Family;
use crate::policy::Decision;
use crate::policy::service::{self, selector_mask};

/// Flows that go through a stage together, so that the work on one does not wait for another's.
pub(super) const CHUNK: usize = 64;

/// Far addresses to rows.
pub(super) trait Rows<A: Copy> {
    /// Whether addresses may have answers of their own.
    const OWNS: bool;

    /// The row of an address, and the first of its own answers.
    fn place(&self, address: A) -> (u32, u32);

    /// The same of many addresses.
    #[inline]
    fn places(&self, _kernel: Kernel, addresses: &[A; CHUNK], rows: &mut [u32; CHUNK], owns: &mut [u32; CHUNK]) {
        for ((address, row), own) in addresses.iter().zip(rows).zip(owns) {
            (*row, *own) = self.place(*address);
        }
    }
}

/// Services to columns.
pub(super) trait Services {
    fn column(&self, protocol: u8, selector: u16) -> u32;

    /// The columns of many services.
    #[inline]
    fn columns(&self, protocols: &[u8; CHUNK], selectors: &[u16; CHUNK], columns: &mut [u32; CHUNK]) {
        fill(protocols, selectors, columns, |protocol, selector| self.column(protocol, selector));
    }
}

impl<A: Copy + Ord> Rows<A> for AddressSearch<A> {
    const OWNS: bool = true;

    #[inline]
    fn place(&self, address: A) -> (u32, u32) {
        Self::place(self, address)
    }
}

impl<B: Block> Rows<u32> for AddressBlocks<B> {
    const OWNS: bool = B::OWNS;

    #[inline]
    fn place(&self, address: u32) -> (u32, u32) {
        let piece = self.piece(address);
        (u32::from(piece.row), piece.own)
    }

    #[inline]
    fn places(&self, kernel: Kernel, addresses: &[u32; CHUNK], rows: &mut [u32; CHUNK], owns: &mut [u32; CHUNK]) {
        self.pieces(kernel, addresses, rows, owns);
    }
}

impl Rows<u128> for AddressHalves {
    const OWNS: bool = true;

    #[inline]
    fn place(&self, address: u128) -> (u32, u32) {
        Self::place(self, address)
    }

    #[inline]
    fn places(&self, _: Kernel, addresses: &[u128; CHUNK], rows: &mut [u32; CHUNK], owns: &mut [u32; CHUNK]) {
        Self::places(self, addresses, rows, owns);
    }
}

/// Services by search, over one family.
#[derive(Debug, Clone)]
pub(super) struct FamilyServices {
    search: ServiceSearch,
    family: Family,
}

impl Services for FamilyServices {
    #[inline]
    fn column(&self, protocol: u8, selector: u16) -> u32 {
        let selector = selector & selector_mask(protocol, self.family);
        self.search.column(service::service(protocol, selector))
    }
}

/// An address family with its fast form.
pub(super) trait Tabled: Ranged {
    /// The form for addresses without answers of their own.
    type Plain: Rows<Self> + std::fmt::Debug + Clone;
    /// The form for addresses with answers of their own.
    type Own: Rows<Self> + std::fmt::Debug + Clone;

    /// The form for starts of pieces, rows and first own answers; nothing if there are more rows than
    /// it can name, or it would take more than so many bytes.
    fn plain(starts: &[Self], rows: &[u32], bytes: usize) -> Option<Self::Plain>;
    /// The same.
    fn own(starts: &[Self], rows: &[u32], owns: &[u32], bytes: usize) -> Option<Self::Own>;

    fn plain_bytes(rows: &Self::Plain) -> usize;
    fn own_bytes(rows: &Self::Own) -> usize;
}

impl Tabled for u32 {
    type Plain = AddressBlocks<PlainBlock>;
    type Own = AddressBlocks<OwnBlock>;

    fn plain(starts: &[Self], rows: &[u32], bytes: usize) -> Option<Self::Plain> {
        AddressBlocks::new(starts, rows, &[], bytes)
    }

    fn own(starts: &[Self], rows: &[u32], owns: &[u32], bytes: usize) -> Option<Self::Own> {
        AddressBlocks::new(starts, rows, owns, bytes)
    }

    fn plain_bytes(rows: &Self::Plain) -> usize {
        rows.bytes()
    }

    fn own_bytes(rows: &Self::Own) -> usize {
        rows.bytes()
    }
}

impl Tabled for u128 {
    type Plain = AddressHalves;
    type Own = AddressHalves;

    fn plain(starts: &[Self], rows: &[u32], _: usize) -> Option<AddressHalves> {
        Some(AddressHalves::new(starts, rows, &[]))
    }

    fn own(starts: &[Self], rows: &[u32], owns: &[u32], _: usize) -> Option<AddressHalves> {
        Some(AddressHalves::new(starts, rows, owns))
    }

    fn plain_bytes(rows: &AddressHalves) -> usize {
        rows.bytes()
    }

    fn own_bytes(rows: &AddressHalves) -> usize {
        rows.bytes()
    }
}

/// Services by a table, whose entries are as small as they can be.
#[derive(Debug, Clone)]
pub(super) enum FastServices {
    Narrow(ServiceTable<u8>),
    Wide(ServiceTable<u16>),
}

impl FastServices {
    fn new(starts: &[u32], columns: &[u32], family: Family) -> Option<Self> {
        let narrow = ServiceTable::new(starts, columns, family).map(Self::Narrow);
        narrow.or_else(|| ServiceTable::new(starts, columns, family).map(Self::Wide))
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Narrow(table) => table.bytes(),
            Self::Wide(table) => table.bytes(),
        }
    }
}

impl Services for FastServices {
    #[inline]
    fn column(&self, protocol: u8, selector: u16) -> u32 {
        match self {
            Self::Narrow(table) => table.column(protocol, selector),
            Self::Wide(table) => table.column(protocol, selector),
        }
    }

    #[inline]
    fn columns(&self, protocols: &[u8; CHUNK], selectors: &[u16; CHUNK], columns: &mut [u32; CHUNK]) {
        // Asks for the form once, and not for each flow.
        match self {
            Self::Narrow(table) => fill(protocols, selectors, columns, |p, s| table.column(p, s)),
            Self::Wide(table) => fill(protocols, selectors, columns, |p, s| table.column(p, s)),
        }
    }
}

#[inline]
fn fill(
    protocols: &[u8; CHUNK],
    selectors: &[u16; CHUNK],
    columns: &mut [u32; CHUNK],
    column_of: impl Fn(u8, u16) -> u32,
) {
    for ((protocol, selector), column) in protocols.iter().zip(selectors).zip(columns) {
        *column = column_of(*protocol, *selector);
    }
}

/// The tables of one family.
#[derive(Debug, Clone)]
pub(super) enum Tables<A: Tabled> {
    Compact { rows: AddressSearch<A>, services: FamilyServices, cells: Cells },
    Direct { rows: A::Plain, services: FastServices, cells: Cells },
    DirectOwn { rows: A::Own, services: FastServices, cells: Cells },
}

/// A table whose answers are not packed yet, for they are numbered only when all families are done.
pub(super) struct Unpacked<A>(Table<A>);

impl<A: Tabled> Unpacked<A> {
    pub(super) fn build(
        parts: &Parts<'_>,
        shared_from: usize,
        answers: &mut AnswerBuilder,
        budget: &mut Budget,
    ) -> Result<Self, BuildError> {
        Table::build(parts, shared_from, answers, budget).map(Self)
    }

    /// Whether every kind can name all classes of addresses and services.
    pub(super) fn is_nameable(&self) -> bool {
        let fits = |number: usize| number <= 1 << 16;
        fits(self.0.column_count) && self.0.rows.iter().all(|row| u16::try_from(*row).is_ok())
    }

    /// The tables of a kind; `None` if there are more classes of addresses or services than it can
    /// name, or if they would take more than so many bytes.
    pub(super) fn pack(&self, answers: &Answers, kind: Kind, bytes: usize) -> Option<Tables<A>> {
        let Self(table) = self;
        let cells: Vec<(u32, bool)> = table.cells.iter().map(|answer| answers.place(*answer)).collect();
        let fast = kind == Kind::Direct;
        let cells = Cells::pack(&table.page_numbers, &cells, table.column_count, fast)?;
        if !fast {
            let rows = AddressSearch::new(&table.starts, &table.rows, &table.owns);
            let search = ServiceSearch::new(&table.service_starts, &table.columns);
            return Some(Tables::Compact { rows, services: FamilyServices { search, family: A::FAMILY }, cells });
        }
        let services = FastServices::new(&table.service_starts, &table.columns, A::FAMILY)?;
        Some(if table.owns.is_empty() {
            Tables::Direct { rows: A::plain(&table.starts, &table.rows, bytes)?, services, cells }
        } else {
            Tables::DirectOwn { rows: A::own(&table.starts, &table.rows, &table.owns, bytes)?, services, cells }
        })
    }
}

#[inline]
fn answer<A: Copy>(
    rows: &impl Rows<A>,
    services: &impl Services,
    cells: &impl Lookup,
    (address, protocol, selector): (A, u8, u16),
) -> u32 {
    let (row, own) = rows.place(address);
    cells.answer(row, services.column(protocol, selector), own)
}

impl<A: Tabled> Tables<A> {
    /// The answer to one flow, if the tables have the likeliest of their forms.
    #[inline]
    pub(super) fn likely_answer(&self, flow: (A, u8, u16)) -> Option<u32> {
        match self {
            Self::Direct { rows, services, cells: Cells::FlatNarrow(cells) } => {
                Some(answer(rows, services, cells, flow))
            }
            _ => None,
        }
    }

    /// The answer to one flow: far address, protocol, selector.
    pub(super) fn answer(&self, flow: (A, u8, u16)) -> u32 {
        match self {
            Self::Direct { rows, services, cells } => answer(rows, services, cells, flow),
            Self::DirectOwn { rows, services, cells } => answer(rows, services, cells, flow),
            Self::Compact { rows, services, cells } => answer(rows, services, cells, flow),
        }
    }

    /// Decides many flows; all columns have the length of `out`.
    pub(super) fn decide(&self, answers: &Answers, kernel: Kernel, columns: &Columns<'_, A>, out: &mut [Decision]) {
        match self {
            Self::Direct { rows, services, cells } => with_cells(rows, services, cells, answers, kernel, columns, out),
            Self::DirectOwn { rows, services, cells } => {
                with_cells(rows, services, cells, answers, kernel, columns, out);
            }
            Self::Compact { rows, services, cells } => with_cells(rows, services, cells, answers, kernel, columns, out),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Compact { rows, services, cells } => rows.bytes() + services.search.bytes() + cells.bytes(),
            Self::Direct { rows, services, cells } => A::plain_bytes(rows) + services.bytes() + cells.bytes(),
            Self::DirectOwn { rows, services, cells } => A::own_bytes(rows) + services.bytes() + cells.bytes(),
        }
    }
}

/// One loop for each form of the cells, so that none asks for the form at every flow.
fn with_cells<A: Tabled>(
    rows: &impl Rows<A>,
    services: &impl Services,
    cells: &Cells,
    answers: &Answers,
    kernel: Kernel,
    columns: &Columns<'_, A>,
    out: &mut [Decision],
) {
    match cells {
        Cells::FlatNarrow(cells) => run(rows, services, cells, answers, kernel, columns, out),
        Cells::Flat(cells) => run(rows, services, cells, answers, kernel, columns, out),
        Cells::PagedNarrow(cells) => run(rows, services, cells, answers, kernel, columns, out),
        Cells::Paged(cells) => run(rows, services, cells, answers, kernel, columns, out),
    }
}

fn run<A: Tabled>(
    rows: &impl Rows<A>,
    services: &impl Services,
    cells: &impl Lookup,
    answers: &Answers,
    kernel: Kernel,
    columns: &Columns<'_, A>,
    out: &mut [Decision],
) {
    kernel.run(Loop { rows, services, cells, answers, kernel, columns, out });
}

/// The loop over many flows.
struct Loop<'a, 'c, A, R, S, L> {
    rows: &'a R,
    services: &'a S,
    cells: &'a L,
    answers: &'a Answers,
    kernel: Kernel,
    columns: &'a Columns<'c, A>,
    out: &'a mut [Decision],
}

impl<A: Tabled, R: Rows<A>, S: Services, L: Lookup> Work for Loop<'_, '_, A, R, S, L> {
    #[expect(clippy::inline_always, reason = "only what is inlined may use the instructions of the kernel")]
    #[inline(always)]
    fn work(self) {
        let Self { rows, services, cells, answers, kernel, columns, out } = self;
        let (remote, last_remote) = columns.remote.as_chunks::<CHUNK>();
        let (protocol, last_protocol) = columns.protocol.as_chunks::<CHUNK>();
        let (selector, last_selector) = columns.selector.as_chunks::<CHUNK>();
        let (chunks, last_out) = out.as_chunks_mut::<CHUNK>();
        // One step of all flows of a chunk after the other: the processor looks ahead further over short
        // chains of work than over long ones.
        let mut row_of = [0_u32; CHUNK];
        let mut own_of = [0_u32; CHUNK];
        let mut column_of = [0_u32; CHUNK];
        let mut done = 0;
        for ((remote, protocol), (selector, out)) in remote.iter().zip(protocol).zip(selector.iter().zip(chunks)) {
            rows.places(kernel, remote, &mut row_of, &mut own_of);
            services.columns(protocol, selector, &mut column_of);
            let mut settled = true;
            for (((row, own), column), out) in row_of.iter_mut().zip(&own_of).zip(&column_of).zip(out.iter_mut()) {
                let answer = cells.answer(*row, *column, if R::OWNS { *own } else { 0 });
                *row = answer;
                match answers.settled(answer) {
                    Some(decision) => *out = decision,
                    None => settled = false,
                }
            }
            if !settled {
                ask(answers, &row_of, columns, done, out);
            }
            done += CHUNK;
        }
        for ((remote, protocol), (selector, out)) in
            last_remote.iter().zip(last_protocol).zip(last_selector.iter().zip(last_out))
        {
            let answer = answer(rows, services, cells, (*remote, *protocol, *selector));
            *out = answers.decision(answer, || rest(columns, done));
            done += 1;
        }
    }
}

/// The decisions of flows from `first` on, some of which depend on source port or near address.
#[cold]
#[inline(never)]
fn ask<A: Copy + Into<u128>>(
    answers: &Answers,
    answer_of: &[u32; CHUNK],
    columns: &Columns<'_, A>,
    first: usize,
    out: &mut [Decision; CHUNK],
) {
    for ((answer, out), flow) in answer_of.iter().zip(out).zip(first..) {
        *out = answers.decision(*answer, || rest(columns, flow));
    }
}

/// Source port and near address of one of many flows.
#[cold]
pub(super) fn rest<A: Copy + Into<u128>>(columns: &Columns<'_, A>, flow: usize) -> Rest {
    let has_ports = columns.protocol.get(flow).copied().is_some_and(service::has_ports);
    let source = columns.source_port.filter(|_| has_ports);
    Rest {
        source: source.and_then(|ports| ports.get(flow)).copied(),
        local: columns.local.and_then(|addresses| addresses.get(flow)).map(|address| (*address).into()),
    }
}
