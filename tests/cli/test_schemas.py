"""The committed schemas are those of the models."""

import json

from cli.schemas import FOLDER, every_message, schemas, stale
from model.drill import DrillResult
from tests.cli.typing import run


def test_the_committed_ones_are_current():
    assert stale(FOLDER) == [], "run `allclear schemas`"
    assert run("schemas", "--check").code == 0


def test_one_per_message_and_the_drill():
    assert len(schemas()) == len(every_message()) + 1
    assert {"alarm.json", "state_impact.json", "drill.json"} <= set(schemas())


def test_every_message_carries_its_meaning_and_an_example():
    for message in every_message():
        schema = json.loads((FOLDER / f"{message.update_name()}.json").read_text())
        assert schema["description"] == message.description
        assert schema["examples"] == [message.example]
        assert schema["additionalProperties"] is False


def test_the_drill_schema_is_what_is_printed():
    schema = json.loads((FOLDER / "drill.json").read_text())
    assert set(schema["properties"]) == set(DrillResult.model_fields)
    assert "problems" in schema["required"], "what is printed is always there"


def test_stale_ones_are_named_and_written(tmp_path):
    assert run("schemas", "--into", str(tmp_path)).code == 0
    (tmp_path / "alarm.json").write_text("{}")
    (tmp_path / "old.json").write_text("{}")
    typed = run("schemas", "--into", str(tmp_path), "--check")
    assert typed.code == 1
    assert "alarm.json, old.json" in typed.err
    assert run("schemas", "--into", str(tmp_path)).code == 0
    assert stale(tmp_path) == []
