//! What searches blocks of addresses: plain code, or the vector instructions that the processor has,
//! asked for when a matcher is built.
//!
//! All of them say the same. The crate `pulp` is what makes this safe: only a processor that has the
//! instructions gives out the token that they are called by.

/// How blocks of addresses are searched.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Kernel {
    /// By plain code.
    #[default]
    Portable,
    /// By comparing all starts of a block at once, with AVX2.
    #[cfg(all(feature = "simd", target_arch = "x86_64"))]
    Avx2(pulp::x86::V3),
    /// The same, with AVX-512.
    #[cfg(all(feature = "simd", target_arch = "x86_64"))]
    Avx512(pulp::x86::V4),
}

/// Work that a kernel does.
pub(super) trait Work {
    fn work(self);
}

impl Kernel {
    /// Does the work, with the instructions of the processor where the kernel has any. AVX2 even where
    /// there is AVX-512, for with that the compiler gathers from tables, which is slow.
    #[inline]
    pub(super) fn run(self, work: impl Work) {
        match self {
            Self::Portable => work.work(),
            #[cfg(all(feature = "simd", target_arch = "x86_64"))]
            Self::Avx2(simd) => simd.vectorize(x86::Vectorized(work)),
            #[cfg(all(feature = "simd", target_arch = "x86_64"))]
            Self::Avx512(simd) => (*simd).vectorize(x86::Vectorized(work)),
        }
    }

    /// The best that the processor has.
    pub(super) fn detected() -> Self {
        #[cfg(all(feature = "simd", target_arch = "x86_64"))]
        {
            if let Some(simd) = pulp::x86::V4::try_new() {
                return Self::Avx512(simd);
            }
            if let Some(simd) = pulp::x86::V3::try_new() {
                return Self::Avx2(simd);
            }
        }
        Self::Portable
    }

    /// What to call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            #[cfg(all(feature = "simd", target_arch = "x86_64"))]
            Self::Avx2(_) => "avx2",
            #[cfg(all(feature = "simd", target_arch = "x86_64"))]
            Self::Avx512(_) => "avx512",
        }
    }
}

#[cfg(all(feature = "simd", target_arch = "x86_64"))]
#[expect(clippy::inline_always, reason = "only what is inlined into the caller may use the caller's instructions")]
mod x86 {
    use pulp::x86::{V3, V4};
    use pulp::{NullaryFnOnce, cast, u16x16};

    use crate::matcher::direct::{AddressBlocks, Block, PIECES, halves};

    /// Work that is done with vector instructions.
    pub(super) struct Vectorized<W>(pub(super) W);

    impl<W: super::Work> NullaryFnOnce for Vectorized<W> {
        type Output = ();

        #[inline(always)]
        fn call(self) {
            self.0.work();
        }
    }

    /// Counts the starts of a block that are reached.
    pub(in crate::matcher) trait Counts: Copy {
        fn reached(self, starts: [u16; PIECES], lower: u16) -> u32;
    }

    impl Counts for V4 {
        #[inline(always)]
        fn reached(self, starts: [u16; PIECES], lower: u16) -> u32 {
            let starts: u16x16 = cast(starts);
            self.cmp_le_u16x16(starts, self.splat_u16x16(lower)).0.count_ones()
        }
    }

    impl Counts for V3 {
        #[inline(always)]
        fn reached(self, starts: [u16; PIECES], lower: u16) -> u32 {
            let starts: u16x16 = cast(starts);
            let reached = self.cmp_le_u16x16(starts, self.splat_u16x16(lower));
            // Two bits for each start that is reached.
            self.avx2._mm256_movemask_epi8(cast(reached)).count_ones() / 2
        }
    }

    /// The search for many addresses.
    pub(in crate::matcher) struct Search<'a, S, B, const N: usize> {
        pub(in crate::matcher) simd: S,
        pub(in crate::matcher) blocks: &'a AddressBlocks<B>,
        pub(in crate::matcher) addresses: &'a [u32; N],
        pub(in crate::matcher) rows: &'a mut [u32; N],
        pub(in crate::matcher) owns: &'a mut [u32; N],
    }

    impl<S: Counts, B: Block, const N: usize> NullaryFnOnce for Search<'_, S, B, N> {
        type Output = ();

        #[inline(always)]
        fn call(self) {
            let Self { simd, blocks, addresses, rows, owns } = self;
            for ((address, row), own) in addresses.iter().zip(rows).zip(owns) {
                let (_, lower) = halves(*address);
                let Some(block) = blocks.block(*row) else { continue };
                // The first start is that of the block, and always reached.
                let piece = simd.reached(*block.starts(), lower).wrapping_sub(1);
                let piece = block.piece(piece as usize);
                *row = u32::from(piece.row);
                if B::OWNS {
                    *own = piece.own;
                }
            }
        }
    }
}

#[cfg(all(feature = "simd", target_arch = "x86_64"))]
pub(super) use x86::Search;

#[cfg(all(test, feature = "simd", target_arch = "x86_64"))]
mod tests {
    use super::Kernel;
    use crate::matcher::direct::{AddressBlocks, OwnBlock, PlainBlock};

    /// Every kernel that this processor has finds the same pieces, at every edge and beside it.
    #[test]
    fn kernels_agree() {
        let starts: Vec<u32> = [0, 1, 2, 0xff, 0x100, 0xffff, 0x1_0000, 0xffff_0000, 0xffff_ffff]
            .into_iter()
            .chain((0..40).map(|piece| 0x0a01_0000 + piece * 3))
            .chain((0..300).map(|piece| 0x0a02_0000 + piece * 219))
            .collect::<std::collections::BTreeSet<u32>>()
            .into_iter()
            .collect();
        let rows: Vec<u32> = (0..).take(starts.len()).map(|piece| piece * 7 % 300).collect();
        let owns: Vec<u32> = (0..).take(starts.len()).map(|piece| piece * 1_000_003).collect();
        let plain = AddressBlocks::<PlainBlock>::new(&starts, &rows, &[], usize::MAX).unwrap();
        let own = AddressBlocks::<OwnBlock>::new(&starts, &rows, &owns, usize::MAX).unwrap();
        let mut kernels = vec![Kernel::Portable, Kernel::detected()];
        kernels.extend(pulp::x86::V3::try_new().map(Kernel::Avx2));
        let near = |start: &u32| [start.wrapping_sub(1), *start, start.wrapping_add(1)];
        let addresses: Vec<u32> = starts.iter().flat_map(near).collect();
        for addresses in addresses.chunks_exact(8) {
            let addresses: &[u32; 8] = addresses.try_into().unwrap();
            let pieces = addresses.map(|address| starts.partition_point(|start| *start <= address) - 1);
            for kernel in &kernels {
                let (mut found_rows, mut found_owns) = ([0; 8], [0; 8]);
                plain.pieces(*kernel, addresses, &mut found_rows, &mut found_owns);
                assert_eq!(found_rows, pieces.map(|piece| rows[piece]), "{}: {addresses:x?}", kernel.name());
                own.pieces(*kernel, addresses, &mut found_rows, &mut found_owns);
                assert_eq!(found_rows, pieces.map(|piece| rows[piece]), "{}: {addresses:x?}", kernel.name());
                assert_eq!(found_owns, pieces.map(|piece| owns[piece]), "{}: {addresses:x?}", kernel.name());
            }
        }
    }
}
