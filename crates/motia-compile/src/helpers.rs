//! What lowered code calls at run time: decorators, their metadata, `using`.

/// The code of a helper, as a CommonJS module that both formats can load.
pub(crate) fn code(name: &str) -> Option<&'static str> {
    Some(match name {
        "decorate" => include_str!("helpers/decorate.cjs"),
        "decorateParam" => include_str!("helpers/decorateParam.cjs"),
        "decorateMetadata" => include_str!("helpers/decorateMetadata.cjs"),
        "usingCtx" => include_str!("helpers/usingCtx.cjs"),
        "extends" => "module.exports = Object.assign;\n",
        "toPropertyKey" => "module.exports = (key) => (typeof key === 'symbol' ? key : `${key}`);\n",
        _ => return None,
    })
}
