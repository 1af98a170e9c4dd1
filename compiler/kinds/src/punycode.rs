//! Host names with letters beyond ASCII, as DNS carries them: Punycode.
//!
//! The API takes names in either spelling and gives back one of them, so that both are compared in one form
//! (`normal`). What envc sends and writes is the ASCII form. Source: RFC 3492 and RFC 5891.

use std::fmt::Write as _;

const BASE: u32 = 36;

/// A host name with each label beyond ASCII in Punycode. A label that is no such name stays as it is: with
/// capitals, marks that combine, or what is neither letter nor digit.
pub fn host_in_ascii(host: &str) -> String {
    let labels: Vec<String> = host
        .split('.')
        .map(|label| match encoded(label) {
            Some(ascii) if is_name(label) => format!("xn--{ascii}"),
            _ => label.to_owned(),
        })
        .collect();
    labels.join(".")
}

/// True for small letters, digits and dashes, each in the one form that it has: wide letters and combined
/// marks have another one.
fn is_name(label: &str) -> bool {
    !label.is_ascii()
        && label.to_lowercase() == label
        && label.chars().all(|c| c == '-' || c.is_alphanumeric() && !('\u{ff00}'..).contains(&c))
}

/// A label in Punycode, without the `xn--` before it.
fn encoded(label: &str) -> Option<String> {
    let chars: Vec<u32> = label.chars().map(u32::from).collect();
    let mut out: String = label.chars().filter(char::is_ascii).collect();
    let basic = u32::try_from(out.len()).ok()?;
    if basic > 0 {
        // Writing to a String cannot fail.
        let _ = write!(out, "-");
    }
    let (mut point, mut delta, mut bias, mut handled) = (128_u32, 0_u32, 72_u32, basic);
    while usize::try_from(handled).ok()? < chars.len() {
        let next = chars.iter().copied().filter(|c| *c >= point).min()?;
        delta = delta.checked_add((next - point).checked_mul(handled + 1)?)?;
        point = next;
        for c in &chars {
            if *c < point {
                delta = delta.checked_add(1)?;
            }
            if *c != point {
                continue;
            }
            let (mut rest, mut threshold_at) = (delta, BASE);
            loop {
                let threshold = threshold_at.saturating_sub(bias).clamp(1, 26);
                if rest < threshold {
                    break;
                }
                out.push(digit(threshold + (rest - threshold) % (BASE - threshold))?);
                rest = (rest - threshold) / (BASE - threshold);
                threshold_at += BASE;
            }
            out.push(digit(rest)?);
            bias = adapted(delta, handled + 1, handled == basic);
            delta = 0;
            handled += 1;
        }
        delta = delta.checked_add(1)?;
        point = point.checked_add(1)?;
    }
    Some(out)
}

fn digit(value: u32) -> Option<char> {
    char::from_digit(value.checked_sub(26).unwrap_or(value + 10), BASE)
}

/// A label in Punycode, without its `xn--`.
pub(crate) fn decoded(label: &str) -> Option<String> {
    let (basic, coded) = label.rsplit_once('-').unwrap_or(("", label));
    let mut out: Vec<char> = basic.chars().collect();
    let (mut point, mut at, mut bias) = (128_u32, 0_u32, 72_u32);
    let mut digits = coded.bytes().peekable();
    while digits.peek().is_some() {
        let (before, mut weight, mut threshold_at) = (at, 1_u32, BASE);
        loop {
            let digit = match digits.next()? {
                letter @ b'a'..=b'z' => u32::from(letter - b'a'),
                number @ b'0'..=b'9' => u32::from(number - b'0') + 26,
                _ => return None,
            };
            at = at.checked_add(digit.checked_mul(weight)?)?;
            let threshold = threshold_at.saturating_sub(bias).clamp(1, 26);
            if digit < threshold {
                break;
            }
            weight = weight.checked_mul(BASE - threshold)?;
            threshold_at = threshold_at.checked_add(BASE)?;
        }
        let length = u32::try_from(out.len()).ok()?.checked_add(1)?;
        bias = adapted(at - before, length, before == 0);
        point = point.checked_add(at / length)?;
        at %= length;
        out.insert(usize::try_from(at).ok()?, char::from_u32(point)?);
        at += 1;
    }
    Some(out.into_iter().collect())
}

fn adapted(delta: u32, length: u32, first: bool) -> u32 {
    let mut delta = if first { delta / 700 } else { delta / 2 };
    delta += delta / length;
    let mut steps = 0;
    while delta > 455 {
        delta /= 35;
        steps += 36;
    }
    steps + 36 * delta / (delta + 38)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_lead_to_each_other() {
        for (label, ascii) in [
            ("b\u{fc}cher", "bcher-kva"),
            ("m\u{fc}nchen-\u{f6}st", "mnchen-st-67a3d"),
            ("\u{4f8b}\u{3048}", "r8jz45g"),
            ("caf\u{e9}", "caf-dma"),
            ("fa\u{df}", "fa-hia"),
            ("\u{fc}", "tda"),
            ("\u{43f}\u{440}\u{438}\u{43c}\u{435}\u{440}", "e1afmkfd"),
        ] {
            assert_eq!(encoded(label).as_deref(), Some(ascii), "{label}");
            assert_eq!(decoded(ascii).as_deref(), Some(label), "{ascii}");
        }
        assert_eq!(host_in_ascii("a.b\u{fc}cher.example"), "a.xn--bcher-kva.example");
    }

    #[test]
    fn what_has_another_form_stays_as_it_is() {
        for host in [
            "shop.example",
            "B\u{fc}cher.example",
            "bu\u{308}cher.example",
            "\u{ff53}hop.example",
            "a\u{200d}b.example",
            "\u{1f600}.example",
            "xn--bcher-kva.example",
            "..\u{3002}",
            "",
        ] {
            assert_eq!(host_in_ascii(host), host, "{host}");
        }
    }
}
