config = {"type": "api", "name": "Hello", "path": "/hello", "method": "GET", "emits": []}


async def handler(req, ctx):
    return {"status": 200, "body": {"hello": "world"}}
