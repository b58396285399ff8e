"""One result, one file: exact, whole or not there at all, and never able to run anything."""

import errno
import json
import os
import pickle
import stat
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import nn

import gradline as gl
from gradline.result.storage import FORMAT, write_atomically


def attribution(**arguments):
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 2))
    x = torch.randn(3, 6, generator=torch.Generator().manual_seed(1))
    return gl.explain(model, x, 1, **arguments)


def assert_equal(a, b):
    for name in ("values", "score", "baseline_score", "completeness_gap", "error_estimate"):
        one, other = getattr(a, name), getattr(b, name)
        assert (one is None) == (other is None)
        if one is not None:
            assert one.dtype == other.dtype
            torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)
    assert torch.equal(a.evaluations, b.evaluations)
    assert torch.equal(a.forward_evaluations, b.forward_evaluations)
    assert (a.status, a.names, a.findings) == (b.status, b.names, b.findings)
    assert all(isinstance(status, gl.Status) for status in b.status)
    assert (dict(a.provenance), dict(a.details)) == (dict(b.provenance), dict(b.details))
    assert a.parts.keys() == b.parts.keys()
    assert all(torch.equal(a.parts[k], b.parts[k]) for k in a.parts)
    for one, other in zip(a.curve, b.curve, strict=True):
        for name in ("t", "weight", "score", "gradient_norm"):
            assert np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True)
            assert getattr(other, name).dtype == np.float64
    assert repr(a) == repr(b)


# ------------------------------------------------------------------------------------------------ there and back


@pytest.mark.parametrize(
    "arguments",
    [
        {"tol": 0.001},
        {"tol": 1e-6, "max_evaluations": 9},
        {"steps": 3, "names": ["π", "a\nb", ""]},
        {"method": gl.methods.gradient()},
        {"baseline": gl.baselines.Each(0.0, 1.0)},
    ],
    ids=["tol", "exhausted", "steps", "gradient", "two-baselines"],
)
def test_what_was_saved_comes_back_exactly(tmp_path, arguments):
    a = attribution(**arguments)
    assert a.save(tmp_path / "a.safetensors") == tmp_path / "a.safetensors"
    assert_equal(a, gl.load(tmp_path / "a.safetensors"))
    assert_equal(a[1:], gl.load(a[1:].save(str(tmp_path / "part.safetensors"))))


def test_everything_a_method_may_add_comes_back(tmp_path):
    a = replace(
        attribution(steps=2),
        parts={"left": torch.randn(3, 6)[:, ::2], "kind/of": torch.arange(3, dtype=torch.int64)},
        details={"search": [0.5, {"at": None}], "saturation": 0.25},
        values=torch.randn(6, 3).T,
    )
    assert_equal(a, gl.load(a.save(tmp_path / "a.safetensors")))


def test_results_that_share_memory_are_saved_apart(tmp_path):
    model, x = nn.Linear(4, 3), torch.randn(2, 4)
    for k, a in enumerate(gl.explain(model, x, [0, 1, 2], steps=2)):
        path = a.save(tmp_path / f"{k}.safetensors")
        assert_equal(a, gl.load(path))
        assert path.stat().st_size < 8_000


def test_nan_and_infinity_are_kept(tmp_path):
    values = torch.tensor([[float("nan"), float("inf"), -float("inf"), -0.0, 1e-45, 1.0]] * 3)
    b = gl.load(replace(attribution(steps=2), values=values).save(tmp_path / "a.safetensors"))
    assert torch.equal(b.values.view(torch.int32), values.view(torch.int32))


def test_a_file_may_be_read_by_any_other_reader(tmp_path):
    a = attribution(steps=2)
    path = a.save(tmp_path / "a.safetensors")
    assert torch.equal(safetensors.torch.load_file(path)["values"], a.values)
    with safetensors.safe_open(path, "pt") as file:
        metadata = file.metadata()
    assert metadata["format"] == FORMAT
    assert json.loads(metadata["header"])["provenance"] == dict(a.provenance)


def test_a_result_of_a_later_call_replaces_the_file(tmp_path):
    path = tmp_path / "a.safetensors"
    attribution(steps=2).save(path)
    b = attribution(tol=0.01)
    b.save(path)
    assert_equal(b, gl.load(path))
    assert list(tmp_path.iterdir()) == [path]


# ------------------------------------------------------------------------------------------------ refusals to write


@pytest.mark.parametrize("name", ["a.pt", "a", "a.safetensors.gz", ".safetensors", "a.SAFETENSORS "])
def test_another_ending_is_refused(tmp_path, name):
    with pytest.raises(gl.StorageError, match=r"\.safetensors"):
        attribution(steps=1).save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(gl.StorageError, match=r"cannot write .*No such file or directory.*another place"):
        attribution(steps=1).save(tmp_path / "none" / "a.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(gl.StorageError, match=r"cannot write .*Not a directory"):
        attribution(steps=1).save(tmp_path / "file" / "a.safetensors")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_file_that_is_a_folder_is_refused(tmp_path):
    (tmp_path / "a.safetensors").mkdir()
    with pytest.raises(gl.StorageError, match="cannot write"):
        attribution(steps=1).save(tmp_path / "a.safetensors")
    assert [p.name for p in tmp_path.iterdir()] == ["a.safetensors"]


def test_what_json_cannot_say_is_refused(tmp_path):
    with pytest.raises(gl.StorageError, match="JSON"):
        replace(attribution(steps=1), details={"model": nn.Linear(1, 1)}).save(tmp_path / "a.safetensors")
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------------------------ whole or not at all


@contextmanager
def files_of_at_most(size):
    """The system refuses to write more into a file, as it does on a full disk."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def old(tmp_path):
    """A file with an earlier result, and its bytes."""
    path = attribution(steps=1).save(tmp_path / "a.safetensors")
    return path, path.read_bytes()


def assert_untouched(old):
    path, content = old
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file(old):
    a = attribution(steps=2)
    with files_of_at_most(1000), pytest.raises(gl.StorageError, match="cannot write"):
        a.save(old[0])
    assert_untouched(old)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(), RuntimeError("bug"), MemoryError()], ids=repr)
def test_an_interrupt_half_way_leaves_the_old_file(old, monkeypatch, error):
    def half(tensors, path, metadata):
        Path(path).write_bytes(b"half of it")
        raise error

    monkeypatch.setattr(safetensors.torch, "save_file", half)
    with pytest.raises(type(error)):
        attribution(steps=2).save(old[0])
    assert_untouched(old)


@pytest.mark.parametrize("function", ["replace", "chmod"])
@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOSPC, errno.EROFS, errno.EIO])
def test_an_error_of_the_system_leaves_the_old_file(old, monkeypatch, function, number):
    def refuse(self, *arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, function, refuse)
    with pytest.raises(gl.StorageError, match=os.strerror(number)) as caught:
        attribution(steps=2).save(old[0])
    assert isinstance(caught.value, OSError)
    assert isinstance(caught.value.__cause__, OSError)
    monkeypatch.undo()
    assert_untouched(old)


def test_a_folder_without_permission_is_refused(old, monkeypatch):
    def refuse(*arguments, **more):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    with pytest.raises(gl.StorageError, match=r"cannot write .*Permission denied"):
        attribution(steps=2).save(old[0])
    assert_untouched(old)


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(tmp_path):
    path, seen = tmp_path / "note.txt", []
    path.write_text("old")

    def write(temporary):
        temporary.write_text("new, first half")
        seen.append((path.read_text(), temporary.parent == path.parent, temporary.suffix))
        temporary.write_text("new, whole")

    assert write_atomically(path, write) == path
    assert seen == [("old", True, ".txt")]
    assert path.read_text() == "new, whole"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077, 0o000])
def test_the_mode_of_the_file_is_what_the_umask_leaves(tmp_path, umask):
    a, before = attribution(steps=1), os.umask(umask)
    try:
        path = a.save(tmp_path / "a.safetensors")
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


# ------------------------------------------------------------------------------------------------ refusals to read


@pytest.mark.parametrize("place", ["none.safetensors", "none/a.safetensors", ".", "n" * 300 + ".safetensors"])
def test_a_file_that_is_not_there(tmp_path, place):
    with pytest.raises(gl.StorageError):
        gl.load(tmp_path / place)


@pytest.mark.parametrize(
    "change",
    [
        lambda whole: b"",
        lambda whole: whole[:7],
        lambda whole: whole[:100],
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[:-1],
        lambda whole: whole + b"more",
        lambda whole: b"\xff" * 8 + whole[8:],
        lambda whole: whole.replace(b"data_offsets", b"data\xff\xfeffsets", 1),
        lambda whole: b"GIF89a" + bytes(2000),
        lambda whole: b"Nicht das, was man sucht. " * 100,
        lambda whole: pickle.dumps({"values": [1.0]}),
    ],
)
def test_a_damaged_file_is_an_error_that_names_it(old, change):
    path, content = old
    path.write_bytes(change(content))
    with pytest.raises(gl.StorageError, match=r"a\.safetensors is (damaged|not a gradline attribution)"):
        gl.load(path)


def test_any_single_wrong_byte_of_the_header_is_refused_or_harmless(old):
    path, content = old
    size = int.from_bytes(content[:8], "little")
    for at in range(0, 8 + size, 23):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0x15]) + content[at + 1 :])
        try:
            b = gl.load(path)
        except gl.StorageError:
            continue
        assert b.values.shape == (3, 6)


def test_the_file_of_another_program_is_refused(tmp_path):
    for metadata in (None, {"format": "pt"}, {"format": "gradline-attribution-99", "header": "{}"}):
        safetensors.torch.save_file({"values": torch.ones(3)}, tmp_path / "w.safetensors", metadata=metadata)
        with pytest.raises(gl.StorageError, match="is not a gradline attribution"):
            gl.load(tmp_path / "w.safetensors")


def sound_header():
    return {"status": ["fixed"], "names": ["0"], "findings": [], "details": {}, "provenance": {}}


@pytest.mark.parametrize(
    "header",
    ["", "{", "{}", "[]", "null", "3", '"text"']
    + [json.dumps({**sound_header(), "status": status}) for status in (3, None, ["great"], ["fixed", "fixed"], [[]])]
    + [json.dumps({**sound_header(), "names": names}) for names in (3, None)]
    + [
        json.dumps({**sound_header(), "findings": findings})
        for findings in (3, [3], [{}], [{"code": "GL1", "examples": []}])
    ]
    + [json.dumps({k: v for k, v in sound_header().items() if k != missing}) for missing in sound_header()],
)
def test_a_header_that_makes_no_sense_is_damage(tmp_path, header):
    tensors = {k: torch.zeros(1) for k in ("values", "score", "evaluations", "forward_evaluations")}
    tensors |= {f"curve/0/{k}": torch.zeros(1) for k in ("t", "weight", "score", "gradient_norm")}
    path, metadata = tmp_path / "a.safetensors", {"format": FORMAT, "header": header}
    safetensors.torch.save_file(tensors, path, metadata=metadata)
    with pytest.raises(gl.StorageError, match="damaged"):
        gl.load(path)


@pytest.mark.parametrize("missing", ["values", "score", "evaluations", "curve/2/t"])
def test_a_tensor_that_is_missing_is_damage(old, missing):
    with safetensors.safe_open(old[0], "pt") as file:
        tensors, metadata = {k: file.get_tensor(k) for k in file.keys() if k != missing}, file.metadata()  # noqa: SIM118
    safetensors.torch.save_file(tensors, old[0], metadata=metadata)
    with pytest.raises(gl.StorageError, match=f"damaged.*{missing}"):
        gl.load(old[0])


# ------------------------------------------------------------------------------------------------ nothing runs


class Bomb:
    ran = False

    def __reduce__(self):
        return setattr, (Bomb, "ran", True)


def test_a_file_holds_no_pickle_and_a_pickle_is_not_read(old, monkeypatch):
    path, content = old
    size = int.from_bytes(content[:8], "little")
    json.loads(content[8 : 8 + size])
    numbers = sum(t.numel() * t.element_size() for t in safetensors.torch.load_file(path).values())
    assert len(content) == 8 + size + numbers, "a JSON header and numbers, nothing else"

    def refuse(*arguments, **more):
        raise AssertionError("something was unpickled")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    monkeypatch.setattr(torch, "load", refuse)
    gl.load(path)
    torch.save({"values": Bomb()}, path)
    with pytest.raises(gl.StorageError):
        gl.load(path)
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(gl.StorageError):
        gl.load(path)
    assert not Bomb.ran


def test_damage_keeps_its_cause(old):
    old[0].write_bytes(old[1][:50])
    with pytest.raises(gl.StorageError) as caught:
        gl.load(old[0])
    assert isinstance(caught.value.__cause__, SafetensorError)
