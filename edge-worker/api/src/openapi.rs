//! The API as a document.

#[cfg(test)]
mod tests;

/// The API as an `OpenAPI` 3.1 document: JSON. A test of this crate holds it to the types.
pub const OPENAPI: &str = include_str!("../openapi.json");
