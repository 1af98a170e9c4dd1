//! Small texts that several crates make: counts, hex digits, numbers to the base 36. Pure.

use std::fmt::{Display, Write as _};

/// "1 file", "2 files".
pub fn counted<N: Copy + Display + PartialEq + From<u8>>(count: N, what: &str) -> String {
    format!("{count} {}", plural(count, what))
}

/// "file" of one, "files" of none or more.
pub fn plural<N: Copy + PartialEq + From<u8>>(count: N, what: &str) -> String {
    if count == N::from(1) { what.to_owned() } else { format!("{what}s") }
}

/// Two lower-case hex digits a byte.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// The last digits of a number to the base 36, in lower case, with zeros in front.
pub fn base36(number: u64, digits: usize) -> String {
    let mut rest = number;
    let mut last_first = Vec::with_capacity(digits);
    for _ in 0..digits {
        // Less than 36, so it fits and is a digit.
        last_first.extend(char::from_digit(u32::try_from(rest % 36).unwrap_or_default(), 36));
        rest /= 36;
    }
    last_first.into_iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_no_plural_and_none_is() {
        assert_eq!(counted(0_usize, "file"), "0 files");
        assert_eq!(counted(1_u64, "preview ID"), "1 preview ID");
        assert_eq!(counted(2_u32, "file"), "2 files");
    }

    #[test]
    fn digits_have_their_width_and_read_back() {
        assert_eq!(hex(&[0, 10, 255]), "000aff");
        assert_eq!(base36(0, 2), "00");
        assert_eq!(base36(35, 1), "z");
        assert_eq!(base36(36 * 36 + 1, 2), "01", "what has no room is left out in front");
        let long = base36(u64::MAX, 13);
        assert_eq!(u64::from_str_radix(&long, 36), Ok(u64::MAX));
    }
}
