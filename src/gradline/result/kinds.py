"""Numbered remarks about a model, a question or a result: what was noticed, what follows, what to do.

GL1xx are about the model and the question, GL2xx about the result. `KINDS` is the whole list.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """`code`: stable number such as GL101. `examples`: indices it concerns, empty for all."""

    code: str
    title: str
    detail: str
    remedy: str
    examples: tuple[int, ...] = ()

    @property
    def text(self) -> str:
        """All but the number."""
        listed = f"{', '.join(map(str, self.examples[:8]))}{' …' * (len(self.examples) > 8)}"
        where = f" (example{'s' * (len(self.examples) > 1)} {listed})" if self.examples else ""
        return f"{self.title}{where}: {self.detail}. {self.remedy}."

    def __str__(self) -> str:
        return f"{self.code} {self.text}"


@dataclass(frozen=True)
class Kind:
    """What a number means: the `cause` in the model or the question, the `consequence` for the map, the `remedy`."""

    code: str
    title: str
    cause: str
    consequence: str
    remedy: str

    def found(self, detail: str = "", examples: tuple[int, ...] = ()) -> Finding:
        """A finding of this kind; `detail` says what it was here."""
        return Finding(self.code, self.title, detail or self.consequence, self.remedy, examples)


_ALL = (
    Kind(
        "GL101",
        "model in training mode",
        "model.train() was in force: dropout would draw anew at every evaluation, BatchNorm would mix the rows of a "
        "batch and update its statistics",
        "it was evaluated in evaluation mode and put back; its statistics are untouched",
        "Call model.eval() if that is how it is used",
    ),
    Kind(
        "GL102",
        "rows influence each other",
        "the output for one row changes with what the other rows of the batch hold: normalisation over the batch, "
        "softmax over the wrong axis, attention across examples",
        "a map made in batches would mix examples and points of the path; every row was evaluated alone instead, which "
        "is right and slow",
        "Look for an operation over axis 0; batch statistics belong into evaluation mode",
    ),
    Kind(
        "GL103",
        "one row at a time",
        "the model, or what the layer returns, does not take two rows at once: a batch size is written into it, or its "
        "batch axis is not the first",
        "every row was evaluated alone, which is right and slow",
        "Let the model take batches of any size, first axis first",
    ),
    Kind(
        "GL104",
        "gradient path cut",
        "between x and the target stands something that automatic differentiation does not pass: detach(), no_grad(), "
        "argmax, comparison, rounding, .long(), .item(), numpy()",
        "the gradient is zero, or misses the part of the score that goes that way: there is no map, or half of one",
        "Explain an output in front of the cut (the logits, gl.Neuron(layer, index)), drive the path behind it "
        "(site=gl.Layer(…)), or give the Score a derivative= of gl.derivatives",
    ),
    Kind(
        "GL105",
        "in-place operation",
        "the model writes into its own input, or into a tensor that the backward pass still needs",
        "gradline hands out copies, so maps are right; other tools may explain an input that was changed under their "
        "hands, or fail",
        "Use the out-of-place form (relu instead of relu_, x = x + 1 instead of x += 1)",
    ),
    Kind(
        "GL106",
        "low precision",
        "the model computes in bfloat16 or float16; gradients are summed in float32, but each one carries the rounding "
        "of the whole forward and backward pass",
        "part of that is the same at every node and does not average out. It is measured against a float32 copy of the "
        "model and counted in the estimated error of the map; deep networks can lose half the map",
        "Explain a float32 copy of the model: model.float(), x.float()",
    ),
    Kind(
        "GL107",
        "saturated probability",
        "the probability is so near 0 or 1 at x that it hardly changes around x",
        "what separates x from other inputs of the same class hardly shows; most of the path is flat and the map comes "
        "from a short stretch of it",
        "Explain the logit or gl.Margin; near 0 also gl.LogProbability, which is as flat as the probability near 1",
    ),
    Kind(
        "GL108",
        "dead target",
        "the score is the same at x, at the baseline and between, and its gradient is zero",
        "the map is zero: the target does not use what is attributed, or sits behind a dead unit",
        "Check the target's index, the baseline, and that the layer is on the way to the target",
    ),
    Kind(
        "GL109",
        "non-finite score or gradient",
        "the model returns NaN or infinity at x, at the baseline or between, or its gradient does: log(0), 0/0, the "
        "square root of 0, overflow in half precision, a mask that leaves nothing to attend to",
        "no attribution through that point exists",
        "Look at the first operation named; move the baseline, or use a wider precision",
    ),
    Kind(
        "GL110",
        "mask among the inputs",
        "a floating-point entry of x holds nothing but zeros and ones: it looks like a mask, and the path fades it in",
        "the model sees half a mask along the path, part of the attribution goes to the mask, and the sum with it",
        "Pass it by name in context=, where it is held fixed, or as booleans or integers",
    ),
    Kind(
        "GL111",
        "baseline of token 0",
        "x holds whole numbers and no baseline was given, so that the path starts at number 0 everywhere",
        "the map says what differs from that input; for most tokenizers 0 is not what stands for nothing",
        "Give the ids of a neutral input (padding, mask) as baseline=, or gl.baselines.AtSite(0.0) for zero embeddings",
    ),
    Kind(
        "GL112",
        "the model draws at random",
        "in evaluation mode the same input has another output each time: dropout called with training=True, noise, a "
        "sampled layer",
        "scores and gradients are those of one draw each; the map cannot be repeated, its error is above the estimate",
        "Switch the noise off, or fix its random numbers",
    ),
    Kind(
        "GL113",
        "gradient is not the score's",
        "what automatic differentiation returns is not the derivative of the score: a straight-through estimator, a "
        "detach() beside a branch that is differentiated, an autograd.Function with a backward of its own, a hook that "
        "changes gradients (left over from guided backpropagation, say)",
        "the map explains another function, and its values do not add up to F(x) − F(x')",
        "Remove the hook or the surrogate, or give the Score a derivative= of gl.derivatives, which asks for the score "
        "alone",
    ),
    Kind(
        "GL114",
        "zero embedding before a norm",
        "the path starts at zero where the first thing that sees it divides by its size: an RMSNorm or LayerNorm right "
        "behind the embeddings, as in Llama, Mistral, Qwen, Gemma and T5",
        "what comes out of that norm hardly depends on how large the embeddings are, so that most of what it does to "
        "the score happens in the first stretch of the path, which even steps miss; and zero is a word that nobody "
        "writes",
        "Start at an embedding that is not zero: the mean of all, or that of a mask or padding token "
        "(gl.text.MeanEmbedding, MaskToken, PadToken); or keep zero and ask for tol=, which puts its nodes where the "
        "change is",
    ),
    Kind(
        "GL201",
        "tolerance not met",
        "the estimate, with its safety factor, was above tol when the evaluations allowed were spent",
        "the map is less accurate than asked for; error_estimate says how accurate",
        "Raise max_evaluations, loosen tol, or explain the logit instead of a saturated probability",
    ),
    Kind(
        "GL202",
        "non-finite reading",
        "a score or a gradient on the path is NaN or infinite",
        "the map cannot be used",
        "Move the baseline away from the singular point, or look for log(0), 0/0 and overflow in the model; gl.doctor "
        "names the first layer",
    ),
    Kind(
        "GL203",
        "flat path",
        "the gradient is zero at every point that was read, and the score does not change",
        "the map is zero: nothing that was read on the path says how the features move the score",
        "Check the target, that x differs from the baseline, and that the score is not saturated",
    ),
    Kind(
        "GL204",
        "stopped early",
        "the memory allowed is full, the path cannot be resolved further in the model's precision, or chance in "
        "sampled gradients (gl.derivatives.GaussianSmoothing) is too large for tol",
        "the map is what was known then; error_estimate says how accurate it is",
        "Allow more memory, a larger tol or more samples; evaluate the model in float32 if it is in half precision",
    ),
    Kind(
        "GL205",
        "completeness gap",
        "the values of a fixed number of steps miss what they should add up to",
        "the errors of the values add up to at least that much; how they are spread is not known",
        "Use tol= instead of steps=, or more steps",
    ),
    Kind(
        "GL206",
        "part of the score goes past the layer",
        "a skip connection, or another branch, leads round the layer where gradients are read",
        "the values add up to the part of F(x) − F(x') that passes through the layer, not to the whole",
        "Read at a layer that everything passes through, or take the values as shares of this part",
    ),
    Kind(
        "GL207",
        "few drawn baselines",
        "the baseline is drawn at random, and the map is a mean over the draws",
        "other draws would give another map; the standard error of the mean is in its estimated error, and above tol",
        "Draw more baselines (draws=), or give one that is not drawn",
    ),
    Kind(
        "GL208",
        "the method met its limits",
        "what the method looks for is not there, or it could not be followed: a score that falls along the path and so "
        "does not saturate, an ascent of the score that diverges or loses height",
        "the map is made of what was met; compare it with one of another method before you read much into it",
        "Do as the detail says, or take another method",
    ),
)
KINDS: dict[str, Kind] = {kind.code: kind for kind in _ALL}
