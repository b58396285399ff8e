"""Classes by what people call them."""

import numpy as np
import pytest

import gradline as gl
from gradline.adapters.classes import class_index
from gradline.adapters.models.built_in import imagenet_classes

NAMES = imagenet_classes()


@pytest.mark.parametrize(
    "wanted", ["tabby, tabby cat", "tabby", "Tabby Cat", " tabby-cat ", "TABBY_cat", "281", "tabby  cat"]
)
def test_one_class_has_many_names(wanted):
    assert class_index(NAMES, wanted) == 281


def test_every_class_is_found_by_its_number_and_most_by_their_name():
    assert [class_index(NAMES, str(k)) for k in (0, 281, 999)] == [0, 281, 999]
    found, shared = 0, set()
    for index, name in enumerate(NAMES):
        try:
            assert class_index(NAMES, name) == index
            found += 1
        except gl.TargetError:
            shared.add(name)
    assert shared == {"cardigan", "crane", "harp", "maillot", "missile", "partridge"}, (
        "each the name of one class and of another, or its synonym"
    )
    assert found == 993, "two are called crane"


@pytest.mark.parametrize(("wanted", "indices"), [("crane", (134, 517)), ("Maillot", (638, 639))])
def test_names_that_two_classes_share_are_refused_with_both(wanted, indices):
    assert NAMES[indices[0]] != NAMES[indices[1]] or wanted == "crane"
    with pytest.raises(gl.TargetError, match=f"{indices[0]} .*{indices[1]} .*give the index"):
        class_index(NAMES, wanted)
    assert class_index(NAMES, "maillot, tank suit") == 639


def test_a_title_that_two_classes_share_says_which_and_leads_back():
    model = gl.models.image_model("efficientnet-lite0")
    assert [model.class_name(k) for k in (134, 517, 967)] == ["crane (134)", "crane (517)", "espresso"]
    assert [class_index(model, title) for title in ("crane (134)", "Crane (517)", "espresso (967)")] == [134, 517, 967]


def test_unknown_names_come_with_the_nearest():
    with pytest.raises(gl.TargetError, match=r"got 'expresso'; the nearest: espresso \(967\)"):
        class_index(NAMES, "expresso")
    with pytest.raises(gl.TargetError, match=r"tabby cat \(281\), tiger cat \(282\), Persian cat \(283\)") as caught:
        class_index(NAMES, "cat")
    assert str(caught.value).count("(") == 5
    with pytest.raises(gl.TargetError, match="none is spelt alike; give its number, 0 to "):
        class_index(NAMES, "qqqqqqqq")
    with pytest.raises(gl.TargetError, match="the name of a class"):
        class_index(NAMES, "")


@pytest.mark.parametrize("wanted", ["1000", "-1", "281.0"])
def test_numbers_beyond_are_refused(wanted):
    with pytest.raises(gl.TargetError, match="class"):
        class_index(NAMES, wanted)


def test_a_name_that_is_a_number_of_another_class_is_ambiguous():
    assert class_index(("0", "1", "2"), "1") == 1
    with pytest.raises(gl.TargetError, match=r"2 of them: 0 \(2\); 2 \(0\)"):
        class_index(("2", "1", "0"), "2")


def test_without_names_numbers_alone():
    assert class_index((), "7") == 7
    with pytest.raises(gl.TargetError, match="have no names"):
        class_index((), "cat")


def test_models_and_cases_know_their_classes():
    case = gl.image_case(np.zeros((8, 8, 3), np.uint8))
    assert class_index(case, "espresso") == class_index(case.model, "espresso") == 967
    with pytest.raises(gl.TargetError, match="nearest: espresso"):
        gl.explain_image(np.zeros((8, 8, 3), np.uint8), target="expresso")
