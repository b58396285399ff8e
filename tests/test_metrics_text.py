"""Words left out or replaced: on a model whose values follow by hand, and on a small BERT."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

import gradline as gl
from gradline.engine.inquiry import inquire
from gradline.evaluation.judge import evaluate, make_subject
from gradline.evaluation.run import run
from gradline.metrics.base import Evaluation
from gradline.metrics.words.removal import Removal
from gradline.metrics.words.text import (
    Comprehensiveness,
    Drop,
    Fill,
    LogOdds,
    Marked,
    Removed,
    Rounding,
    Special,
    Sufficiency,
)
from gradline.question.targets.scales import Scale

WORTH = torch.tensor([7.0, 5, 3, -1, 2, 0, 0, 0, 0, 10], dtype=torch.float64)  # of ids 0 to 9
IDS = torch.tensor([[1, 2, 3, 4]])
MAP = torch.tensor([[4.0, 1, 3, 2]]).double()
SITE = gl.Layer("words")
ALL: tuple[type[Removed], ...] = (Comprehensiveness, Sufficiency, LogOdds)


class Ordered(torch.nn.Module):
    """Logits Σ_t t · worth(word t) and 0, t = 1, 2 … the place among the words that the mask shows."""

    def __init__(self) -> None:
        super().__init__()
        self.words = torch.nn.Embedding(10, 1, dtype=torch.float64)
        self.words.weight.data[:, 0] = WORTH

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        shown = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        total = (self.words(input_ids)[..., 0] * shown * shown.cumsum(1)).sum(1)
        return torch.stack([total, torch.zeros_like(total)], 1)


def text(ids: Tensor = IDS, mask: Tensor | None = None) -> dict[str, Tensor]:
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids) if mask is None else mask}


def judge(metric: Removed, maps: Tensor = MAP, x: Any = None, **options: Any) -> Evaluation:
    """Maps of logit 0, a value a word."""
    x = text() if x is None else x
    return evaluate(metric, gl.Score(Ordered(), 0, site=SITE), x, maps[..., None], **options)


def half(kind: type[Removed], **fields: Any) -> float:
    """By how much the logit falls at a share of one half."""
    scale = {} if kind is LogOdds else {"scale": Scale.LOGIT}
    return float(judge(kind(shares=(0.5,), **scale, **fields)).values)


# ---------------------------------------------------------------------------------------------------- by hand


def test_words_left_out_move_up() -> None:
    """F = 5 + 2·3 − 3 + 4·2 = 16. Without words 1 and 3: 3 + 2·2 = 7; with them alone 5 − 2 = 3."""
    assert half(Comprehensiveness, removal=Drop()) == pytest.approx(16 - 7)
    assert half(Sufficiency, removal=Drop()) == pytest.approx(16 - 3)


@pytest.mark.parametrize(("word", "without", "alone"), [(0, 7 + 6 + 21 + 8, 5 + 14 - 3 + 28), (9, 10 + 6 + 30 + 8, 62)])
def test_words_replaced_stay_where_they_are(word: int, without: float, alone: float) -> None:
    """Word 0 (worth 7) or 9 (worth 10) in place of words 1 and 3, or of 2 and 4 (5 + 20 − 3 + 40 = 62)."""
    fill = Fill({"input_ids": word})
    assert half(Comprehensiveness, removal=fill) == pytest.approx(16 - without)
    assert half(Sufficiency, removal=fill) == pytest.approx(16 - alone)


def test_log_odds_by_hand() -> None:
    """log σ(7) − log σ(16) with words left out."""
    expected = math.log(1 / (1 + math.exp(-7))) - math.log(1 / (1 + math.exp(-16)))
    assert half(LogOdds, removal=Drop()) == pytest.approx(expected, abs=1e-12)


def test_probability_is_the_usual_scale() -> None:
    """σ(16) − σ(7)."""
    found = judge(Comprehensiveness(shares=(0.5,), removal=Drop()))
    assert float(found.values) == pytest.approx(1 / (1 + math.exp(-16)) - 1 / (1 + math.exp(-7)), abs=1e-12)


def test_the_value_is_the_mean_over_shares() -> None:
    """0.2 of 4 is one word, number 1: 3·1 − 2 + 3·2 = 7; 0.5 is two: 7; 0.75 is three, word 2 stays: 3."""
    found = judge(Comprehensiveness(shares=(0.2, 0.5, 0.75), removal=Drop(), scale=Scale.LOGIT))
    assert found.curve is not None
    assert found.axis is not None
    assert found.curve.tolist() == [pytest.approx([9, 9, 13])]
    assert float(found.values) == pytest.approx(31 / 3)
    assert found.axis.tolist() == [0.2, 0.5, 0.75]
    assert found.parts["selected"].tolist() == [[1, 2, 3]]


def test_special_words_stay_and_do_not_count() -> None:
    """Word 1 stays; half of the other three, rounded up, are words 3 and 4: 5 + 2·3 = 11; alone 5 − 2 + 6 = 9."""
    for frozen in (Special(ids=(1, 8)), Marked(torch.tensor([[True, False, False, False]]))):
        assert half(Comprehensiveness, removal=Drop(), frozen=frozen) == pytest.approx(16 - 11)
        assert half(Sufficiency, removal=Drop(), frozen=frozen) == pytest.approx(16 - 9)


@pytest.mark.parametrize("left", [False, True])
def test_padding_is_not_a_word(left: bool) -> None:
    """Words 1, 2, 3 and padding, on either side: F = 8; half of three is two, 1 and 3 again: 3, and 5 − 2 = 3."""
    ids, mask, maps = torch.tensor([[1, 2, 3, 0]]), torch.tensor([[1, 1, 1, 0]]), torch.tensor([[4.0, 1, 3, 9]])
    if left:
        ids, mask, maps = ids.roll(1, 1), mask.roll(1, 1), maps.roll(1, 1)
    for kind in (Comprehensiveness, Sufficiency):
        metric = kind(shares=(0.5,), removal=Drop(left=left), scale=Scale.LOGIT)
        found = judge(metric, maps, text(ids, mask))
        assert float(found.values) == pytest.approx(8 - 3)
        assert found.parts["selected"].tolist() == [[2]]
    if left:
        with pytest.raises(gl.InputError, match="left=True"):
            judge(Comprehensiveness(removal=Drop()), maps, text(ids, mask))


@pytest.mark.parametrize("left", [False, True])
def test_what_the_model_is_shown(left: bool) -> None:
    """Words 1 and 3 left out of four: 2 4 and two pads, which go in front if that is asked for."""
    model, seen = Ordered(), []
    model.words.register_forward_pre_hook(lambda module, args: seen.append(args[0].clone()))
    metric = Comprehensiveness(shares=(0.5,), removal=Drop(left=left, pad=6))
    evaluate(metric, gl.Score(model, 0, site=SITE), text(), MAP[..., None])
    assert seen[-1].tolist() == [[6, 6, 2, 4] if left else [2, 4, 6, 6]]


def test_shares_round_up_or_down() -> None:
    """Of 4: 0.2 is one word or none, of which nothing is asked and which reads 0; 0.75 is 3 both ways. And 0.1 of 30
    is 3, though 0.1 · 30 is above 3 in binary."""
    for kind in ALL:
        found = judge(kind(shares=(0.2, 0.75), removal=Drop(), rounding=Rounding.DOWN))
        assert found.parts["selected"].tolist() == [[0, 3]]
        assert found.curve is not None
        assert float(found.curve[0, 0]) == 0.0
    assert Comprehensiveness(shares=(0.1, 0.29))._selected(torch.tensor([30, 100])).tolist() == [[3, 9], [10, 29]]
    down = Comprehensiveness(shares=(0.1, 0.29), rounding=Rounding.DOWN)
    assert down._selected(torch.tensor([30, 100])).tolist() == [[3, 8], [10, 29]]


def test_equal_values_go_in_order() -> None:
    """Values 1, 2, 2, 2: half of them are words 2 and 3; three quarters are tied."""
    found = judge(Comprehensiveness(shares=(0.5,), removal=Drop(), scale=Scale.LOGIT), torch.tensor([[1.0, 2, 2, 2]]))
    assert float(found.values) == pytest.approx(16 - (5 + 2 * 2))
    assert found.parts["tied"].tolist() == [0.75]


def test_features_without_a_site() -> None:
    """w = 1, 2, 4 and x = 1: F = 7; half of three, up, are the last and the middle one: 1 is left, or 6 alone."""
    weight = torch.tensor([[1.0, 2, 4]]).double()
    score, x = gl.Score(lambda z: z @ weight.T), torch.ones(1, 3).double()
    for kind, expected in ((Comprehensiveness, 6.0), (Sufficiency, 1.0)):
        found = evaluate(kind(shares=(0.5,), scale=Scale.EXPLAINED), score, x, weight)
        assert float(found.values) == pytest.approx(expected)
    ones = Comprehensiveness(shares=(0.5,), removal=Fill(1.0), scale=Scale.EXPLAINED)
    assert float(evaluate(ones, score, 2 * x, weight).values) == pytest.approx(6.0)


def test_ids_alone_and_a_mask_in_the_context() -> None:
    """x a bare tensor, the mask handed in beside it: as before."""
    score = gl.Score(Ordered(), 0, site=SITE, context={"attention_mask": torch.ones_like(IDS)})
    metric = Comprehensiveness(shares=(0.5,), removal=Drop(), scale=Scale.LOGIT, frozen=Special(ids=(1,)))
    assert float(evaluate(metric, score, IDS, MAP[..., None]).values) == pytest.approx(16 - 11)
    blind = Drop(mask=None, pad=5)  # word 5 is worth nothing
    bare = evaluate(
        Sufficiency(shares=(0.5,), removal=blind, scale=Scale.LOGIT),
        gl.Score(Ordered(), 0, site=SITE),
        IDS,
        MAP[..., None],
    )
    assert float(bare.values) == pytest.approx(16 - 3)


# ---------------------------------------------------------------------------------------------------- a small BERT


def bert() -> torch.nn.Module:
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(1)
    size = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = BertConfig(vocab_size=32, **size, num_labels=3, initializer_range=0.5)
    return BertForSequenceClassification(config).double().eval()  # type: ignore[no-any-return]


SENTENCES = torch.tensor([[1, 9, 22, 17, 6, 11, 2, 0], [1, 3, 25, 12, 30, 12, 7, 2], [1, 14, 2, 0, 0, 0, 0, 0]])
SHOWN = (SENTENCES != 0).long()
KINDS = torch.tensor([[0, 0, 0, 1, 1, 1, 1, 0], [0, 0, 1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0, 0, 0]])
WORDS = gl.Layer("bert.embeddings.word_embeddings")
SPECIAL = Special(ids=(1, 2))


def maps_of_bert() -> Tensor:
    return torch.randn(3, 8, 16, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def full() -> dict[str, Tensor]:
    return {"input_ids": SENTENCES, "attention_mask": SHOWN, "token_type_ids": KINDS}


def plain(model: Any, k: int, scores: list[float], share: float, *, drop: bool, alone: bool, word: int = 4) -> float:
    """p of class 1 of sentence k without the selected words or with them alone: lists of words, no padding."""
    ids, kinds = SENTENCES[k].tolist(), KINDS[k].tolist()
    length = int(SHOWN[k].sum())
    free = [i for i in range(length) if ids[i] not in (1, 2)]
    chosen = sorted(free, key=lambda i: -scores[i])[: math.ceil(share * len(free))]
    gone = [i for i in free if (i in chosen) != alone]
    if drop:
        stay = [i for i in range(length) if i not in gone]
        ids, kinds = [ids[i] for i in stay], [kinds[i] for i in stay]
    else:
        ids, kinds = [word if i in gone else ids[i] for i in range(length)], kinds[:length]
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids]), token_type_ids=torch.tensor([kinds])).logits
    return float(logits.softmax(1)[0, 1])


@pytest.mark.parametrize("drop", [True, False])
def test_against_one_sentence_at_a_time(drop: bool) -> None:
    """Three sentences of different lengths, one of a single word: the padded batch says what each says alone."""
    model, maps = bert(), maps_of_bert()
    removal: Removal = Drop() if drop else Fill({"input_ids": 4})
    found = [
        evaluate(kind(removal=removal, frozen=SPECIAL), gl.Score(model, 1, site=WORDS), full(), maps) for kind in ALL
    ]
    for k in range(3):
        scores = maps[k].sum(1).tolist()
        whole = plain(model, k, scores, 1.0, drop=True, alone=True)
        less = [plain(model, k, scores, q, drop=drop, alone=False) for q in ALL[0]().shares]
        only = [plain(model, k, scores, q, drop=drop, alone=True) for q in ALL[0]().shares]
        expected = (
            [whole - p for p in less],
            [whole - p for p in only],
            [math.log(p) - math.log(whole) for p in less],
        )
        for e, values in zip(found, expected, strict=True):
            assert e.curve is not None
            assert e.curve[k].tolist() == pytest.approx(values, abs=1e-9)
            assert float(e.values[k]) == pytest.approx(sum(values) / 5, abs=1e-9)


def test_settings_tell_the_two_measures_apart() -> None:
    found = [judge(Comprehensiveness(removal=removal)).settings for removal in (Drop(), Fill({"input_ids": 9}))]
    assert found[0].startswith("left out, signed ranking, probability, shares 0.01 0.05 0.1 0.2 0.5 rounded up")
    assert found[1].startswith("replaced by PerInput(")


def test_shares_that_select_the_same_words_are_asked_once() -> None:
    """0.01 to 0.2 of 4 words is one word: of 5 shares 2 are asked, and the text itself, for two metrics together."""
    with inquire(gl.Score(Ordered(), 0, site=SITE), text()) as inquiry:
        subject = make_subject(inquiry, text(), MAP[..., None], number=0)
        before = inquiry.forwards.clone()
        run([(Comprehensiveness(removal=Drop()), subject), (LogOdds(removal=Drop()), subject)], inquiry)
        assert (inquiry.forwards - before).tolist() == [3]


def test_rows_are_independent_and_nothing_is_touched() -> None:
    """A batch is its sentences one by one; ids, masks and maps stay as they were."""
    model, maps, x = bert(), maps_of_bert(), full()
    kept = {name: value.clone() for name, value in x.items()}
    state = torch.get_rng_state()
    for removal in (Drop(), Fill({"input_ids": 4})):
        for kind in ALL:
            metric = kind(removal=removal, frozen=SPECIAL)
            score = gl.Score(model, 1, site=WORDS)
            found = evaluate(metric, score, x, maps).values
            alone = [
                evaluate(metric, score, {n: v[i : i + 1] for n, v in x.items()}, maps[i : i + 1]).values
                for i in range(3)
            ]
            torch.testing.assert_close(torch.cat(alone), found, equal_nan=True)
            torch.testing.assert_close(evaluate(metric, score, x, 100 * maps).values, found, equal_nan=True)
    assert all(torch.equal(x[name], kept[name]) for name in x)
    assert torch.equal(torch.get_rng_state(), state)


# ---------------------------------------------------------------------------------------------------- no answer


@pytest.mark.parametrize("removal", [Drop(), Fill({"input_ids": 0})], ids=repr)
@pytest.mark.parametrize("kind", ALL)
def test_maps_without_an_answer(kind: type[Removed], removal: Removal) -> None:
    """Zero, NaN, and a text of special words only: no value, a sentence why, the neighbour unharmed."""
    maps = MAP.repeat(4, 1)
    maps[0], maps[1, 2] = 0, math.nan
    ids = IDS.repeat(4, 1)
    ids[2] = 8
    found = judge(kind(shares=(0.5,), removal=removal, frozen=Special(ids=(8,))), maps, text(ids))
    assert found.values.isnan().tolist() == [True, True, True, False]
    assert "constant" in found.notes[0]
    assert "not finite" in found.notes[1]
    assert found.notes[2] == "no word may be removed"
    assert found.notes[3] == ""


def test_an_empty_text_is_not_shown_to_the_model() -> None:
    """A share of 1 leaves nothing if words are left out, and something if they are replaced or one is special."""
    everything = {"shares": (0.5, 1.0), "scale": Scale.LOGIT}
    found = judge(Comprehensiveness(removal=Drop(), **everything))  # type: ignore[arg-type]
    assert found.values.isnan().all()
    assert found.notes == ("a share leaves nothing of the text",)
    kept = judge(Comprehensiveness(removal=Drop(), frozen=Special(ids=(1,)), **everything))  # type: ignore[arg-type]
    assert kept.curve is not None
    assert kept.curve.tolist() == [pytest.approx([16 - 11, 16 - 5])]
    assert judge(Comprehensiveness(removal=Fill({"input_ids": 0}), **everything)).values.isfinite().all()  # type: ignore[arg-type]
    assert judge(Sufficiency(removal=Drop(), **everything)).values.isfinite().all()  # type: ignore[arg-type]


def test_refusals() -> None:
    """No ids, no mask, units that are no words, wrong fields: the message says what to do."""
    with pytest.raises(gl.BaselineError, match=r"which of the inputs \['input_ids', 'attention_mask'\]"):
        judge(Comprehensiveness(removal=Fill()))
    with pytest.raises(gl.InputError, match=r"'attention_mask' for Drop.*mask=None"):
        judge(Comprehensiveness(removal=Drop()), x={"input_ids": IDS})
    score = gl.Score(lambda z: z, 0)
    with pytest.raises(gl.InputError, match="word ids 'input_ids'"):
        evaluate(Comprehensiveness(removal=Drop()), score, torch.ones(1, 4), torch.ones(1, 4))
    wide = torch.nn.Sequential(torch.nn.Embedding(10, 3), torch.nn.Flatten(), torch.nn.Linear(12, 2))
    score = gl.Score(wide, 0, site=gl.Layer("1"))
    with pytest.raises(gl.InputError, match="a unit for each word"):
        evaluate(Comprehensiveness(removal=Drop(mask=None)), score, IDS, torch.rand(1, 12))
    with pytest.raises(gl.InputError, match=r"marks of shape \(1, T\)"):
        judge(Comprehensiveness(frozen=Marked(torch.ones(4, dtype=torch.bool))))
    with pytest.raises(gl.InputError, match="one flag for each of 4 positions"):
        judge(Comprehensiveness(frozen=Marked(torch.ones(1, 3, dtype=torch.bool))))
    bad: list[dict[str, Any]] = [{"shares": ()}, {"shares": 0.2}, {"shares": (0.0,)}, {"shares": (1.5,)}]
    bad += [{"removal": "drop"}, {"frozen": torch.ones(1, 4)}, {"scale": "logit"}]
    for fields in bad:
        with pytest.raises(gl.InputError, match=next(iter(fields))):
            Comprehensiveness(**fields)


def test_metrics_compare_by_their_settings() -> None:
    """Equal settings are equal and hash alike, a mapping as a fill too."""
    one, two = (LogOdds(removal=Fill({"input_ids": 9}), frozen=Special(ids=(1,))) for _ in range(2))
    assert one == two
    assert hash(one) == hash(two)
    assert one != LogOdds(removal=Fill({"input_ids": 8}), frozen=Special(ids=(1,)))
