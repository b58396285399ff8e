"""A question put to N examples: values and gradients at any rows. The only place where a model is called."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from gradline.errors import GradlineError, ModelError, SiteError
from gradline.question.derivatives import Derivative, Values
from gradline.question.inputs import Inputs
from gradline.question.sites import Ear, Layer, OddAxis, Reached, Tap, first_embedding
from gradline.question.targets import Target
from gradline.question.targets.functions import scalars
from gradline.question.trace import cut_by, find_cuts
from gradline.question.trees import detached
from gradline.question.trouble import cause, is_out_of_memory, shapes
from gradline.question.views import View


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What one batch of points says, for each target; see `core.flow.Reading` for the fields."""

    value: list[Tensor]
    grad: list[Tensor]
    slope: list[Tensor] | None = None
    noise: list[Tensor] | None = None
    lifted: Tensor | None = None
    pushed: Tensor | None = None
    shares: list[Tensor] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Forward:
    """What a forward of so many rows gave: the model's output, and what was heard at layers."""

    rows: int
    output: Any
    heard: dict[Tap, Tensor]

    def detached(self) -> Forward:
        """The same without its graph."""
        return Forward(self.rows, detached(self.output), {tap: heard.detach() for tap, heard in self.heard.items()})


@dataclass(frozen=True, eq=False)
class BoundScore:
    """A model with targets and N examples.

    `drive`: where points are put in, None for the input; `read`: where gradients are taken, None for the same place.
    `names`, `seed`: keys of random numbers. `layers`: those that targets look at, as they are found.
    """

    model: Any
    targets: tuple[Target, ...]
    inputs: Inputs
    drive: Tap | None = None
    read: View | None = None
    derivative: Derivative | None = None
    names: tuple[str, ...] = ()
    seed: int = 0
    layers: dict[Any, Tap] = field(default_factory=dict)

    def at_input(self) -> BoundScore:
        """The same question with points put in at the input."""
        return replace(self, drive=None, read=None)

    # ------------------------------------------------------------------------------------------------ targets

    def tap_of(self, target: Target) -> Tap | None:
        """The layer whose output a target picks from, None for the model's output."""
        layer = target.layer
        if layer is None:
            return None
        if layer not in self.layers:
            site = layer if isinstance(layer, Layer) else Layer(layer)  # type: ignore[arg-type]
            self.layers[layer] = site.find(self.model)
        return self.layers[layer]

    def picked(self, target: Target, forward: Forward, owner: Tensor) -> Tensor:
        """The scalars `(R,)` of a target. Raises `TargetError` if it picks anything else."""
        return scalars(target.pick(self.seen_by(target, forward), owner), len(owner), f"target {type(target).__name__}")

    def seen_by(self, target: Target, forward: Forward) -> Any:
        """What a target picks from."""
        tap = self.tap_of(target)
        return forward.output if tap is None else forward.heard[tap]

    # ------------------------------------------------------------------------------------------------ forwards

    def survey(self, owner: Tensor, targets: Sequence[Target]) -> Forward:
        """A forward at x itself, without gradients, with everything heard that these targets need."""
        with torch.no_grad():
            return self._forward({}, owner, hear=self._taps(targets), put=None)

    def forward(self, points: Tensor, owner: Tensor, targets: Sequence[Target], *, quiet: bool = True) -> Forward:
        """The model at `points (R, *F)` of the examples `owner (R,)`. The points are the model's to write to.

        `quiet`: what runs before the layer that is driven is not recorded for the way back.
        """
        put = None if self.drive is None else points
        parts = self.inputs.unpack(points) if self.drive is None else {}
        return self._forward(parts, owner, hear=self._taps(targets), put=put, quiet=quiet and put is not None)

    def lift(self, parts: Mapping[str, Tensor], owner: Tensor) -> Tensor:
        """What the layer that is driven shows where `parts` stand in for entries of x."""
        assert self.drive is not None
        with torch.no_grad():
            return self._forward(dict(parts), owner, hear=[self.drive], put=None, stop=[self.drive]).heard[self.drive]

    def _taps(self, targets: Sequence[Target]) -> list[Tap]:
        read = () if self.read is None else self.read.taps
        found = [self.drive, *read, *(self.tap_of(t) for t in targets)]
        return list(dict.fromkeys(tap for tap in found if tap is not None))

    def _forward(
        self,
        parts: dict[str, Tensor],
        owner: Tensor,
        *,
        hear: Sequence[Tap],
        put: Tensor | None,
        quiet: bool = False,
        stop: Sequence[Tap] = (),
    ) -> Forward:
        args, named = self.inputs.arguments(parts, owner)
        quiet = quiet and torch.is_grad_enabled()
        awaited = set(stop)
        ears = {tap: Ear(tap, len(owner), awaited=awaited) for tap in hear}
        if self.drive in ears:
            ears[self.drive].put, ears[self.drive].wake = put, quiet
        output = None
        with ExitStack() as around:
            if ears and "torch._dynamo" in sys.modules:  # something may be compiled, and would not call hooks
                around.enter_context(torch.compiler.set_stance("force_eager"))
            for tap, ear in ears.items():
                around.callback(tap.module.register_forward_hook(ear).remove)
            around.enter_context(torch.set_grad_enabled(torch.is_grad_enabled() and not quiet))
            try:
                output = (_unwrapped(self.model) if ears else self.model)(*args, **named)
            except Reached:
                pass
            except (GradlineError, OddAxis):
                raise
            except Exception as error:
                if is_out_of_memory(error):
                    raise
                raise ModelError(f"the model failed on {shapes(args, named)}: {cause(error)}") from error
        return Forward(len(owner), output, {tap: ear.result() for tap, ear in ears.items()})

    # ------------------------------------------------------------------------------------------------ values, gradients

    def values(self, points: Tensor, owner: Tensor, targets: Sequence[Target], width: int = 1) -> list[Tensor]:
        """The scalars `(R,)` of each target, without gradients; at most `width` rows at a time for a derivative."""
        if self.derivative is None:
            return self._values(points, owner, targets)
        return self.derivative.values(self._asking(targets, width), points, owner, self._keys(owner), width)

    def _asking(self, targets: Sequence[Target], width: int) -> Values:
        """What a derivative asks for values: any number of rows, in batches of `width`."""

        def ask(points: Tensor, owner: Tensor) -> list[Tensor]:
            batches = zip(points.split(width), owner.split(width), strict=True)  # type: ignore[no-untyped-call]
            parts = [self._values(p, o, targets) for p, o in batches]
            return [torch.cat(column) for column in zip(*parts, strict=True)]

        return ask

    def _values(self, points: Tensor, owner: Tensor, targets: Sequence[Target]) -> list[Tensor]:
        with torch.no_grad():
            forward = self.forward(points.clone(), owner, targets)
            return [self.picked(t, forward, owner).detach() for t in targets]

    def gradients(
        self,
        points: Tensor,
        owner: Tensor,
        targets: Sequence[Target],
        *,
        tangent: Tensor | None = None,
        pushing: bool = False,
        width: int = 1,
    ) -> Answers:
        """Scalars `(R,)` and their gradients `(R, *G)` for each target, from one forward.

        `tangent (R, *F)`: also the slope along it. `pushing`: also what it becomes at the layer that is read.
        """
        if self.derivative is not None:
            return self._estimated(points, owner, targets, width)
        scalars, found = self._differentiated(points, owner, targets)
        slopes = [] if tangent is None else [(g[0].double() * tangent.double()).flatten(1).sum(1) for g in found]
        view = self.read
        grads = [g[0] if view is None else view.joined(g[1:]) for g in found]
        lifted = pushed = shares = None
        if pushing and tangent is not None and view is not None:
            lifted, pushed = view.push(lambda p: self._read_at(p, owner), points, tangent, owner)
            if view.masks is not None:
                moves = [move.double() for move in view.parted(tangent, owner)]
                shares = [torch.stack([(g[0].double() * m).flatten(1).sum(1) for m in moves], 1) for g in found]
        return Answers(scalars, grads, slopes or None, None, lifted, pushed, shares)

    def _read_at(self, points: Tensor, owner: Tensor) -> Tensor:
        assert self.read is not None
        put = None if self.drive is None else points
        parts = self.inputs.unpack(points) if self.drive is None else {}
        hear = self._taps([])
        taps = self.read.taps
        heard = self._forward(parts, owner, hear=hear, put=put, stop=taps).heard
        return heard[taps[0]] if len(taps) == 1 else torch.cat([heard[tap].flatten(1) for tap in taps], 1)

    def _estimated(self, points: Tensor, owner: Tensor, targets: Sequence[Target], width: int) -> Answers:
        assert self.derivative is not None
        keys = self._keys(owner)
        found = self.derivative.estimate(self._asking(targets, width), points, owner, keys, width)
        noise = [e.noise for e in found if e.noise is not None]
        return Answers([e.value for e in found], [e.grad for e in found], noise=noise or None)

    def _keys(self, owner: Tensor) -> list[str]:
        return [self.names[i] if self.names else str(i) for i in owner.tolist()]

    def _differentiated(
        self, points: Tensor, owner: Tensor, targets: Sequence[Target], *, quiet: bool = True
    ) -> tuple[list[Tensor], list[list[Tensor]]]:
        """For each target its scalars, and their gradients by the points and, last, where gradients are read."""
        leaf = points.detach().clone().requires_grad_()
        forward = self.forward(leaf.clone(), owner, targets, quiet=quiet)  # a copy: a model may write into its input
        wrt = [leaf] if self.read is None else [leaf, *(forward.heard[tap] for tap in self.read.taps)]
        scalars, found = [], []
        for target in targets:
            scalar = self.picked(target, forward, owner)
            grads = _gradients(scalar, wrt, keep=target is not targets[-1])
            if grads is None:
                if self.drive is not None and quiet:  # the model may have switched gradients off behind the layer
                    return self._differentiated(points, owner, targets, quiet=False)
                raise self._cut(points, owner, target)
            scalars.append(scalar.detach())
            found.append(grads)
        return scalars, found

    def cuts(self, points: Tensor, owner: Tensor, target: Target) -> list[str]:
        """The operations between `points` and the target that gradients do not pass, named with their layers."""
        leaf = points.detach().clone().requires_grad_()

        def forward() -> None:
            self.picked(target, self.forward(leaf.clone(), owner, [target]), owner)

        with suppress(Exception):
            return find_cuts(forward, self.model)
        return []

    def _cut(self, points: Tensor, owner: Tensor, target: Target) -> GradlineError:
        place = self.read or self.drive
        cuts = self.cuts(points[:1], owner[:1], target)
        if place is not None:
            where = f"output {place.output} of layer {place.label}"
            return SiteError(f"no differentiable way from {where} to the target: it is unused there, or {cut_by(cuts)}")
        site = f"site=gl.Layer({first_embedding(self.model)})"
        return ModelError(
            "the score does not depend on x through differentiable operations: the model ignores x, or "
            f"{cut_by(cuts)}; explain an output in front of the cut (the logits, or a unit: gl.Neuron(layer, index)), "
            f"drive the path behind it ({site}), or give the Score a derivative= of gl.derivatives"
        )


def _gradients(scalar: Tensor, wrt: list[Tensor], *, keep: bool) -> list[Tensor] | None:
    """Gradients of the scalars' sum; zero at the points where only the layer that is read matters; None if cut."""
    if not (scalar.requires_grad and all(t.requires_grad for t in wrt)):
        return None
    try:
        found = torch.autograd.grad(scalar.sum(), wrt, retain_graph=keep, allow_unused=True)
    except Exception as error:
        if is_out_of_memory(error):
            raise
        shape = tuple(wrt[0].shape)
        raise ModelError(f"the gradient failed on a batch of shape {shape}: {cause(error)}") from error
    if found[-1] is None:
        return None
    return [torch.zeros_like(t) if g is None else g.detach() for t, g in zip(wrt, found, strict=True)]


def _unwrapped(model: Any) -> Any:
    """The module itself, where a compiled or parallel copy of it would not call hooks."""
    if isinstance(model, torch.nn.DataParallel):
        return model.module
    return getattr(model, "_orig_mod", model)
