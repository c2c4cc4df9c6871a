"""What a review export says of itself, as the card tells it."""

from __future__ import annotations

from typing import Any


def read(facts: dict[str, Any]) -> dict[str, Any] | None:
    """The manifest's `review` in the card's words; None where there is none.

    `records`, `annotators`, `gold_accuracy`, `threshold`, `low_agreement_accepted` and, by question, `alpha`, `low`, `high`, `units`.
    """
    found = facts.get("review")
    if not isinstance(found, dict):
        return None
    questions = found.get("questions")
    listed = questions if isinstance(questions, dict) else {}
    threshold = found.get("threshold")
    asked = _number(threshold)
    measured = {name: _number(row.get("alpha")) for name, row in listed.items()}
    low = [name for name, alpha in measured.items() if alpha is not None and asked is not None and alpha < asked]
    told = []
    if _number(found.get("records")) is not None:
        people = f" by {found['annotators']:,} annotators" if _number(found.get("annotators")) is not None else ""
        told.append(f"{found['records']:,} records were reviewed{people}.")
    if _number(found.get("gold_accuracy")) is not None:
        told.append(f"Accuracy on questions with known answers: {found['gold_accuracy']:.1%}.")
    if asked is not None:
        told.append(f"Alpha asked for: {asked:g}.")
    return {
        "summary": " ".join(told),
        "questions": [
            {
                "name": name,
                "alpha": _decimal(row.get("alpha")),
                "interval": f"{_decimal(row.get('low'))} to {_decimal(row.get('high'))}",
                "units": row.get("units", "–"),
            }
            for name, row in listed.items()
        ],
        "low": bool(found.get("low_agreement_accepted")),
        "low_questions": ", ".join(low),
    }


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _decimal(value: Any) -> str:
    number = _number(value)
    return "–" if number is None else f"{number:.3f}"
