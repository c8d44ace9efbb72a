"""The decision of an agent, which the page leaves out: it asks OpenAI which of the emits to fire."""

import json
import os
import time
import urllib.request


async def call_agent_decision(agent_type, context, available_emits, logger):
    artifact = {"timestamp": int(time.time() * 1000), "availableEmits": available_emits, "success": False}
    question = {"agent": agent_type, "context": context, "emits": [emit["id"] for emit in available_emits]}
    request = urllib.request.Request(
        "https://api.openai.com/v1/chat/completions",
        data=json.dumps({"messages": [{"role": "user", "content": json.dumps(question)}]}).encode(),
        headers={"Authorization": f"Bearer {os.getenv('OPENAI_API_KEY')}"},
    )
    try:
        with urllib.request.urlopen(request) as response:
            answer = json.loads(response.read())
        artifact["parsedDecision"] = json.loads(answer["choices"][0]["message"]["content"])
        artifact["success"] = True
    except Exception as error:
        artifact["error"] = str(error)
    return artifact
