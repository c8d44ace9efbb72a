"""The store that the tutorials import and do not print: pets in one JSON file, under the names that the printed steps call."""

import json
import os
import time

_FILE = os.path.join(os.getcwd(), ".data", "pets.json")


def _read():
    if not os.path.exists(_FILE):
        return {"seq": 1, "pets": {}}
    with open(_FILE, encoding="utf-8") as file:
        return json.load(file)


def _write(data):
    os.makedirs(os.path.dirname(_FILE), exist_ok=True)
    with open(_FILE + ".new", "w", encoding="utf-8") as file:
        json.dump(data, file, ensure_ascii=False)
    os.replace(_FILE + ".new", _FILE)


def _now():
    return int(time.time() * 1000)


def create(name, species, age, weight_kg=None, symptoms=None):
    data = _read()
    pet = {
        "id": str(data["seq"]),
        "name": name.strip(),
        "species": species,
        "ageMonths": age,
        "status": "new",
        "createdAt": _now(),
        "updatedAt": _now(),
    }
    if weight_kg is not None:
        pet["weightKg"] = weight_kg
    if symptoms is not None:
        pet["symptoms"] = list(symptoms)
    data["seq"] += 1
    data["pets"][pet["id"]] = pet
    _write(data)
    return pet


def list_all():
    return list(_read()["pets"].values())


def get(pet_id):
    return _read()["pets"].get(pet_id)


def update(pet_id, changes):
    data = _read()
    pet = data["pets"].get(pet_id)
    if pet is not None:
        pet.update(changes, updatedAt=_now())
        _write(data)
    return pet


def update_status(pet_id, status):
    return update(pet_id, {"status": status})


def update_profile(pet_id, profile):
    return update(pet_id, {"profile": profile})


def remove(pet_id):
    data = _read()
    removed = data["pets"].pop(pet_id, None)
    _write(data)
    return removed is not None


def find_deleted_pets_ready_to_purge():
    return [pet for pet in list_all() if pet["status"] == "deleted" and pet["purgeAt"] <= _now()]
