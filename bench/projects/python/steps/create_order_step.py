TEXT = {"type": "string", "minLength": 1}

config = {
    "type": "api",
    "name": "CreateOrder",
    "path": "/orders",
    "method": "POST",
    "validation": "enforce",
    "emits": [],
    # The same as peers/fastapi_app.py, whose schema is written in pydantic.
    "bodySchema": {
        "type": "object",
        "required": ["customer", "currency", "items"],
        "properties": {
            "customer": TEXT,
            "currency": {"type": "string", "enum": ["EUR", "USD", "GBP"]},
            "note": {"type": "string", "maxLength": 200},
            "items": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "required": ["sku", "quantity", "price"],
                    "properties": {
                        "sku": TEXT,
                        "quantity": {"type": "integer", "minimum": 1},
                        "price": {"type": "number", "minimum": 0},
                    },
                },
            },
        },
    },
}


async def handler(req, ctx):
    order = req.body
    items = order["items"]
    total = sum(item["quantity"] * item["price"] for item in items)
    body = {"status": "accepted", "customer": order["customer"], "items": len(items), "total": total}
    return {"status": 201, "body": body}
