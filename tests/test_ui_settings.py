"""Flags, and the environment variables that stand in for them."""

import pytest

from ui import settings


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for _, _, variable, _ in settings._FLAGS:
        monkeypatch.delenv(variable, raising=False)


def test_defaults():
    assert settings.read_settings([]) == settings.Settings()


@pytest.mark.parametrize(("field", "flag", "variable", "_text"), settings._FLAGS)
def test_each_flag_has_an_environment_variable_and_wins_over_it(field, flag, variable, _text, monkeypatch):
    kind = settings._KINDS.get(field, str)
    monkeypatch.setenv(variable, "1")
    assert getattr(settings.read_settings([]), field) == kind("1")
    assert getattr(settings.read_settings([flag, "0"]), field) == kind("0") != kind("1")


def test_every_setting_has_a_flag():
    assert {flag[0] for flag in settings._FLAGS} == set(settings.Settings.__dataclass_fields__)


def test_a_bad_value_is_a_sentence_not_a_trace(monkeypatch, capsys):
    monkeypatch.setenv("GRADIO_SERVER_PORT", "many")
    with pytest.raises(SystemExit) as stopped:
        settings.read_settings([])
    assert stopped.value.code == 2
    assert "--port" in capsys.readouterr().err


def test_help_names_flags_and_variables(capsys):
    with pytest.raises(SystemExit):
        settings.read_settings(["--help"])
    text = capsys.readouterr().out
    for _, flag, variable, _ in settings._FLAGS:
        assert flag in text
        assert variable in text
