//! From what a worker imported to a project: configs are read, problems are collected, nothing that is sound is lost.

use std::collections::HashMap;
use std::sync::Arc;

use motia_compile::{Discovery, FileKind};
use motia_core::ids::Runtime;
use motia_core::project::{Isolation, ProjectConfig};
use motia_core::step::{Step, Trigger};
use motia_core::stream::Stream;
use motia_core::{Language, SourcePath};
use motia_engine::Project;
use motia_engine::streams::Gate;
use motia_server::Routes;
use motia_worker::{Imported, LoadReport};
use serde_json::Value;

/// A project, ready to be applied.
pub(crate) struct Assembled {
    /// What the project's config says; `None` if it has one that cannot be used.
    pub(crate) settings: Option<ProjectConfig>,
    pub(crate) project: Project,
    pub(crate) routes: Routes,
    /// A line per file that is there, such as `Step (API) steps/a.step.ts`, in the order of discovery.
    pub(crate) lines: Vec<(SourcePath, String)>,
    /// What does not work, and why.
    pub(crate) errors: Vec<String>,
    /// What is odd.
    pub(crate) warnings: Vec<String>,
}

/// Reads everything. Files that did not compile are in `discovery` but not in `report`; whoever compiled them reports them.
pub(crate) fn assemble(discovery: &Discovery, report: &LoadReport) -> Assembled {
    let (mut steps, mut streams) = (Vec::new(), Vec::new());
    let has_config = discovery.files.iter().any(|file| file.kind == FileKind::Config);
    let mut settings = (!has_config).then(ProjectConfig::default);
    // Until the config says who may watch, nobody may.
    let mut gate = if has_config { Gate::Closed } else { Gate::Open };
    let (mut lines, mut errors, mut warnings, mut broken) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let failures: HashMap<_, _> = report.failed.iter().map(|(source, failure)| (source, failure)).collect();
    for file in &discovery.files {
        let source = &file.path;
        if let Some(failure) = failures.get(source) {
            let kept = if report.imported.contains_key(source) { " (its last good version goes on)" } else { "" };
            errors.push(format!("{source}{kept}: {failure}"));
        }
        let Some(imported) = report.imported.get(source) else {
            if file.kind == FileKind::Step {
                broken.push(source.clone());
            }
            continue;
        };
        warnings.extend(imported.warnings.iter().map(|warning| format!("{source}: {warning}")));
        let problem = match file.kind {
            FileKind::Config => parse_settings(&imported.config).map(|(read, said)| {
                // The config's JSON need not show a function that is a member of an instance.
                gate = match read.streams.authenticated || imported.handler {
                    true => Gate::Guarded(source.clone(), file.language),
                    false => Gate::Open,
                };
                settings = Some(read);
                warnings.extend(said.into_iter().map(|warning| format!("{source}: {warning}")));
            }),
            FileKind::Step => read_step(source, file.language, imported).map(|(step, said)| {
                lines.push((source.clone(), format!("Step ({}) {source}", step.kind())));
                steps.push(step);
                warnings.extend(said.into_iter().map(|warning| format!("{source}: {warning}")));
            }),
            FileKind::Stream => read_stream(source, file.language, imported).map(|(stream, said)| {
                lines.push((source.clone(), format!("Stream {source}")));
                streams.push(stream);
                warnings.extend(said.into_iter().map(|warning| format!("{source}: {warning}")));
            }),
        };
        if let Err(problem) = problem {
            errors.push(format!("{source}: {problem}"));
            if file.kind == FileKind::Step {
                broken.push(source.clone());
            }
        }
    }
    let (mut project, doubles) = Project::new(steps, streams, broken);
    project.gate = gate;
    warnings.extend(doubles);
    // What lost its name to another file does not run.
    lines.retain(|(source, _)| {
        project.step_of(source).is_some() || project.streams().any(|stream| stream.source == *source)
    });
    // By the order of registration: of two equal routes the first wins.
    let in_order = discovery.files.iter().filter_map(|file| project.step_of(&file.path));
    let (routes, odd_routes) = Routes::new(in_order);
    warnings.extend(odd_routes);
    for (step, topic) in project.topics_without_subscriber() {
        warnings.push(format!("Step ({}) {} emits {topic}, but no step subscribes to it", step.kind(), step.source));
    }
    if settings.as_ref().is_some_and(|settings| settings.isolation == Isolation::Process) {
        let custom = project.streams().filter(|stream| stream.custom);
        let useless = |stream: &Arc<Stream>| {
            format!("{}: its storage does not run with isolation: \"process\"; whatever uses it fails", stream.source)
        };
        warnings.extend(custom.map(useless));
    }
    Assembled { settings, project, routes, lines, errors, warnings }
}

type Read<T> = Result<(T, Vec<String>), String>;

fn json(config: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(config).map_err(|error| format!("its config is not JSON: {error}"))
}

fn parse_settings(config: &[u8]) -> Read<ProjectConfig> {
    let parsed = ProjectConfig::parse(&json(config)?).map_err(|error| error.to_string())?;
    Ok((parsed.value, parsed.warnings))
}

/// Why a config cannot be used, if it cannot.
pub(crate) fn problem_of_settings(config: &[u8]) -> Option<String> {
    parse_settings(config).err()
}

/// The knobs of a config, for whoever needs one before the project is put together.
pub(crate) fn read_settings(config: &[u8]) -> Option<ProjectConfig> {
    parse_settings(config).ok().map(|(settings, _)| settings)
}

fn read_step(source: &SourcePath, language: Language, imported: &Imported) -> Read<Step> {
    let parsed = Step::parse(source.clone(), language, &json(&imported.config)?).map_err(|error| error.to_string())?;
    if !imported.handler && !matches!(parsed.value.trigger, Trigger::Noop) {
        let example = match language.runtime() {
            Runtime::Node => "it exports no handler function: add `export const handler = async (...) => { ... }`",
            Runtime::Python => "it has no handler function: add `async def handler(...):`",
            Runtime::Ruby => "it has no handler method: add `def handler(...)`",
        };
        return Err(example.into());
    }
    Ok((parsed.value, parsed.warnings))
}

fn read_stream(source: &SourcePath, language: Language, imported: &Imported) -> Read<Stream> {
    let parsed =
        Stream::parse(source.clone(), language, &json(&imported.config)?).map_err(|error| error.to_string())?;
    let guarded = parsed.value.guarded || imported.handler;
    Ok((Stream { guarded, ..parsed.value }, parsed.warnings))
}
