//! The codes of what can be wrong with generated files: one table, for the messages and for
//! `--explain`.

macro_rules! codes {
    ($($name:ident $slug:literal $summary:literal)*) => {
        $(#[doc = $summary] pub const $name: &str = concat!("envc::files::", $slug);)*
        /// Every code with what it says.
        pub const ALL: &[(&str, &str)] = &[$(($name, $summary)),*];
    };
}

codes! {
    TEMPLATE_MISSING "template_missing" "A template is not there, or cannot be read."
    TEMPLATE "template" "A template cannot be rendered."
    NOT_JSON "not_json" "A template makes no valid wrangler configuration."
    TEMPLATE_UNMARKED "template_unmarked" "A template leaves out the variable by which envc knows its Worker."
    FOREIGN_ID "foreign_id" "A configuration would hold an ID that is not of this environment."
    SECRET_IN_PUBLIC_FILE "secret_in_public_file" "A secret would stand in a file that others can read."
    UNQUOTABLE "unquotable" "A value has a form that no dotenv file can hold."
    UNRESOLVED "unresolved" "A value that a file needs is not known."
}
