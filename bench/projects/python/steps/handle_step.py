from tally import handle

config = {"type": "event", "name": "Handle", "subscribes": ["things"], "emits": []}


async def handler(input, ctx):
    handle()
