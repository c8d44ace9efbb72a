"""FastAPI as its documentation writes it: the body is a pydantic model, the answer goes through a response model."""

from typing import Annotated, Literal

from annotated_types import MinLen
from fastapi import FastAPI
from pydantic import BaseModel, Field, StringConstraints

Text = Annotated[str, StringConstraints(min_length=1)]


class Item(BaseModel):
    sku: Text
    quantity: Annotated[int, Field(ge=1)]
    price: Annotated[int | float, Field(ge=0)]


class Order(BaseModel):
    customer: Text
    currency: Literal["EUR", "USD", "GBP"]
    note: Annotated[str, StringConstraints(max_length=200)] | None = None
    items: Annotated[list[Item], MinLen(1)]


class Hello(BaseModel):
    hello: str


class Accepted(BaseModel):
    status: str
    customer: str
    items: int
    total: int | float


app = FastAPI()


@app.get("/hello")
async def hello() -> Hello:
    return Hello(hello="world")


@app.post("/orders", status_code=201)
async def create_order(order: Order) -> Accepted:
    total = sum(item.quantity * item.price for item in order.items)
    return Accepted(status="accepted", customer=order.customer, items=len(order.items), total=total)
