"""`explain_text`: models as people have them, baselines, what the result knows, refusals."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from captum_cases import distance
from text_cases import tiny, tokenizer_of, wordpiece
from torch import Tensor, nn

import gradline as gl
from gradline.adapters.text import (
    Label,
    MaskToken,
    MeanEmbedding,
    OtherText,
    PadToken,
    Task,
    TextModel,
    explain_text,
    text_case,
    text_model,
)
from gradline.adapters.text.baselines import default_baseline, mean_embedding
from gradline.adapters.text.recipe import text_call
from gradline.plots.tokens import words

REVIEW = "The movie was great, and never boring."


@pytest.fixture(scope="module")
def bert() -> TextModel:
    return text_model(tiny("Bert", "SequenceClassification"), tokenizer_of("Bert"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, bert: TextModel) -> Path:
    place = tmp_path_factory.mktemp("tiny-bert")
    bert.model.save_pretrained(place)
    bert.tokenizer.save_pretrained(place)
    return place


# ---------------------------------------------------------------------------------------------------- models


def test_a_folder_a_pipeline_and_objects_give_the_same(bert: TextModel, folder: Path) -> None:
    from transformers import TextClassificationPipeline

    wanted = explain_text(REVIEW, model=bert, steps=4)
    logits = bert.model(**bert.tokenizer(REVIEW, return_tensors="pt")).logits
    pipe = TextClassificationPipeline(model=bert.model, tokenizer=bert.tokenizer)
    for model in (f"hf:{folder}", str(folder), pipe, bert):
        a = explain_text(REVIEW, model=model, steps=4)
        assert torch.equal(a.values, wanted.values), model
        assert a.shown[0].title == wanted.shown[0].title == bert.labels[int(logits.argmax())]
    given = explain_text(REVIEW, model=bert.model, tokenizer=bert.tokenizer, steps=4)
    assert torch.equal(given.values, wanted.values)


def test_what_a_folder_is_made_for_is_read_from_it(folder: Path, tmp_path: Path) -> None:
    assert text_model(f"hf:{folder}").task is Task.SEQUENCE
    assert text_model(str(folder)).source == f"hf:{folder}"
    encoder = tiny("Bert", None)
    encoder.save_pretrained(tmp_path)
    tokenizer_of("Bert").save_pretrained(tmp_path)
    assert text_model(str(tmp_path)).task is Task.SIMILARITY
    with pytest.raises(gl.ModelError, match=r"is no trained sequence classification: its file has no"):
        text_model(str(tmp_path), task=Task.SEQUENCE)


def test_an_empty_folder_and_a_name_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(gl.InputError, match="written by save_pretrained"):
        text_model(f"hf:{tmp_path}")
    with pytest.raises(gl.InputError, match=r"owner/name, or a folder as hf:./folder"):
        text_model("hf:./not-there")


class Wrapped(nn.Module):
    """A module of the user's around an encoder; logits as a tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = tiny("Bert", None)
        torch.manual_seed(5)
        self.head = nn.Linear(16, 2)

    def get_input_embeddings(self) -> nn.Module:
        return self.encoder.get_input_embeddings()

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.head(self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state[:, 0])


def test_a_module_of_ones_own() -> None:
    model = TextModel("mine", Wrapped().eval(), tokenizer_of("Bert"), Task.SEQUENCE, ("bad", "good"))
    assert model.limit == 66
    a = explain_text(REVIEW, model=model, target="good", steps=4)
    assert a.shown[0].title == "good"
    assert {name for name, _ in a.shown[0].candidates} == {"bad", "good"}
    with pytest.raises(gl.InputError, match=r"whose class says its task.*got Wrapped; say it.*Task"):
        text_model(Wrapped(), tokenizer_of("Bert"))


def test_models_that_cannot_be_taken(bert: TextModel) -> None:
    with pytest.raises(gl.InputError, match=r"tokenizer of the BertForSequenceClassification beside it, got none"):
        text_model(bert.model)
    with pytest.raises(gl.InputError, match=r"a text model: hf:NAME.*got int"):
        text_model(3)
    with pytest.raises(gl.InputError, match=r"a tokenizer of transformers, got str"):
        text_model(bert.model, "bert-base-uncased")
    with pytest.raises(gl.InputError, match=r"task= as one of gl.text.Task: SEQUENCE"):
        text_model(bert.model, bert.tokenizer, task="sequence")  # type: ignore[arg-type]
    with pytest.raises(gl.InputError, match="says where it embeds tokens, got Linear"):
        _ = TextModel("x", nn.Linear(2, 2), bert.tokenizer, Task.SEQUENCE).embedding


def test_the_model_is_left_alone(bert: TextModel) -> None:
    """Training mode, weights, gradients, random state: as they were, and a finding says that it was in training."""
    model = copy.deepcopy(bert.model).train()
    before = {name: p.clone() for name, p in model.state_dict().items()}
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    a = explain_text(REVIEW, model=model, tokenizer=bert.tokenizer, steps=4)
    assert torch.equal(torch.rand(1), expected)
    assert all(m.training for m in model.modules())
    assert all(torch.equal(p, before[name]) for name, p in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert distance(a.values, explain_text(REVIEW, model=bert, steps=4).values) <= 1e-6


def test_half_precision(bert: TextModel) -> None:
    half = copy.deepcopy(bert.model).to(torch.bfloat16)
    a = explain_text(REVIEW, model=half, tokenizer=bert.tokenizer, target="positive", steps=8)
    assert a.values.dtype == torch.float32
    assert distance(a.values, explain_text(REVIEW, model=bert, target="positive", steps=8).values) < 0.2


def test_an_encoder_and_a_decoder_share_an_embedding() -> None:
    """The path is driven in the encoder's call of it."""
    from transformers import BartConfig, BartForSequenceClassification

    size = {"encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    more = {"encoder_ffn_dim": 16, "decoder_ffn_dim": 16, "max_position_embeddings": 64, "init_std": 0.3}
    torch.manual_seed(0)
    model = BartForSequenceClassification(BartConfig(vocab_size=400, d_model=16, **size, **more)).eval()
    a = explain_text("The movie was great.", model=model, tokenizer=tokenizer_of("Roberta"), target=1, tol=0.02)
    assert a.status == (gl.Status.CONVERGED,)
    assert abs(float(a.completeness_gap)) <= 0.1 * abs(float(a.score - a.baseline_score))


# ---------------------------------------------------------------------------------------------------- baselines


def linear() -> TextModel:
    """Logits are linear in the embeddings: the map is W · (e − e'), which tells the start."""

    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.embed = nn.Embedding(300, 6)

        def get_input_embeddings(self) -> nn.Module:
            return self.embed

        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
            return (self.embed(input_ids) * attention_mask[..., None]).sum(1)

    return TextModel("sum", Sum(), wordpiece(), Task.SEQUENCE)


def map_from(start: Tensor, model: TextModel, case: Any, index: int) -> Tensor:
    """W is the unit vector of the output: e − e' of that feature alone."""
    e = model.embedding(case.inputs["input_ids"]).detach()
    values = torch.zeros_like(e)
    values[..., index] = (e - start)[..., index]
    return values


def test_baselines_replace_the_text_alone() -> None:
    """On a linear model the map is known: w ⊙ (e − e'), zero at special tokens and padding."""
    model = linear()
    texts = [REVIEW, "So boring."]
    case = text_case(texts, model, 2)
    ids, free = case.inputs["input_ids"], case.free
    table = model.table
    assert table is not None
    count = len(model.tokenizer)
    tokens = {MaskToken(): 4, PadToken(): 0}
    for baseline, token in tokens.items():
        start = table[torch.where(free, torch.full_like(ids, token), ids)].detach()
        a = explain_text(texts, model=model, target=2, baseline=baseline, steps=1)
        torch.testing.assert_close(a.values, map_from(start, model, case, 2))
    mean = table[:count].detach().mean(0)
    torch.testing.assert_close(mean_embedding(model)[0, 0], mean)
    start = torch.where(free[..., None], mean, table[ids].detach())
    a = explain_text(texts, model=model, target=2, baseline=MeanEmbedding(), steps=1)
    torch.testing.assert_close(a.values, map_from(start, model, case, 2))
    assert a.shown[0].start == ()
    assert a.shown[0].baseline == "mean embedding"
    zero = explain_text(texts, model=model, target=2, baseline=gl.baselines.Zero(), steps=1)
    start = torch.where(free[..., None], torch.zeros(6), table[ids].detach())
    torch.testing.assert_close(zero.values, map_from(start, model, case, 2))
    assert zero.shown[0].baseline == "zero embedding"
    everywhere = explain_text(texts, model=model, target=2, baseline=gl.baselines.AtSite(0.0), steps=1)
    start = torch.zeros_like(table[ids])
    start[case.context["attention_mask"] == 0] = table[0].detach()
    torch.testing.assert_close(
        everywhere.values[case.context["attention_mask"] == 1],
        map_from(start, model, case, 2)[case.context["attention_mask"] == 1],
    )


def test_the_mask_token_is_usual_and_shown(bert: TextModel) -> None:
    a = explain_text(REVIEW, model=bert, steps=2)
    assert torch.equal(a.values, explain_text(REVIEW, model=bert, baseline=MaskToken(), steps=2).values)
    text = a.shown[0]
    assert text.start == ("[CLS]", *["[MASK]"] * 10, "[SEP]")
    assert (text.baseline, text.paths) == ("mask token [MASK]", 1)


def test_another_text_as_the_start() -> None:
    model = linear()
    a = explain_text(REVIEW, model=model, target=0, baseline="The plot was slow.", steps=1)
    start = a.shown[0].start
    assert start == ("[CLS]", "the", "plot", "was", "slow", ".", *["[PAD]"] * 5, "[SEP]")
    assert not a.values[0, 1].any()  # "the" on both sides
    same = explain_text(REVIEW, model=model, target=0, baseline=OtherText(REVIEW), steps=1)
    assert not same.values.any()
    each = explain_text([REVIEW, "So boring."], model=model, target=0, baseline=["So slow.", "So slow."], steps=1)
    assert each.shown[1].start[:5] == each.shown[0].start[:5] == ("[CLS]", "s", "##o", "slow", ".")
    with pytest.raises(
        gl.BaselineError, match=r"at most 10 tokens, as the text has, got 11 in the baseline; give a shorter"
    ):
        explain_text(REVIEW, model=model, baseline="The movie was great, and never boring. The")
    with pytest.raises(gl.BaselineError, match="one text, or 1, got 2"):
        explain_text(REVIEW, model=model, baseline=["a", "b"])
    with pytest.raises(gl.BaselineError, match="got an empty one"):
        explain_text(REVIEW, model=model, baseline="")


def test_several_starts_and_token_ids(bert: TextModel) -> None:
    one, two = (explain_text(REVIEW, model=bert, baseline=b, steps=4).values for b in (MaskToken(), PadToken()))
    both = explain_text(REVIEW, model=bert, baseline=gl.baselines.Each(MaskToken(), PadToken()), steps=4)
    torch.testing.assert_close(both.values, (one + two) / 2)
    assert (both.shown[0].paths, both.shown[0].baseline) == (2, "mask token [MASK], padding token [PAD]")
    case = text_case(REVIEW, bert)
    start = torch.where(case.free, torch.full_like(case.inputs["input_ids"], 4), case.inputs["input_ids"])
    assert torch.equal(explain_text(REVIEW, model=bert, baseline=start, steps=4).values, one)
    method = gl.methods.integrated_gradients().starting_at(PadToken())
    assert torch.equal(explain_text(REVIEW, model=bert, method=method, steps=4).values, two)
    with pytest.raises(gl.BaselineError, match="a baseline of shape"):
        explain_text(REVIEW, model=bert, baseline=start[:, :3])


def test_the_usual_start_of_a_tokenizer() -> None:
    """Mask, else a padding token of its own, else the mean; padding that is the end of a text is none."""
    model = tiny("Bert", "SequenceClassification")

    def usual(tokenizer: Any) -> Any:
        return default_baseline(text_model(model, tokenizer))

    tokenizer = wordpiece()
    assert usual(tokenizer) == MaskToken()
    tokenizer.mask_token = None
    assert usual(tokenizer) == PadToken()
    with pytest.raises(gl.BaselineError, match=r"a mask token.*got none; there are gl.text.PadToken\(\), gl"):
        explain_text("Great.", model=model, tokenizer=tokenizer, baseline=MaskToken())
    tokenizer.eos_token = "[PAD]"
    assert usual(tokenizer) == MeanEmbedding()
    with pytest.raises(gl.BaselineError, match=r"gl.text.MaskToken with a text"):
        gl.explain(lambda x: x, torch.ones(1, 2), 0, baseline=MaskToken())


def test_methods_without_a_path_show_no_start(bert: TextModel) -> None:
    a = explain_text(REVIEW, model=bert, method=gl.methods.gradient())
    assert (a.shown[0].start, a.shown[0].baseline) == ((), "")
    with pytest.raises(gl.InputError, match="baseline"):
        explain_text(REVIEW, model=bert, method=gl.methods.gradient(), baseline=MaskToken())


# ---------------------------------------------------------------------------------------------------- results


def test_the_result_knows_its_text(bert: TextModel) -> None:
    a = explain_text([REVIEW, "So boring."], model=bert, tol=0.05)
    assert a.values.shape == (2, 12, 16)
    assert [t.name for t in a.shown] == [REVIEW, "So boring."]
    assert a.shown[0].model == "BertForSequenceClassification"
    said = ("[CLS]", "The", "movie", "was", "great", ",", "and", "never", "boring", ".", "[SEP]")
    assert words(a).texts == said
    for k in range(2):
        total = float(a.score[k] - a.baseline_score[k] + a.completeness_gap[k])
        assert words(a, k).values.sum() == pytest.approx(total, abs=1e-5)
    assert words(a, 1).elsewhere == 0


def test_the_same_text_twice_is_two_examples(bert: TextModel) -> None:
    a = explain_text(["So boring.", "So boring."], model=bert, steps=2)
    assert a.names == ("1: So boring.", "2: So boring.")
    torch.testing.assert_close(a.values[0], a.values[1])


def test_the_call_that_repeats_it(folder: Path) -> None:
    """What the report says would repeat it, does."""
    a = explain_text(REVIEW, model=f"hf:{folder}", target=Label("positive"), baseline=PadToken(), steps=3)
    said = a.shown[0].python
    assert said.startswith("import gradline as gl\n\n")
    assert "target=gl.text.Label('positive')" in said
    assert "baseline=gl.text.PadToken()" in said
    plain = text_call(REVIEW, source="minilm-sentiment")
    assert plain.endswith(f"a = gl.explain_text({REVIEW!r}, model='minilm-sentiment')")
    more = text_call(("a", "b"), source="hf:x", target=Label(scale=gl.Probability), tol=0.1)
    assert "('a', 'b')" in more
    assert "gl.text.Label(scale=gl.Probability)" in more
    assert (
        text_call([{"role": "user", "content": "hi"}], source="hf:x").count("[{'role': 'user', 'content': 'hi'}]") == 1
    )


def test_no_call_where_a_value_cannot_be_written(bert: TextModel) -> None:
    assert explain_text(REVIEW, model=bert, steps=1).shown[0].python == ""
    assert text_call(REVIEW, source="hf:x", baseline=torch.zeros(1, 3)) == ""
    assert text_call(REVIEW, source="hf:x", target=lambda out: out) == ""


def test_targets_of_ones_own(bert: TextModel) -> None:
    a = explain_text(REVIEW, model=bert, target=lambda out: out.logits[:, 1] - out.logits[:, 0], steps=2)
    b = explain_text(REVIEW, model=bert, target=gl.Margin(1, 0), steps=2)
    torch.testing.assert_close(a.values, b.values)
    assert b.shown[0].title == "positive"
    neuron = gl.Neuron("bert.encoder.layer.0", lambda h: h[:, 0, 3])
    assert explain_text(REVIEW, model=bert, target=neuron, steps=2).shown[0].title.endswith("of bert.encoder.layer.0")


def test_the_text_is_checked_before_the_work(bert: TextModel) -> None:
    with pytest.raises(gl.InputError, match="words in the text, got an empty one"):
        explain_text("", model=bert)
