//! The codes of this crate's diagnostics: one table, for the messages and for `--explain`.

macro_rules! codes {
    ($($name:ident $slug:literal $summary:literal)*) => {
        $(#[doc = $summary] pub const $name: &str = concat!("envc::spec::", $slug);)*
        /// Every code with what it says.
        pub const ALL: &[(&str, &str)] = &[$(($name, $summary)),*];
    };
}

codes! {
    UNKNOWN_NODE "unknown_node" "No node of this name may stand here."
    UNKNOWN_PROPERTY "unknown_property" "The node has no property of this name."
    UNKNOWN_FLAG "unknown_flag" "The node has no flag of this name."
    UNKNOWN_ANNOTATION "unknown_annotation" "Only `(secret)` and `(env)` annotate values, and only where a value may come from outside."
    REPEATED_PROPERTY "repeated_property" "A property is given twice on one node."
    MISSING_PROPERTY "missing_property" "A property that the node needs is not given."
    MISSING_ARGUMENT "missing_argument" "An argument that the node needs is not given."
    TOO_MANY_ARGUMENTS "too_many_arguments" "The node takes fewer arguments."
    WRONG_TYPE "wrong_type" "The value is of another type than the one wanted."
    FLAG_AS_PROPERTY "flag_as_property" "A flag is written as a property; flags are bare words."
    OUT_OF_RANGE "out_of_range" "A number is outside its bounds."
    INVALID_VALUE "invalid_value" "The value does not have the form that is wanted."
    NOT_A_CHOICE "not_a_choice" "The value is none of the words that are possible."
    DUPLICATE "duplicate" "A node of this kind and name stands here already."
    REPEATED_NODE "repeated_node" "A node that may stand once stands twice."
    MISSING_PROJECT "missing_project" "A spec begins with a `project`."
    MISSING_ENVIRONMENT "missing_environment" "A spec needs at least one `environment`."
    MISSING_IDENTITY "missing_identity" "An environment type says where its ID comes from."
    INVALID_IDENTITY "invalid_identity" "An ID is made of a-z, 0-9 and dashes, and is short enough for a host name."
    DUPLICATE_IDENTITY "duplicate_identity" "Two types would give the same ID."
    TWO_DEFAULTS "two_defaults" "Only one type can be the default, or be chosen by the same `when`."
    UNKNOWN_TYPE "unknown_type" "No environment type of this name is declared."
    EXTENDS_CYCLE "extends_cycle" "Types extend one another in a circle."
    WITHOUT_NOTHING "without_nothing" "`without` drops something that is not there."
    NOT_EXISTING "not_existing" "Under `existing all` a store is not listed."
    EXISTING_BY "existing_by" "What exists is named by `id=` or by `name=`, one of the two."
    UNKNOWN_REFERENCE "unknown_reference" "A reference names something that is not declared."
    BAD_REFERENCE "bad_reference" "The text between braces is not a reference."
    REFERENCE_NOT_ALLOWED "reference_not_allowed" "A name, a host or an identity refers to what is not known before apply."
    NO_PULL_REQUEST "no_pull_request" "A reference needs the number of a pull request."
    LET_CYCLE "let_cycle" "`let`s refer to one another in a circle."
    TEXT_TOO_LONG "text_too_long" "A text is too long, as it stands or once its references are replaced."
    TOO_MANY_TYPES "too_many_types" "The spec has more environments, or more nodes for all of them together, than are resolved."
    SECRET_IN_PUBLIC "secret_in_public" "A secret would flow into a place that others can see."
    NAME_WITHOUT_ENV "name_without_env" "A name or host must contain `{env}` where the ID is not fixed."
    ENV_NOT_APART "env_not_apart" "Beside `{env}` in a name or a host stands `-`, `.` or an end: else another ID could give the same text."
    DASHES "dashes" "A project, a name or an ID holds `--`, which separates the parts of a name in the account, or begins or ends with a dash."
    RESERVED_NAME "reserved_name" "The name is kept for something else: it begins as internationalised host names do, or it is `ENVC` in a Worker."
    NO_EDGE "no_edge" "State on the edge needs an `edge` node that says where it is."
    NO_ZONE "no_zone" "A host needs the project's zone."
    HOST_OUTSIDE_ZONE "host_outside_zone" "A host lies outside the project's zone."
    INVALID_HOST "invalid_host" "The text is not a host name."
    NAME_COLLISION "name_collision" "Two resources of a kind have one physical name, or could have one with some IDs."
    HOST_COLLISION "host_collision" "Two ingresses or routes have one host."
    FILE_COLLISION "file_collision" "Two generated files have one path."
    PORT_COLLISION "port_collision" "One port is fixed twice, or two owners have one name."
    BAD_NAME "bad_name" "A physical name does not have the form that its kind wants."
    TOO_LONG "too_long" "A text is longer than the API takes."
    BAD_SERVICE "bad_service" "The service of an ingress has no scheme that a tunnel knows."
    CONFLICT "conflict" "Two settings of a resource exclude each other."
    BINDING_TARGET "binding_target" "A binding names exactly one resource."
    UNKNOWN_POOL "unknown_pool" "A lease names a pool that the edge does not declare."
}
