//! The answer of `GET /healthz`.

use serde::{Deserialize, Serialize};

/// Says that a Worker answers, and which one it is.
///
/// Unknown fields are accepted on read: this is the document by which a caller finds out that
/// it talks to a newer Worker, so it must not fail because of that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Health {
    /// Whether the Worker can serve requests.
    pub status: HealthStatus,
    /// The name of the service, always [`Health::SERVICE`]; tells it from any other Worker
    /// that happens to answer on the same host name.
    pub service: String,
    /// The Worker's own version, as in its crate manifest (`1.2.3`).
    pub version: String,
}

impl Health {
    /// What [`Health::service`] holds in every answer of this Worker.
    pub const SERVICE: &'static str = "envc-edge";

    /// Makes the answer of a Worker that is well.
    pub fn ok(version: &str) -> Self {
        Self {
            status: HealthStatus::Ok,
            service: Self::SERVICE.to_owned(),
            version: version.to_owned(),
        }
    }
}

/// Whether the Worker can serve requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// It can.
    Ok,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_has_a_fixed_wire_form() {
        let text = serde_json::to_string(&Health::ok("1.2.3")).unwrap();
        assert_eq!(text, r#"{"status":"ok","service":"envc-edge","version":"1.2.3"}"#);
        assert_eq!(serde_json::from_str::<Health>(&text).unwrap(), Health::ok("1.2.3"));
    }

    #[test]
    fn the_answer_of_a_newer_worker_can_be_read() {
        let text = r#"{"status":"ok","service":"envc-edge","version":"9.0.0","region":"fra"}"#;
        assert_eq!(serde_json::from_str::<Health>(text).unwrap().version, "9.0.0");
    }
}
