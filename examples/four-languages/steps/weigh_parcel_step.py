from services.scale import weigh

config = {
    "type": "event",
    "name": "WeighParcel",
    "subscribes": ["parcel.received"],
    "emits": ["parcel.weighed"],
    "flows": ["parcels"],
}


async def handler(input, ctx):
    parcel = await ctx.state.get("parcels", input.id)
    # By its key: a dict has a method of that name.
    grams = weigh(parcel["items"])
    # All changes at once, or none: no other step comes between.
    await ctx.state.update(
        "parcels",
        input.id,
        [
            {"type": "set", "path": "grams", "value": grams},
            {"type": "append", "path": "handledBy", "value": "python"},
        ],
    )
    await ctx.streams.journey.set(input.id, "2-weighed", {"by": "python", "trace": ctx.trace_id})
    await ctx.emit({"topic": "parcel.weighed", "data": {"id": input.id, "grams": grams}})
    ctx.logger.info("Parcel weighed", {"id": input.id, "grams": grams})
