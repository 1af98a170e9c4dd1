//! The codes of this crate's diagnostics: one table, for the messages and for `--explain`.

macro_rules! codes {
    ($($name:ident $slug:literal $summary:literal)*) => {
        $(#[doc = $summary] pub const $name: &str = concat!("envc::syntax::", $slug);)*
        /// Every code with what it says, for `--explain`.
        pub const ALL: &[(&str, &str)] = &[$(($name, $summary)),*];
    };
}

codes! {
    TOO_LARGE "too_large" "The file is larger than a spec may be."
    TOO_DEEP "too_deep" "Blocks are nested deeper than a spec may nest them."
    TOO_MANY_NODES "too_many_nodes" "The file holds more nodes than a spec may hold."
    NOT_KDL "not_kdl" "The file is written in another language, such as JSON."
    BARE_KEYWORD "bare_keyword" "KDL 2 writes #true, #false and #null with a number sign."
    UNKNOWN_KEYWORD "unknown_keyword" "A word that begins with `#` is none of #true, #false and #null."
    COMMENT "comment" "A comment begins with `//`, not with `#`."
    UNCLOSED_COMMENT "unclosed_comment" "A comment is opened with `/*` and never closed, or closed and never opened."
    NOTHING_COMMENTED "nothing_commented" "`/-` takes away what follows it, and nothing follows."
    UNCLOSED "unclosed" "A block is opened with `{` and never closed."
    STRAY_BRACE "stray_brace" "A `}` closes nothing."
    BLOCK_WITHOUT_NODE "block_without_node" "A block belongs to no node: its `{` does not stand on the line of one."
    SECOND_BLOCK "second_block" "A node has two blocks."
    AFTER_BLOCK "after_block" "Something stands behind the block of a node, on the same line."
    EMPTY_NODE "empty_node" "A `;` ends no node."
    NODE_NAME "node_name" "A node begins with something that is no name."
    ASSIGNMENT "assignment" "A node is written as an assignment."
    MISSING_VALUE "missing_value" "No value follows an `=` or an annotation."
    EQUALS_SIGN "equals_sign" "An `=` stands where no property begins."
    ANNOTATION "annotation" "An annotation is not written `(word)value`."
    PROPERTY_NAME "property_name" "The name of a property is a number or a keyword."
    COMMA "comma" "Values are separated by blanks, not by commas."
    BRACKETS "brackets" "Lists are written without brackets."
    PARENTHESES "parentheses" "Parentheses stand around an annotation only."
    MISSING_SPACE "missing_space" "Two values stand together without a blank."
    UNQUOTED "unquoted" "A text needs quotes, because it begins with a digit or holds a character that means something."
    NUMBER "number" "A number has more digits than can be read."
    QUOTES "quotes" "Text stands between other quotation marks than `\"`."
    OLD_RAW_STRING "old_raw_string" "A raw text is written as in KDL 1."
    UNCLOSED_TEXT "unclosed_text" "A text has no closing quote."
    BAD_ESCAPE "bad_escape" "A `\\` in a text is followed by a character that it does not escape."
    LINES "lines" "A text of several lines is not laid out as it must be."
    FORBIDDEN_CHARACTER "forbidden_character" "The file holds a character that cannot be seen, and that KDL forbids."
    TOO_MANY_MISTAKES "too_many_mistakes" "The rest of the file was not read, for all the mistakes before it."
}
