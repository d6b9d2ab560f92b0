//! Whole numbers above zero, as options give them.

use std::str::FromStr;

/// Reads one.
///
/// # Errors
/// Anything else, and what does not fit the type.
pub(crate) fn number<T: FromStr + Default + PartialEq>(text: &str) -> Result<T, String> {
    let number = text.parse().ok().filter(|number| *number != T::default());
    number.ok_or_else(|| format!("{text:?} is no whole number above zero"))
}
