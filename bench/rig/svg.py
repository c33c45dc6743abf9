"""Bar charts: the median as a bar, the spread as a whisker. Readable in light and dark."""

from dataclasses import dataclass
from html import escape

from rig.stats import Value

WIDTH = 760
LABEL = 250
RIGHT = 90
ROW = 24
TOP = 46
BOTTOM = 14

STYLE = """
  .paper { fill: #ffffff; stroke: #d0d7de }
  text { font: 12px system-ui, sans-serif; fill: #24292f }
  .title { font-size: 14px; font-weight: 600 }
  .unit { fill: #57606a }
  .grid { stroke: #d8dee4; stroke-width: 1 }
  .whisker { stroke: #24292f; stroke-width: 1.5 }
  .other { fill: #8c959f } .ours { fill: #2f81f7 } .second { fill: #2da44e }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117; stroke: #30363d }
    text { fill: #e6edf3 }
    .unit { fill: #8d96a0 }
    .grid { stroke: #21262d }
    .whisker { stroke: #e6edf3 }
    .other { fill: #6e7681 }
  }
"""


@dataclass
class Bar:
    label: str
    value: Value
    kind: str = "other"  # "other", "ours" or "second": its colour
    text: str = ""  # beside it; the median when empty


def _step(top):
    """Between lines of the grid: about five of them, at round numbers."""
    power = 1.0
    while power * 10 <= top / 5:
        power *= 10
    while power > top / 5:
        power /= 10
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor * 5 >= top)


def _number(value):
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def _grid(top, height, x_of):
    step, value = _step(top), 0.0
    while value <= top * 1.0001:
        x = x_of(value)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{height - BOTTOM}"/>'
        yield f'<text class="unit" x="{x:.1f}" y="{TOP - 5}" text-anchor="middle">{value:g}</text>'
        value = round(value + step, 10)


def _bar(bar, y, x_of):
    middle = y + ROW / 2
    length = x_of(bar.value.median) - LABEL
    label = escape(bar.label)
    yield f'<text x="{LABEL - 8}" y="{middle + 4:.1f}" text-anchor="end">{label}</text>'
    yield (
        f'<rect class="{bar.kind}" x="{LABEL}" y="{y + 4}" width="{length:.1f}"'
        f' height="{ROW - 8}" rx="2"/>'
    )
    low, high = x_of(bar.value.low), x_of(bar.value.high)
    if high - low >= 1:
        yield (
            f'<path class="whisker" d="M{low:.1f} {middle}H{high:.1f}'
            f'M{low:.1f} {middle - 4}v8M{high:.1f} {middle - 4}v8"/>'
        )
    text = escape(bar.text or _number(bar.value.median))
    yield f'<text x="{max(high, x_of(bar.value.median)) + 6:.1f}" y="{middle + 4:.1f}">{text}</text>'


def chart(title, unit, bars):
    """The picture as text."""
    top = max((bar.value.high for bar in bars), default=0) or 1
    height = TOP + ROW * len(bars) + BOTTOM

    def x_of(value):
        return LABEL + value / top * (WIDTH - LABEL - RIGHT)

    body = [
        f'<rect class="paper" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="6"/>',
        f'<text class="title" x="12" y="22">{escape(title)}'
        f'<tspan class="unit" font-weight="400"> · {escape(unit)}</tspan></text>',
        *_grid(top, height, x_of),
    ]
    for index, bar in enumerate(bars):
        body += _bar(bar, TOP + ROW * index, x_of)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}"'
        f' height="{height}" role="img" aria-label="{escape(title)}">\n<style>{STYLE}</style>\n'
        + "\n".join(body)
        + "\n</svg>\n"
    )
