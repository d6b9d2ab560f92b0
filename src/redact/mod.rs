//! Hits and a policy to edits, and edits to bytes.

mod action;

pub use action::{Action, Mode, OnError, Policy, PolicyRule, Preset, PseudonymKey};

/// A pattern set and a policy, compiled together: everything that one item needs to be scrubbed.
pub struct Plan {}
