//! What a newer envc wrote, told from what is damaged: a document of a version that this one reads, with
//! something in it that it does not know.

/// What of a document is of a newer envc, in words: a field, a variant, or a kind of resource that
/// this one does not know. None: it is wrong otherwise.
///
/// Every document says of its fields that there are no others, so that nothing is lost by reading it
/// and writing it back. serde tells an unknown one in its text alone; a test holds it to that.
pub fn of_newer(error: &serde_json::Error) -> Option<String> {
    let text = error.to_string();
    ["field", "variant", "kind of resource"].into_iter().find_map(|what| {
        let rest = text.strip_prefix("unknown ")?.strip_prefix(what)?.strip_prefix(" `")?;
        let (name, _) = rest.split_once('`')?;
        Some(format!("the {what} `{name}`"))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;
    use crate::Address;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "read alone")]
    struct Document {
        action: Action,
        #[serde(default)]
        all: BTreeMap<Address, u8>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Action {
        Create,
    }

    #[test]
    fn what_is_not_known_is_told_from_what_is_wrong() {
        let wrong = |text: &str| of_newer(&serde_json::from_str::<Document>(text).unwrap_err());
        let told = |what: &str| Some(what.to_owned());
        assert_eq!(wrong(r#"{"action":"create","who":1}"#), told("the field `who`"));
        assert_eq!(wrong(r#"{"action":"lend"}"#), told("the variant `lend`"));
        let kind = r#"{"action":"create","all":{"teapot.a":1}}"#;
        assert_eq!(wrong(kind), told("the kind of resource `teapot`"));
        for damaged in [
            "{",
            r#"{"action":1}"#,
            "{}",
            r#"{"action":"create","action":"create"}"#,
            r#"{"action":"create","all":{"d1":1}}"#,
        ] {
            assert_eq!(wrong(damaged), None, "{damaged}");
        }
    }
}
