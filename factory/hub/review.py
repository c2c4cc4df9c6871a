"""What a review export's manifest says of its people, as the card tells it."""

from __future__ import annotations

from typing import Any


def read(facts: dict[str, Any]) -> dict[str, Any] | None:
    """Agreement by question, known answers by person, and the questions on which low agreement was accepted; None where nobody reviewed.

    Read are `agreement` (question, alpha, low, high, records, uniform), `gold_accuracy` (by, right, of) and `accepted_low_agreement`.
    """
    if not isinstance(facts.get("agreement"), list):
        return None
    low = facts.get("accepted_low_agreement")
    return {
        "questions": [
            {"name": str(row.get("question")), "agreement": _agreement(row), "records": row.get("records", "–")}
            for row in _objects(facts["agreement"])
        ],
        "people": [
            {"name": str(row.get("by")), "right": row.get("right", "–"), "of": row.get("of", "–")}
            for row in _objects(facts.get("gold_accuracy"))
        ],
        "low": [str(name) for name in low] if isinstance(low, list) else [],
    }


def _objects(value: Any) -> list[dict[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _agreement(row: dict[str, Any]) -> str:
    alpha, low, high = (row.get(name) for name in ("alpha", "low", "high"))
    if isinstance(alpha, int | float):
        return f"{alpha:.3f}" + (f" ({low:.3f} to {high:.3f})" if isinstance(low, int | float) and isinstance(high, int | float) else "")
    return "everybody gave one answer" if row.get("uniform") else "not measured"
