"""Maps judged by metrics: one at a time (`gl.evaluate`), or methods against each other (`gl.leaderboard`),
baselines against fills (`baseline_by_fill`)."""

from typing import TYPE_CHECKING

from gradline.lazy import loader, names_of

if TYPE_CHECKING:
    from gradline.evaluation.board import Leaderboard as Leaderboard
    from gradline.evaluation.by_fill import BaselineByFill as BaselineByFill
    from gradline.evaluation.by_fill import baseline_by_fill as baseline_by_fill
    from gradline.evaluation.contest import leaderboard as leaderboard
    from gradline.evaluation.judge import evaluate as evaluate
else:
    __getattr__ = loader(
        __name__,
        names_of(
            {
                "gradline.evaluation.board": "Leaderboard",
                "gradline.evaluation.by_fill": "BaselineByFill baseline_by_fill",
                "gradline.evaluation.contest": "leaderboard",
                "gradline.evaluation.judge": "evaluate",
            }
        ),
    )

__all__ = ["BaselineByFill", "Leaderboard", "baseline_by_fill", "evaluate", "leaderboard"]
