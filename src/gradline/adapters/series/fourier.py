"""Real Fourier coefficients of series, and the way back: linear, so that a straight path stays straight."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gradline.errors import InputError


@dataclass(frozen=True)
class Fourier:
    """x (…, T) as coefficients (…, K, 2), real and imaginary parts of X_k = Σ_t x_t exp(−2πikt/T), k = 0 … ⌊T/2⌋.

    Back: x_t = (1/T) Σ_k c_k [Re X_k cos(2πkt/T) − Im X_k sin(2πkt/T)], c_k = 1 for k = 0 and, with T even, k = T/2,
    whose imaginary parts are 0; else 2, as k stands for T − k too, its conjugate.

    `window`: even, from 4: instead short-time coefficients (…, W, K, 2) of the series under Hann windows of so many
    samples, half a window apart, the first and the last half beyond its ends. They sum to one at every sample, so the
    sum of the windows' inverses is x. Raises `InputError`.
    """

    window: int | None = None

    def __post_init__(self) -> None:
        w = self.window
        if w is not None and (isinstance(w, bool) or not isinstance(w, int) or w < 4 or w % 2):
            raise InputError("an even whole number window >= 4, in samples", repr(w))

    def coefficients(self, x: Tensor) -> Tensor:
        """Of x `(…, T)`."""
        if self.window is None:
            whole: Tensor = torch.view_as_real(torch.fft.rfft(x))
            return whole
        hop = self.window // 2
        ends = hop, self.windows(x.shape[-1]) * hop - x.shape[-1]
        cut = torch.nn.functional.pad(x, ends).unfold(-1, self.window, hop)
        found: Tensor = torch.view_as_real(torch.fft.rfft(cut * self._hann(x)))
        return found

    def series(self, z: Tensor, length: int) -> Tensor:
        """The series `(…, length)` of coefficients z; what the last axes hold beyond its own is not looked at."""
        if self.window is None:
            own = torch.view_as_complex(z[..., : length // 2 + 1, :].contiguous())
            whole: Tensor = torch.fft.irfft(own, n=length)
            return whole
        hop, count = self.window // 2, self.windows(length)
        own = torch.view_as_complex(z[..., :count, :, :].contiguous())
        cut: Tensor = torch.fft.irfft(own, n=self.window)
        early = torch.nn.functional.pad(cut[..., :hop].flatten(-2), (0, hop))
        late = torch.nn.functional.pad(cut[..., hop:].flatten(-2), (hop, 0))
        return (early + late)[..., hop : hop + length]

    def windows(self, length: int) -> int:
        """W, how many windows a series of that length has."""
        assert self.window is not None
        return -(-length // (self.window // 2)) + 1

    def frequencies(self, length: int, rate: float | None) -> tuple[np.ndarray, str]:
        """The frequencies `(K,)`, and their unit."""
        size = length if self.window is None else self.window
        cycles = np.arange(size // 2 + 1) / size
        return (cycles, "cycles per sample") if rate is None else (cycles * rate, "Hz")

    def amplitude(self, x: Tensor) -> np.ndarray:
        """Of the waves in x `(C, T)`: c_k |X_k| / T, the mean over windows: `(C, K)`."""
        z = torch.linalg.vector_norm(self.coefficients(x.double()), dim=-1).cpu().numpy()
        size = x.shape[-1] if self.window is None else self.window
        scale = np.full(size // 2 + 1, 2.0)
        scale[0] = 1.0
        if size % 2 == 0:
            scale[-1] = 1.0
        if self.window is None:
            return np.asarray(z * scale / size)
        return np.asarray(z.mean(1) * scale / (size / 2))

    def _hann(self, like: Tensor) -> Tensor:
        assert self.window is not None
        return torch.hann_window(self.window, periodic=True, dtype=like.dtype, device=like.device)
