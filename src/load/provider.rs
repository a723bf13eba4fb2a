//! The providers whose documents are read.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A cloud whose documents can be loaded.
///
/// ```
/// use secgroup::load::Provider;
///
/// assert_eq!("aws".parse(), Ok(Provider::Aws));
/// assert_eq!(Provider::Alibaba.to_string(), "alibaba");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Provider {
    /// AWS EC2.
    Aws,
    /// Alibaba Cloud ECS.
    Alibaba,
}

/// A text names no provider.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a provider; it is aws or alibaba")]
pub struct ProviderError(pub String);

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Aws => "aws",
            Self::Alibaba => "alibaba",
        })
    }
}

impl FromStr for Provider {
    type Err = ProviderError;

    /// Reads `aws` or `alibaba`, in any case.
    fn from_str(text: &str) -> Result<Self, ProviderError> {
        [Self::Aws, Self::Alibaba]
            .into_iter()
            .find(|provider| provider.to_string().eq_ignore_ascii_case(text))
            .ok_or_else(|| ProviderError(text.to_owned()))
    }
}
