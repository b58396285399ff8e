"""What is printed of the neurons behind a region: the card, the channels, what is left without them."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradline.cli._neurons import findings
from gradline.cli._terminal import one_line, paint, prose, show, width, write

if TYPE_CHECKING:
    from gradline.plots.channels import Curves, LayerShown, Region


def print_layers(listed: dict[str, Any]) -> None:
    rows = listed["layers"]
    left = max((len(row["name"]) for row in rows), default=0) + 2
    shapes = [" × ".join(map(str, row["shape"])) for row in rows]
    for row, shape in zip(rows, shapes, strict=True):
        said = "" if row["carries_all"] else "part of the score goes past it"
        name = paint(row["name"], "bold" if row["carries_all"] else "dim", sys.stdout)
        write(f"{name}{' ' * (left - len(row['name']))}{shape.ljust(18)}{said}".rstrip())
    write()
    write(f"Without --layer: {listed['default']}")


def print_region(found: Region, files: tuple[Path, ...], seconds: float) -> None:
    _print_card(found)
    for layer in found.layers:
        write()
        _print_layer(layer)
    write()
    for path in files:
        write(f"  written {one_line(str(path))}")
    write(paint(f"  in {seconds:.1f} s", "dim", sys.stdout))


def _print_card(found: Region) -> None:
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    from gradline.report.neurons import check, facts
    from gradline.result.card import verdict

    a = found.layers[0].a
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    table.add_row("verdict", Text(verdict(a, 0), style="bold green" if a.status[0].is_sound else "bold yellow"))
    for label, text in facts(found):
        table.add_row(label, Text(text))
    for layer in found.layers:
        label = "sum less region" if len(found.layers) == 1 else f"sum less region, {one_line(layer.name)}"
        table.add_row(label, Text(check(layer)))
    for name, finding in findings(found):
        table.add_row(finding.code, Text(f"{name}: {finding.text}" if name else finding.text, style="yellow"))
    box = ",".join(f"{edge:g}" for edge in found.given)
    title = Text.assemble((found.photo.title, "bold"), f" in {one_line(found.photo.name)}, region {box}")
    show(Panel(table, title=title, title_align="left"))
    if found.chosen:
        said = f"No --layer was given: {one_line(found.layers[0].name)} is the last block that all of the score passes."
        for line in prose(said, 2):
            write(line)


def _print_layer(layer: LayerShown) -> None:
    from gradline.plots.words import signed
    from gradline.result.spelling import percent

    found = layer.channels
    count, rows, columns = found.shape
    places = f" of {rows} × {columns} places" if found.has_places else ""
    write(f"{paint(one_line(layer.name), 'bold', sys.stdout)}: {count} channels{places}")
    wide = width() >= 60 and found.has_places

    def line(channel: str, carried: str, share: str, place: str) -> str:
        return f"  {channel.rjust(7)}{carried}{share.rjust(9)}{f'   {place}' if wide else ''}".rstrip()

    write(paint(line("channel", "contribution".rjust(14), "share", "most active at x"), "dim", sys.stdout))
    for c in found.top:
        place = f"{c.where}, {percent(c.inside)} in the region" if c.where else "nowhere"
        share = "–" if math.isnan(c.size) else percent(c.size)
        carried = paint(signed(c.contribution).rjust(14), "green" if c.contribution > 0 else "yellow", sys.stdout)
        write(line(f"{c.index}", carried, share, place))
    if found.others:
        write(
            line(
                "others",
                signed(found.rest).rjust(14),
                percent(max(0.0, 1 - sum(c.size for c in found.top))),
                f"{found.others} channels",
            )
        )
    if layer.curves is not None:
        _print_curves(layer.curves)


def _print_curves(found: Curves) -> None:
    """What is left, a line a ranking."""
    from gradline.plots.words import signed

    left = max(len(name) for name in found.names) + 2
    for title, values in found.panels:
        shares = "".join(f"{100 * share:g} %".rjust(10) for share in found.shares)
        write(paint(f"  {title}, neurons taken away:", "dim", sys.stdout))
        write(paint(f"  {' ' * left}{shares}", "dim", sys.stdout))
        for name, row in zip(found.names, values, strict=True):
            write(f"  {one_line(name).ljust(left)}{''.join(signed(float(v)).rjust(10) for v in row)}")
