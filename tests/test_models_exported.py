"""Exported programs: any number of rows, gradients of the original, what is in the file, and what must not be."""

import io
import pickle
import zipfile

import numpy as np
import pytest
import torch
from torch.export import Dim, export

import gradline as gl
from gradline.adapters.models import Preprocessing, image_model, save_exported
from gradline.adapters.models.exported import load_exported

PLAIN = Preprocessing(9, 8, (127.5,) * 3, (127.5,) * 3)
PHOTO = np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8)


def net():
    torch.manual_seed(0)
    layers = torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.GELU(), torch.nn.Flatten()
    return torch.nn.Sequential(*layers, torch.nn.Dropout(0.5), torch.nn.Linear(144, 3)).eval()


BATCHES = {
    "any": (2, {0: Dim.DYNAMIC}),
    "one": (1, {}),
    "two": (2, {}),
    "three to five": (4, {0: Dim("rows", min=3, max=5)}),
    "up to five": (4, {0: Dim("rows", min=1, max=5)}),
}


@pytest.fixture(params=BATCHES)
def saved(request, tmp_path):
    rows, shapes = BATCHES[request.param]
    program = export(net(), (torch.randn(rows, 3, 8, 8),), dynamic_shapes=(shapes,))
    return save_exported(program, tmp_path / "net.pt2", PLAIN, ["red", "green", "blue"])


def test_any_number_of_rows_whatever_it_was_exported_with(saved):
    program, description = load_exported(saved)
    assert description.preprocessing == PLAIN
    assert description.classes == ("red", "green", "blue")
    x = torch.randn(7, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    for rows in (1, 2, 3, 6, 7):
        with torch.no_grad():
            torch.testing.assert_close(program(x[:rows]), net()(x[:rows]), atol=1e-6, rtol=1e-5)


def test_the_map_is_that_of_the_original(saved):
    """Integrated Gradients of both to 1e-6 of the map's norm."""
    found = gl.explain_image(PHOTO, model=image_model(str(saved)), target="green", steps=9)
    expected = gl.explain_image(PHOTO, model=gl.models.ImageModel("net", net(), PLAIN), target=1, steps=9)
    difference = (found.values - expected.values).norm() / expected.values.norm()
    assert float(difference) < 1e-6
    assert found.shown[0].title == "green"
    assert not [f for f in found.findings if f.code == "GL101"], "no training mode is seen"


def test_tolerance_and_doctor_work_on_it(tmp_path):
    path = save_exported(export(net(), (torch.randn(1, 3, 8, 8),)), tmp_path / "net.pt2", PLAIN)
    case = gl.image_case(PHOTO, str(path))
    a = gl.explain_image(PHOTO, model=case.model, target=0, tol=0.05)
    assert a.status == (gl.Status.CONVERGED,)
    assert gl.doctor(case.model.model, torch.randn(3, 3, 8, 8), 0).healthy


def test_a_file_that_was_written_anew_is_read_anew(tmp_path):
    scores = []
    for factor in (1, 2):
        network = net()
        network[-1].weight.data *= factor
        path = save_exported(export(network, (torch.randn(1, 3, 8, 8),)), tmp_path / "net.pt2", PLAIN)
        scores.append(float(gl.explain_image(PHOTO, model=str(path), target=0, steps=1).score[0]))
    assert scores[0] != scores[1]


def test_without_a_description_it_must_be_said(tmp_path):
    path = tmp_path / "net.pt2"
    torch.export.save(export(net(), (torch.randn(1, 3, 8, 8),)), path)
    with pytest.raises(gl.InputError, match=r"how a photo becomes the input of .*net.pt2.*--preprocess.*imagenet"):
        image_model(str(path))
    said = image_model(str(path), preprocessing=PLAIN, classes=("a", "b", "c"))
    assert said.preprocessing == PLAIN
    (tmp_path / "net.json").write_text(
        '{"format": "gradline-image-model-1", "preprocessing": {"resize": 9, "crop": [8, 8], "mean": [0, 0, 0], '
        '"std": [1, 1, 1], "resample": "bicubic"}, "classes": ["a", "b", "c"]}'
    )
    said = image_model(str(path), preprocessing=tmp_path / "net.json")
    assert said.preprocessing == Preprocessing(9, (8, 8), (0, 0, 0), (1, 1, 1), gl.models.Resample.BICUBIC)
    assert said.classes == ("a", "b", "c")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nonsense", "a description of a model"),
        ("{}", "format"),
        ('{"format": "gradline-image-model-1"}', "without 'preprocessing'"),
        ('{"format": "gradline-image-model-1", "preprocessing": "imagnet"}', "a preprocessing: imagenet"),
        ('{"format": "gradline-image-model-1", "preprocessing": {"size": 3}}', "size in preprocessing, which has"),
        ('{"format": "gradline-image-model-1", "preprocessing": {"resize": 3}}', "missing"),
        (
            '{"format": "gradline-image-model-1", "preprocessing": "imagenet", "classes": [1, 2]}',
            "class names as texts",
        ),
    ],
)
def test_a_description_that_is_none_is_refused_with_its_place(tmp_path, text, words):
    path = tmp_path / "net.pt2"
    torch.export.save(export(net(), (torch.randn(1, 3, 8, 8),)), path, extra_files={"gradline.json": text})
    with pytest.raises(gl.InputError, match=words) as caught:
        image_model(str(path))
    assert "gradline.json in" in str(caught.value)


class Bomb:
    """What a prepared file could hold: unpickling it calls a function."""

    def __reduce__(self):
        return (pytest.fail, ("code of the file was run",))


@pytest.mark.parametrize(
    "entry", ["data/sample_inputs/model.pt", "data/constants/opaque_obj_0", "data/weights/model.pt"]
)
def test_a_file_with_code_in_it_is_refused_unread(tmp_path, entry):
    clean, path = tmp_path / "clean.pt2", tmp_path / "net.pt2"
    torch.export.save(export(net(), (torch.randn(1, 3, 8, 8),)), clean)
    buffer = io.BytesIO()
    torch.save((Bomb(),), buffer, pickle_module=pickle)
    with zipfile.ZipFile(clean) as old:
        kept = {i.filename.partition("/")[2]: old.read(i) for i in old.infolist()}
    writer = torch._C.PyTorchFileWriter(str(path))
    for name, content in {**kept, entry: buffer.getvalue()}.items():
        if not name.startswith((".data", "version", "byteorder")):
            writer.write_record(name, content, len(content))
    writer.write_end_of_file()
    with pytest.raises(gl.InputError, match=f"nothing but tensors and a graph in .*{entry}"):
        load_exported(path)


def test_files_that_are_no_programs_are_refused(tmp_path):
    path = save_exported(export(net(), (torch.randn(1, 3, 8, 8),)), tmp_path / "net.pt2", PLAIN)
    content = path.read_bytes()
    for name, damaged in {
        "empty": b"",
        "text": b"Dear Sir",
        "cut": content[:3000],
        "half": content[: len(content) // 2],
    }.items():
        (tmp_path / f"{name}.pt2").write_bytes(damaged)
        with pytest.raises(gl.StorageError, match=f"{name}.pt2 is damaged, or no exported program"):
            image_model(str(tmp_path / f"{name}.pt2"))
    torch.save({"a": torch.ones(1)}, tmp_path / "state.pt2")
    with pytest.raises(gl.StorageError, match="is not an exported program"):
        image_model(str(tmp_path / "state.pt2"))
    with pytest.raises(gl.InputError, match=r"an exported program, got .*gone.pt2', which is not there"):
        image_model(str(tmp_path / "gone.pt2"))
    with pytest.raises(gl.StorageError, match=r"ends in \.pt2"):
        save_exported(None, tmp_path / "net.pt", PLAIN)


def test_a_program_in_training_mode_is_refused(tmp_path):
    path = save_exported(export(net().train(), (torch.randn(2, 3, 8, 8),)), tmp_path / "net.pt2", PLAIN)
    with pytest.raises(gl.InputError, match=r"evaluation mode in .*, got dropout in its graph; export model.eval\(\)"):
        image_model(str(path))


def test_a_program_of_two_inputs_is_no_image_model(tmp_path):
    class Two(torch.nn.Module):
        def forward(self, x, y):
            return x + y

    torch.export.save(export(Two(), (torch.ones(1, 3), torch.ones(1, 3))), tmp_path / "two.pt2")
    with pytest.raises(gl.InputError, match=r"one tensor as its input in .*got 2 inputs"):
        image_model(str(tmp_path / "two.pt2"))
