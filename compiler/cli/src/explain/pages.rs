//! The pages of `specs/codes`, one for each code, in the order of their names.

macro_rules! pages {
    ($($slug:literal)*) => {
        /// The last word of each code, and its page.
        pub(super) const PAGES: &[(&str, &str)] = &[$((
            $slug,
            include_str!(concat!("../../../../specs/codes/", $slug, ".md")),
        )),*];
    };
}

pages! {
    "bad_name"
    "bad_reference"
    "bad_service"
    "bare_keyword"
    "binding_target"
    "conflict"
    "duplicate"
    "duplicate_identity"
    "existing_by"
    "extends_cycle"
    "file_collision"
    "flag_as_property"
    "host_collision"
    "host_outside_zone"
    "invalid"
    "invalid_host"
    "invalid_identity"
    "invalid_value"
    "let_cycle"
    "missing_argument"
    "missing_environment"
    "missing_identity"
    "missing_project"
    "missing_property"
    "name_collision"
    "name_without_env"
    "no_pull_request"
    "no_zone"
    "not_a_choice"
    "not_existing"
    "out_of_range"
    "port_collision"
    "reference_not_allowed"
    "repeated_node"
    "repeated_property"
    "secret_in_public"
    "stray_brace"
    "text_too_long"
    "too_deep"
    "too_large"
    "too_long"
    "too_many_arguments"
    "too_many_nodes"
    "two_defaults"
    "unclosed"
    "unknown_annotation"
    "unknown_flag"
    "unknown_node"
    "unknown_pool"
    "unknown_property"
    "unknown_reference"
    "unknown_type"
    "without_nothing"
    "wrong_type"
}
