"""A text on the terminal: colours where they are wanted, a list where they are not, nothing that steers it."""

from __future__ import annotations

import re

import numpy as np
import pytest
from shown_texts import REVIEW, chat, known, plain, review

from gradline.cli._tokens import print_text

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def coloured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("COLORFGBG", raising=False)
    for name, value in {"FORCE_COLOR": "1", "COLORTERM": "truecolor", "TERM": "xterm", "COLUMNS": "80"}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("coloured")
def test_words_stand_on_their_colours(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    print_text(known(), review())
    seen = capsys.readouterr().out
    plain_text = ESCAPE.sub("", seen)
    assert plain_text.startswith("The acting is brilliant, the plot thin.\n")
    assert "\x1b[38;2;255;255;255;48;2;178;24;43mbrilliant\x1b[0m" in seen
    assert "\x1b[2mspecial tokens: [CLS] +0.250  [SEP] −0.500" in seen
    assert "−2.00 lowers the score" in plain_text
    assert "All of it adds up to +1.50; F(x) - F(x') is +1.50." in plain_text
    monkeypatch.setenv("COLORFGBG", "0;15")
    print_text(known(), review())
    assert "\x1b[38;2;0;0;0;48;2;144;178;214mthin" in capsys.readouterr().out


@pytest.mark.usefixtures("coloured")
def test_roles_begin_their_lines(capsys: pytest.CaptureFixture[str]) -> None:
    print_text(known(chat(), np.ones(13)), chat())
    lines = ESCAPE.sub("", capsys.readouterr().out).splitlines()
    assert lines[:2] == ["system: Be brief.", "user: What is the capital of France?"]


def test_without_colours_the_largest_words_are_listed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    print_text(known(), review())
    seen = capsys.readouterr().out
    assert "\x1b" not in seen
    first, second = seen.splitlines()[:2]
    assert first.split() == ["brilliant", "+" * 10, "+2.00", "38", "%"]
    assert second.split() == ["thin", "−" * 5, "−1.00", "19", "%"]
    assert "2 special tokens: −0.250" in seen
    shown, values = plain("word " * 30)
    print_text(known(shown, values), shown)
    assert "20 other words: " in capsys.readouterr().out


@pytest.mark.parametrize("forced", ["1", ""])
def test_a_text_cannot_steer_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, forced: str
) -> None:
    monkeypatch.setenv("FORCE_COLOR", forced)
    shown, values = plain("red\x1b[2J \u202eevil [bold]kept[/bold] 很好 fine")
    values[-1] = np.nan
    print_text(known(shown, values), shown)
    seen = ESCAPE.sub("", capsys.readouterr().out)
    assert "\x1b" not in seen
    assert "\u202e" not in seen
    assert "red\\x1b[2J" in seen
    assert "[bold]kept[/bold]" in seen
    assert "1 not finite, left out" in seen


def test_a_text_of_nothing_is_no_fault(capsys: pytest.CaptureFixture[str]) -> None:
    print_text(known(contributions=[0.0] * len(REVIEW)), review())
    assert "adds up to 0" in capsys.readouterr().out
