"""Texts in front of models: what is explained of them, where the path starts, and sums over words."""

from typing import TYPE_CHECKING

from gradline.lazy import loader, names_of

if TYPE_CHECKING:
    from gradline.adapters.text.answers import Answer
    from gradline.adapters.text.baselines import MaskToken, MeanEmbedding, OtherText, PadToken
    from gradline.adapters.text.case import TextCase, text_case
    from gradline.adapters.text.encoding import Encoded, encode
    from gradline.adapters.text.explain import explain_case, explain_text
    from gradline.adapters.text.matrix import AnswerMatrix, answer_matrix
    from gradline.adapters.text.model import Task, TextModel, text_model
    from gradline.adapters.text.pieces import pieces_of
    from gradline.adapters.text.sentiment import demo_text, minilm_sentiment
    from gradline.adapters.text.targets import Label, Masked, Similarity, Span, TextTarget, TokenLabel
    from gradline.plots.tokens import sentences, tokens, words
else:
    __getattr__ = loader(
        __name__,
        names_of(
            {
                "gradline.adapters.text.answers": "Answer",
                "gradline.adapters.text.baselines": "MaskToken MeanEmbedding OtherText PadToken",
                "gradline.adapters.text.case": "TextCase text_case",
                "gradline.adapters.text.encoding": "Encoded encode",
                "gradline.adapters.text.explain": "explain_case explain_text",
                "gradline.adapters.text.matrix": "AnswerMatrix answer_matrix",
                "gradline.adapters.text.model": "Task TextModel text_model",
                "gradline.adapters.text.pieces": "pieces_of",
                "gradline.adapters.text.sentiment": "demo_text minilm_sentiment",
                "gradline.adapters.text.targets": "Label Masked Similarity Span TextTarget TokenLabel",
                "gradline.plots": "sentences tokens words",
            }
        ),
    )

__all__ = [
    "Answer",
    "AnswerMatrix",
    "Encoded",
    "Label",
    "MaskToken",
    "Masked",
    "MeanEmbedding",
    "OtherText",
    "PadToken",
    "Similarity",
    "Span",
    "Task",
    "TextCase",
    "TextModel",
    "TextTarget",
    "TokenLabel",
    "answer_matrix",
    "demo_text",
    "encode",
    "explain_case",
    "explain_text",
    "minilm_sentiment",
    "pieces_of",
    "sentences",
    "text_case",
    "text_model",
    "tokens",
    "words",
]
