//! What envc recorded of an environment: the state document.
//!
//! Never a secret value: only keyed digests. State says what is in the cloud; what is in a
//! working copy is recorded elsewhere.

use std::collections::BTreeMap;

use envc_core::{Address, Digest, of_newer};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// The schema version that this build writes. Raise it when an older build would misread a field.
///
/// - 1: the first one. It names no repository.
/// - 2: `repository`.
pub const STATE_SCHEMA: u32 = 2;

/// The key of a state: it is never compared with another cloud's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateKey {
    /// `cloudflare` or `local`.
    pub cloud: String,
    /// The account's ID.
    pub account: String,
    /// The project's name.
    pub project: String,
    /// The environment's ID.
    pub env: String,
}

/// The state of one environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Schema version of the document.
    pub schema: u32,
    /// New for each life of an environment: two states with different lineages are unrelated.
    pub lineage: String,
    /// Rises by one with every write.
    pub serial: u64,
    /// Whose state it is.
    pub key: StateKey,
    /// The repository whose project it is: two repositories may name a project alike. None: a
    /// document of the first version, which nobody has taken over yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The type the environment was applied as.
    pub env_type: String,
    /// What exists, by address.
    pub resources: BTreeMap<Address, Recorded>,
    /// Migrations that envc ran on databases that it does not own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ledgers: BTreeMap<Address, Ledger>,
    /// Preview IDs that the environment holds, by pool.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub leases: BTreeMap<String, RecordedLease>,
    /// Actions that were begun and whose outcome is not recorded: after a crash the resource is
    /// looked up by its name. Written, all of them, before the first mutating call.
    pub intents: Vec<Intent>,
}

/// What is known of the migrations of an existing database: the ledger in it has their names alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    /// The API's identifier of the database.
    pub id: String,
    /// Migrations known to be applied, in order.
    pub migrations: Vec<AppliedMigration>,
    /// The table that is its ledger, where it is not wrangler's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Where it was before it was changed last, where that can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way_back: Option<WayBack>,
}

/// One resource that envc made or adopted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// Physical name (natural key).
    pub name: String,
    /// The API's identifier.
    pub id: String,
    /// The fields as last applied.
    pub fields: BTreeMap<String, Json>,
    /// The zone it lives in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The resource it dies with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Address>,
    /// What it refers to, or may refer to while a change of it is under way: deletes go against
    /// these edges.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Address>,
    /// Migrations known to be applied, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub migrations: Vec<AppliedMigration>,
    /// What became of its seed; none where it has none, or has yet to be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<Seed>,
    /// The table that is its ledger, where it is not wrangler's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Where it was before it was changed last, where that can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way_back: Option<WayBack>,
}

/// Where a database was before it was migrated, emptied or taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WayBack {
    /// The API's bookmark of it.
    pub bookmark: String,
    /// When that was, in milliseconds since 1970, UTC.
    pub at_ms: u64,
    /// The migration that ran next; none where it was emptied, or taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The bookmark that it is being taken back to: whether it is there is not recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// What became of a database's seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seed {
    /// Its rows are there.
    Done,
    /// The database held something before it was migrated first, so that it gets none.
    Left,
}

/// A preview ID that the environment holds, or is about to ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedLease {
    /// Who holds it at the pool: `project/env`.
    pub holder: String,
    /// What was granted. None: it was asked for, and the answer is not recorded. Asking again as
    /// the same holder tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Grant>,
}

/// A preview ID as it was granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The preview ID.
    pub id: String,
    /// Names this grant and no other. No secret: the pool takes it from tokens of one subject
    /// alone, and tells it to each of them that asks as the holder.
    pub lease_id: String,
    /// Its public attributes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// Keyed digests of its secret attributes: they tell that one changed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, Digest>,
}

/// A migration that is in a database's ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppliedMigration {
    /// The file's name, as wrangler records it.
    pub name: String,
    /// Digest of its text when envc applied it; none when it was found in the ledger.
    pub digest: Option<Digest>,
}

/// What is about to be done to one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intent {
    /// The resource.
    pub address: Address,
    /// Its physical name: how it is found again.
    pub name: String,
    /// What was begun.
    pub action: IntentAction,
    /// The API's identifier, when it was known: what a delete was begun of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The zone it lives in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// What the resource refers to if the action had its effect: deletes follow these references, as
    /// they do those of the record.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Address>,
}

impl Intent {
    /// The resource that it lives with or takes its name from: by that one's identifier it is found,
    /// whatever its name is.
    pub(crate) fn owner(&self) -> Option<&Address> {
        let kind = envc_kinds::kind(self.address.kind());
        let of = kind.lives_with().or_else(|| Some(kind.named_by()?.1))?;
        let label = self.address.name();
        let is_it = |need: &&Address| {
            let rest = label.strip_suffix(need.name());
            need.kind() == of && rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        self.needs.iter().find(is_it)
    }
}

/// What an intent is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntentAction {
    /// A create, or the create half of a replace: a namesake found later is ours.
    Create,
    /// A change in place.
    Update,
    /// A delete.
    Delete,
    /// Migrations of a database.
    Migrate,
}

/// A state document that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Written by a newer envc.
    #[error(
        "the state has schema version {found}, and this envc knows versions up to {STATE_SCHEMA}"
    )]
    Newer {
        /// Its version.
        found: u64,
    },
    /// Of a version that is known, with something in it that a newer envc wrote.
    #[error("the state has {what}, which this envc does not know: a newer envc wrote it")]
    Unknown {
        /// What, in words.
        what: String,
    },
    /// Not a state document.
    #[error("the state is damaged: {reason}")]
    Damaged {
        /// What the reader said.
        reason: String,
    },
    /// It has no document: nothing may be written in its place.
    #[error("BUG: the state cannot be written: {reason}")]
    Unwritable {
        /// What the writer said.
        reason: String,
    },
    /// Another environment's.
    #[error("the state belongs to {found}, not to {wanted}")]
    Foreign {
        /// Whose it is.
        found: String,
        /// Whose was wanted.
        wanted: String,
    },
}

impl std::fmt::Display for StateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}/{}", self.cloud, self.account, self.project, self.env)
    }
}

impl State {
    /// A state without resources. `lineage` is 16 random hex digits or more.
    pub fn new(
        key: StateKey,
        repository: impl Into<String>,
        env_type: impl Into<String>,
        lineage: impl Into<String>,
    ) -> Self {
        Self {
            schema: STATE_SCHEMA,
            lineage: lineage.into(),
            serial: 0,
            key,
            repository: Some(repository.into()),
            env_type: env_type.into(),
            resources: BTreeMap::new(),
            ledgers: BTreeMap::new(),
            leases: BTreeMap::new(),
            intents: Vec::new(),
        }
    }

    /// Reads a document of this or an older version, and refuses one that is newer, damaged, or of
    /// another environment. The result is of this version. The caller checks the repository.
    pub fn parse(bytes: &[u8], key: &StateKey) -> Result<Self, StateError> {
        let damaged = |error: serde_json::Error| StateError::Damaged { reason: error.to_string() };
        let json: Json = serde_json::from_slice(bytes).map_err(damaged)?;
        let schema = json
            .get("schema")
            .and_then(Json::as_u64)
            .ok_or_else(|| StateError::Damaged { reason: "it has no schema version".to_owned() })?;
        if schema > u64::from(STATE_SCHEMA) {
            return Err(StateError::Newer { found: schema });
        }
        let mut state: Self = serde_json::from_value(json).map_err(|error| {
            of_newer(&error).map_or_else(|| damaged(error), |what| StateError::Unknown { what })
        })?;
        state.schema = STATE_SCHEMA;
        if state.key != *key {
            return Err(StateError::Foreign {
                found: state.key.to_string(),
                wanted: key.to_string(),
            });
        }
        state.verify()?;
        Ok(state)
    }

    /// The document's bytes; the same state gives the same bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, StateError> {
        let mut bytes = serde_json::to_vec_pretty(self)
            .map_err(|error| StateError::Unwritable { reason: error.to_string() })?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Checks what no reader may meet: a resource without an identifier, a child without parent.
    pub fn verify(&self) -> Result<(), StateError> {
        for (address, recorded) in &self.resources {
            if recorded.id.is_empty() || recorded.name.is_empty() {
                return Err(StateError::Damaged {
                    reason: format!("{address} has no identifier or no name"),
                });
            }
            let parent = recorded.parent.as_ref();
            if let Some(parent) = parent.filter(|it| !self.resources.contains_key(*it)) {
                return Err(StateError::Damaged {
                    reason: format!("{address} lives with {parent}, which is not recorded"),
                });
            }
        }
        Ok(())
    }

    /// True for an address that something is recorded of, or was begun.
    pub fn names(&self, address: &Address) -> bool {
        self.resources.contains_key(address) || self.intents.iter().any(|it| it.address == *address)
    }

    /// Takes an address out of the record, with what lives with it. Gives what was recorded of these.
    pub fn release(&mut self, address: &Address) -> BTreeMap<Address, Option<Recorded>> {
        let lives_with = |it: &Recorded| it.parent.as_ref() == Some(address);
        let goes = self.resources.iter().filter(|(of, it)| *of == address || lives_with(it));
        let mut gone: BTreeMap<Address, Option<Recorded>> =
            goes.map(|(of, it)| (of.clone(), Some(it.clone()))).collect();
        let begun = self.intents.iter().map(|it| &it.address).filter(|of| *of == address);
        for of in begun {
            gone.entry(of.clone()).or_default();
        }
        self.resources.retain(|of, _| !gone.contains_key(of));
        self.intents.retain(|it| !gone.contains_key(&it.address));
        self.ledgers.remove(address);
        gone
    }

    /// The same environment's state with nothing in it.
    #[must_use]
    pub fn without_resources(&self) -> Self {
        Self {
            resources: BTreeMap::new(),
            ledgers: BTreeMap::new(),
            leases: BTreeMap::new(),
            intents: Vec::new(),
            ..self.clone()
        }
    }

    /// True when nothing is recorded and nothing was begun.
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty()
            && self.ledgers.is_empty()
            && self.leases.is_empty()
            && self.intents.is_empty()
    }

    /// What is known of the database with this identifier, the environment's or somebody else's.
    fn database(&self, address: &Address, id: &str) -> Option<Database<'_>> {
        let recorded = self.resources.get(address).filter(|it| it.id == id);
        let ledger = self.ledgers.get(address).filter(|it| it.id == id);
        let recorded = recorded.map(|it| (it.migrations.as_slice(), &it.table, &it.way_back));
        recorded.or(ledger.map(|it| (it.migrations.as_slice(), &it.table, &it.way_back)))
    }

    /// The migrations that are known to be applied to the database with this identifier.
    pub fn migrations_of(&self, address: &Address, id: &str) -> &[AppliedMigration] {
        self.database(address, id).map(|(migrations, ..)| migrations).unwrap_or_default()
    }

    /// The same, to be changed. A database that is not recorded is somebody else's.
    pub fn migrations_of_mut(&mut self, address: &Address, id: &str) -> &mut Vec<AppliedMigration> {
        if let Some(recorded) = self.resources.get_mut(address).filter(|it| it.id == id) {
            return &mut recorded.migrations;
        }
        &mut of_others(&mut self.ledgers, address, id).migrations
    }

    /// Writes down what the ledger of the database with this identifier holds: it counts, and not what was
    /// recorded. What is known of a file that it still has stays known.
    pub fn learn_ledger(&mut self, address: &Address, id: &str, names: &[String]) {
        let known = self.migrations_of(address, id);
        let digest = |name: &String| known.iter().find(|it| it.name == *name)?.digest.clone();
        let of = |name: &String| AppliedMigration { name: name.clone(), digest: digest(name) };
        let applied = names.iter().map(of).collect();
        *self.migrations_of_mut(address, id) = applied;
    }

    /// The table that was the ledger of the database with this identifier when envc migrated it last, where
    /// it is not wrangler's own.
    pub fn table_of(&self, address: &Address, id: &str) -> Option<&str> {
        self.database(address, id)?.1.as_deref()
    }

    /// Writes that down.
    pub fn set_table(&mut self, address: &Address, table: Option<&str>) {
        let table = table.map(str::to_owned);
        if let Some(recorded) = self.resources.get_mut(address) {
            recorded.table = table;
        } else if let Some(ledger) = self.ledgers.get_mut(address) {
            ledger.table = table;
        }
    }

    /// Where the database with this identifier was before it was changed last.
    pub fn way_back(&self, address: &Address, id: &str) -> Option<&WayBack> {
        self.database(address, id)?.2.as_ref()
    }

    /// Writes that down.
    pub fn set_way_back(&mut self, address: &Address, id: &str, way_back: Option<WayBack>) {
        if let Some(recorded) = self.resources.get_mut(address).filter(|it| it.id == id) {
            recorded.way_back = way_back;
            return;
        }
        of_others(&mut self.ledgers, address, id).way_back = way_back;
    }
}

/// Migrations, the table of the ledger, and the way back.
type Database<'s> = (&'s [AppliedMigration], &'s Option<String>, &'s Option<WayBack>);

/// What is known of a database that is somebody else's.
fn of_others<'l>(
    ledgers: &'l mut BTreeMap<Address, Ledger>,
    address: &Address,
    id: &str,
) -> &'l mut Ledger {
    let ledger = ledgers.entry(address.clone()).or_default();
    if ledger.id != id {
        *ledger = Ledger { id: id.to_owned(), ..Ledger::default() };
    }
    ledger
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(env: &str) -> StateKey {
        StateKey {
            cloud: "local".into(),
            account: "0123".into(),
            project: "shop".into(),
            env: env.into(),
        }
    }

    fn recorded(id: &str, parent: Option<&str>) -> Recorded {
        Recorded {
            name: "shop-web-main".into(),
            id: id.into(),
            parent: parent.map(|parent| parent.parse().unwrap()),
            ..Recorded::default()
        }
    }

    /// As the first version wrote it.
    const FIRST: &str = r#"{
  "schema": 1,
  "lineage": "00112233445566ff",
  "serial": 3,
  "key": { "cloud": "local", "account": "0123", "project": "shop", "env": "main" },
  "env_type": "local",
  "resources": { "d1.web": { "name": "shop-web-main", "id": "u", "fields": {} } },
  "intents": []
}
"#;

    #[test]
    fn a_state_of_the_first_version_is_carried_over_and_names_no_repository() {
        let state = State::parse(FIRST.as_bytes(), &key("main")).unwrap();
        assert_eq!((state.schema, state.serial, &state.repository), (STATE_SCHEMA, 3, &None));
        assert_eq!(state.resources.len(), 1);
        // Nobody took it over: the next reader sees as much.
        let bytes = String::from_utf8(state.to_bytes().unwrap()).unwrap();
        assert!(!bytes.contains("repository"), "{bytes}");
    }

    #[test]
    fn a_resource_without_identifier_or_parent_is_damage() {
        let mut state = State::new(key("main"), "host/a/b", "local", "abc");
        state.resources.insert("tunnel.dev".parse().unwrap(), recorded("t", None));
        let config = "tunnel-config.dev".parse().unwrap();
        state.resources.insert(config, recorded("t", Some("tunnel.dev")));
        assert_eq!(state.verify(), Ok(()));
        let whole = state.clone();
        state.resources.remove(&"tunnel.dev".parse().unwrap());
        let error = State::parse(&state.to_bytes().unwrap(), &key("main")).unwrap_err().to_string();
        assert!(error.contains("tunnel-config.dev lives with tunnel.dev"), "{error}");
        let mut state = whole;
        state.resources.insert("d1.web".parse().unwrap(), recorded("", None));
        assert!(matches!(state.verify(), Err(StateError::Damaged { .. })));
    }

    #[test]
    fn a_state_reads_back_and_refuses_what_is_not_its_own() {
        let mut state = State::new(key("main"), "host/a/b", "local", "abc");
        let mut web = recorded("u", None);
        // Read by a quick rule, it would be its neighbour.
        web.fields.insert("share".into(), serde_json::json!(31.245_270_191_439_438));
        state.resources.insert("d1.web".parse().unwrap(), web);
        let bytes = state.to_bytes().unwrap();
        assert_eq!(State::parse(&bytes, &key("main")), Ok(state));
        assert!(matches!(State::parse(&bytes, &key("x")), Err(StateError::Foreign { .. })));
        assert!(matches!(State::parse(b"{}", &key("x")), Err(StateError::Damaged { .. })));
        assert!(matches!(
            State::parse(b"{\"schema\":", &key("x")),
            Err(StateError::Damaged { .. })
        ));
        assert_eq!(
            State::parse(b"{\"schema\":99,\"new\":1}", &key("x")),
            Err(StateError::Newer { found: 99 })
        );
    }
}
