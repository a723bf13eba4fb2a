//! Identifiers, one type for each kind of thing, so that they cannot be confused.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident,)*) => {$(
        $(#[$doc])*
        ///
        /// Cheap to clone; compared and ordered as text.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer).map(Self::from)
            }
        }
    )*};
}

ids! {
    /// A security group, such as `sg-0aaa000000000000a`.
    GroupId,
    /// A rule, such as `sgr-01`.
    RuleId,
    /// A prefix list, such as `pl-0corp00000000000`.
    PrefixListId,
    /// An Alibaba port list, such as `prl-01`.
    PortListId,
    /// A network interface, such as `eni-01`.
    InterfaceId,
    /// An instance, such as `i-01`.
    InstanceId,
    /// A virtual private cloud, such as `vpc-0a1`.
    VpcId,
    /// A subnet (a vSwitch on Alibaba Cloud).
    SubnetId,
    /// An account, such as `111122223333`.
    AccountId,
}
