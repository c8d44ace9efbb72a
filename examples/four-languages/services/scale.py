WRAPPING = 150


def weigh(items):
    """What a parcel weighs in grams, box and paper included."""
    return WRAPPING + sum(item.grams for item in items)
