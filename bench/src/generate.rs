//! Projects that are too long to be written by hand.

/// A step of the zod project whose answer is edited again and again.
pub(crate) const EDITED: &str = "steps/answer.step.ts";

/// As many API steps as there are routes. The one that is asked comes last.
pub(crate) fn routes(count: usize) -> Vec<(String, String)> {
    (1..=count).map(|number| route(number, if number == count { "last".into() } else { number.to_string() })).collect()
}

fn route(number: usize, route: String) -> (String, String) {
    let text = format!(
        "import type {{ ApiRouteConfig }} from 'motia'\n\n\
        export const config: ApiRouteConfig = {{\n  type: 'api',\n  name: 'Route{number}',\n  path: '/routes/{route}',\n  \
        method: 'GET',\n  emits: [],\n}}\n\n\
        export const handler = async () => ({{ status: 200, body: {{ route: '{route}' }} }})\n"
    );
    // So that the files are in this order too.
    (format!("steps/route-{number:05}.step.ts"), text)
}

/// Steps as projects have them, all with schemas in zod: one answers hello, one is [`EDITED`], a third handles events, the others
/// take bodies.
pub(crate) fn with_zod(count: usize) -> Vec<(String, String)> {
    let mut files = vec![(EDITED.to_owned(), answer(0)), ("steps/hello.step.ts".to_owned(), hello())];
    while files.len() < count {
        let number = files.len();
        files.push((
            format!("steps/thing-{number:02}.step.ts"),
            if number.is_multiple_of(3) { event(number) } else { api(number) },
        ));
    }
    files
}

/// The step that is edited, with the answer it gives.
pub(crate) fn answer(answer: usize) -> String {
    format!(
        "import type {{ ApiRouteConfig }} from 'motia'\nimport {{ z }} from 'zod'\n\n\
        export const config: ApiRouteConfig = {{\n  type: 'api',\n  name: 'Answer',\n  path: '/answer',\n  method: 'GET',\n  \
        responseSchema: {{ 200: z.object({{ answer: z.number().int() }}) }},\n  emits: [],\n}}\n\n\
        export const handler = async () => ({{ status: 200, body: {{ answer: {answer} }} }})\n"
    )
}

fn hello() -> String {
    "import type { ApiRouteConfig } from 'motia'\nimport { z } from 'zod'\n\n\
    export const config: ApiRouteConfig = {\n  type: 'api',\n  name: 'Hello',\n  path: '/hello',\n  method: 'GET',\n  \
    responseSchema: { 200: z.object({ hello: z.string() }) },\n  emits: [],\n}\n\n\
    export const handler = async () => ({ status: 200, body: { hello: 'world' } })\n"
        .to_owned()
}

fn schema(number: usize) -> String {
    format!(
        "const thing{number} = z.object({{\n  id: z.string().min(1),\n  kind: z.enum(['small', 'large', 'kind-{number}']),\n  \
        email: z.string().email().optional(),\n  price: z.number().min(0).max({number}000),\n  \
        tags: z.array(z.string().max(40)).default([]),\n  \
        parts: z.array(z.object({{ sku: z.string(), quantity: z.number().int().min(1) }})).optional(),\n}})\n"
    )
}

fn api(number: usize) -> String {
    format!(
        "import type {{ ApiRequest, ApiRouteConfig, FlowContext }} from 'motia'\nimport {{ z }} from 'zod'\n\n{schema}\n\
        export const config: ApiRouteConfig = {{\n  type: 'api',\n  name: 'Thing{number}',\n  path: '/things/{number}/:id',\n  \
        method: 'POST',\n  bodySchema: thing{number},\n  responseSchema: {{ 200: thing{number}.partial() }},\n  \
        emits: ['thing.{number}'],\n}}\n\n\
        export const handler = async (req: ApiRequest<z.infer<typeof thing{number}>>, {{ emit, logger }}: FlowContext) => {{\n  \
        const {{ id, price }} = req.body\n  logger.info('took a thing', {{ id, price }})\n  \
        await emit({{ topic: 'thing.{number}', data: req.body }})\n  return {{ status: 200, body: {{ id }} }}\n}}\n",
        schema = schema(number),
    )
}

fn event(number: usize) -> String {
    let topic = number - 1;
    format!(
        "import type {{ EventConfig, FlowContext }} from 'motia'\nimport {{ z }} from 'zod'\n\n{schema}\n\
        export const config: EventConfig = {{\n  type: 'event',\n  name: 'Thing{number}',\n  subscribes: ['thing.{topic}'],\n  \
        input: thing{number},\n  emits: [],\n}}\n\n\
        export const handler = async (input: z.infer<typeof thing{number}>, {{ state }}: FlowContext) => {{\n  \
        await state.set('things', input.id, input)\n}}\n",
        schema = schema(number),
    )
}

/// Steps in Python, each with a schema: one answers hello, every third handles events.
pub(crate) fn in_python(count: usize) -> Vec<(String, String)> {
    let hello = "config = {\"type\": \"api\", \"name\": \"Hello\", \"path\": \"/hello\", \"method\": \"GET\", \"emits\": []}\n\n\n\
        async def handler(req, ctx):\n    return {\"status\": 200, \"body\": {\"hello\": \"world\"}}\n";
    let mut files = vec![("steps/hello_step.py".to_owned(), hello.to_owned())];
    while files.len() < count {
        let number = files.len();
        let trigger = if number.is_multiple_of(3) {
            format!("\"type\": \"event\", \"subscribes\": [\"thing.{number}\"], \"input\": SCHEMA")
        } else {
            format!(
                "\"type\": \"api\", \"path\": \"/things/{number}/:id\", \"method\": \"POST\", \"bodySchema\": SCHEMA"
            )
        };
        let text = format!(
            "import json\nfrom dataclasses import dataclass\nfrom datetime import datetime\n\n\
            SCHEMA = {{\"type\": \"object\", \"properties\": {{\"id\": {{\"type\": \"string\"}}, \"price\": {{\"type\": \"number\"}}}}}}\n\
            config = {{{trigger}, \"name\": \"Thing{number}\", \"emits\": []}}\n\n\n\
            @dataclass\nclass Thing:\n    id: str\n    at: datetime\n\n\n\
            async def handler(data, ctx):\n    ctx.logger.info(\"took a thing\", {{\"thing\": json.dumps(data)}})\n    \
            return {{\"status\": 200, \"body\": Thing(\"{number}\", datetime.now())}}\n"
        );
        files.push((format!("steps/thing_{number:02}_step.py"), text));
    }
    files
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn routes_are_distinct_and_the_last_is_asked() {
        let files = routes(1000);
        let (paths, texts): (HashSet<_>, HashSet<_>) = files.iter().cloned().unzip();
        assert_eq!((paths.len(), texts.len()), (1000, 1000));
        assert!(files[999].1.contains("path: '/routes/last'"));
        assert!(files.is_sorted());
        assert!(routes(1)[0].1.contains("path: '/routes/last'"));
    }

    #[test]
    fn all_steps_use_zod_and_some_handle_events() {
        let files = with_zod(30);
        assert_eq!(files.len(), 30);
        assert!(files.iter().all(|(_, text)| text.contains("from 'zod'")));
        assert_eq!(files.iter().filter(|(_, text)| text.contains("type: 'event'")).count(), 9);
        assert_eq!(files.iter().map(|(path, _)| path).collect::<HashSet<_>>().len(), 30);
        assert!(answer(7).contains("answer: 7"));
    }
}
