"""Dates as Taiwanese sources write them."""

from __future__ import annotations

from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.sources.dates import iso_date


@pytest.mark.parametrize(
    ("stated", "iso"),
    [
        ("20240731", "2024-07-31"),
        (20240731, "2024-07-31"),
        ("2021/08/03", "2021-08-03"),
        ("2021.8.3", "2021-08-03"),
        ("2024-12", "2024-12"),
        ("2024", "2024"),
        ("2021-12-08T17:37:40.901Z", "2021-12-08T17:37:40.901Z"),
        ("2021-10-01 21:19:12", "2021-10-01T21:19:12"),
        ("2021-10-01 21:19:12 +0800", "2021-10-01T21:19:12+08:00"),
        ("2026/11/1 上午 12:00:00", "2026-11-01T00:00:00"),
        ("2026/11/1 下午 03:05:09", "2026-11-01T15:05:09"),
        ("中華民國 38年01月06日", "1949-01-06"),
        ("113年08月09日", "2024-08-09"),
        ("中華民國 108年08月23日 院台字第1號", "2019-08-23"),
        ("民國112年3月5日", "2023-03-05"),
        ("2021年6月11日", "2021-06-11"),
        ("112/03/05", "2023-03-05"),
        ("1130305", "2024-03-05"),
        ("Mon Oct 29 12:34:15 2018", "2018-10-29T12:34:15"),
        ("Fri Sep  6 10:41:06 2024", "2024-09-06T10:41:06"),
        ("Tue, 05 Mar 2024 10:00:00 +0800", "2024-03-05T10:00:00+08:00"),
        (1700000000, "2023-11-14T22:13:20+00:00"),
        (1700000000000, "2023-11-14T22:13:20+00:00"),
        (date(2024, 2, 29), "2024-02-29"),
        (datetime(2024, 2, 29, 1, 2, 3), "2024-02-29T01:02:03"),
    ],
)
def test_known_forms(stated: object, iso: str) -> None:
    assert iso_date(stated) == iso


@pytest.mark.parametrize(
    "stated", ["", "昨天", "20241331", "2023-02-29", "99991332", "12:30", None, True, 3.5, "2024-01-01 25:00", [2024], "第3版"]
)
def test_what_is_no_date_is_none(stated: object) -> None:
    assert iso_date(stated) is None


@given(st.dates(min_value=date(1912, 1, 1)), st.sampled_from(["%Y%m%d", "%Y-%m-%d", "%Y/%m/%d", "%Y年%m月%d日"]))
def test_any_day_in_any_form_comes_back(day: date, form: str) -> None:
    assert iso_date(day.strftime(form)) == day.isoformat()


@given(st.dates(min_value=date(1912, 1, 1), max_value=date(2900, 1, 1)))
def test_minguo_years(day: date) -> None:
    assert iso_date(f"中華民國{day.year - 1911}年{day.month}月{day.day}日") == day.isoformat()


@given(st.one_of(st.text(), st.integers(), st.floats(), st.binary()))
def test_never_raises(value: object) -> None:
    assert iso_date(value) is None or isinstance(iso_date(value), str)
