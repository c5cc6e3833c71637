"""Whole trajectories of UniPC and Euler on the original repository's grid.

UniPC is diffusers' UniPCMultistepScheduler with that grid put in; spec_unipc() below is the same
from the published formulas in double, and both are compared."""

import math
import os

import common
import torch
from diffusers import UniPCMultistepScheduler

CONFIG = dict(num_train_timesteps=1000, solver_order=2, prediction_type="flow_prediction",
              use_flow_sigmas=True, solver_type="bh2", predict_x0=True, lower_order_final=True,
              final_sigmas_type="zero")


def grid(n, shift):
    """Levels (n + 1 of them, the last 0) and the integer timesteps the network sees."""
    g = [0.999 * (1 - i / n) for i in range(n)]
    sigmas = [shift * v / (1 + (shift - 1) * v) for v in g] + [0.0]
    return sigmas, [int(1000 * s) for s in sigmas[:-1]]


class UniPC:
    def __init__(self, n, shift):
        self.sigmas, self.times = grid(n, shift)
        self.impl = UniPCMultistepScheduler(**CONFIG, flow_shift=shift)
        self.impl.set_timesteps(n)
        self.impl.sigmas = torch.tensor(self.sigmas, dtype=torch.float64)
        self.impl.timesteps = torch.tensor(self.times)
        self.impl.set_begin_index(0)

    def step(self, i, v, x):
        return self.impl.step(v[None], self.times[i], x[None], return_dict=False)[0][0]


class Euler:
    def __init__(self, n, shift):
        self.sigmas, self.times = grid(n, shift)

    def step(self, i, v, x):
        return x + (self.sigmas[i + 1] - self.sigmas[i]) * v


class SpecUniPC:
    def __init__(self, n, shift):
        self.sigmas, self.times = grid(n, shift)
        self.done, self.order = 0, 0
        self.before = self.last = self.x_last = None

    def lam(self, i):
        s = self.sigmas[i]
        return math.log(1 - s) - math.log(s)

    def correct(self, i, m, x):
        st, at = self.sigmas[i], 1 - self.sigmas[i]
        h = self.lam(i) - self.lam(i - 1)
        phi = math.exp(-h) - 1
        base = st / self.sigmas[i - 1] * self.x_last - at * phi * self.last
        if self.order == 1:
            return base - at * phi * 0.5 * (m - self.last)
        r = (self.lam(i - 2) - self.lam(i - 1)) / h
        k = phi / -h - 1
        b1, b2 = k / phi, 2 * (k / -h - 0.5) / phi
        p1 = (b1 - b2) / (1 - r)
        d1 = (self.before - self.last) / r
        return base - at * phi * (p1 * d1 + (b1 - p1) * (m - self.last))

    def step(self, i, v, x):
        m = x - self.sigmas[i] * v
        if i > 0:
            x = self.correct(i, m, x)
        self.before, self.last = self.last, m
        self.order = min(2, len(self.times) - i, self.done + 1)
        self.x_last, self.corrected = x, x
        self.done = min(2, self.done + 1)
        if self.sigmas[i + 1] == 0:
            return m
        h = self.lam(i + 1) - self.lam(i)
        phi, at = math.exp(-h) - 1, 1 - self.sigmas[i + 1]
        x = self.sigmas[i + 1] / self.sigmas[i] * x - at * phi * m
        if self.order == 2:
            r = (self.lam(i - 1) - self.lam(i)) / h
            x = x - at * phi * 0.5 * (self.before - m) / r
        return x


def check_values():
    """The worked example of the specification."""
    want = [0.97498769, 0.94253056, 0.89869318, 0.83544312, 0.73918230, 0.54204264]
    for kind in (UniPC, SpecUniPC):
        sampler, x = kind(6, 5.0), torch.tensor([1.0], dtype=torch.float64)
        for i in range(6):
            x = sampler.step(i, 0.5 * x + 0.25 * sampler.sigmas[i] - 0.1, x)
            assert abs(float(x) - want[i]) < 2e-8, (kind.__name__, i, float(x))
    euler, x = Euler(6, 5.0), 1.0
    for i in range(6):
        x = euler.step(i, 0.5 * x + 0.25 * euler.sigmas[i] - 0.1, x)
    assert abs(x - 0.53112924) < 1e-8
    assert grid(50, 5.0)[1][:5] == [999, 995, 991, 987, 982] and grid(50, 5.0)[1][-1] == 92


def main():
    check_values()
    out, worst = {}, 0.0
    for n in (1, 2, 4, 6, 20, 50):
        for shift in (5.0, 3.0):
            key = f"n{n}.shift{shift:.0f}"
            g = common.seeded(100 * n + int(shift))
            x0, v = torch.randn(64, generator=g), torch.randn(n, 64, generator=g)
            out[key + ".x"], out[key + ".v"] = x0, v
            sigmas, times = grid(n, shift)
            out[key + ".sigmas"] = torch.tensor(sigmas, dtype=torch.float64)
            out[key + ".times"] = torch.tensor(times, dtype=torch.int32)
            for name, kind in (("unipc", UniPC), ("euler", Euler)):
                for feed in ("given", "field"):  # recorded velocities, or v(x, sigma)
                    sampler, spec = kind(n, shift), SpecUniPC(n, shift)
                    x, y, steps = x0.double(), x0.double(), []
                    for i in range(n):
                        f = (lambda a: v[i].double() if feed == "given"
                             else 0.5 * a + 0.25 * sigmas[i] - 0.1)
                        x = sampler.step(i, f(x), x)
                        y = spec.step(i, f(y), y)
                        steps.append(x.float())
                    if name == "unipc":
                        worst = max(worst, float((x - y).norm() / x.norm()))
                    out[f"{key}.{name}.{feed}"] = torch.stack(steps)
    print("diffusers against the formulas:", worst)
    common.save_tensors(os.path.join(common.REF, "sampler.safetensors"), out)


if __name__ == "__main__":
    main()
