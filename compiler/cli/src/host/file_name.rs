//! Names of files for texts that come from anywhere.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What does not stay as it is in a file's name.
const UNSAFE_IN_NAMES: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// A name that is safe as a file's: other characters, and a dot in front, as `%` and hex digits.
pub(crate) fn file_name(part: &str) -> String {
    match part.strip_prefix('.') {
        // Nothing at all would name the folder itself.
        _ if part.is_empty() => "%".to_owned(),
        Some(rest) => format!("%2e{}", file_name_part(rest)),
        None => file_name_part(part),
    }
}

/// In lower case, as the names of the states that are there: not every file system takes `%2F` and
/// `%2f` for one.
fn file_name_part(part: &str) -> String {
    utf8_percent_encode(part, UNSAFE_IN_NAMES)
        .map(|piece| if piece.starts_with('%') { piece.to_ascii_lowercase() } else { piece.into() })
        .collect()
}

/// The text that has this name as a file's; `None` for a name that no text has.
pub(crate) fn original_name(name: &str) -> Option<String> {
    let part = if name == "%" { "".into() } else { percent_decode_str(name).decode_utf8().ok()? };
    (file_name(&part) == name).then(|| part.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How names were made by hand. They lie on users' disks, so they may never be others.
    fn file_name_by_hand(part: &str) -> String {
        use std::fmt::Write as _;
        let mut name = String::new();
        for (index, byte) in part.bytes().enumerate() {
            let plain = byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            if plain || (byte == b'.' && index > 0) {
                name.push(char::from(byte));
            } else {
                write!(name, "%{byte:02x}").unwrap();
            }
        }
        if name.is_empty() { "%".to_owned() } else { name }
    }

    #[test]
    fn names_of_files_are_what_they_always_were_and_read_back() {
        let check = |part: &str| {
            let name = file_name(part);
            assert_eq!(name, file_name_by_hand(part), "{part:?}");
            assert_eq!(original_name(&name).as_deref(), Some(part), "{name}");
        };
        // The rule looks at one byte, and at whether it is the first.
        check("");
        for char in ('\0'..'\u{3000}').chain(['\u{fffd}', '😀']) {
            for part in ["§", "§§", ".§", "§.", "a§", "§a", "..§", "feature/§-1"] {
                check(&part.replace('§', &char.to_string()));
            }
        }
        for foreign in ["a%2F", "a%", "a%zz", "a%4", "%%", "a%41", ".a", "a b", "a%ff", "a%+f"] {
            assert_eq!(original_name(foreign), None, "{foreign}");
        }
    }
}
