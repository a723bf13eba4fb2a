//! Seeded inputs for benchmarks, with the expected answers carried along.
//!
//! Everything is a function of the case and of [`random::SEED`]: two runs time the same work.

#![allow(dead_code, reason = "every program that includes this uses a part of it")]

pub(crate) mod case;
pub(crate) mod clock;
pub(crate) mod random;
pub(crate) mod workload;
