"""Which laws apply to a part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from gradline.core.accumulators import Accumulator, Gradient, GradientTimesMove
from gradline.core.baselines import AtSite, Baseline, Constant, Each, PerInput, Search, Zero
from gradline.core.method import Method
from gradline.core.paths import AtInput, Climbing, Curve, Path, Saturation, Straight
from gradline.core.paths.anchored import Anchored
from gradline.core.rules import Rule
from gradline.errors import InputError
from gradline.question.derivatives import Derivative
from gradline.question.sites import Input, Layer, Site
from gradline.question.targets import Target
from gradline.testing import baseline_laws, derivative_laws, laws, part_laws, quadrature_laws, site_laws, target_laws
from gradline.testing.grounds import WIDE, Case, Ground, called, case, ground, inside, over_shapes, short
from gradline.testing.nets import SHAPES, Net, Several, batch, shared
from gradline.testing.target_laws import Output

LOW = (torch.float32, torch.bfloat16, torch.float16)


# -------------------------------------------------------------------------------------------------------------- methods


def of_method(method: Method, among: list[Ground]) -> list[Case]:
    """The laws of its parts as values, and of the whole at the input, at layers, read elsewhere."""
    found = [case(part_laws.stands_for_itself, type(p).__name__, p) for p in (method.path, method.accumulator)]
    among = [one for one in among if _fits(method.path, one.shape)]
    if not among:
        raise InputError("examples x= that the method fits", called(method))
    for one in among:
        found += _at_input(method, one)
    return found + _elsewhere(method, among)


def _fits(path: Path, shape: tuple[int, ...]) -> bool:
    """The path has a way through features of this shape: one by words, where the last axis is as long as theirs."""
    return not isinstance(path, Anchored) or path.vocabulary is None or path.vocabulary.shape[1] == shape[-1]


def _at_input(method: Method, one: Ground, without: tuple[Callable[..., None], ...] = ()) -> list[Case]:
    found = [law for law in _laws(method, one) if law not in without]
    return [case(law, f"{one.name}-input", method, one.model, one.x) for law in found]


def _laws(method: Method, one: Ground) -> list[Callable[..., None]]:
    """What holds for this method on this ground, with the path driven at the input."""
    path, baseline, here = method.path, method.baseline, method.read is None
    steered = isinstance(path, Climbing | Saturation) and not path.complete  # where it reads hangs on the score
    half = _is_half(path)  # of a falling score there may be nothing
    sums = isinstance(method.accumulator, Gradient | GradientTimesMove) and not steered
    passes = here or (one.net is not None and method.read in (Layer("same"), Layer("stem")))
    blind = isinstance(path, Straight | AtInput) and isinstance(baseline, None | Zero | Constant)
    choose: list[tuple[Callable[..., None], bool]] = [
        (laws.rows_are_independent, True),
        (laws.order_does_not_matter, True),
        (laws.chunks_do_not_matter, True),
        (laws.nothing_is_touched, isinstance(one.model, nn.Module)),
        (laws.gap_is_what_it_says, not isinstance(baseline, PerInput | Search)),
        (laws.values_have_working_precision, here),
        (linear_in_the_score, here and sums),
        (laws.dummy_gets_nothing, here and sums and blind),
        (laws.features_may_be_renamed, here and blind),
        (laws.sums_are_wide, here and sums and blind and not one.is_wide),
        (laws.no_way_no_map, baseline is not None and isinstance(method.accumulator, GradientTimesMove)),
        (laws.values_add_up, one.is_wide and passes and site_laws.claims_a_sum(method)),
        (laws.noise_is_keyed, one.is_wide and path.integrates and not half),
    ]
    return [law for law, applies in choose if applies]


def linear_in_the_score(method: Method, model: laws.Net, x: Tensor) -> None:
    """The map of a sum of scores is that of the maps."""
    laws.linear_in_the_score(method, model, lambda points: torch.sin(model(points)), x)


def _is_half(path: Path) -> bool:
    """One side of saturation alone."""
    return isinstance(path, Saturation) and not path.complete


def _elsewhere(method: Method, among: list[Ground], places: tuple[str, ...] = ("stem", "pair", "twice")) -> list[Case]:
    """Driven at a layer, or read at one; with a bypass and without."""
    found: list[Case] = []
    if method.read is not None:
        return found
    anywhere = not isinstance(method.path, Anchored)
    places = places if anywhere else ()
    for where, net, x in inside(among):
        stem = Layer("stem" if anywhere else "same")
        found.append(case(site_laws.examples_stand_alone_at, where, method, stem, net, x))
        found.append(case(site_laws.identity_is_the_input, where, method, net, x))
        sharp = x.dtype == torch.float64 or not _is_half(method.path)  # where it ends hangs on the score's rounding
        for place in places if sharp else ():
            found.append(case(site_laws.maps_are_those_of_the_pieces, f"{where}-{place}", method, place, net, x))
        if method.path.integrates and not isinstance(method.path, Climbing):
            read = replace(method, read=Layer("stem"))
            found.append(case(site_laws.examples_stand_alone_at, f"{where}-read", read, None, net, x))
            found.append(case(site_laws.reading_at_the_identity_changes_nothing, f"{where}-read", method, net, x))
            if site_laws.claims_a_sum(method):
                found.append(case(site_laws.readings_add_up, f"{where}-read", method, net, x))
    return found


def _composed(method: Method) -> list[Case]:
    """Laws of a method made with a part, but for those that hang on the engine alone: elsewhere in float64."""
    grounds = [ground(dtype, name) for dtype in WIDE for name, shape in SHAPES.items() if _fits(method.path, shape)]
    engine = (laws.chunks_do_not_matter, laws.nothing_is_touched, laws.noise_is_keyed)
    found = [law for one in grounds for law in _at_input(method, one, engine)]
    return found + _elsewhere(method, [one for one in grounds if one.x.dtype == torch.float64], ("stem",))


# ------------------------------------------------------------------------------------------- paths, accumulators, rules


def of_curve(curve: Curve) -> list[Case]:
    """What its two formulas keep, and what a path does."""
    checks = (
        part_laws.ends_are_exact,
        part_laws.rows_go_their_own_way,
        part_laws.move_is_the_tangent,
        part_laws.moves_add_up,
    )
    return [*_over_shapes(checks, curve), *of_path(curve)]


def of_path(path: Path) -> list[Case]:
    """Its steps, and a method made with it."""
    steps = _over_shapes((part_laws.steps_add_up, part_laws.examples_do_not_meet), path)
    method = Method("path", path, GradientTimesMove(), Zero() if path.integrates else None)
    formulas = [] if isinstance(path, Anchored) else [case(part_laws.formulas_add_up, "", path)]
    return [*steps, *formulas, *_composed(method)]


def _over_shapes(checks: tuple[Callable[..., None], ...], path: Path) -> list[Case]:
    found = over_shapes(checks, path)
    left_out = tuple(f"-{name}" for name, shape in SHAPES.items() if not _fits(path, shape))
    return [(name, law) for name, law in found if not name.endswith(left_out)]


def of_accumulator(accumulator: Accumulator) -> list[Case]:
    """Its terms, and a method made with it."""
    checks = (part_laws.terms_are_linear_in_the_weight, part_laws.nodes_do_not_meet, part_laws.multiplies_as_it_says)
    method = Method("accumulator", Straight(), accumulator, Zero())
    sums = case(part_laws.sum_law_is_kept, "", accumulator)
    return [*over_shapes(checks, accumulator), sums, *_composed(method)]


def of_rule(rule: Rule, degree: quadrature_laws.Degree | None) -> list[Case]:
    """Its tables, and maps made with it."""
    found = [
        case(quadrature_laws.counts_are_checked, "", rule),
        case(quadrature_laws.tables_are_sound, "", rule),
        case(quadrature_laws.chance_is_keyed, "", rule),
        case(quadrature_laws.integrals_converge, "", rule),
        case(quadrature_laws.rows_are_shown_their_own, "", rule),
    ]
    if degree is not None:
        found.append(case(quadrature_laws.polynomials_are_exact, "", rule, degree))
    for one in [ground(dtype, shape) for dtype in WIDE for shape in SHAPES]:
        found.append(case(quadrature_laws.maps_add_up, one.name, rule, one.model, one.x))
    return found


# ------------------------------------------------------------------------------------------------------------ baselines


def of_baseline(part: Baseline, among: list[Ground]) -> list[Case]:
    """Its starts, and maps from there, on those examples that it fits."""
    if isinstance(part, PerInput):
        own = {name: one for name, one in part.parts.items() if one is not None}
        apart = [(f"input {name}: {law}", check) for name, p in own.items() for law, check in of_baseline(p, among)]
        return [*apart, *(law for one in among if one.is_wide for law in _over_inputs(part, one))]
    found = [law for one in among if baseline_laws.fits(part, one.x) for law in _starting(part, one)]
    if not found:
        raise InputError("examples x= that the baseline fits", called(part))
    return found


def _starting(part: Baseline, one: Ground) -> list[Case]:
    parts = part.parts if isinstance(part, Each) else (part,)
    searched, at_site = (any(isinstance(p, kind) for p in parts) for kind in (Search, AtSite))
    found: list[Case] = []
    if not searched:
        found += [case(law, one.name, part, one.x) for law in _STARTS]
    if not one.is_wide:
        return found
    model = shared(one.shape, one.x.dtype, contested=True) if searched and one.net is not None else one.model
    site = Layer("same") if at_site and one.net is not None else None
    found.append(case(baseline_laws.maps_are_an_examples_own, one.name, part, model, one.x, site=site))
    if isinstance(part, Search):
        found.append(case(baseline_laws.searches_stand_alone, one.name, part, model, one.x))
    elif not searched and not at_site:
        found.append(case(baseline_laws.sums_start_there, one.name, part, model, one.x))
    return found


_STARTS = (
    baseline_laws.nothing_is_changed,
    baseline_laws.starts_are_like_x,
    baseline_laws.examples_start_alone,
    baseline_laws.chance_is_keyed,
    baseline_laws.precisions_agree,
    baseline_laws.draws_stay,
)


def _over_inputs(part: PerInput, one: Ground) -> list[Case]:
    by_name = not any(name.isdigit() for name in part.parts)
    names = [*part.parts, *(["held"] if by_name else [])]
    inputs = {name: batch(one.shape, len(one.x), 31 + k, one.x.dtype) for k, name in enumerate(names)}
    model = Several(names, one.shape).to(one.x.dtype)
    fit = all(own is None or baseline_laws.fits(own, inputs[name]) for name, own in part.parts.items())
    return [case(baseline_laws.inputs_start_apart, one.name, part, model, inputs)] if fit else []


# ---------------------------------------------------------------------------------------------------- targets and sites


def of_target(target: Target, outputs: dict[str, Output], among: list[Ground]) -> list[Case]:
    """Its scalars from every output that it fits, and maps of models that return such."""
    fitting = {name: output for name, output in outputs.items() if target_laws.fits(target, output)}
    found = [case(target_laws.something_is_aimed_at, "", target, fitting.values())] if fitting else []
    for name, output in outputs.items():
        if name in fitting:
            found += [case(law, name, target, output) for law in _SCALARS]
            found += [case(target_laws.precisions_agree, f"{short(d)}-{name}", target, output, d) for d in LOW]
        if target_laws.carries(target, output):
            made = [one for one in among if one.net is not None and one.is_wide]
            found += [law for one in made for law in _made(target, name, output, one)]
    for one in among:
        if one.net is None and isinstance(one.model, nn.Module):
            found.append(case(target_laws.is_explained_as_by_hand, one.name, target, one.model, one.x, Input()))
    if not found:
        raise InputError("an output= that the target fits, a function of (R, 12) numbers", called(target))
    return found


_SCALARS = (
    target_laws.rows_stand_alone,
    target_laws.gradients_are_right,
    target_laws.what_is_settled_stays,
    target_laws.output_is_left_alone,
    target_laws.bounds_are_kept,
)


def _made(target: Target, name: str, output: Output, one: Ground) -> list[Case]:
    net = target_laws.model_with(output, one.shape, one.x.dtype)
    return [
        case(target_laws.is_explained_as_by_hand, f"{one.name}-{name}-{place}", target, net, one.x, site)
        for place, site in target_laws.sites_for(target).items()
    ]


def of_derivative(derivative: Derivative) -> list[Case]:
    """Its estimates."""
    checks = (
        derivative_laws.estimates_are_like_points,
        derivative_laws.rows_stand_alone,
        derivative_laws.costs_are_as_said,
        derivative_laws.linear_scores_come_out,
        derivative_laws.values_belong_to_gradients,
    )
    return over_shapes(checks, derivative)


def of_site(site: Site, among: list[Ground]) -> list[Case]:
    """What is driven there, on nets taken apart by hand, or on the model given, by hooks apart from the library's."""
    tried: list[tuple[str, nn.Module, Tensor]] = [*inside(among)]
    tried += [(g.name, g.model, g.x) for g in among if g.net is None and isinstance(g.model, nn.Module)]
    found: list[Case] = []
    for where, model, x in tried:
        found += [
            case(site_laws.maps_are_those_by_hand, where, site, model, x, _split(site, model)),
            case(site_laws.values_add_up_there, where, site, model, x),
            case(site_laws.nothing_stays_behind, where, site, model, x),
            case(site_laws.input_is_the_default, where, site, model, x),
            case(site_laws.examples_stand_alone_at, where, _IG, site, model, x),
        ]
    return found


_IG = Method("integrated-gradients", Straight(), GradientTimesMove(), Zero())


def _split(site: Site, model: nn.Module) -> Any:
    known = [place for place, layer in site_laws.LAYERS.items() if layer == site]
    return model.split(known[0]) if known and isinstance(model, Net) else site_laws.pieces(model, site)
