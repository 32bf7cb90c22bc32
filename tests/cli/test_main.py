"""Whatever goes wrong is one sentence on standard error, and a status a script can use."""

import pytest

from cli import catalog, here
from tests.cli.typing import run


def one_sentence(typed, code):
    assert typed.code == code, typed.err
    assert typed.out == ""
    assert typed.err.startswith("allclear: ")
    assert typed.err.count("\n") == 1, typed.err
    assert "Traceback" not in typed.err
    return typed.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["dril"], "did you mean 'drill'"),
        (["drill"], "missing argument 'FILE'. See `allclear drill --help`"),
        (["incident", "observe"], "missing argument 'ID'"),
        (["ack", "--nonsense"], "no such option"),
        (["catalog", "explain", "payments", "eu-west", "--severity", "9"], "invalid value for '--severity'"),
        (["catalog", "explain", "payments", "eu-west", "--at", "noon"], "--at: 'noon' is not a moment"),
    ],
)
def test_what_cannot_be_as_it_was_typed(words, said):
    assert said in one_sentence(run(*words), 2)


def test_nothing_answers(monkeypatch):
    monkeypatch.setenv("ALLCLEAR_TEMPORAL_PORT", "1")
    for words in (["incident", "list"], ["detection"], ["ack", "--as", "ana"], ["alarm", "payments", "eu-west"]):
        said = one_sentence(run(*words), 1)
        assert "127.0.0.1:1" in said
        assert "allclear up" in said


def test_settings_that_cannot_be_read(monkeypatch):
    monkeypatch.setenv("ALLCLEAR_GATEWAY_PORT", "soon")
    assert "ALLCLEAR_GATEWAY_PORT: " in one_sentence(run("catalog", "policy"), 2)


def test_a_catalogue_that_cannot_be_used(monkeypatch, tmp_path):
    monkeypatch.setenv("ALLCLEAR_CATALOG", str(tmp_path / "none.yaml"))
    assert "there is no such file; set ALLCLEAR_CATALOG" in one_sentence(run("catalog", "policy"), 2)
    (tmp_path / "bad.yaml").write_text("teams: {a: {on_call: [[x]]}}")
    monkeypatch.setenv("ALLCLEAR_CATALOG", str(tmp_path / "bad.yaml"))
    assert "`allclear catalog check" in one_sentence(run("catalog", "policy"), 2)


def test_who_types(monkeypatch):
    settings = here.settings()
    said = one_sentence(run("ack"), 2)
    assert "--as PERSON" in said
    assert "ALLCLEAR_USER" in said
    assert "ana, ben" in said
    monkeypatch.setenv("USER", "Ben")
    monkeypatch.setenv("LOGNAME", "Ben")
    assert here.person(settings, None) == "ben", "the login, where the catalogue knows it, in any case"
    monkeypatch.setenv("ALLCLEAR_USER", "ANA@example.test")
    assert here.person(here.settings(), None) == "ana"
    assert here.person(here.settings(), "cho") == "cho"
    assert here.person(here.settings(), "stranger") == "stranger", "the workers' catalogue decides"


def test_a_bug_is_a_sentence_too(monkeypatch):
    def broken(*args, **kwargs):
        raise KeyError("oops")

    monkeypatch.setattr(catalog, "explain", broken)
    assert "KeyError: 'oops'; ALLCLEAR_DEBUG=1 shows where" in one_sentence(run("catalog", "explain", "payments"), 1)
    monkeypatch.setenv("ALLCLEAR_DEBUG", "1")
    assert "Traceback" in run("catalog", "explain", "payments").err
