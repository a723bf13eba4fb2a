//! What was odd about documents that could be loaded.

use std::fmt;

use serde::Serialize;

use crate::model::Place;

/// Something that was read, but not as it stands, or that leaves something unknown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Warning {
    /// What kind of warning it is.
    pub kind: WarningKind,
    /// Where the cause is; if there are several, the first.
    pub place: Place,
    /// What it is about and what was done.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// The kinds of warnings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WarningKind {
    /// A JSON document is none of those that are read.
    UnrecognisedDocument,
    /// A file is not `.json`, or is a folder.
    SkippedFile,
    /// A field that nobody reads looks as if it held rules.
    UnknownField,
    /// A block had bits set beyond its prefix, which were masked (AWS-35, ALI-39).
    HostBits,
    /// A TCP or UDP rule without ports was read as one for all ports (AWS-7, ALI-35).
    AllPorts,
    /// An ICMP rule without type or code, or with a code but no type, was read as one for any
    /// (AWS-6, AWS-7).
    AnyIcmp,
    /// Ports mean nothing with this protocol and were ignored (AWS-8, ALI-35, trap 15).
    IgnoredPorts,
    /// `all` is not a protocol of AWS; it was read as -1 (AWS-4).
    ProtocolAlias,
    /// A permission names no peer, so it is no rule (AWS-96).
    NoPeer,
    /// A rule names several peers, of which one counts (ALI-38), or a group at its near end, which
    /// means nothing (ALI-40).
    SeveralPeers,
    /// A rule's protocol and its peer, or its two ends, cannot meet (AWS-34, ALI-90).
    NeverMatches,
    /// A rule is there twice and was kept once (AWS-36).
    Duplicate,
    /// A priority outside 1 to 100 (ALI-52, ALI-53).
    PriorityOutOfRange,
    /// Something that is referred to was not loaded; it is unknown (AWS-47).
    UnresolvedReference,
    /// A rule refers to a group that is gone, and matches nothing (AWS-44).
    StaleReference,
    /// The last page of an answer is missing.
    IncompletePages,
    /// Instances were described but not interfaces, so other interfaces may be missing.
    OnlyInstances,
    /// No interface was described, so members of groups are unknown.
    NoInterfaces,
    /// Of the two network cards of a classic group, the rules of one were loaded, or of cards that no
    /// rule tells (ALI-28).
    OnlyOneNic,
    /// One of the calls that describe a group is missing (ALI-28), or its answer leaves rules out.
    PartlyKnownGroup,
    /// An enterprise group says that its members reach each other, which they never do (ALI-16).
    IgnoredPolicy,
    /// The documents of interfaces leave out their addresses.
    UnknownAddresses,
    /// An interface has no group (ALI-66).
    NoGroups,
    /// An instance came without interfaces; one was made up from its address (AWS-24).
    AssumedInterface,
    /// Address ranges of VPCs or subnets were not loaded, so the resolver and the router cannot be
    /// told (AWS-75).
    VpcRangesUnknown,
}

impl WarningKind {
    /// Whether a whole document was left out.
    pub(super) fn is_skip(self) -> bool {
        matches!(self, Self::UnrecognisedDocument | Self::SkippedFile)
    }
}
