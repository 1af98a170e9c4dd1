//! The Worker's own settings and secrets.

use worker::Env;
use worker::js_sys::Reflect;
use worker::wasm_bindgen::JsValue;

/// Reads a variable or a secret; `None` if there is none of that name.
///
/// Not by the library's `Env::var`: that one panics on a variable that is there and null, as
/// workerd makes it of one that is missing in its environment, and a panic hangs the caller.
pub(crate) fn setting(env: &Env, name: &str) -> Option<String> {
    Reflect::get(env.as_ref(), &JsValue::from(name)).ok()?.as_string()
}

/// Whether a variable is `1`.
pub(crate) fn is_on(env: &Env, name: &str) -> bool {
    setting(env, name).is_some_and(|value| value == "1")
}
