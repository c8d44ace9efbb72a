//! Reading a `tsconfig.json` member by member: one that is wrong is ignored, with a warning at its place, and the rest counts.

use std::fs;
use std::ops::Range;
use std::path::Path;

use indexmap::IndexMap;
use motia_core::SourcePath;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::diagnostic::{Diagnostic, offset};

/// What one file says, as it says it.
#[derive(Debug, Default)]
pub(super) struct Raw {
    pub(super) extends: Vec<String>,
    pub(super) base_url: Option<String>,
    pub(super) paths: Option<IndexMap<String, Vec<String>>>,
    pub(super) plain: Plain,
}

/// The options that are taken as they are written.
#[derive(Clone, Debug, Default)]
pub(super) struct Plain {
    pub(super) target: Option<String>,
    pub(super) use_define_for_class_fields: Option<bool>,
    pub(super) experimental_decorators: Option<bool>,
    pub(super) emit_decorator_metadata: Option<bool>,
    pub(super) strict: Option<bool>,
    pub(super) strict_null_checks: Option<bool>,
    pub(super) jsx: Option<String>,
    pub(super) jsx_import_source: Option<String>,
    pub(super) jsx_factory: Option<String>,
    pub(super) jsx_fragment_factory: Option<String>,
}

const FLAG: &str = "true or false";
const TEXT: &str = "a string";
const OBJECT: &str = "an object, { … }";
const LIST: &str = "a list of paths, [\"…\"]";

/// The members of an object, as they are written.
type Members<'t> = IndexMap<String, &'t RawValue>;

/// Reads a file. What is wrong with it goes to `warnings`.
pub(super) fn read(path: &Path, name: &SourcePath, warnings: &mut Vec<Diagnostic>) -> Option<Raw> {
    let source = match fs::read_to_string(path) {
        Ok(source) => source,
        Err(error) => {
            warnings.push(Diagnostic::new(name, format!("this configuration cannot be read and is ignored: {error}")));
            return None;
        }
    };
    // As long as the source, so that places in the one are places in the other.
    let mut text = match source.strip_prefix('\u{feff}') {
        Some(rest) => format!("   {rest}"),
        None => source.clone(),
    };
    let stripped = json_strip_comments::strip(&mut text);
    let mut reader = Reader { name, source: &source, text: &text, warnings };
    if stripped.is_err() {
        let end = text.trim_end().len();
        reader.warn(end..end, "a comment does not end: this configuration is ignored".to_owned());
        return None;
    }
    if text.trim().is_empty() {
        return Some(Raw::default());
    }
    reader.file()
}

struct Reader<'a> {
    name: &'a SourcePath,
    source: &'a str,
    /// The source without comments.
    text: &'a str,
    warnings: &'a mut Vec<Diagnostic>,
}

impl<'a> Reader<'a> {
    fn file(&mut self) -> Option<Raw> {
        let whole = match serde_json::from_str::<&RawValue>(self.text) {
            Ok(whole) => whole,
            Err(error) => {
                let at = offset(self.text, error.line(), error.column());
                let error = error.to_string();
                let why = error.split(" at line ").next().unwrap_or_default();
                self.warn(at..at, format!("this is not JSON, and is ignored: {why}"));
                return None;
            }
        };
        let Ok(members) = serde_json::from_str::<Members<'a>>(whole.get()) else {
            self.refuse(whole, None, OBJECT);
            return None;
        };
        let extends = members.get("extends").copied().map(|raw| self.one_or_many(raw)).unwrap_or_default();
        let options = self.take::<&RawValue>(&members, "compilerOptions", OBJECT);
        let options: Members<'a> = match options.map(|raw| (raw, serde_json::from_str(raw.get()))) {
            Some((_, Ok(options))) => options,
            Some((raw, Err(_))) => {
                self.refuse(raw, Some("compilerOptions"), OBJECT);
                Members::default()
            }
            None => Members::default(),
        };
        let options = &options;
        Some(Raw {
            extends,
            base_url: self.take(options, "baseUrl", TEXT),
            paths: options.get("paths").copied().and_then(|raw| self.paths(raw)),
            plain: Plain {
                target: self.take(options, "target", TEXT),
                use_define_for_class_fields: self.take(options, "useDefineForClassFields", FLAG),
                experimental_decorators: self.take(options, "experimentalDecorators", FLAG),
                emit_decorator_metadata: self.take(options, "emitDecoratorMetadata", FLAG),
                strict: self.take(options, "strict", FLAG),
                strict_null_checks: self.take(options, "strictNullChecks", FLAG),
                jsx: self.take(options, "jsx", TEXT),
                jsx_import_source: self.take(options, "jsxImportSource", TEXT),
                jsx_factory: self.take(options, "jsxFactory", TEXT),
                jsx_fragment_factory: self.take(options, "jsxFragmentFactory", TEXT),
            },
        })
    }

    fn take<T: Deserialize<'a>>(&mut self, members: &Members<'a>, name: &str, expected: &str) -> Option<T> {
        let raw = *members.get(name)?;
        match serde_json::from_str::<Option<T>>(raw.get()) {
            Ok(value) => value,
            Err(_) => {
                self.refuse(raw, Some(name), expected);
                None
            }
        }
    }

    fn one_or_many(&mut self, raw: &'a RawValue) -> Vec<String> {
        if let Ok(one) = serde_json::from_str(raw.get()) {
            return vec![one];
        }
        serde_json::from_str(raw.get()).unwrap_or_else(|_| {
            self.refuse(raw, Some("extends"), "a string, or a list of strings");
            Vec::new()
        })
    }

    /// An entry that is wrong costs only itself.
    fn paths(&mut self, raw: &'a RawValue) -> Option<IndexMap<String, Vec<String>>> {
        let Ok(entries) = serde_json::from_str::<Option<Members<'a>>>(raw.get()) else {
            self.refuse(raw, Some("paths"), OBJECT);
            return None;
        };
        let mut paths = IndexMap::new();
        for (pattern, raw) in entries? {
            match serde_json::from_str(raw.get()) {
                Ok(list) => {
                    paths.insert(pattern, list);
                }
                Err(_) => self.refuse(raw, Some(&pattern), LIST),
            }
        }
        Some(paths)
    }

    fn refuse(&mut self, raw: &'a RawValue, name: Option<&str>, expected: &str) {
        // Raw values are slices of the text.
        let at = raw.get().as_ptr().addr() - self.text.as_ptr().addr();
        let span = at..at + raw.get().len();
        let what = name.map_or_else(|| "this configuration".to_owned(), |name| format!("'{name}'"));
        self.warn(span, format!("{what} has to be {expected}: it is ignored"));
    }

    fn warn(&mut self, span: Range<usize>, message: String) {
        let warning = Diagnostic::new(self.name, message).at(self.source, span);
        // Several configurations may extend one.
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }
}
