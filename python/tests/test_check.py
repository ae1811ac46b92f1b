"""Settings that can't be right are refused where they are given, by name."""

import pytest

from imgvec import _check, _extract


@pytest.mark.parametrize(
    "name,value,wanted",
    [
        ("timeout", "600", "number of seconds"),
        ("stall_timeout", 0, "number of seconds"),
        ("idle_exit", "2m", "0 or more"),
        ("respawns", -1, "0 or more"),
        ("rows", 1.5, "whole number"),
        ("cores", True, "whole number"),
        ("fetch", "no", "True or False"),
        ("home", "", "a path"),
        ("env", {"A": 1}, "dict of texts"),
    ],
)
def test_a_setting_of_the_wrong_kind_is_named(name, value, wanted):
    with pytest.raises((TypeError, ValueError), match=f"extract: {name} is .*{wanted}"):
        _check.settings("extract", {name: value})


def test_settings_that_are_right():
    _check.settings("extract", {"timeout": 1.5, "idle_exit": 0, "rows": 64, "fetch": False, "env": {"A": "1"}, "home": None})


@pytest.mark.parametrize("name", ["max-window-bytes", "max_window_bytes", "--metrics", "drain", "listen"])
def test_options_of_the_server_itself_are_refused_before_anything_starts(name):
    with pytest.raises(ValueError, match=f"options has {name}, which is for a server that you start yourself"):
        _extract.extract([b"x"], options={name: "1"})


def test_what_is_no_flag_at_all():
    for name in ("", "a b", 3, "-", "Max"):
        with pytest.raises(ValueError, match="no flag of imgvec serve"):
            _check.flag("extract", name)
    assert _check.flag("extract", "max_pixels") == "max-pixels"


def test_a_digest_has_64_digits():
    assert _check.sha256("featurize", "AB" * 32) == "ab" * 32
    for digest in ("ab" * 31, "xy" * 32, 5):
        with pytest.raises(ValueError, match="64 hexadecimal digits"):
            _check.sha256("featurize", digest)
