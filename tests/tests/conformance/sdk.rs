//! The official SDKs, product by product: `sdk.mjs` and `sdk.py` assert, this starts them.

use crate::served::Served;

#[track_caller]
fn holds(product: &str, checks: u32) {
    let ran = Served::empty().node("sdk.mjs", &[product]).exits(0);
    assert_eq!(ran.stdout, format!("{checks} checks held\n"), "{ran}");
}

#[test]
fn the_sdk_for_python_reads_the_same_variables() {
    let ran = Served::empty().python("sdk.py").exits(0);
    assert_eq!(ran.stdout, "12 checks held\n", "{ran}");
}

#[test]
fn accounts_zones_and_refused_tokens() {
    holds("accounts", 13);
}

#[test]
fn d1_is_listed_queried_and_deleted() {
    holds("d1", 17);
}

#[test]
fn kv_namespaces_keys_and_values() {
    holds("kv", 17);
}

#[test]
fn r2_buckets_and_objects() {
    holds("r2", 14);
}

#[test]
fn queues_consumers_and_messages() {
    holds("queues", 24);
}

#[test]
fn tunnels_and_their_configuration() {
    holds("tunnels", 16);
}

#[test]
fn dns_records_in_batches_and_in_conflict() {
    holds("dns", 20);
}

#[test]
fn workers_and_what_hangs_on_them() {
    holds("workers", 36);
}
