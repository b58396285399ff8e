"""Maps judged by metrics: one at a time (`gl.evaluate`), or methods against each other (`gl.leaderboard`)."""

from typing import TYPE_CHECKING

from gradline.lazy import loader, names_of

if TYPE_CHECKING:
    from gradline.evaluation.board import Leaderboard as Leaderboard
    from gradline.evaluation.contest import leaderboard as leaderboard
    from gradline.evaluation.judge import evaluate as evaluate
else:
    __getattr__ = loader(
        __name__,
        names_of(
            {
                "gradline.evaluation.board": "Leaderboard",
                "gradline.evaluation.contest": "leaderboard",
                "gradline.evaluation.judge": "evaluate",
            }
        ),
    )

__all__ = ["Leaderboard", "evaluate", "leaderboard"]
