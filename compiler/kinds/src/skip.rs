//! Reading JSON without the members that nobody looks at.
//!
//! An answer to SQL has ten figures beside each statement's rows. Of a migration of thousands of
//! statements, making values of them and freeing them takes longer than the database takes.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value as Json};

/// Reads a text; members of this name are left out, wherever they stand.
pub(crate) fn read_without(name: &str, text: &[u8]) -> serde_json::Result<Json> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let json = Without(name).deserialize(&mut reader)?;
    reader.end()?;
    Ok(json)
}

#[derive(Clone, Copy)]
struct Without<'n>(&'n str);

impl<'de> DeserializeSeed<'de> for Without<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Json, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Without<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Json::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if name == self.0 {
                let IgnoredAny = members.next_value()?;
            } else {
                object.insert(name, members.next_value_seed(self)?);
            }
        }
        Ok(Json::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_else_is_read_as_it_is() {
        let text = r#"{"a": [1, -2, 0.5, 18446744073709551615, "x\né", true, null, {}],
            "meta": {"deep": [1]}, "b": {"meta": 1, "c": {"metas": "y"}}}"#;
        let read = read_without("meta", text.as_bytes()).unwrap();
        let whole = json!({
            "a": [1, -2, 0.5, u64::MAX, "x\né", true, null, {}], "b": {"c": {"metas": "y"}}
        });
        assert_eq!(read, whole);
        for wrong in ["", "{", "[1] 2", "{\"meta\": }", "nul"] {
            assert!(read_without("meta", wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
