"""What a benchmark found, as a table for people and as JSON for machines."""

import json
import statistics
import tomllib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

Better = Literal["higher", "lower"]


@dataclass(frozen=True, kw_only=True)
class Measure:
    """What one row promises: a value, what it is compared with, and where gate and aim lie."""

    id: str
    text: str
    unit: str
    reference: str | None = None
    better: Better = "higher"
    gate: float
    aim: float


def measures_of(group: str) -> list[Measure]:
    """Return the rows of `group` as measures.toml states them."""
    stated = tomllib.loads((Path(__file__).parent / "measures.toml").read_text("utf-8"))
    return [Measure(**row) for row in stated[group]]


@dataclass(frozen=True, kw_only=True)
class Result:
    """One row of the table; `ratio` is the value over the reference, or the value without one."""

    id: str
    group: str
    measure: str
    value: float
    unit: str
    reference: str | None
    reference_value: float | None
    ratio: float
    better: Better
    gate: float
    aim: float

    @property
    def passes_gate(self) -> bool:
        """Tell whether the gate is reached."""
        return self.ratio >= self.gate if self.better == "higher" else self.ratio <= self.gate

    @property
    def reaches_aim(self) -> bool:
        """Tell whether the aim is reached."""
        return self.ratio >= self.aim if self.better == "higher" else self.ratio <= self.aim


@dataclass
class Samples:
    """Readings of one run, by name; references and measures alike."""

    readings: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, value: float) -> None:
        """Keep one reading."""
        self.readings.setdefault(name, []).append(value)

    def median(self, name: str) -> float:
        """Return the median of the readings of `name`."""
        return statistics.median(self.readings[name])


def result_of(group: str, measure: Measure, samples: Samples) -> Result:
    """Return the row of `measure`: medians of its readings and of its reference's."""
    value = samples.median(measure.id)
    reference_value = samples.median(measure.reference) if measure.reference else None
    return Result(
        id=measure.id,
        group=group,
        measure=measure.text,
        value=round(value, 3),
        unit=measure.unit,
        reference=measure.reference,
        reference_value=None if reference_value is None else round(reference_value, 3),
        ratio=round(value if reference_value is None else value / reference_value, 3),
        better=measure.better,
        gate=measure.gate,
        aim=measure.aim,
    )


def show(results: list[Result]) -> None:
    """Print the table of `results`."""
    table = Table("measure", "value", "reference", "ratio", "gate", "aim", "")
    for row in results:
        reference = f"{row.reference} {row.reference_value:,.0f}" if row.reference_value else ""
        verdict = "aim" if row.reaches_aim else "gate" if row.passes_gate else "BELOW"
        sign = "≥" if row.better == "higher" else "≤"
        table.add_row(
            row.measure,
            f"{row.value:,.1f} {row.unit}",
            reference,
            f"{row.ratio:.2f}",
            f"{sign} {row.gate:g}",
            f"{sign} {row.aim:g}",
            verdict,
        )
    Console(width=150).print(table)


def write(results: list[Result], path: Path) -> None:
    """Write `results` to `path`, in the place of earlier rows of the same groups."""
    groups = {row.group for row in results}
    kept = []
    if path.exists():
        kept = [row for row in json.loads(path.read_text("utf-8")) if row["group"] not in groups]
    rows = kept + [asdict(row) for row in results]
    path.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", "utf-8")
