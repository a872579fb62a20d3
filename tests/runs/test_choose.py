"""Of several reconstructions the thinnest soft one is taken, and every other one is named with its reason."""

from __future__ import annotations

import pytest

from medimg.errors import OptionError
from medimg.models import load_package
from medimg.runs._choose import choose, require_named
from medimg.values import Grid, Series, Study

CARD = load_package("lung-nodule").card


def series(name, *, kernel="B30f", slice_mm=2.5, acquisition="one", modality="CT", number=None, covers_mm=300, from_mm=0):
    slices = round(covers_mm / slice_mm)
    return Series(
        reader="dicom",
        files=(),
        name=name,
        grid=Grid.straight((slices, 512, 512), spacing_mm=(slice_mm, 0.7, 0.7), origin_mm=(0, 0, from_mm)),
        modality=modality,
        kernel=kernel,
        acquisition=acquisition,
        series_number=number,
    )


def taken(*members, **options):
    choice = choose(CARD, Study(name="study-1", series=members), **options)
    return [one.name for one in choice.taken], {one.what: one.reason for one in choice.others}


def test_the_thinnest_soft_one_is_taken_and_the_others_say_why_not():
    names, others = taken(series("thick", slice_mm=3), series("sharp", kernel="B70f", slice_mm=1), series("best", slice_mm=1.5))
    assert names == ["best"]
    assert "sharp" in others["sharp"]
    assert "3 mm apart" in others["thick"]


def test_a_sharp_one_is_taken_where_there_is_no_soft_one():
    assert taken(series("sharp", kernel="LUNG"))[0] == ["sharp"]


def test_each_acquisition_gives_one():
    assert taken(series("native", acquisition="1"), series("contrast", acquisition="2"))[0] == ["native", "contrast"]


def test_parts_of_a_split_series_are_all_taken_as_none_stands_for_another():
    names, others = taken(series("low", covers_mm=60), series("high", covers_mm=30, from_mm=120))
    assert names == ["low", "high"]
    assert not others


def test_a_thin_detail_does_not_stand_for_the_whole_chest():
    names, others = taken(series("detail", slice_mm=1, covers_mm=30, from_mm=100), series("chest", slice_mm=1.25))
    assert names == ["chest"]
    assert others["detail"].startswith("It covers 30 mm")


def test_series_that_do_not_fit_are_named():
    names, others = taken(series("chest"), series("brain", modality="MR"))
    assert names == ["chest"]
    assert "MR" in others["brain"]


def test_all_series_takes_every_one_that_fits():
    names, _ = taken(series("thick", slice_mm=3), series("thin", slice_mm=1), series("mr", modality="MR"), take_all=True)
    assert sorted(names) == ["thick", "thin"]


@pytest.mark.parametrize("wanted", ["thick", "7"])
def test_a_series_is_named_by_its_short_name_or_number(wanted):
    names, _ = taken(series("thick", slice_mm=3, number=7), series("thin", slice_mm=1, number=8), wanted=wanted)
    assert names == ["thick"]


def test_a_name_that_no_series_has():
    with pytest.raises(OptionError, match=r"series-abc \(the nearest\)"):
        require_named([Study(name="study-1", series=(series("series-abc"),))], "series-abd")


def test_the_order_on_disk_does_not_matter():
    members = [series("a", slice_mm=3), series("b", slice_mm=1, number=2), series("c", slice_mm=1, number=3)]
    assert taken(*members)[0] == taken(*reversed(members))[0] == ["b"]
