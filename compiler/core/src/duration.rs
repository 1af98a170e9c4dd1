//! Durations as people write them: `"14d"`, `"90s"`.

/// Text that is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a duration; write a whole number and s, m, h or d, such as \"14d\"")]
pub struct DurationError {
    text: String,
}

/// Seconds of a duration: a whole number followed by `s`, `m`, `h` or `d`.
pub fn parse_duration_s(text: &str) -> Result<u64, DurationError> {
    let wrong = || DurationError { text: text.to_owned() };
    let unit = text.chars().last().ok_or_else(wrong)?;
    let factor = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let digits = text.strip_suffix(unit).ok_or_else(wrong)?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    digits.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_one_unit() {
        assert_eq!(parse_duration_s("14d"), Ok(1_209_600));
        assert_eq!(parse_duration_s("90s"), Ok(90));
        for text in ["", "d", "1", "1w", "-1d", "1.5h", "1 d", "99999999999999999999d", "9é"] {
            assert!(parse_duration_s(text).is_err(), "{text}");
        }
    }
}
