"""Answers for api.openai.com, in every Python process that has this folder on PYTHONPATH. What it says depends on what the prompt holds."""

import io
import json
import urllib.error
import urllib.request

_PROFILE = {
    "bio": "A calm companion who greets every visitor at the door.",
    "breedGuess": "Beagle mix",
    "temperamentTags": ["calm", "curious", "gentle"],
    "adopterHints": "A home with a garden, and somebody who is there in the morning.",
}


class _Reply(io.BytesIO):
    status = 200
    reason = "OK"


def _content(prompt):
    if "Garbled" in prompt:
        return "no JSON"
    if "symptoms" not in prompt:
        return json.dumps(_PROFILE)
    ill = "coughing" in prompt
    chosen = "emit.health.treatment_required" if ill else "emit.health.no_treatment_needed"
    return json.dumps({"chosenEmit": chosen, "rationale": "It coughs." if ill else "It is well."})


def _urlopen(request, *rest, **more):
    url = request.full_url if isinstance(request, urllib.request.Request) else request
    if not url.startswith("https://api.openai.com/"):
        return _real(request, *rest, **more)
    assert request.get_header("Authorization") == "Bearer a-key", "the key of .env"
    prompt = json.loads(request.data)["messages"][-1]["content"]
    if "Refused" in prompt:
        raise urllib.error.HTTPError(url, 429, "Too Many Requests", None, None)
    answer = {"choices": [{"message": {"role": "assistant", "content": _content(prompt)}}]}
    return _Reply(json.dumps(answer).encode())


_real = urllib.request.urlopen
urllib.request.urlopen = _urlopen
