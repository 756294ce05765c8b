"""Writes the vectors beside it, with mpmath at 50 digits: `python3 generate.py`.

Numbers of the crate are integers: `raw` is a number times 2^64, prices count 1e-8, deviations 1e-8.
"""

import random
from pathlib import Path

from mpmath import mp, mpf, exp, log, ncdf, sqrt, nint, floor, nstr

mp.dps = 50
random.seed(20)
HERE = Path(__file__).parent
SCALE = mpf(2) ** 64


def write(name, head, rows):
    text = "".join(",".join(map(str, row)) + "\n" for row in rows)
    (HERE / name).write_text(f"# {head}, by generate.py\n{text}")


def functions():
    """function, raw argument, raw value to the nearest integer."""
    for _ in range(60):
        x = int(mpf(2) ** random.uniform(0.5, 126.9))
        yield "ln", x, int(nint(log(x / SCALE) * SCALE))
        yield "sqrt", x, int(floor(sqrt(x / SCALE) * SCALE))
    for _ in range(60):
        x = int(mpf(random.uniform(-46, 2)) * SCALE)
        yield "exp", x, int(nint(exp(x / SCALE) * SCALE))
    for _ in range(120):
        x = int(mpf(random.uniform(-10, 10)) * SCALE)
        yield "normal", x, int(nint(ncdf(x / SCALE) * SCALE))


def black(forward, strike, deviation):
    d1 = log(forward / strike) / deviation + deviation / 2
    d2 = d1 - deviation
    if forward <= strike:
        call = forward * ncdf(d1) - strike * ncdf(d2)
        return call, call + strike - forward
    put = strike * ncdf(-d2) - forward * ncdf(-d1)
    return put + forward - strike, put


def options():
    """forward, strike, deviation, and call and put in units of 1e-8."""
    for _ in range(200):
        forward = int(mpf(10) ** random.uniform(4, 13))
        strike = int(forward * random.choice([random.uniform(0.5, 1.5), random.uniform(0.01, 10)]))
        deviation = int(mpf(10) ** random.uniform(5, 9.5))
        call, put = black(mpf(forward), mpf(strike), mpf(deviation) / 10**8)
        # What is below 1e-30 is written as zero, not with an exponent.
        decimals = lambda x: nstr(x if x > mpf(10) ** -30 else mpf(0), 34, min_fixed=-99, max_fixed=99)
        yield forward, strike, deviation, decimals(call), decimals(put)


def nodes():
    """step in 1e-4, node, its price in 1e-8 to the nearest integer."""
    for step in (10, 450, 2000):
        for _ in range(40):
            node = random.randint(-90_000 // step, 140_000 // step)
            yield step, node, int(nint(exp(mpf(node * step) / 10**4) * 10**8))


write("functions.csv", "function, raw argument, raw value", functions())
write("black76.csv", "forward 1e-8, strike 1e-8, deviation 1e-8, call 1e-8, put 1e-8", options())
write("nodes.csv", "step 1e-4, node, price 1e-8", nodes())
